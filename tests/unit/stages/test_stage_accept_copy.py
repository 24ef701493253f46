"""The stage accept_copy: another tool's pictures become a variant, and what the tool has missed is found."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scene_folder import FIRST, SECOND, Scenes

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.images import read_image, sha256
from anonbench.data.pictures import read_manifest
from anonbench.stages.accept_copy import accept_copy
from anonbench.stages.anonymize import anonymize
from anonbench.stages.bodies import bodies

ZERO = {"method": "zero", "detector": "d", "box_scale": 1.0, "jpeg_quality": "keep"}


@pytest.fixture
def theirs(make_dataset: Callable[..., Any], tmp_path: Path) -> tuple[Any, Path]:
    """A dataset, and a folder in which a tool has painted over what was detected."""
    dataset = make_dataset()
    folder = tmp_path / "theirs"
    anonymize(
        dataset.manifest, dataset.detections, dataset.root, ZERO, dataset.sidecars, folder, tmp_path / "theirs.csv"
    )
    for sidecar in ("images.csv", "notes"):
        path = folder / sidecar
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return dataset, folder


def accept(dataset: Any, files: Path, detections: bool = True, **entry: Any) -> dict[tuple[str, str], dict[str, str]]:
    """Run the stage; the rows of the report by picture and region."""
    report = dataset.results / "report.csv"
    accept_copy(
        dataset.manifest, dataset.root, files, {"method": "files", "detector": None, **entry}, dataset.sidecars,
        dataset.results / "accepted", dataset.results / "accepted.csv", report,
        detections=dataset.detections if detections else None,
    )  # fmt: skip
    with report.open(newline="") as file:
        return {(row["path"], row["region"]): row for row in csv.DictReader(file)}


def test_their_files_become_a_copy_with_manifest_and_sidecars(
    theirs: tuple[Any, Path], hashes: Callable, capsys: Any
) -> None:
    dataset, files = theirs
    before = hashes(files)
    accept(dataset, files)
    copy = hashes(dataset.results / "accepted")
    assert {path: copy[path] for path in before} == before == hashes(files)
    assert set(copy) - set(before) == {"images.csv", "notes/readme.txt"}
    rows = read_manifest(dataset.results / "accepted.csv")
    originals = read_manifest(dataset.manifest)
    assert [row.path for row in rows] == dataset.paths
    assert [dict(row.labels) for row in rows] == [dict(row.labels) for row in originals]
    assert all(row.sha256 == before[row.path] for row in rows)
    said = capsys.readouterr().out
    assert "accept-copy: 9 pictures taken, 3 of them are the original's bytes" in said
    assert "0.00% of the pixels changed outside the regions" in said
    assert "can be seen" not in said


def test_a_region_that_the_tool_has_missed_is_listed(theirs: tuple[Any, Path], capsys: Any) -> None:
    dataset, files = theirs
    missed = next(path for path in dataset.paths if len(dataset.boxes[path]) == 2)
    picture, original = read_image(files / missed).copy(), read_image(dataset.root / missed)
    picture[30:48, 14:24] = original[30:48, 14:24]  # the second of its boxes, (14, 30, 40, 60), inside the picture
    picture[0, 0] = 255 - original[0, 0]
    Image.fromarray(picture).save(files / missed)
    rows = accept(dataset, files, tolerance=0)
    assert [key for key, row in rows.items() if row["visible"] == "1"] == [(missed, "1")]
    assert float(rows[missed, "0"]["changed"]) > 0.99
    assert rows[missed, "1"]["changed"] == "0.0"
    outside = rows[missed, "-1"]
    assert round(float(outside["changed"]) * int(outside["pixels"]), 1) == pytest.approx(1, abs=0.1)
    assert f"in 1 of 9 regions next to nothing changed, the first in {missed}" in capsys.readouterr().out


def test_without_a_detector_changes_are_counted_alone(theirs: tuple[Any, Path], capsys: Any) -> None:
    dataset, files = theirs
    rows = accept(dataset, files, detections=False, tolerance=0)
    assert {region for _, region in rows} == {"-1"}
    shares = [(read_image(dataset.root / p) != read_image(files / p)).any(axis=2).mean() for p in dataset.paths]
    assert [float(rows[p, "-1"]["changed"]) for p in dataset.paths] == pytest.approx(shares, abs=1e-4)
    assert f"{np.mean(shares):.2%} of the pixels changed in all" in capsys.readouterr().out


def test_missing_and_further_files_are_named(theirs: tuple[Any, Path], capsys: Any) -> None:
    dataset, files = theirs
    (files / "faces.json").write_text("{}")
    accept(dataset, files)
    assert "1 further files are not of the dataset and are not copied: faces.json" in capsys.readouterr().out
    assert not (dataset.results / "accepted/faces.json").exists()
    first, second = dataset.paths[:2]
    (files / first).unlink()
    with pytest.raises(DataError, match=rf"1 of 9 pictures of .* are missing, the first: {first}\. Expected the same"):
        accept(dataset, files)
    (files / second).rename((files / second).with_suffix(".jpg"))
    (files / first).write_bytes(b"")
    with pytest.raises(DataError, match=rf"first: {second}\. There is {second[:-4]}\.jpg: give it the original's name"):
        accept(dataset, files)


def test_other_sizes_are_refused_unless_they_are_wanted(theirs: tuple[Any, Path], capsys: Any) -> None:
    dataset, files = theirs
    path = dataset.paths[3]
    Image.open(files / path).resize((20, 40)).save(files / path)
    with pytest.raises(DataError, match=rf"{path}: 20 x 40 pixels; expected 24 x 48, .*`sizes: any` takes them"):
        accept(dataset, files)
    assert not (dataset.results / "accepted").exists()
    rows = accept(dataset, files, sizes="any")
    assert path not in {picture for picture, _ in rows}
    (row,) = (row for row in read_manifest(dataset.results / "accepted.csv") if row.path == path)
    assert (row.width, row.height, row.sha256) == (20, 40, sha256((files / path).read_bytes()))
    assert f"1 of another size are not compared, the first: {path}" in capsys.readouterr().out


def test_a_file_that_is_no_picture_says_so(theirs: tuple[Any, Path]) -> None:
    dataset, files = theirs
    (files / dataset.paths[0]).write_bytes(b"quota exceeded")
    with pytest.raises(DataError, match=f"{dataset.paths[0]}"):
        accept(dataset, files)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("tolerance", -1, "tolerance is -1; expected an integer >= 0"),
        ("tolerance", 256, "tolerance is 256; expected >= 0 and <= 255"),
        ("sizes", "all", "sizes is 'all'; expected one of same, any"),
        ("tolerence", 3, "variant of files has no key 'tolerence': did you mean 'tolerance'"),
    ],
)
def test_demands_that_nobody_could_follow(theirs: tuple[Any, Path], key: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        accept(*theirs, **{key: value})


def test_people_of_scenes_are_hidden_where_something_changed(tmp_path: Path, capsys: Any) -> None:
    scenes = Scenes(tmp_path)
    bodies(scenes.manifest, scenes.file, {"method": "annotated_bodies"}, tmp_path / "bodies.csv")
    shutil.copytree(scenes.root, tmp_path / "theirs")
    picture = read_image(tmp_path / "theirs" / FIRST).copy()
    picture[4:40, 20:32] = 0  # the second of two people
    Image.fromarray(picture).save(tmp_path / "theirs" / FIRST)
    accept_copy(
        scenes.manifest, scenes.root, tmp_path / "theirs", {"method": "files"}, scenes.sidecars, tmp_path / "copy",
        tmp_path / "copy.csv", tmp_path / "report.csv", detections=tmp_path / "bodies.csv", instances=scenes.file,
    )  # fmt: skip
    labels = {picture.path: dict(picture.labels) for picture in read_manifest(tmp_path / "copy.csv")}
    assert labels[FIRST] == {"people": 3, "hidden": 1, "visible": 2}
    assert labels[SECOND] == {"people": 2, "hidden": 0, "visible": 2}
    assert "1 of 5 people hidden, 4 left visible" in capsys.readouterr().out
