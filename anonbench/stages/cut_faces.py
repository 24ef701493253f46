"""Cut the faces out of one copy of a dataset: what somebody sees who looks at nothing but what was hidden (Study 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonbench.core import checks
from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.errors import DataError
from anonbench.core.fields import build
from anonbench.core.files import atomic_folder
from anonbench.core.parallel import parallel_map
from anonbench.data.images import encode_image, read_image, resize, sha256
from anonbench.data.pictures import Picture, write_manifest
from anonbench.data.regions import Box, Region, clip_region, read_regions_of
from anonbench.data.tables import write_csv
from anonbench.tasks.reid.people import read_people

FACE_HEIGHT = "face_px"  # label: height of the box in pixels of the original picture
LISTING = "images.csv"  # so that the folder is a dataset of the format `folder`


@dataclass(frozen=True)
class Cut:
    """What a dataset of faces is: `cut:` of its config entry.

    of: the dataset whose pictures are cut.
    detector: whose regions: those that the variants hide, so that a face is cut to what was hidden. With hair, neck
        and clothes around it a grey box is recognized too.
    size: height and width of a cut-out in pixels. Boxes are brought to it, whatever their proportions.
    """

    of: str
    detector: str
    size: tuple[int, int] = (48, 48)

    def __post_init__(self) -> None:
        for side in self.size:
            checks.integer("size", side, 1)

    @classmethod
    def of_entry(cls, entry: Mapping[str, Any]) -> Cut:
        """Raises `ConfigError` for a key or a value that is none."""
        return build(cls, entry, "cut")


@command("anonymize")
def cut_faces(
    manifest: Input,
    root: Input,
    originals: Input,
    detections: Input,
    spec: Spec,
    output: Output,
    output_manifest: Output,
    threads: int = 1,
) -> None:
    """Cut the faces out of one copy of a dataset, of each picture the one that was found with the highest score.

    A picture in which no face was found has none: it is left out, counted and said. Regions that were hidden without a
    find (a detector's default box) are none. Where a copy's pictures have another size than the originals, so have
    the boxes. Cut-outs are PNG files with the names of the pictures, in a dataset of the format `folder`.

    manifest: the pictures of the copy (CSV of `index`, `anonymize` or `anonymize_whole`).
    root: folder that their paths are relative to.
    originals: the original pictures (CSV of `index`), to which the regions belong.
    detections: regions of the originals (CSV of `detect`).
    spec: `{of, detector, size: [height, width] in pixels}`, the dataset's `cut:`.
    output: folder of the cut-outs.
    output_manifest: their manifest (CSV), labelled pid, camid and face_px, the height of the box in the original.
    """
    cut = Cut.of_entry(spec)
    sizes = {picture.path: (picture.height, picture.width) for picture in read_people(originals)}
    regions = read_regions_of(detections, originals, sizes)
    people = read_people(manifest)
    strangers = [picture.path for picture in people if picture.path not in sizes]
    if strangers:
        raise DataError(
            f"{manifest}: {strangers[0]} is not in {originals}; expected a copy of the same dataset. Make it again."
        )
    jobs = [(p, box) for p in people if (box := _box(p, regions[p.path], sizes[p.path])) is not None]
    if not jobs:
        raise DataError(f"{detections}: no face was found in the {len(people)} pictures of {manifest}; nothing to cut.")
    with atomic_folder(output) as folder:
        for parent in sorted({(folder / picture.path).parent for picture, _ in jobs}):
            parent.mkdir(parents=True, exist_ok=True)
        written = parallel_map(_open_cutter, (root, folder, cut.size), jobs, threads, "cut_faces")
        faces = [_face(p, digest, cut.size, regions[p.path]) for (p, _), digest in zip(jobs, written, strict=True)]
        rows = ([f.path, f.labels["pid"], f.labels["camid"], f.split] for f in faces)
        write_csv(folder / LISTING, ("path", "pid", "camid", "split"), rows)
        write_manifest(output_manifest, faces)
    print(f"cut_faces: {len(faces)} faces; {len(people) - len(faces)} pictures without one are left out")


def _found(regions: Sequence[Region]) -> Region | None:
    """The find with the highest score."""
    return max((r for r in regions if not r.is_default), key=lambda region: region.score, default=None)


def _box(picture: Picture, regions: Sequence[Region], original: tuple[int, int]) -> Box | None:
    """The face's box in pixels of the copy."""
    region = _found(regions)
    if region is None:
        return None
    height, width = original
    x_scale, y_scale = picture.width / width, picture.height / height
    box = (region.x0 * x_scale, region.y0 * y_scale, region.x1 * x_scale, region.y1 * y_scale)
    clipped = clip_region(Region(box), picture.width, picture.height)
    return None if clipped is None else clipped.pixels


def _face(picture: Picture, digest: str, size: tuple[int, int], regions: Sequence[Region]) -> Picture:
    found = _found(regions)
    assert found is not None  # it was cut out
    identity = {name: picture.labels[name] for name in ("pid", "camid")}
    return Picture(
        picture.path, picture.split, size[1], size[0], digest, {**identity, FACE_HEIGHT: round(found.height)}
    )


def _open_cutter(root: Path, folder: Path, size: tuple[int, int]) -> Callable[[tuple[Picture, Box]], str]:
    def cut(job: tuple[Picture, Box]) -> str:
        picture, (x0, y0, x1, y1) = job
        pixels = read_image(root / picture.path)
        if pixels.shape[:2] != (picture.height, picture.width):
            found = f"{pixels.shape[0]} x {pixels.shape[1]}"
            raise DataError(
                f"{root / picture.path}: {found} pixels; its manifest says {picture.height} x {picture.width}."
            )
        data = encode_image(resize(pixels[y0:y1, x0:x1], size), ".png", 0)
        (folder / picture.path).write_bytes(data)
        return sha256(data)

    return cut
