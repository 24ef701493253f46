"""MSMT17's lists and its two versions."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_writers import write_image, write_layout

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.pictures import DroppedImage
from anonbench.datasets import PersonImage
from anonbench.datasets.msmt17 import PUBLISHED, read

# Below the training or the test folder; persons count from 0 in each.
LISTS = {
    "list_train.txt": ["0000/0000_000_01_0303morning_0015_0.jpg 0", "0001/0001_000_15_0113noon_0284_2_ex.jpg 1"],
    "list_val.txt": ["0000/0000_001_04_0303morning_0016_0.jpg 0"],
    "list_query.txt": ["0000/0000_002_01_0302noon_0015_0.jpg 0"],
    "list_gallery.txt": ["0000/0000_003_05_0302noon_0015_0.jpg 0", "0002/0002_000_05_0302noon_0015_0.jpg 2"],
}


def write_version(root: Path, train: str = "train", test: str = "test") -> None:
    for number, (name, lines) in enumerate(LISTS.items()):
        (root / name).write_text("".join(f"{line}\n" for line in lines))
        for line in lines:
            write_image(root / (train if number < 2 else test) / line.split()[0], number)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_version(tmp_path)
    return tmp_path


def test_records(root: Path) -> None:
    """Person 0 of training and person 0 of test are two people; cameras come from the third field."""
    assert read(root, expect="any").images == (
        PersonImage("test/0000/0000_002_01_0302noon_0015_0.jpg", 10_001, 1, "query"),
        PersonImage("test/0000/0000_003_05_0302noon_0015_0.jpg", 10_001, 5, "gallery"),
        PersonImage("test/0002/0002_000_05_0302noon_0015_0.jpg", 10_003, 5, "gallery"),
        PersonImage("train/0000/0000_000_01_0303morning_0015_0.jpg", 1, 1, "train"),
        PersonImage("train/0000/0000_001_04_0303morning_0016_0.jpg", 1, 4, "train"),
        PersonImage("train/0001/0001_000_15_0113noon_0284_2_ex.jpg", 2, 15, "train"),
    )


def test_version_2_is_known_by_its_folders(tmp_path: Path) -> None:
    write_version(tmp_path, "mask_train_v2", "mask_test_v2")
    for version in ("auto", "V2"):
        images = read(tmp_path, version=version, expect="any").images
        assert {i.path.split("/")[0] for i in images} == {"mask_train_v2", "mask_test_v2"}
    with pytest.raises(DataError, match="no folder train or test of version V1"):
        read(tmp_path, version="V1", expect="any")


def test_versions_are_never_mixed(root: Path) -> None:
    write_version(root, "mask_train_v2", "mask_test_v2")
    with pytest.raises(DataError, match=r"holds folders of both versions, V1 and V2.*`version: V1` or `version: V2`"):
        read(root, expect="any")
    listing = read(root, version="V1", expect="any")
    assert {i.path.split("/")[0] for i in listing.images} == {"train", "test"}
    reasons = {d.path.split("/")[0]: d.reason for d in listing.dropped}
    assert reasons == dict.fromkeys(("mask_train_v2", "mask_test_v2"), "not in the lists of this version")


def test_half_a_version_beside_another_is_no_other_version(root: Path) -> None:
    write_image(root / "mask_test_v2/0000/0000_002_01_0302noon_0015_0.jpg")
    with pytest.raises(DataError, match="holds folders of both versions"):
        read(root, expect="any")


def test_what_is_left_out_and_what_goes_along(root: Path) -> None:
    write_image(root / "train/0000/0000_009_01_0303morning_0015_0.jpg")
    listing = read(root, expect="any")
    assert listing.dropped == (
        DroppedImage("train/0000/0000_009_01_0303morning_0015_0.jpg", "not in the lists of this version"),
    )
    assert listing.sidecars == ("list_gallery.txt", "list_query.txt", "list_train.txt", "list_val.txt")


@pytest.mark.parametrize(
    "line", ["0000/0000_000_01.jpg", "0000/0000_000_01.jpg x", "0000/0000.jpg 0", "0/0_0_x_.jpg 0"]
)
def test_a_malformed_line(root: Path, line: str) -> None:
    (root / "list_val.txt").write_text(f"{LISTS['list_val.txt'][0]}\n{line}\n")
    with pytest.raises(DataError) as error:
        read(root, expect="any")
    assert str(error.value) == (
        f"{root / 'list_val.txt'}:2: {line}; expected <path> <person> such as 0000/0000_000_01_0303morning_0015_0.jpg 0"
    )


def test_a_list_that_is_no_text(root: Path) -> None:
    (root / "list_val.txt").write_bytes(b"caf\xe9 0\n")
    with pytest.raises(DataError, match=r"list_val\.txt:1: not a UTF-8 text file"):
        read(root, expect="any")


def test_an_image_in_two_lists(root: Path) -> None:
    (root / "list_val.txt").write_text(LISTS["list_train.txt"][0] + "\n")
    with pytest.raises(DataError, match=r"list_val\.txt:1: train/0000/.*_0015_0\.jpg is listed a second time"):
        read(root, expect="any")


@pytest.mark.parametrize("name", LISTS)
def test_a_missing_list(root: Path, name: str) -> None:
    (root / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: missing\. Expected MSMT17"):
        read(root, expect="any")


def test_missing_images_are_counted(root: Path) -> None:
    (root / "train/0000/0000_001_04_0303morning_0016_0.jpg").unlink()
    with pytest.raises(DataError, match="1 of 6 listed images are missing: train/0000/0000_001_04_0303morning_0016_0"):
        read(root, expect="any")


def test_unknown_version(root: Path) -> None:
    with pytest.raises(ConfigError, match="option 'version' is 'v1'; expected one of auto, V1, V2"):
        read(root, version="v1")


def test_published_counts(root: Path) -> None:
    assert PUBLISHED["train"].images == 30_248 + 2_373
    assert sum(s.images for s in PUBLISHED.values()) == 126_441
    assert PUBLISHED["train"].identities + PUBLISHED["query"].identities == 4_101
    with pytest.raises(DataError, match="train: found 3 images of 2 identities; expected 32,621 images of 1,041"):
        read(root)


def test_rendered_people_are_read_as_planned(tmp_path: Path) -> None:
    plans = write_layout(tmp_path, "msmt17", cameras=15, train_identities=5, test_identities=4)
    images = read(tmp_path, expect="any").images
    assert [(i.path, i.camid, i.split) for i in images] == [(p.path, p.camid, p.split) for p in plans]
    same = {(p.pid, i.pid) for p, i in zip(plans, images, strict=True)}
    assert len(same) == len({i.pid for i in images}) == 9
    assert {i.pid for i in images} == {*range(1, 6), *range(10_001, 10_005)}  # both halves count from 0
    assert (tmp_path / "list_val.txt").read_text()
