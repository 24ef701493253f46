"""Split files: CSV and torchreid's JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anonbench.core.errors import ConfigError, DataError
from anonbench.datasets._split_file import check_complete, find_split_file, read_split_file

IMAGES = ["cam1/a.jpg", "cam1/b.jpg", "cam2/a.jpg"]


def test_csv(tmp_path: Path) -> None:
    """A byte-order mark, as spreadsheets write it, and further columns do no harm."""
    file = tmp_path / "s.csv"
    file.write_text("split,note,path\ntrain,x,cam1\\a.jpg\nquery,y,/elsewhere/cam2/a.jpg\n", encoding="utf-8-sig")
    assert read_split_file(file, IMAGES) == [{"cam1/a.jpg": "train", "cam2/a.jpg": "query"}]


def test_json_keeps_the_order_of_the_splits(tmp_path: Path) -> None:
    file = tmp_path / "s.JSON"
    first = {"train": [["C:\\data\\cam1\\a.jpg", 0, 0]], "query": [["/d/cam1/b.jpg", 1, 0]], "gallery": []}
    second = {"train": [["/d/cam1/b.jpg", 0, 0]], "query": [], "gallery": [["cam2/a.jpg", 9, 9]], "num_train_pids": 1}
    file.write_text(json.dumps([first, second]))
    assert read_split_file(file, IMAGES) == [
        {"cam1/a.jpg": "train", "cam1/b.jpg": "query"},
        {"cam1/b.jpg": "train", "cam2/a.jpg": "gallery"},
    ]


def test_of_two_images_that_end_alike_the_one_with_more_folders_is_meant(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("path,split\nold/cam1/a.jpg,train\n/d/cam1/a.jpg,query\n")
    assert read_split_file(tmp_path / "s.csv", ["cam1/a.jpg", "old/cam1/a.jpg"]) == [
        {"old/cam1/a.jpg": "train", "cam1/a.jpg": "query"}
    ]


@pytest.mark.parametrize("path", ["a.jpg", "xcam1/a.jpg", "cam3/a.jpg", "CAM1/a.jpg", "cam1/", ""])
def test_a_path_of_another_dataset(tmp_path: Path, path: str) -> None:
    (tmp_path / "s.csv").write_text(f"path,split\n{IMAGES[0]},train\n{path},train\n")
    with pytest.raises(DataError) as error:
        read_split_file(tmp_path / "s.csv", IMAGES)
    expected = f"{tmp_path / 's.csv'}:3: {path} is no image of this dataset. Does the file belong to another copy?"
    assert str(error.value) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("pfad,split\n", r"s\.csv:1: no column 'path': found .*; expected path,split"),
        ("", r"s\.csv:1: no column 'path'"),
        ("path,split\ncam1/a.jpg,training\n", r"s\.csv:2: column split is training; expected train, query, gallery"),
        ("path,split\ncam1/a.jpg\n", r"s\.csv:2: column split is empty"),
        (
            "path,split\ncam1/a.jpg,train\nx/cam1/a.jpg,query\n",
            r"s\.csv:3: cam1/a\.jpg is listed a second time \(before: train\); expected it once",
        ),
        ('path,split\ncam1/a.jpg,train\n"cam1/b.jpg,query\n', r"s\.csv:3: not valid CSV \(unexpected end of data\)"),
    ],
)
def test_a_bad_csv(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "s.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        read_split_file(tmp_path / "s.csv", IMAGES)


@pytest.mark.parametrize(("name", "message"), [("s.csv", "not a UTF-8 text"), ("s.json", "not a UTF-8 text")])
def test_bytes_that_are_no_text(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_bytes(b"path,split\n\xff\xfe,train\n")
    with pytest.raises(DataError, match=message):
        read_split_file(tmp_path / name, IMAGES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", r"s\.json: expected a list of splits, each with train, query, gallery"),
        ("[[]]", r"s\.json: split 0, train: missing"),
        (
            '[{"train": [], "query": [], "gallery": []}, {"train": [], "query": {}, "gallery": []}]',
            r"s\.json: split 1, query: missing; expected a list of \[path, pid, camid\]",
        ),
        ('[{"train": [[]], "query": [], "gallery": []}]', r"split 0, train: entry 0 is \[\]; expected \[path"),
        (
            '[{"train": [["cam1/a.jpg", 0, 0], [7, 0, 0]], "query": [], "gallery": []}]',
            r"split 0, train: entry 1 is \[7, 0, 0\]; expected \[path",
        ),
        (
            '[{"train": [], "query": [], "gallery": [["cam1/a.jpg", 0, 0], ["d/cam1/a.jpg", 0, 0]]}]',
            r"split 0, gallery, entry 1: cam1/a\.jpg is listed a second time \(before: gallery\)",
        ),
    ],
)
def test_a_bad_json(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "s.json").write_text(content)
    with pytest.raises(DataError, match=message):
        read_split_file(tmp_path / "s.json", IMAGES)


def test_an_incomplete_split_is_named(tmp_path: Path) -> None:
    check_complete(tmp_path / "s.json", 3, dict.fromkeys(IMAGES, "train"), IMAGES)
    with pytest.raises(DataError, match=r"s\.json: split 3 leaves out cam1/b\.jpg, cam2/a\.jpg; expected every image"):
        check_complete(tmp_path / "s.json", 3, {"cam1/a.jpg": "train"}, IMAGES)


def test_which_file_is_meant(tmp_path: Path) -> None:
    assert find_split_file(tmp_path, None) is None
    assert find_split_file(tmp_path, None, "splits.json") is None
    (tmp_path / "splits.json").touch()
    (tmp_path / "mine.csv").touch()
    assert find_split_file(tmp_path, None) is None
    assert find_split_file(tmp_path, None, "splits.json") == tmp_path / "splits.json"
    assert find_split_file(tmp_path, "mine.csv", "splits.json") == tmp_path / "mine.csv"
    assert find_split_file(Path("/nowhere"), str(tmp_path / "mine.csv")) == tmp_path / "mine.csv"
    with pytest.raises(DataError, match=r"other\.csv: no such split file. Correct the option 'split_file'"):
        find_split_file(tmp_path, "other.csv", "splits.json")
    for wrong in (3, "", True):
        with pytest.raises(ConfigError, match=r"option 'split_file' is .*; expected a file name, or null"):
            find_split_file(tmp_path, wrong)
