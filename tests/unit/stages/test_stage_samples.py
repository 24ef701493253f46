"""The picture of the same crops under every variant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anonbench.errors import DataError
from anonbench.images import read_image
from anonbench.records import Detection, IndexedImage
from anonbench.report import samples as report
from anonbench.stages import samples as stage
from anonbench.stages.samples import samples
from anonbench.tables import write_detections, write_manifest

# path: (pid, faces as width x score)
PEOPLE: dict[str, tuple[int, list[tuple[float, float]]]] = {
    "a_small.png": (1, [(2, 0.9)]),
    "a_large.png": (1, [(6, 0.9), (1, 0.5)]),
    "a_doubtful.png": (1, [(7, 0.1)]),
    "b.png": (2, [(9, 0.8)]),
    "c_faceless.png": (3, []),
    "distractor.png": (0, [(9, 1.0)]),
    "junk.png": (-1, [(9, 1.0)]),
}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    rows = []
    for n, (path, (pid, _)) in enumerate(PEOPLE.items()):
        for variant in ("original", "zero"):
            (tmp_path / variant).mkdir(exist_ok=True)
            shade = 0 if variant == "zero" else 30 * n
            Image.fromarray(np.full((20, 10, 3), shade, np.uint8)).save(tmp_path / variant / path)
        rows.append(IndexedImage(path, pid, 1, "gallery", 10, 20, "x"))
    write_manifest(tmp_path / "m.csv", rows)
    faces = {p: [Detection(0, 0, w, w, s) for w, s in faces] for p, (_, faces) in PEOPLE.items()}
    write_detections(tmp_path / "d.csv", faces)
    return tmp_path


def draw(dataset: Path, count: int = 6) -> Path:
    roots = {"original": dataset / "original", "zero": dataset / "zero"}
    samples(dataset / "m.csv", dataset / "d.csv", roots, count, dataset / "out/picture.png")
    return dataset / "out/picture.png"


def test_the_best_face_of_each_identity_largest_first(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(stage, "sample_sheet", lambda rows, path, **_: (seen.update(rows), path.touch()))
    draw(dataset)
    shades = {path: 30 * n for n, path in enumerate(PEOPLE)}
    assert list(seen) == ["original", "zero"]
    assert [image[0, 0, 0] for image in seen["original"]] == [shades["b.png"], shades["a_large.png"]]
    assert len(seen["zero"]) == 2
    draw(dataset, count=1)
    assert [image[0, 0, 0] for image in seen["original"]] == [shades["b.png"]]


def test_the_picture_is_repeatable_and_alone(dataset: Path) -> None:
    first = draw(dataset).read_bytes()
    assert draw(dataset).read_bytes() == first
    assert [p.name for p in (dataset / "out").iterdir()] == ["picture.png"]
    picture = read_image(dataset / "out/picture.png")
    assert picture.shape[0] > 100
    assert picture.std() > 10


def test_without_a_face_there_is_nothing_to_show(dataset: Path) -> None:
    write_detections(dataset / "d.csv", {p: [] for p in PEOPLE})
    with pytest.raises(DataError, match=r"d\.csv: no identity has a detected face.*Lower the threshold"):
        draw(dataset)


def test_a_failure_leaves_nothing(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(rows: object, path: Path, **_: object) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("no fonts")

    monkeypatch.setattr(stage, "sample_sheet", fail)
    with pytest.raises(RuntimeError, match="no fonts"):
        draw(dataset)
    assert list((dataset / "out").iterdir()) == []


def test_a_single_row_and_column(tmp_path: Path) -> None:
    report.sample_sheet({"original": [np.zeros((8, 4, 3), np.uint8)]}, tmp_path / "one.png")
    assert (tmp_path / "one.png").stat().st_size > 100
