"""The user's own data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from dataset_writers import folder_rows, write_folder

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.pictures import DroppedImage
from anonbench.datasets import PersonImage
from anonbench.datasets._listing import NAMELESS
from anonbench.datasets.folder import read


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_folder(tmp_path)
    return tmp_path


def test_records(root: Path) -> None:
    listing = read(root)
    assert listing.images == tuple(sorted((PersonImage(*row) for row in folder_rows()), key=lambda i: i.path))
    assert listing.dropped == (DroppedImage("stray.jpg", "not listed in images.csv"),)
    assert listing.sidecars == ("images.csv", "readme.md")


def test_another_table_with_other_columns_as_a_spreadsheet_writes_it(root: Path) -> None:
    lines = ["note,split,camid,pid,path", *(f'"old, blue",{s} , {c},{p},./{path}' for path, p, c, s in folder_rows())]
    (root / "lists").mkdir()
    (root / "lists" / "mine.tab").write_text("\ufeff" + "\r\n".join(lines) + "\r\n", encoding="utf-8")
    listing = read(root, csv="lists/mine.tab")
    assert listing.images == read(root).images
    assert "lists/mine.tab" in listing.sidecars


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a.jpg", "", 1, "train"), "column pid is empty; expected an integer >= 0 in the split train."),
        (("a.jpg", "x", 1, "query"), "column pid is x; expected an integer >= 0 in the split query."),
        (("a.jpg", "0007_01", 1, "train"), "column pid is 0007_01; expected an integer >= 0 in the split train."),
        (("a.jpg", 10**25, 1, "train"), f"column pid is {10**25}; expected an integer below {2**63 - 1}."),
        (
            ("a.jpg", -2, 1, "gallery"),
            "column pid is -2; expected an integer >= -1 (0 = distractor, -1 = junk).",
        ),
        (("a.jpg", 7.5, 1, "train"), "column pid is 7.5; expected an integer >= 0 in the split train."),
        (("a.jpg", 7, "", "train"), "column camid is empty; expected an integer >= 0."),
        (("a.jpg", 7, -1, "train"), "column camid is -1; expected an integer >= 0."),
        (("a.jpg", 7, 1, "test"), "column split is test; expected train, query, gallery."),
        (("a.jpg", 7), "column split is empty; expected train, query, gallery."),
        (("", 7, 1, "train"), "column path is empty; expected an image file relative to the dataset's folder."),
        (("notes.txt", 7, 1, "train"), "column path is notes.txt; expected a file ending in .jpg, .jpeg, .png, .bmp."),
        (("a,jpg", 7, 1, "train", "x"), "has more fields than the header. Put a path with a comma into quotes."),
        (("./cam1/2_train.jpg", 2, 1, "train"), "cam1/2_train.jpg is listed a second time; expected one row an image."),
    ],
)
def test_malformed_row(root: Path, row: tuple[object, ...], message: str) -> None:
    write_folder(root, [*folder_rows(), row])
    with pytest.raises(DataError) as error:
        read(root)
    assert str(error.value) == f"{root / 'images.csv'}:{len(folder_rows()) + 2}: {message}"


@pytest.mark.parametrize("path", ["/etc/a.jpg", "../a.jpg", "cam1/../../a.jpg", "cam1\\a.jpg"])
def test_paths_stay_inside(root: Path, path: str) -> None:
    write_folder(root, [*folder_rows(), (path, 2, 1, "train")])
    with pytest.raises(DataError, match=r"images\.csv:20: column path is .*; expected a path relative to the"):
        read(root)


def test_missing_files_are_counted(root: Path) -> None:
    (root / "cam1/2_train.jpg").unlink()
    (root / "cam2/3_query.png").unlink()
    with pytest.raises(DataError) as error:
        read(root)
    assert str(error.value).startswith(
        f"{root / 'images.csv'}:2: {root / 'cam1/2_train.jpg'}: no such file (2 of 18 images are missing)."
    )


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            "path,person_id,camid,split",
            r"no column 'pid': found path,person_id,camid,split; expected path,pid",
        ),
        ("", r"images\.csv:1: no column 'path': found nothing; expected"),
        ("path,pid,camid,split,pid", r"images\.csv:1: column 'pid' is there 2 times; expected it once"),
    ],
)
def test_wrong_header(root: Path, header: str, message: str) -> None:
    (root / "images.csv").write_text(f"{header}\n")
    with pytest.raises(DataError, match=message):
        read(root)


def test_not_utf8(root: Path) -> None:
    (root / "images.csv").write_bytes("path,pid,camid,split\ncafé.jpg,1,1,train\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"images\.csv:2: not a UTF-8 text file: byte 0xe9"):
        read(root)


@pytest.mark.parametrize(
    ("text", "line"), [('path,pid,camid,split\n"a.jpg,1,1,train\n', 2), ('"path,pid,camid,split\na.jpg,1,1,train\n', 1)]
)
def test_open_quote(root: Path, text: str, line: int) -> None:
    (root / "images.csv").write_text(text)
    with pytest.raises(DataError, match=rf"images\.csv:{line}: not valid CSV"):
        read(root)


def test_missing_table(root: Path) -> None:
    with pytest.raises(DataError, match=r"list\.csv: cannot be read \(No such file.*\)\. Expected\n  images\.csv "):
        read(root, csv="list.csv")


@pytest.mark.parametrize("csv", ["../images.csv", "/tmp/images.csv", 3])
def test_table_outside(root: Path, csv: str) -> None:
    with pytest.raises(ConfigError, match=r"csv.* is .*; expected (a path below the folder|a text)"):
        read(root, csv=csv)


@pytest.mark.parametrize("header", ["Path;PID;CamID;Split", "path; pid; camid; split", "Path\tPID\tCamid\tSplit"])
def test_as_spreadsheets_save_it(root: Path, header: str) -> None:
    before = read(root).images
    letter = "\t" if "\t" in header else ";"
    rows = [f"{letter} ".join(map(str, row)) for row in folder_rows()]
    (root / "images.csv").write_bytes("\n".join([header, *rows]).encode("utf-16"))
    assert read(root).images == before


def test_all_wrong_rows_up_to_ten(root: Path) -> None:
    write_folder(root, [*folder_rows(), *((f"{n}.jpg", "x", 1, "train") for n in range(12))])
    with pytest.raises(DataError) as error:
        read(root)
    lines = str(error.value).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "and 2 more wrong rows"


def test_identity_0_is_a_person(root: Path) -> None:
    """The same as any other: nobody becomes a distractor."""
    rows = [row for row in folder_rows() if row[1] != 0]  # those are distractors, in the gallery alone
    chosen = min(row[1] for row in rows if row[3] == "query")
    write_folder(root, [(p, 0 if pid == chosen else pid, c, s) for p, pid, c, s in rows])
    new = max(row[1] for row in rows) + 1
    assert {i.path for i in read(root).images if i.pid == new} == {row[0] for row in rows if row[1] == chosen}


def test_identity_0_in_train_and_in_gallery(root: Path) -> None:
    rows = folder_rows()
    trained = next(row for row in rows if row[3] == "train")
    write_folder(root, [(p, 0 if p == trained[0] else pid, c, s) for p, pid, c, s in rows])
    with pytest.raises(DataError, match=r"images\.csv: identity 0 is in train and in gallery\. If 0 marks distractors"):
        read(root)


def test_files_that_no_job_can_use_are_dropped(root: Path) -> None:
    (root / "gone.jpg").symlink_to("nowhere.jpg")
    (root / "a\\b.jpg").touch()
    os.mkfifo(root / "pipe.jpg")
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.jpg")).touch()
    dropped = {image.path: image.reason for image in read(root).dropped}
    assert dropped["gone.jpg"] == "link to a file that is not there"
    assert dropped["pipe.jpg"].startswith("not a regular file")
    assert dropped["a\\b.jpg"] == dropped["caf\\xe9.jpg"] == NAMELESS
