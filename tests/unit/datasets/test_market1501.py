"""Market-1501's layout."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from dataset_writers import TEST_PIDS, TRAIN_PIDS, write_image, write_market1501

from anonbench.core.errors import DataError
from anonbench.data.pictures import DroppedImage
from anonbench.datasets import PersonImage
from anonbench.datasets._listing import DatasetListing
from anonbench.datasets.market1501 import PUBLISHED, read


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_market1501(tmp_path)
    return tmp_path


def listing_of(root: Path) -> DatasetListing:
    return read(root, expect="any")


def test_records(root: Path) -> None:
    images = listing_of(root).images
    assert Counter(i.split for i in images) == {"train": 12, "query": 4, "gallery": 12}
    assert {i.pid for i in images if i.split == "train"} == set(TRAIN_PIDS)
    assert {i.pid for i in images if i.split == "query"} == set(TEST_PIDS)
    assert {i.pid for i in images if i.split == "gallery"} == {-1, 0, *TEST_PIDS}
    assert PersonImage("bounding_box_train/0002_c1s1_000051_01.jpg", 2, 1, "train") in images
    assert PersonImage("bounding_box_test/-1_c2s2_000151_02.jpg", -1, 2, "gallery") in images
    assert PersonImage("bounding_box_test/0000_c1s2_000151_02.jpg", 0, 1, "gallery") in images


def test_what_is_left_out_and_what_goes_along(root: Path) -> None:
    listing = listing_of(root)
    assert listing.dropped == (
        DroppedImage("bounding_box_train/Thumbs.db", "not a text or protocol file: may hold images"),
        DroppedImage(
            "ground_truth/masks/0001_c1s1_000101_00.png", "outside bounding_box_train, query, bounding_box_test"
        ),
        DroppedImage("gt_bbox/0001_c1s1_000101_00.jpg", "hand-drawn box, not part of the re-identification protocol"),
        DroppedImage("query/._0001_c1s1_000101_00.jpg", "hidden file"),
    )
    assert listing.sidecars == (
        "ground_truth/annotations.csv",
        "gt_query/0001_c1s1_000101_00_good.mat",
        "readme.txt",
    )


@pytest.mark.parametrize(
    "name",
    [
        "query/0001_c1s1_000101.jpg",
        "bounding_box_train/x.jpg",
        "query/-2_c1s1_000101_00.jpg",
        "query/0001c1.png",
        "bounding_box_test/0001_c1s1_000101_00.jpg.jpg",
    ],
)
def test_foreign_name(root: Path, name: str) -> None:
    write_image(root / name)
    with pytest.raises(DataError) as error:
        listing_of(root)
    folder = name.partition("/")[0]
    assert str(error.value) == (
        f"{root / name}: not a Market-1501 name; expected <pid>_c<camera>s<sequence>_<frame>_<box>.jpg such as "
        f"0002_c1s1_000451_03.jpg. Rename the file or move it out of {folder}/."
    )


def test_junk_in_training(root: Path) -> None:
    write_image(root / "bounding_box_train/-1_c1s1_000101_00.jpg")
    with pytest.raises(DataError, match="has pid -1 in the split train"):
        listing_of(root)


def test_a_subset_is_not_the_published_dataset(root: Path) -> None:
    with pytest.raises(DataError, match="train: found 12 images of 3 identities; expected 12,936 images of 751"):
        read(root)


def test_published_counts_are_the_papers() -> None:
    assert sum(PUBLISHED[s].images for s in ("train", "gallery")) == 32_668
    assert PUBLISHED["train"].identities + PUBLISHED["query"].identities == 1_501
    assert PUBLISHED["gallery"].images - PUBLISHED["gallery"].junk == 15_913


def test_the_published_size_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names alone, no files: 36,036 of them with the published numbers of people and junk."""
    names = [f"bounding_box_train/{1 + i % 751:04d}_c{1 + i // 751 % 6}s1_{i:06d}_01.jpg" for i in range(12_936)]
    names += [f"query/{1001 + i % 750:04d}_c{1 + i // 750 % 6}s1_{i:06d}_00.jpg" for i in range(3_368)]
    names += [f"bounding_box_test/{1001 + i % 750:04d}_c{1 + i // 750 % 6}s1_{i:06d}_01.jpg" for i in range(13_115)]
    names += [f"bounding_box_test/-1_c1s1_{i:06d}_01.jpg" for i in range(3_819)]
    names += [f"bounding_box_test/0000_c1s1_{i:06d}_01.jpg" for i in range(2_798)]
    monkeypatch.setattr("anonbench.datasets.market1501.list_files", lambda root, info: sorted(names))
    assert len(read(tmp_path).images) == 36_036
    names.remove("bounding_box_test/-1_c1s1_000000_01.jpg")
    with pytest.raises(DataError, match="gallery: found 19,731 images of 750 identities, 3,818 junk; expected 19,732"):
        read(tmp_path)
