"""The whole chain from a folder of pictures to their copy: no face that was found is left anywhere in a file.

Pictures of every mode and container that is read, with a rendered person in them, go through `index`, `detect` and
`anonymize`, as the workflow runs them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anonbench.data.images import RGB, decode_image, read_image
from anonbench.data.regions import Region, read_regions
from anonbench.detectors._contract import sample_images
from anonbench.detectors.centerface import CenterFace
from anonbench.stages.anonymize import anonymize
from anonbench.stages.detect import detect
from anonbench.stages.index import index

DETECTOR = {"method": "centerface", "upscale": 1.0, "threshold": 0.25}
SCALE = 1.3


@pytest.fixture(scope="module")
def person() -> Image.Image:
    return Image.fromarray(sample_images()["person0.png"])


def as_file(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def with_a_face(person: Image.Image) -> dict[str, bytes]:
    """Files on which everybody sees the face."""
    grey, alpha = person.convert("L"), Image.new("L", person.size, 200)
    preview = as_file(person.crop((40, 10, 90, 70)), "JPEG")
    return {
        "rgb.png": as_file(person),
        "grey.png": as_file(grey),
        "grey16.png": as_file(Image.fromarray(np.asarray(grey).astype(np.uint16) * 255 + 7)),
        "palette.png": as_file(person.convert("P", palette=Image.Palette.ADAPTIVE)),
        "rgba.png": as_file(Image.merge("RGBA", (*person.split(), alpha))),
        "la.png": as_file(Image.merge("LA", (grey, alpha))),
        "turned.png": as_file(person.rotate(180), exif=turned(3)),
        "animated.png": as_file(person, save_all=True, append_images=[person.transpose(0)]),
        "rgb.bmp": as_file(person, "BMP"),
        "grey.bmp": as_file(grey, "BMP"),
        "rgb.jpg": as_file(person, "JPEG", quality=90, subsampling=0),
        "sampled.jpg": as_file(person, "JPEG", quality=70, subsampling=2, progressive=True),
        "grey.jpg": as_file(grey, "JPEG", quality=90),
        "cmyk.jpg": as_file(person.convert("CMYK"), "JPEG", quality=90),
        "turned.jpg": as_file(person.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=90, exif=turned(6)),
        "phone.jpg": as_file(person, "MPO", save_all=True, append_images=[person.transpose(0)]),
        "film.jpg": as_file(person, "JPEG", quality=90) + preview,
        "comment.jpg": as_file(person, "JPEG", quality=90, comment=preview, xmp=b"<x>" + preview.hex().encode()),
        "misnamed.jpg": as_file(person),
    }


def without_a_face(person: Image.Image) -> dict[str, bytes]:
    """Files whose picture shows no face, and that hold one all the same."""
    wall = Image.new("RGB", person.size, (120, 130, 140))
    clear = person.convert("RGBA")
    clear.putalpha(Image.new("L", person.size, 0))
    return {
        "beneath.png": as_file(clear),
        "second.png": as_file(wall, save_all=True, append_images=[person]),
        "second.jpg": as_file(wall, "MPO", save_all=True, append_images=[person]),
        "behind.jpg": as_file(wall, "JPEG") + as_file(person, "JPEG", quality=90),
        "behind.png": as_file(wall) + as_file(person, "JPEG", quality=90),
    }


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory, person: Image.Image) -> Any:
    """A function that hides the faces of all these files by a method: (raw folder, copy, regions found)."""
    folder = tmp_path_factory.mktemp("leaks")
    raw = folder / "raw"
    raw.mkdir()
    files = {**with_a_face(person), **without_a_face(person)}
    rows = ["path,pid,camid,split,name"]
    for number, (name, data) in enumerate(files.items()):
        (raw / name).write_bytes(data)
        split = ("train", "query", "gallery")[number % 3]
        rows.append(f"{name},{1 + number % 2 if split == 'train' else 3},{number % 3},{split},Anna")
    (raw / "images.csv").write_text("\n".join(rows) + "\n")
    lists = {name: folder / f"{name}.csv" for name in ("original", "dropped", "sidecars", "splits", "detections")}
    index(raw, {"format": "folder"}, lists["original"], lists["dropped"], lists["sidecars"], lists["splits"])
    detect(lists["original"], raw, DETECTOR, lists["detections"])

    def run(method: str) -> tuple[Path, Path, dict[str, list[Region]]]:
        copy = folder / method
        if not copy.exists():
            entry = {"method": method, "detector": "d", "box_scale": SCALE, "jpeg_quality": "keep"}
            images, boxes, beside = (lists[name] for name in ("original", "detections", "sidecars"))
            anonymize(images, boxes, raw, entry, beside, copy, folder / f"{method}.csv")
        return raw, copy, read_regions(lists["detections"])

    return run


def faces(pictures: list[RGB]) -> list[int]:
    find = CenterFace(upscale=1.0, threshold=0.25).open(Path())
    return [len(find(picture, "x")) for picture in pictures]


def every_picture(data: bytes) -> Iterator[RGB]:
    """All that a file holds: each of its pictures, with what lies below transparent pixels."""
    with Image.open(io.BytesIO(data)) as image:
        for frame in range(getattr(image, "n_frames", 1)):
            image.seek(frame)
            if image.mode == "I;16":
                yield np.repeat((np.asarray(image) // 257).astype(np.uint8)[..., None], 3, axis=2)
                continue
            colour = image if image.mode == "CMYK" else image.convert("RGBA")  # what lies below transparent pixels too
            yield np.asarray(colour.convert("RGB"))
    start = 2
    while (start := data.find(b"\xff\xd8\xff", start)) > 0:  # JPEGs inside, wherever they are
        yield decode_image(data[start:], "inside")
        start += 2


@pytest.mark.parametrize("method", ["zero", "poisson_inpaint"])
def test_where_a_face_was_found_none_is_found_in_the_copy(chain: Any, person: Image.Image, method: str) -> None:
    raw, copy, found = chain(method)
    for name in with_a_face(person):
        assert found[name], f"{name}: else the test says nothing"
        assert (copy / name).read_bytes() != (raw / name).read_bytes()
        assert not any(faces(list(every_picture((copy / name).read_bytes())))), name


def test_no_face_is_left_that_nobody_was_shown(chain: Any, person: Image.Image) -> None:
    raw, copy, found = chain("zero")
    for name in without_a_face(person):
        assert not found[name]
        assert any(faces(list(every_picture((raw / name).read_bytes())))), f"{name}: else the test says nothing"
        assert not any(faces(list(every_picture((copy / name).read_bytes())))), name


def test_no_byte_of_a_hidden_pixel_survives(chain: Any, person: Image.Image) -> None:
    """Lossless files: in the copy's own mode every hidden pixel is black to the last bit."""
    _, copy, found = chain("zero")
    for name in with_a_face(person):
        with Image.open(copy / name) as image:
            if image.format == "JPEG":
                continue
            native = np.asarray(image)
        for region in found[name]:
            inside = native[int(region.y0) : int(region.y1), int(region.x0) : int(region.x1)]
            assert inside.size
            assert not (inside[..., :-1] if image.mode in ("LA", "RGBA") else inside).any(), name


def test_nothing_but_the_picture_is_in_a_changed_file(chain: Any, person: Image.Image) -> None:
    raw, copy, _ = chain("zero")
    preview = as_file(person.crop((40, 10, 90, 70)), "JPEG")
    for text in (preview[-120:-20], preview[-120:-20].hex().encode()):
        assert any(text in file.read_bytes() for file in raw.iterdir()), "else the test says nothing"
        assert not any(text in file.read_bytes() for file in copy.iterdir())


def test_the_copy_shows_everything_else_as_it_was(chain: Any, person: Image.Image) -> None:
    raw, copy, found = chain("zero")
    for name in with_a_face(person):
        before, after = read_image(raw / name).astype(int), read_image(copy / name).astype(int)
        assert before.shape == after.shape
        below = int(max(r.y0 + r.height * SCALE for r in found[name])) + 16
        assert np.abs(before - after)[below:].mean() < 0.5, name


def test_names_do_not_go_into_the_copy(chain: Any) -> None:
    _, copy, _ = chain("zero")
    header, first, *_ = (copy / "images.csv").read_text().splitlines()
    assert header == "path,pid,camid,split"
    assert first == "rgb.png,1,0,train"
