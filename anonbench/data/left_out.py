"""A list of pictures that are not to be used: a path a line, or a CSV with a column `path`.

Of a CSV with a column `leave_out`, as an audit writes, those rows count that have an x (or 1, yes, true) there.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from anonbench.core.errors import DataError
from anonbench.data.pictures import DROPPED_COLUMNS
from anonbench.data.tables import raise_all, read_csv, read_user_csv
from anonbench.data.text import read_user_text

COLUMN = "leave_out"
MARKS = ("x", "1", "yes", "true")
NO_MARKS = ("", "0", "no", "false")
REASON = "left out by"
"""How the reason of such a picture begins in the list of dropped ones."""
WHAT = "Expected a path a line, or a CSV with a column path."


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
