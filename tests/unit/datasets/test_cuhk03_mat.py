"""Extracting the official release."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from dataset_writers import write_cuhk03_mat

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.images import read_image
from anonbench.datasets._cuhk03_mat import unpack
from anonbench.datasets.cuhk03 import read


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return tmp_path / "release"


@pytest.mark.parametrize("boxes", ["detected", "labeled"])
@pytest.mark.parametrize("workers", [1, 2])
def test_images_come_out_pixel_for_pixel(release: Path, tmp_path: Path, boxes: str, workers: int) -> None:
    images = write_cuhk03_mat(release, boxes)
    output = tmp_path / "out"
    assert unpack(release, output, boxes, workers) == len(images) == 20
    written = {path.name: read_image(path) for path in (output / f"images_{boxes}").iterdir()}
    assert set(written) == set(images)
    for name, image in images.items():
        np.testing.assert_array_equal(written[name], image)
    assert len(read(output, boxes=boxes, expect="any").images) == 20


def test_release_and_protocol_may_lie_side_by_side(release: Path, tmp_path: Path) -> None:
    write_cuhk03_mat(release)
    protocol = "cuhk03_new_protocol_config_detected.mat"
    (release / protocol).rename(release / "cuhk03_release" / protocol)
    unpack(release, tmp_path / "first")
    unpack(release / "cuhk03_release", tmp_path / "second")
    assert read(tmp_path / "first", expect="any") == read(tmp_path / "second", expect="any")


def test_both_kinds_of_boxes_share_a_folder(release: Path, tmp_path: Path) -> None:
    for boxes in ("detected", "labeled"):
        write_cuhk03_mat(release / boxes, boxes)
        unpack(release / boxes, tmp_path / "out", boxes)
    assert len(read(tmp_path / "out", expect="any").dropped) == 20
    assert len(read(tmp_path / "out", boxes="labeled", expect="any").images) == 20


def test_the_release_is_not_written(release: Path, tmp_path: Path) -> None:
    write_cuhk03_mat(release)
    before = {path: path.stat().st_mtime_ns for path in release.rglob("*")}
    unpack(release, tmp_path / "out")
    for inside in (release, release / "out", release / "cuhk03_release" / ".." / "out"):
        with pytest.raises(DataError, match=r"lies inside .*release, which is never written to"):
            unpack(release, inside)
    assert {path: path.stat().st_mtime_ns for path in release.rglob("*")} == before


def test_a_second_run_refuses_to_overwrite(release: Path, tmp_path: Path) -> None:
    write_cuhk03_mat(release)
    unpack(release, tmp_path / "out")
    with pytest.raises(DataError, match="images_detected: already there and not empty"):
        unpack(release, tmp_path / "out")


def test_a_failure_leaves_no_half_folder(release: Path, tmp_path: Path) -> None:
    write_cuhk03_mat(release)
    with h5py.File(release / "cuhk03_release" / "cuhk-03.mat", "a") as file:
        del file["#refs#/2_002_2_06.png"]
        file["#refs#/2_002_2_06.png"] = np.zeros((3, 4, 5))
        file["#refs#/pair2"][5, 1] = file["#refs#/2_002_2_06.png"].ref
    with pytest.raises(DataError, match=r"2_002_2_06\.png\): holds float64 of shape \(3, 4, 5\); expected uint8"):
        unpack(release, tmp_path / "out")
    assert not [path for path in (tmp_path / "out").iterdir() if path.is_dir()]


def test_missing_release(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds neither cuhk-03\.mat nor cuhk03_release/cuhk-03\.mat.*on request"):
        unpack(tmp_path, tmp_path / "out")


def test_missing_protocol(release: Path, tmp_path: Path) -> None:
    write_cuhk03_mat(release)
    with pytest.raises(DataError, match=r"config_labeled\.mat: missing"):
        unpack(release, tmp_path / "out", "labeled")
    assert not (tmp_path / "out").exists()


def test_damaged_release(release: Path, tmp_path: Path) -> None:
    write_cuhk03_mat(release)
    path = release / "cuhk03_release" / "cuhk-03.mat"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"cuhk-03\.mat: not a readable MATLAB 7\.3 \(HDF5\) file"):
        unpack(release, tmp_path / "out")


def test_another_hdf5_file(release: Path, tmp_path: Path) -> None:
    write_cuhk03_mat(release)
    with h5py.File(release / "cuhk03_release" / "cuhk-03.mat", "w") as file:
        file["weights"] = np.zeros(3)
    with pytest.raises(DataError, match=r"has no cell array 'detected'; found weights"):
        unpack(release, tmp_path / "out")


def test_unknown_boxes(release: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="option 'boxes' is 'both'; expected one of detected, labeled"):
        unpack(release, tmp_path / "out", "both")
