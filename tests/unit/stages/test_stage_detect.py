"""The stage detect: every image is listed, with a face or without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anonbench.errors import ConfigError, DataError
from anonbench.images import RGB, sha256
from anonbench.records import IndexedImage
from anonbench.stages.detect import detect
from anonbench.tables import read_detections, write_manifest


@pytest.fixture
def crops(tmp_path: Path, rendered_crops: list[RGB]) -> Path:
    """A folder with a manifest: rendered people and a grey wall."""
    rows = []
    for name, image in {
        "b.png": rendered_crops[0],
        "a.png": rendered_crops[1],
        "wall.png": np.full((64, 32, 3), 120, np.uint8),
    }.items():
        Image.fromarray(image).save(tmp_path / name)
        rows.append(IndexedImage(name, 1, 1, "query", *image.shape[1::-1], sha256((tmp_path / name).read_bytes())))
    write_manifest(tmp_path / "m.csv", rows)
    return tmp_path


def test_faces_with_scores_and_images_without_a_face(crops: Path, capsys: pytest.CaptureFixture[str]) -> None:
    detect(crops / "m.csv", crops, {"method": "centerface"}, crops / "d.csv", 1, [])
    found = read_detections(crops / "d.csv")
    assert list(found) == ["a.png", "b.png", "wall.png"]
    assert found["wall.png"] == []
    assert all(found[name] for name in ("a.png", "b.png"))
    faces = sum(map(len, found.values()))
    assert f"detect: 2 of 3 images with a face, {faces} faces" in capsys.readouterr().out


def test_a_threshold_of_the_entry_counts(crops: Path) -> None:
    detect(crops / "m.csv", crops, {"method": "centerface", "threshold": 0.99}, crops / "d.csv", 1, [])
    assert not any(read_detections(crops / "d.csv").values())


@pytest.mark.parametrize("workers", [1, 2])
def test_missing_annotations_are_reported_by_any_number_of_workers(
    workers: int, make_dataset: Callable[..., Any], tmp_path: Path
) -> None:
    dataset = make_dataset(count=70)
    with pytest.raises(DataError, match=r"annotations\.csv: missing.*choose another detector, such as centerface"):
        detect(dataset.manifest, dataset.root, {"method": "annotated"}, tmp_path / "d.csv", workers, [])
    assert not (tmp_path / "d.csv").exists()


def test_one_worker_and_two_find_the_same(make_dataset: Callable[..., Any], tmp_path: Path) -> None:
    dataset = make_dataset(count=70)
    rows = [f"{path},1,2,{3 + n % 5},9" for n, path in enumerate(dataset.paths)]
    (dataset.root / "faces.csv").write_text("\n".join(["path,x0,y0,x1,y1", *rows]) + "\n")
    for workers in (1, 2):
        entry = {"method": "annotated", "file": "faces.csv"}
        detect(dataset.manifest, dataset.root, entry, tmp_path / f"{workers}.csv", workers, [])
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    assert len(read_detections(tmp_path / "1.csv")) == 70


def test_an_unknown_detector_lists_the_known(make_dataset: Callable[..., Any], tmp_path: Path) -> None:
    dataset = make_dataset()
    with pytest.raises(
        ConfigError, match=r"unknown detector 'centreface': did you mean 'centerface'\? Known: annotated"
    ):
        detect(dataset.manifest, dataset.root, {"method": "centreface"}, tmp_path / "d.csv", 1, [])
