"""Pictures that are not to be used: a file of them, a path of one, or a list of both.

A file has a path a line, or is a CSV with a column `path`. Of a CSV with a column `leave_out`, as an audit writes,
those rows count that have an x (or 1, yes, true) there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from anonbench.core.errors import DataError
from anonbench.data.images import IMAGE_SUFFIXES
from anonbench.data.pictures import DROPPED_COLUMNS
from anonbench.data.tables import raise_all, read_csv, read_user_csv
from anonbench.data.text import read_user_text

COLUMN = "leave_out"
MARKS = ("x", "1", "yes", "true")
NO_MARKS = ("", "0", "no", "false")
REASON = "left out by"
"""How the reason of such a picture begins in the list of dropped ones."""
WHAT = "Expected a path a line, or a CSV with a column path."


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Why a picture is not to be used.

    where: file and line where it is listed, for messages.
    reason: for the list of dropped pictures.
    """

    where: str
    reason: str


def files_of(leave_out: str | Sequence[str] | None) -> list[str]:
    """The files that a dataset's `leave_out` names: what has no picture's suffix.

    >>> files_of(["cam1/7.jpg", "results/audit/mine/centerface/review.csv"])
    ['results/audit/mine/centerface/review.csv']
    """
    return [item for item in _items(leave_out) if not item.lower().endswith(IMAGE_SUFFIXES)]


def left_out_by(leave_out: str | Sequence[str] | None, files: Sequence[Path]) -> dict[str, LeftOut]:
    """The pictures that a dataset's `leave_out` names, and those that its files list.

    files: where those of `files_of` are to be read.
    """
    named, found = files_of(leave_out), {}
    for item in _items(leave_out):
        if item not in named:
            found[PurePosixPath(item).as_posix()] = LeftOut("leave_out", f"{REASON} the configuration")
    for name, file in zip(named, files, strict=True):
        for path, where in read_left_out(file).items():
            found.setdefault(path, LeftOut(where, f"{REASON} {name}"))
    return found


def _items(leave_out: str | Sequence[str] | None) -> list[str]:
    return [leave_out] if isinstance(leave_out, str) else list(leave_out or ())


def read_left_out(file: Path) -> dict[str, str]:
    """The listed paths, each with `file:line`, where it is listed first.

    Raises `DataError` for a file that cannot be read, a mark that is neither yes nor no, and an audit's CSV without the
    column of marks, whose every row would count.
    """
    lines = read_user_text(file, WHAT).splitlines()
    head = lines[0].lower() if lines else ""
    if not any("path" in (name.strip(' "') for name in head.split(delimiter)) for delimiter in ",;\t"):
        rows = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    else:
        rows = _marked_rows(file)
    listed: dict[str, str] = {}
    for number, path in rows:
        if path:
            listed.setdefault(PurePosixPath(path).as_posix(), f"{file}:{number}")
    return listed


def left_out_of(dropped: Path) -> list[str]:
    """The pictures that a list of dropped ones (CSV of `index`) says were left out on request."""
    return [row["path"] for _, row in read_csv(dropped, DROPPED_COLUMNS) if row["reason"].startswith(REASON)]


def is_marked(mark: str, where: str) -> bool:
    """What a field of the column `leave_out` says; raises `DataError` for another word."""
    if mark.lower() not in (*MARKS, *NO_MARKS):
        raise DataError(f"{where}: column {COLUMN} is '{mark}'; expected x to leave the picture out, or nothing.")
    return mark.lower() in MARKS


def _marked_rows(file: Path) -> list[tuple[int, str]]:
    rows, faults = [], []
    for number, row in read_user_csv(file, ("path",)):
        if "verdict" in row and COLUMN not in row:
            raise DataError(
                f"{file}:1: an audit's file without the column {COLUMN}: all its pictures would be left out. Add the "
                f"column with an x where that is meant, or give a list of the paths alone."
            )
        try:
            if is_marked(row.get(COLUMN, MARKS[0]), f"{file}:{number}"):
                rows.append((number, row["path"]))
        except DataError as error:
            faults.append(str(error))
    raise_all(faults)
    return rows
