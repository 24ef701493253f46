"""CSV files that pass between stages: written atomically, read strictly.

Every reader reports the file, the line, what was found and what was expected (`results/…csv:14: …`).
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from anonbench.core.errors import DataError
from anonbench.core.files import write_text


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows under a header; None becomes an empty field."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_text(path, buffer.getvalue())


def read_csv(
    path: Path, columns: Sequence[str], optional: Sequence[str] = (), further: bool = False
) -> list[tuple[int, dict[str, str]]]:
    """Read a CSV; returns (line number, row) pairs.

    columns: what its header must be.
    optional: columns that may follow, in this order, each or none.
    further: whether any columns may follow.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Has the stage that writes it been run?") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text file ({error.reason}). Run the stage that writes it again.") from error
    reader = csv.DictReader(io.StringIO(text))
    found = tuple(reader.fieldnames or ())
    more = found[len(columns) :]
    known = more if further else tuple(column for column in optional if column in more)
    if found[: len(columns)] != tuple(columns) or more != known or len(set(found)) < len(found):
        raise DataError(f"{path}:1: header is {','.join(found) or '(empty)'}; expected {','.join(columns)}.")
    rows = []
    for row in reader:
        if None in row or None in row.values():
            raise DataError(f"{path}:{reader.line_num}: expected {len(found)} fields. Is the file cut off?")
        rows.append((reader.line_num, row))
    if not text.endswith("\n"):  # every line that we write has an end; half a number would go unnoticed
        lines = text.count("\n") + 1
        raise DataError(f"{path}:{lines}: the file is cut off. Remove it and run the stage that writes it again.")
    return rows


def checked_path(path: str, where: str) -> str:
    """A path below a dataset's folder, with forward slashes; raises `DataError` for another."""
    if not path or path.startswith("/") or "\\" in path or ".." in path.split("/"):
        raise DataError(f"{where}: path '{path}' must be relative to the dataset root, with forward slashes.")
    return path


def checked_number(
    kind: Callable[[str], Any], row: Mapping[str, str], column: str, where: str, at_least: float | None = None
) -> Any:
    """A finite number of a row; raises `DataError` for another field, or a number below `at_least`."""
    what = "an integer" if kind is int else "a number"
    expected = what if at_least is None else f"{what} >= {at_least}"
    try:
        value = kind(row[column])
    except ValueError:
        found = f"is '{row[column]}'" if row[column] else "is empty"
        raise DataError(f"{where}: column {column} {found}; expected {expected}.") from None
    if not math.isfinite(value) or (at_least is not None and value < at_least):
        raise DataError(f"{where}: column {column} is {value}; expected {expected}.")
    return value


def checked_choice(row: Mapping[str, str], column: str, known: Sequence[str], where: str) -> Any:
    """One of the known words; raises `DataError` for another."""
    if row[column] not in known:
        raise DataError(f"{where}: column {column} is '{row[column]}'; expected one of {', '.join(known)}.")
    return row[column]
