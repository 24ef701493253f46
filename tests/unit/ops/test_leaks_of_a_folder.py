"""The leak audit of a folder: an honest copy passes, each leak planted in one is named."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anonbench.core.errors import DataError
from anonbench.data.images import read_image
from anonbench.data.pictures import Picture, write_manifest
from anonbench.data.regions import Region, clip_region, write_regions
from anonbench.ops.leaks import Against, Finding, find_leaks
from anonbench.rendered import CropPlan, RenderSpec, Studio

Run = Callable[..., Any]
HEIGHT, WIDTH = 160, 80


@dataclass(frozen=True)
class Pair:
    """Originals and a copy in which every face is black."""

    originals: Path
    copy: Path
    detections: Path
    boxes: dict[str, tuple[int, int, int, int]]

    def leaks(self, **against: Any) -> list[Finding]:
        found, _ = find_leaks(self.copy, Against(**{"originals": self.originals, **against}))
        return [finding for finding in found if finding.is_leak]

    def change(self, path: str, how: Callable[[np.ndarray, tuple[slice, slice]], None]) -> None:
        """Change the copy's pixels within the box of its face; `how` gets the original's."""
        x0, y0, x1, y1 = self.boxes[path]
        image = read_image(self.originals / path)
        how(image, (slice(y0, y1), slice(x0, x1)))
        Image.fromarray(image).save(self.copy / path)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    studio = Studio(RenderSpec(seed=5, height_px=HEIGHT, width_px=WIDTH, occluder_share=0.0, bystander_share=0.0))
    boxes, found = {}, {}
    for n in range(5):
        path = f"query/{n}.png"
        crop = studio.draw(CropPlan(path, 1, 1 + n % 6, n), view="front")
        assert crop.truth.face_box is not None
        region = clip_region(Region(crop.truth.face_box), WIDTH, HEIGHT)
        assert region is not None
        for folder in ("originals", "copy"):
            (tmp_path / folder / "query").mkdir(parents=True, exist_ok=True)
        Image.fromarray(crop.image).save(tmp_path / "originals" / path)
        x0, y0, x1, y1 = boxes[path] = region.pixels
        copy = crop.image.copy()
        copy[y0:y1, x0:x1] = 0
        Image.fromarray(copy).save(tmp_path / "copy" / path)
        found[path] = [region]
    write_regions(tmp_path / "detections.csv", found)
    return Pair(tmp_path / "originals", tmp_path / "copy", tmp_path / "detections.csv", boxes)


def test_an_honest_copy_passes(pair: Pair, run_command: Run) -> None:
    assert pair.leaks() == []
    assert pair.leaks(detections=pair.detections) == []
    outcome = run_command("leaks", pair.copy, "--originals", pair.originals)
    assert outcome.status == 0
    assert "no leak found" in outcome.output
    assert "5 pictures, 5 files, 5 compared, 5 hidden parts, 0 dropped" in outcome.output


def test_a_method_that_hides_every_second_row_is_caught(pair: Pair, run_command: Run, tmp_path: Path) -> None:
    def every_second_row(image: np.ndarray, box: tuple[slice, slice]) -> None:
        image[box][::2] = 0

    for path in pair.boxes:
        pair.change(path, every_second_row)
    for further in ([], ["--detections", pair.detections]):
        report = tmp_path / "report.json"
        outcome = run_command("leaks", pair.copy, "--originals", pair.originals, *further, "--report", report)
        assert outcome.status == 1
        assert "LEAK  not hidden: 5 in 5 files" in outcome.output
        content = json.loads(report.read_text())
        assert content["leaks"] >= 5
        assert content["kinds"]["not hidden"]["count"] == 5
        with report.with_suffix(".csv").open(newline="") as stream:
            rows = [row for row in csv.DictReader(stream) if row["kind"] == "not hidden"]
        assert [row["path"] for row in rows] == sorted(pair.boxes)
        assert all(0.3 < float(row["value"]) < 0.6 and row["leak"] == "1" for row in rows)


def as_jpeg(pair: Pair, path: str, image: np.ndarray, quality: int) -> None:
    """Store original and copy as JPEGs of the same name."""
    for folder, pixels in ((pair.originals, read_image(pair.originals / path)), (pair.copy, image)):
        Image.fromarray(pixels).save((folder / path).with_suffix(".jpg"), quality=quality)
        (folder / path).unlink()


@pytest.mark.parametrize("quality", [60, 95])
def test_in_jpegs_black_boxes_pass_and_every_second_row_does_not(pair: Pair, quality: int) -> None:
    regions = {str(Path(path).with_suffix(".jpg")): [Region(box)] for path, box in pair.boxes.items()}
    write_regions(pair.detections, regions)
    images = {path: read_image(pair.originals / path) for path in pair.boxes}
    for path, (x0, y0, x1, y1) in pair.boxes.items():
        black = images[path].copy()
        black[y0:y1, x0:x1] = 0
        as_jpeg(pair, path, black, quality)
    assert pair.leaks(detections=pair.detections) == []
    found, counts = find_leaks(pair.copy, Against(pair.originals))
    assert not any(finding.is_leak for finding in found)
    assert counts["compared"] + sum(finding.kind == "not compared" for finding in found) == 5
    for path, (x0, y0, x1, y1) in pair.boxes.items():
        rows = images[path].copy()
        rows[y0:y1:2, x0:x1] = 0
        Image.fromarray(rows).save((pair.copy / path).with_suffix(".jpg"), quality=quality)
    assert {finding.kind for finding in pair.leaks(detections=pair.detections)} == {"like the original"}


def test_a_face_that_is_only_made_darker_is_caught(pair: Pair) -> None:
    def darker(image: np.ndarray, box: tuple[slice, slice]) -> None:
        image[box] = image[box] // 6

    pair.change("query/2.png", darker)
    found = pair.leaks(detections=pair.detections)
    assert {(finding.path, finding.kind) for finding in found} == {("query/2.png", "like the original")}


def test_a_region_that_was_forgotten_is_caught_where_the_detections_are_known(pair: Pair) -> None:
    pair.change("query/1.png", lambda image, box: None)
    assert ("query/1.png", "not hidden") in {(f.path, f.kind) for f in pair.leaks(detections=pair.detections)}
    found, _ = find_leaks(pair.copy, Against(pair.originals))
    assert [f.path for f in found if f.kind == "unchanged"] == ["query/1.png"]


def test_a_copy_of_a_dropped_picture_is_caught(pair: Pair, tmp_path: Path) -> None:
    image = Image.open(pair.copy / "query/3.png")
    (pair.copy / "query/3.png").unlink()
    assert pair.leaks() == []  # it was left out, and no picture is like it
    image.resize((60, 120)).save(pair.copy / "another_name.jpg", quality=70)
    (leak,) = pair.leaks()
    assert (leak.path, leak.kind, leak.what) == ("another_name.jpg", "like a dropped picture", "query/3.png: bits")
    dropped = tmp_path / "dropped.csv"
    dropped.write_text("path,reason\nquery/0.png,asked to\n")
    assert [f.path for f in pair.leaks(dropped=dropped)] == ["query/0.png"]  # it is still there itself


def test_metadata_and_previews(pair: Pair) -> None:
    with Image.open(pair.copy / "query/0.png") as image:
        exif = Image.Exif()
        exif[0x010E] = "Anna, at home"
        image.save(pair.copy / "query/0.jpg", exif=exif, quality=95)
    with (pair.copy / "query/1.png").open("ab") as stream:
        stream.write((pair.originals / "query/1.png").read_bytes())
    found, _ = find_leaks(pair.copy, Against())
    assert {(f.path, f.kind, f.what) for f in found} == {
        ("query/0.jpg", "metadata", "EXIF"),
        ("query/1.png", "another picture inside", "data after the picture's end (PNG)"),
    }


def test_what_lies_beside_the_pictures(pair: Pair, tmp_path: Path) -> None:
    (pair.copy / "model.pt").write_bytes(b"PK\3\4")
    (pair.copy / "all.bin").write_bytes(b"PK\3\4")
    (pair.copy / ".DS_Store").write_bytes(b"x")
    (pair.copy / "faces.webp").write_bytes(b"RIFF\0\0\0\0WEBP")
    (pair.copy / "images.csv").write_text("path,pid\n")
    (pair.copy / "link.png").symlink_to(pair.originals / "query/0.png")
    (pair.copy / "more").symlink_to(pair.originals)
    pictures = [Picture(path, "query", WIDTH, HEIGHT, "0") for path in pair.boxes if path != "query/4.png"]
    write_manifest(tmp_path / "manifest.csv", pictures)
    found, _ = find_leaks(pair.copy, Against(manifest=tmp_path / "manifest.csv"))
    kinds = {f.path: f.kind for f in found}
    assert kinds == {
        "model.pt": "file of weights", "all.bin": "archive", ".DS_Store": "hidden file", "images.csv": "another file",
        "faces.webp": "picture that is not listed", "query/4.png": "picture that is not listed", "link.png": "link",
        "more": "link", **{f"query/{n}.png": "not as listed" for n in range(4)},
    }  # fmt: skip
    assert not Finding("images.csv", "another file").is_leak


def test_what_cannot_be_audited(pair: Pair, tmp_path: Path, run_command: Run) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="there is no JPEG, PNG or BMP picture below it"):
        find_leaks(tmp_path / "empty", Against())
    with pytest.raises(DataError, match="no such folder"):
        find_leaks(pair.copy, Against(tmp_path / "nowhere"))
    outcome = run_command("leaks", pair.copy, "--box-scale", "0")
    assert outcome.status == 2
    assert "box_scale is 0.0; expected > 0" in outcome.errors
