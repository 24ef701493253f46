"""Rendered crowds as a dataset for face detectors, in WIDER FACE's native layout.

It writes `WIDER_{split}/images/0--Crowd/*.jpg` and `wider_face_split/wider_face_{split}_bbx_gt.txt`. Beside them is
`ground_truth/annotations.csv` with what WIDER does not say of the validation images: view, skin tone, how much of a
face shows. Its paths are relative to the whole folder.

Source of the layout: the read-me file of WIDER FACE's annotations (Yang et al. 2016).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from anonbench.core.files import atomic_folder
from anonbench.core.parallel import parallel_map
from anonbench.data.annotations import FILE as TRUTH
from anonbench.data.images import encode_image
from anonbench.data.seeding import generator
from anonbench.data.tables import write_csv
from anonbench.rendered.crowd import CrowdFace, CrowdSpec, CrowdStudio

EVENT = "0--Crowd"
SPLITS = ("train", "val")
FACE_COLUMNS = ("path", "x0", "y0", "x1", "y1", "visible", "fraction", "view", "skin_tone", "occluded")


def render_crowds(spec: CrowdSpec, validation: int, output: Path, workers: int) -> None:
    """Draw the pictures of a spec for training and `validation` more, of other people in other places, for testing.

    The folder `output` appears when it is complete. Its bytes depend on the spec, not on the number of workers.
    Raises `DataError` when `output` exists with content or cannot be written.
    """
    with atomic_folder(output) as folder:
        _write_split(folder, "train", spec, workers)
        testing = replace(spec, seed=validation_seed(spec.seed), images=validation)
        drawn = _write_split(folder, "val", testing, workers)
        rows = [row for name, faces in drawn.items() for row in face_rows(f"WIDER_val/images/{name}", faces)]
        write_csv(folder / TRUTH, FACE_COLUMNS, rows)


def validation_seed(seed: int) -> int:
    """The seed of the pictures for testing: nobody and no camera of any other seed's training pictures is seen again.

    A hash and not the next number, which is the seed of somebody's training pictures.
    """
    return int(generator(seed, "validation").integers(2**63))


def _write_split(folder: Path, split: str, spec: CrowdSpec, workers: int) -> dict[str, tuple[CrowdFace, ...]]:
    images = folder / f"WIDER_{split}" / "images"
    (images / EVENT).mkdir(parents=True)
    names = [f"{EVENT}/0_Crowd_rendered_{number:05d}.jpg" for number in range(spec.images)]
    drawn = parallel_map(open_studio, (spec, images), list(enumerate(names)), workers, f"render {split}")
    annotations = folder / "wider_face_split" / f"wider_face_{split}_bbx_gt.txt"
    annotations.parent.mkdir(exist_ok=True)
    lines = [line for name, faces in zip(names, drawn, strict=True) for line in _wider_lines(name, faces)]
    annotations.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return dict(zip(names, drawn, strict=True))


def open_studio(spec: CrowdSpec, images: Path) -> Callable[[tuple[int, str]], tuple[CrowdFace, ...]]:
    """A function that draws a picture (number, name), writes it below `images` and returns its faces."""
    studio = CrowdStudio(spec)

    def draw(job: tuple[int, str]) -> tuple[CrowdFace, ...]:
        number, name = job
        picture = studio.draw(number)
        (images / name).write_bytes(encode_image(picture.image, ".jpg", picture.jpeg_quality))
        return picture.faces

    return draw


def _wider_lines(name: str, faces: tuple[CrowdFace, ...]) -> list[str]:
    """Path, number of faces, then a line a face: x y w h blur expression illumination invalid occlusion pose.

    A face of which too little shows is `invalid`, as WIDER marks those that it does not count. An image without a face
    has one line of zeros.
    """
    lines = [name, str(len(faces))]
    for face in faces:
        x0, y0, x1, y1 = (round(v) for v in face.box)
        turned = int(face.view in ("profile", "back"))
        lines.append(f"{x0} {y0} {x1 - x0} {y1 - y0} 0 0 0 {int(not face.visible)} {int(face.occluded)} {turned}")
    return lines if faces else [*lines, "0 0 0 0 0 0 0 0 0 0"]


def face_rows(name: str, faces: tuple[CrowdFace, ...]) -> list[list[object]]:
    """The rows of a picture in `FACE_COLUMNS`: one a face, or one with empty fields for an image without."""
    return [
        [name, *(f"{v:.2f}" for v in face.box), int(face.visible), f"{face.fraction:.3f}", face.view, face.skin_tone,
         int(face.occluded)]
        for face in faces
    ] or [[name, *[None] * (len(FACE_COLUMNS) - 1)]]  # fmt: skip
