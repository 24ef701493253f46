"""Manifests and the lists beside them to CSV files and back, and every way in which such a file can be wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from anonbench.core.errors import DataError
from anonbench.data.images import encode_image, sha256
from anonbench.data.pictures import (
    DROPPED_COLUMNS,
    MANIFEST_COLUMNS,
    DroppedImage,
    ListedPicture,
    Picture,
    describe_images,
    read_manifest,
    read_sidecars,
    read_split,
    write_dropped,
    write_manifest,
    write_sidecars,
    write_splits,
)
from anonbench.data.regions import read_regions
from anonbench.data.tables import read_csv
from anonbench.datasets import SPLITS, PersonImage
from anonbench.tasks.reid.people import read_people

IMAGES = [
    Picture("query/b, c.jpg", "query", 64, 128, "ab", {"pid": -1, "camid": 2}),
    Picture('a"quoted".jpg', "gallery", 1, 1, "cd", {"pid": 0, "camid": 0}),
    Picture("ä/ö.png", "train", 60, 160, "ef", {"pid": 1501, "camid": 6}),
]
MANIFEST = ",".join((*MANIFEST_COLUMNS, "pid", "camid")) + "\n"


def test_a_manifest_survives_the_disk_sorted(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.csv", IMAGES)
    assert read_manifest(tmp_path / "m.csv") == sorted(IMAGES, key=lambda i: i.path)


def test_the_order_of_the_images_does_not_change_the_bytes(tmp_path: Path) -> None:
    write_manifest(tmp_path / "1.csv", IMAGES)
    write_manifest(tmp_path / "2.csv", reversed(IMAGES))
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"m\.csv:1: header is \(empty\); expected path,split,width,height,sha256"),
        ("path,pid\n", r"m\.csv:1: header is path,pid; expected path,split,width"),
        (MANIFEST, "m.csv: lists no image"),
        (
            MANIFEST + "a.jpg,train,8,8,x,1,0\nb.jpg,train,8,8,x,,0\n",
            r"m\.csv:3: column pid is empty; expected an integer",
        ),
        (MANIFEST + "a.jpg,train,8,8,x,one,0\n", r"m\.csv:2: column pid is 'one'; expected an integer >= -1"),
        (MANIFEST + "a.jpg,train,8,8,x,-2,0\n", r"m\.csv:2: column pid is -2; expected an integer >= -1"),
        (MANIFEST + "a.jpg,train,8,8,x,1.5,0\n", r"m\.csv:2: column pid is '1.5'; expected an integer"),
        (MANIFEST + "a.jpg,train,8,8,x,1,-1\n", r"m\.csv:2: column camid is -1; expected an integer >= 0"),
        (MANIFEST + "a.jpg,training,8,8,x,1,0\n", r"column split is 'training'; expected one of train, query, gallery"),
        (MANIFEST + "a.jpg,train,0,8,x,1,0\n", r"column width is 0; expected an integer >= 1"),
        (MANIFEST + 2 * "a.jpg,train,8,8,x,1,0\n", r"m\.csv:3: a\.jpg is listed twice"),
        (MANIFEST + "/a.jpg,train,8,8,x,1,0\n", r"path '/a\.jpg' must be relative to the dataset root"),
        (MANIFEST + "../a.jpg,train,8,8,x,1,0\n", r"path '\.\./a\.jpg' must be relative"),
        (MANIFEST + "a\\b.jpg,train,8,8,x,1,0\n", "must be relative to the dataset root, with forward slashes"),
        (MANIFEST + ",train,8,8,x,1,0\n", "path '' must be relative"),
        (MANIFEST + "a.jpg,1,0,train,8\n", r"m\.csv:2: expected 7 fields\. Is the file cut off\?"),
        (MANIFEST + "a.jpg,train,8,8,x,1,0,y\n", r"m\.csv:2: expected 7 fields"),
    ],
)
def test_a_bad_manifest_is_reported_with_file_and_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_people(tmp_path / "m.csv")


def test_a_missing_file_asks_for_the_stage_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"gone\.csv: cannot be read \(No such file.*Has the stage that writes it been run"
    ):
        read_manifest(tmp_path / "gone.csv")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(b"path\xff\xfe")
    with pytest.raises(DataError, match=r"m\.csv:1: not a UTF-8 text file"):
        read_manifest(tmp_path / "m.csv")


def test_sidecars_and_dropped_images(tmp_path: Path) -> None:
    write_sidecars(tmp_path / "s.csv", ["b.txt", "a, b.csv"], {"a, b.csv": ("path", "pid")})
    assert read_sidecars(tmp_path / "s.csv") == {"a, b.csv": ("path", "pid"), "b.txt": ()}
    write_sidecars(tmp_path / "s.csv", [])
    assert read_sidecars(tmp_path / "s.csv") == {}
    write_dropped(tmp_path / "d.csv", [DroppedImage("b.jpg", "not listed"), DroppedImage("a.jpg", "x, y")])
    assert [row for _, row in read_csv(tmp_path / "d.csv", DROPPED_COLUMNS)] == [
        {"path": "a.jpg", "reason": "x, y"},
        {"path": "b.jpg", "reason": "not listed"},
    ]


@pytest.mark.parametrize("read", [read_manifest, read_regions, read_sidecars])
def test_every_reader_refuses_a_foreign_table(read: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("name,age\nme,9\n")
    with pytest.raises(DataError, match=r"x\.csv:1: header is name,age; expected path"):
        read(tmp_path / "x.csv")


# --- splits ---


def test_splits_come_back_and_replace_the_roles_of_a_manifest(tmp_path: Path) -> None:
    images = [Picture(f"{name}.jpg", "train", 8, 16, "0", {"pid": 1, "camid": 1}) for name in "ab"]
    write_manifest(tmp_path / "m.csv", images)
    roles = [{"a.jpg": "query", "b.jpg": "gallery"}, {"a.jpg": "train", "b.jpg": "query"}]
    write_splits(tmp_path / "s.csv", roles)
    assert (tmp_path / "s.csv").read_text() == "path,split0,split1\na.jpg,query,train\nb.jpg,gallery,query\n"
    assert [read_split(tmp_path / "s.csv", k) for k in (0, 1)] == roles
    assert [i.split for i in read_manifest(tmp_path / "m.csv", tmp_path / "s.csv", 1)] == ["train", "query"]
    assert read_manifest(tmp_path / "m.csv") == images


def test_a_dataset_with_one_split_has_an_empty_list_of_splits(tmp_path: Path) -> None:
    write_splits(tmp_path / "s.csv", ())
    assert (tmp_path / "s.csv").read_text() == "path\n"
    with pytest.raises(DataError, match=r"s\.csv: has 0 splits, numbered from 0; there is no split 2"):
        read_split(tmp_path / "s.csv", 2)


def test_a_split_must_cover_the_manifest_and_know_its_roles(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.csv", [Picture("a.jpg", "train", 8, 16, "0", {"pid": 1, "camid": 1})])
    write_splits(tmp_path / "s.csv", [{"b.jpg": "train"}])
    with pytest.raises(DataError, match=r"s\.csv: no row for a\.jpg. Index the dataset again"):
        read_manifest(tmp_path / "m.csv", tmp_path / "s.csv", 0)
    write_splits(tmp_path / "s.csv", [{"a.jpg": "probe"}])
    with pytest.raises(DataError, match=r"s\.csv:2: column split0 is 'probe'; expected one of train, query, gallery"):
        read_split(tmp_path / "s.csv", 0, SPLITS)
    with pytest.raises(DataError, match=r"s\.csv:2: column split0 is 'probe'"):
        read_people(tmp_path / "m.csv", tmp_path / "s.csv", 0)


# --- labels ---


def test_a_manifest_of_pictures_without_identities(tmp_path: Path) -> None:
    """Splits are named by the dataset; what needs identities says so."""
    crowd = [Picture("WIDER_val/b.jpg", "val", 640, 480, "ab"), Picture("WIDER_val/a.jpg", "val", 640, 480, "cd")]
    write_manifest(tmp_path / "m.csv", crowd)
    assert (tmp_path / "m.csv").read_text().splitlines()[:2] == [
        "path,split,width,height,sha256",
        "WIDER_val/a.jpg,val,640,480,cd",
    ]
    assert read_manifest(tmp_path / "m.csv") == crowd[::-1]
    wanted = (
        r"m\.csv: its pictures have no pid and no camid \(labels: none\)\. This needs pictures of people with ident"
    )
    with pytest.raises(DataError, match=wanted):
        read_people(tmp_path / "m.csv")


def test_any_whole_numbers_may_be_labels(tmp_path: Path) -> None:
    pictures = [Picture("a.jpg", "val", 8, 8, "ab", {"city": -7, "night": 1})]
    write_manifest(tmp_path / "m.csv", pictures)
    assert read_manifest(tmp_path / "m.csv", needs=("night",)) == pictures
    with pytest.raises(DataError, match=r"have no pid \(labels: city, night\)"):
        read_manifest(tmp_path / "m.csv", needs=("pid",))
    with pytest.raises(ValueError, match=r"b\.jpg has other labels than a\.jpg \(city, night\)"):
        write_manifest(tmp_path / "m.csv", [*pictures, Picture("b.jpg", "val", 8, 8, "cd")])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "path,split,width,height,sha256,night,night\n",
            "header is path,split,width,height,sha256,night,night; expected",
        ),
        (
            "path,split,width,height,sha256\na.jpg,,8,8,x\n",
            r"m\.csv:2: column split is empty; expected the name of a par",
        ),
    ],
)
def test_a_bad_manifest_without_identities(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_manifest(tmp_path / "m.csv")


def test_a_picture_can_be_hashed_and_labels_count_when_two_are_compared() -> None:
    one, other = (Picture("a.jpg", "val", 8, 8, "ab", {"pid": pid}) for pid in (1, 2))
    assert hash(one) == hash(other)
    assert one != other


def test_what_a_file_says_is_added_to_what_an_adapter_knows(tmp_path: Path) -> None:
    data = encode_image(np.zeros((6, 4, 3), np.uint8), ".png", 95)
    (tmp_path / "a.png").write_bytes(data)
    describe = describe_images(tmp_path)
    assert describe(ListedPicture("a.png", "val")) == (Picture("a.png", "val", 4, 6, sha256(data)), frozenset())
    labels = {"pid": 3, "camid": 1}
    assert describe(PersonImage("a.png", 3, 1, "query"))[0] == Picture("a.png", "query", 4, 6, sha256(data), labels)
