"""The stage cut_faces: a dataset of the faces of another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.images import read_image, resize
from anonbench.data.pictures import read_manifest
from anonbench.data.regions import Region, write_regions
from anonbench.datasets import DATASETS
from anonbench.stages.anonymize_whole import anonymize_whole
from anonbench.stages.cut_faces import cut_faces

SPEC = {"of": "toy", "detector": "centerface", "size": [10, 8]}


def run(dataset: Any, output: str = "faces", manifest: Path | None = None, root: Path | None = None) -> Path:
    folder: Path = dataset.results / output
    cut_faces(
        manifest or dataset.manifest,
        root or dataset.root,
        dataset.manifest,
        dataset.detections,
        SPEC,
        folder,
        dataset.results / f"{output}.csv",
    )
    return folder


def test_the_face_with_the_highest_score_is_cut_out(make_dataset: Any, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = make_dataset()
    folder = run(dataset)
    faces = {face.path: face for face in read_manifest(dataset.results / "faces.csv")}
    assert set(faces) == {path for path, boxes in dataset.boxes.items() if boxes}
    assert "6 faces; 3 pictures without one are left out" in capsys.readouterr().out
    first = dataset.paths[0]  # the box 5.2, 4, 13, 16.5
    expected = resize(read_image(dataset.root / first)[4:17, 5:13], (10, 8))
    assert np.array_equal(read_image(folder / first), expected)
    assert (faces[first].height, faces[first].width) == (10, 8)
    assert faces[first].labels["face_px"] == 12
    second = dataset.paths[1]  # it leaves the picture: -3, -2, 9, 8
    assert np.array_equal(read_image(folder / second), resize(read_image(dataset.root / second)[0:8, 0:9], (10, 8)))


def test_the_folder_is_a_dataset(make_dataset: Any) -> None:
    dataset = make_dataset()
    listing = DATASETS.get("folder")(run(dataset))
    expected = {(f.path, f.split, f.labels["pid"]) for f in read_manifest(dataset.results / "faces.csv")}
    assert {(image.path, image.split, image.pid) for image in listing.images} == expected


def test_boxes_follow_the_size_of_a_copy(make_dataset: Any) -> None:
    dataset = make_dataset()
    entry = {"method": "mosaic", "cell_px": 2, "detector": None, "resize": [96, 48], "encoding": "png"}
    copy, manifest = dataset.results / "large", dataset.results / "large.csv"
    anonymize_whole(dataset.manifest, dataset.root, entry, copy, manifest)
    folder = run(dataset, "of_large", manifest, copy)
    first = dataset.paths[0]
    expected = resize(read_image(copy / first)[8:33, 10:26], (10, 8))
    assert np.array_equal(read_image(folder / first), expected)


def test_a_default_box_is_no_face(make_dataset: Any) -> None:
    dataset = make_dataset()
    default = {path: [Region((2, 2, 9, 9), score=0, source="default")] for path in dataset.paths}
    write_regions(dataset.detections, default)
    with pytest.raises(DataError, match="no face was found in the 9 pictures"):
        run(dataset)


def test_a_copy_of_another_dataset(make_dataset: Any, tmp_path: Path) -> None:
    dataset = make_dataset()
    other = tmp_path / "other.csv"
    text = dataset.manifest.read_text().replace("cam0/train_000.png", "cam0/elsewhere.png")
    other.write_text(text)
    with pytest.raises(DataError, match=r"cam0/elsewhere\.png is not in"):
        run(dataset, manifest=other)


def test_a_size_that_is_none(make_dataset: Any) -> None:
    dataset = make_dataset()
    with pytest.raises(ConfigError, match="size"):
        cut_faces(
            dataset.manifest, dataset.root, dataset.manifest, dataset.detections, {**SPEC, "size": [0, 8]},
            dataset.results / "x", dataset.results / "x.csv",
        )  # fmt: skip
