"""Records to CSV files and back, and every way in which such a file can be wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonbench.core.errors import DataError
from anonbench.data.records import Detection, DroppedImage, IndexedImage
from anonbench.data.tables import (
    DETECTION_COLUMNS,
    DROPPED_COLUMNS,
    MANIFEST_COLUMNS,
    read_csv,
    read_detections,
    read_manifest,
    read_sidecars,
    read_split,
    write_detections,
    write_dropped,
    write_manifest,
    write_sidecars,
    write_splits,
)

IMAGES = [
    IndexedImage("query/b, c.jpg", -1, 2, "query", 64, 128, "ab"),
    IndexedImage('a"quoted".jpg', 0, 0, "gallery", 1, 1, "cd"),
    IndexedImage("ä/ö.png", 1501, 6, "train", 60, 160, "ef"),
]
MANIFEST = ",".join(MANIFEST_COLUMNS) + "\n"
DETECTIONS = ",".join(DETECTION_COLUMNS) + "\n"


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
        ("", r"m\.csv:1: header is \(empty\); expected path,pid,camid,split,width,height,sha256"),
        ("path,pid\n", r"m\.csv:1: header is path,pid; expected path,pid,camid"),
        (MANIFEST, "m.csv: lists no image"),
        (
            MANIFEST + "a.jpg,1,0,train,8,8,x\nb.jpg,,0,train,8,8,x\n",
            r"m\.csv:3: column pid is empty; expected an integer",
        ),
        (MANIFEST + "a.jpg,one,0,train,8,8,x\n", r"m\.csv:2: column pid is 'one'; expected an integer >= -1"),
        (MANIFEST + "a.jpg,-2,0,train,8,8,x\n", r"m\.csv:2: column pid is -2; expected an integer >= -1"),
        (MANIFEST + "a.jpg,1.5,0,train,8,8,x\n", r"m\.csv:2: column pid is '1.5'; expected an integer"),
        (MANIFEST + "a.jpg,1,-1,train,8,8,x\n", r"m\.csv:2: column camid is -1; expected an integer >= 0"),
        (MANIFEST + "a.jpg,1,0,training,8,8,x\n", r"column split is 'training'; expected one of train, query, gallery"),
        (MANIFEST + "a.jpg,1,0,train,0,8,x\n", r"column width is 0; expected an integer >= 1"),
        (MANIFEST + 2 * "a.jpg,1,0,train,8,8,x\n", r"m\.csv:3: a\.jpg is listed twice"),
        (MANIFEST + "/a.jpg,1,0,train,8,8,x\n", r"path '/a\.jpg' must be relative to the dataset root"),
        (MANIFEST + "../a.jpg,1,0,train,8,8,x\n", r"path '\.\./a\.jpg' must be relative"),
        (MANIFEST + "a\\b.jpg,1,0,train,8,8,x\n", "must be relative to the dataset root, with forward slashes"),
        (MANIFEST + ",1,0,train,8,8,x\n", "path '' must be relative"),
        (MANIFEST + "a.jpg,1,0,train,8\n", r"m\.csv:2: expected 7 fields\. Is the file cut off\?"),
        (MANIFEST + "a.jpg,1,0,train,8,8,x,y\n", r"m\.csv:2: expected 7 fields"),
    ],
)
def test_a_bad_manifest_is_reported_with_file_and_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_manifest(tmp_path / "m.csv")


def test_a_missing_file_asks_for_the_stage_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"gone\.csv: cannot be read \(No such file.*Has the stage that writes it been run"
    ):
        read_manifest(tmp_path / "gone.csv")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(b"path\xff\xfe")
    with pytest.raises(DataError, match=r"m\.csv: not a text file"):
        read_manifest(tmp_path / "m.csv")


def test_detections_survive_the_disk_with_faceless_images(tmp_path: Path) -> None:
    found = {"b.jpg": [Detection(1.5, -2.25, 3, 4, 0.9), Detection(0, 0, 1, 1, 0.25)], "a.jpg": []}
    write_detections(tmp_path / "d.csv", found)
    assert read_detections(tmp_path / "d.csv") == found
    assert (tmp_path / "d.csv").read_text().splitlines()[1] == "a.jpg,-1,,,,,"


BOXES = st.builds(
    lambda x, y, w, h, s: Detection(x, y, x + w, y + h, s),
    *[st.floats(-1e3, 1e3)] * 2, *[st.floats(0.01, 1e3)] * 2, st.floats(0, 1),
)  # fmt: skip


@settings(max_examples=50)
@given(st.dictionaries(st.from_regex(r"[a-z,\"é]{1,6}\.jpg", fullmatch=True), st.lists(BOXES, max_size=3), max_size=4))
def test_any_detections_survive_the_disk_to_three_decimals(
    tmp_path_factory: pytest.TempPathFactory, found: dict[str, list[Detection]]
) -> None:
    file = tmp_path_factory.getbasetemp() / "any-detections.csv"
    write_detections(file, found)
    result = read_detections(file)
    assert result.keys() == found.keys()
    for name, boxes in found.items():
        assert len(result[name]) == len(boxes)
        for a, b in zip(result[name], boxes, strict=True):
            assert (a.x0, a.y0, a.x1, a.y1) == pytest.approx((b.x0, b.y0, b.x1, b.y1), abs=6e-4)
            assert a.score == pytest.approx(b.score, abs=6e-5)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.jpg,0,1,2,3,4", r"d\.csv:2: expected 7 fields\. Is the file cut off\?"),
        ("a.jpg,0,1,2,3,,0.9", "column y1 is empty; expected a number"),
        ("a.jpg,0,1,2,x,4,0.9", "column x1 is 'x'; expected a number"),
        ("a.jpg,0,1,2,nan,4,0.9", "column x1 is nan; expected a number"),
        ("a.jpg,0,1,2,inf,4,0.9", "column x1 is inf; expected a number"),
        ("a.jpg,0,3,2,1,4,0.9", "box 3.0, 2.0, 1.0, 4.0 is empty; expected x0 < x1 and y0 < y1"),
        ("a.jpg,0,1,2,3,4,-1", "column score is -1.0; expected a number >= 0"),
        ("a.jpg,1,1,2,3,4,0.9", "face number 1 of a.jpg; expected 0"),
        ("a.jpg,-2,1,2,3,4,0.9", "column face is -2; expected an integer >= -1"),
        ("../a.jpg,0,1,2,3,4,0.9", "must be relative"),
    ],
)
def test_bad_detections_are_reported_with_file_and_line(row: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(DETECTIONS + row + "\n")
    with pytest.raises(DataError, match=message):
        read_detections(tmp_path / "d.csv")


def test_wherever_a_detections_file_is_cut_within_a_row_it_is_refused_or_keeps_its_corners(tmp_path: Path) -> None:
    found = {"a.jpg": [Detection(1, 2, 3, 4, 0.9)], "b.jpg": [Detection(5, 6, 7, 8, 0.5)]}
    write_detections(tmp_path / "d.csv", found)
    whole = (tmp_path / "d.csv").read_text()
    start = whole.index("b.jpg")
    for end in range(start + 1, len(whole) - 1):
        (tmp_path / "d.csv").write_text(whole[:end])
        try:
            box = read_detections(tmp_path / "d.csv")["b.jpg"][0]
        except DataError:
            continue
        assert (box.x0, box.y0, box.x1, box.y1) == (5, 6, 7, 8)


def test_sidecars_and_dropped_images(tmp_path: Path) -> None:
    write_sidecars(tmp_path / "s.csv", ["b.txt", "a, b.csv"])
    assert read_sidecars(tmp_path / "s.csv") == ["a, b.csv", "b.txt"]
    write_sidecars(tmp_path / "s.csv", [])
    assert read_sidecars(tmp_path / "s.csv") == []
    write_dropped(tmp_path / "d.csv", [DroppedImage("b.jpg", "not listed"), DroppedImage("a.jpg", "x, y")])
    assert [row for _, row in read_csv(tmp_path / "d.csv", DROPPED_COLUMNS)] == [
        {"path": "a.jpg", "reason": "x, y"},
        {"path": "b.jpg", "reason": "not listed"},
    ]


@pytest.mark.parametrize("read", [read_manifest, read_detections, read_sidecars])
def test_every_reader_refuses_a_foreign_table(read: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("name,age\nme,9\n")
    with pytest.raises(DataError, match=r"x\.csv:1: header is name,age; expected path"):
        read(tmp_path / "x.csv")


# --- splits ---


def test_splits_come_back_and_replace_the_roles_of_a_manifest(tmp_path: Path) -> None:
    images = [IndexedImage(f"{name}.jpg", 1, 1, "train", 8, 16, "0") for name in "ab"]
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
    write_manifest(tmp_path / "m.csv", [IndexedImage("a.jpg", 1, 1, "train", 8, 16, "0")])
    write_splits(tmp_path / "s.csv", [{"b.jpg": "train"}])
    with pytest.raises(DataError, match=r"s\.csv: no row for a\.jpg. Index the dataset again"):
        read_manifest(tmp_path / "m.csv", tmp_path / "s.csv", 0)
    write_splits(tmp_path / "s.csv", [{"a.jpg": "probe"}])
    with pytest.raises(DataError, match=r"s\.csv:2: column split0 is 'probe'; expected one of train, query, gallery"):
        read_split(tmp_path / "s.csv", 0)
