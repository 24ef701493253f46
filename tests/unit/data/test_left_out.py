"""Lists of pictures that are not to be used, as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from anonbench.core.errors import DataError
from anonbench.data.left_out import left_out_of, read_left_out
from anonbench.data.pictures import DroppedImage, write_dropped


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("a.jpg\n\n./cam/b, c.jpg \r\na.jpg\n", {"a.jpg": 1, "cam/b, c.jpg": 3}),
        ("path\na.jpg\n", {"a.jpg": 2}),
        ('\ufeffnote;Path\nold;a.jpg\n;"b;c.jpg"\n', {"a.jpg": 2, "b;c.jpg": 3}),
        ("path,verdict,leave_out\na.jpg,m,X\nb.jpg,f,\nc.jpg,s,no\nd.jpg,,1\n,,\n", {"a.jpg": 2, "d.jpg": 5}),
        ("paths/path.jpg\n", {"paths/path.jpg": 1}),
        ("", {}),
    ],
)
def test_what_is_listed_and_where(text: str, listed: dict[str, int], tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    file.write_text(text, encoding="utf-8")
    assert read_left_out(file) == {path: f"{file}:{line}" for path, line in listed.items()}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,verdict\na.jpg,m\n", r"out\.csv:1: an audit's file without the column leave_out: all its pictures"),
        (
            "path,leave_out\na.jpg,maybe\nb.jpg,?\n",
            r":2: column leave_out is 'maybe'; .*\n.*:3: column leave_out is '\?'",
        ),
    ],
)
def test_what_could_mean_anything_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_left_out(tmp_path / "out.csv")


def test_no_file_says_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"out\.csv: cannot be read .* Expected a path a line, or a CSV with a column path"
    ):
        read_left_out(tmp_path / "out.csv")


def test_those_left_out_on_request_are_told_from_other_dropped_ones(tmp_path: Path) -> None:
    write_dropped(
        tmp_path / "d.csv", [DroppedImage("a.jpg", "left out by out.csv"), DroppedImage("b.jpg", "hidden file")]
    )
    assert left_out_of(tmp_path / "d.csv") == ["a.jpg"]
