"""Extracted CUHK03 images with the protocol file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_writers import (
    write_cuhk03_extracted,
    write_cuhk03_mat,
    write_cuhk03_protocol,
    write_image,
)

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.pictures import DroppedImage
from anonbench.datasets import PersonImage
from anonbench.datasets.cuhk03 import PUBLISHED, read


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_cuhk03_extracted(tmp_path)
    return tmp_path


def test_records(root: Path) -> None:
    images = read(root, expect="any").images
    assert Counter((i.split, i.pid, i.camid) for i in images) == {
        **{("train", pid, camera): 2 for pid in (1, 2, 3) for camera in (1, 2)},
        **{(split, pid, camera): 1 for split in ("query", "gallery") for pid in (4, 5) for camera in (1, 2)},
    }
    assert PersonImage("images_detected/1_001_1_01.png", 1, 1, "train") in images
    assert PersonImage("images_detected/2_001_2_06.png", 4, 2, "query") in images
    assert PersonImage("images_detected/2_001_2_10.png", 4, 2, "gallery") in images


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
@pytest.mark.parametrize("folder", ["images_labeled", "cuhk03_labeled"])
def test_boxes_folder_and_suffix(tmp_path: Path, suffix: str, folder: str) -> None:
    write_cuhk03_extracted(tmp_path, "labeled", suffix)
    (tmp_path / "images_labeled").rename(tmp_path / folder)
    images = read(tmp_path, boxes="labeled", expect="any").images
    assert len(images) == 20
    assert images[0].path == f"{folder}/1_001_1_01{suffix}"


def test_what_is_left_out_and_what_goes_along(root: Path) -> None:
    write_cuhk03_extracted(root, "labeled")
    (root / "cuhk-03.mat").write_bytes(b"all images")
    listing = read(root, expect="any")
    reasons = {d.path: d.reason for d in listing.dropped}
    assert reasons["cuhk-03.mat"] == "not a text or protocol file: may hold images"
    assert reasons["images_labeled/1_001_1_01.png"] == "not in the protocol's file list (detected boxes)"
    assert DroppedImage("images_detected/9_999_1_01.png", reasons["images_labeled/1_001_1_01.png"]) in listing.dropped
    assert listing.sidecars == (
        "cuhk03_new_protocol_config_detected.mat",
        "cuhk03_new_protocol_config_labeled.mat",
        "readme.txt",
    )


def test_missing_images_are_counted_and_named(root: Path) -> None:
    for name in ("1_002_1_01.png", "1_001_1_03.png"):
        (root / "images_detected" / name).unlink()
    with pytest.raises(
        DataError,
        match=r"2 of the 20 images that cuhk03_new_protocol_config_detected\.mat lists are "
        r"missing: 1_001_1_03\.png, 1_002_1_01\.png\. Extract them again",
    ):
        read(root, expect="any")


def test_two_folders_of_one_kind(root: Path) -> None:
    write_image(root / "cuhk03_detected" / "1_001_1_01.png")
    with pytest.raises(DataError, match="has both images_detected/ and cuhk03_detected/"):
        read(root)


def test_missing_protocol_says_where_to_get_it(root: Path) -> None:
    (root / "cuhk03_new_protocol_config_detected.mat").unlink()
    with pytest.raises(
        DataError,
        match=r"config_detected\.mat: missing.*evaluation/data/CUHK03 of https://github\.com"
        r"/zhunzhong07/person-re-ranking and put it there",
    ):
        read(root)


def test_packed_release_says_how_to_extract_it(tmp_path: Path) -> None:
    write_cuhk03_mat(tmp_path)
    with pytest.raises(
        DataError,
        match=rf"still inside cuhk03_release/cuhk-03\.mat.*anonbench unpack "
        rf"--root {tmp_path} --output <folder> --boxes detected",
    ):
        read(tmp_path)


def test_unknown_boxes(root: Path) -> None:
    with pytest.raises(ConfigError, match="option 'boxes' is 'labelled'; expected one of detected, labeled"):
        read(root, boxes="labelled")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"camId": None, "labels": None}, "has no labels and no camId. Expected filelist, labels, camId"),
        ({"labels": np.ones((3, 1))}, "filelist, labels and camId have 20, 3 and 20 entries"),
        ({"query_idx": np.array([[0]])}, "query_idx has the index 0; expected 1..20"),
        ({"gallery_idx": np.array([[21]])}, "gallery_idx has the index 21; expected 1..20"),
        ({"gallery_idx": np.array([[1]])}, r"1_001_1_01\.png is both in train and in gallery"),
        ({"filelist": np.array([["a.png"]] * 20, dtype=object)}, r"filelist has a\.png twice"),
    ],
)
def test_malformed_protocol(root: Path, changes: dict[str, Any], message: str) -> None:
    write_cuhk03_protocol(root, **changes)
    with pytest.raises(DataError, match=message):
        read(root, expect="any")


@pytest.mark.parametrize("content", [b"", b"no MATLAB file" * 50])
def test_unreadable_protocol(root: Path, content: bytes) -> None:
    (root / "cuhk03_new_protocol_config_detected.mat").write_bytes(content)
    with pytest.raises(DataError, match=r"config_detected\.mat: not a readable MATLAB file"):
        read(root)


def test_truncated_protocol(root: Path) -> None:
    path = root / "cuhk03_new_protocol_config_detected.mat"
    path.write_bytes(path.read_bytes()[:-700])
    with pytest.raises(DataError, match=r"config_detected\.mat: "):
        read(root)


def test_a_subset_is_not_the_published_dataset(root: Path) -> None:
    with pytest.raises(DataError, match="gallery: found 4 images of 2 identities; expected 5,332 images of 700"):
        read(root)


def test_published_counts_are_the_protocols() -> None:
    assert sum(split.images for split in PUBLISHED["detected"].values()) == 14_097
    assert sum(split.images for split in PUBLISHED["labeled"].values()) == 14_096
