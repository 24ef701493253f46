"""CSV files that pass between stages: written atomically, read strictly.

Every reader reports the file, the line, what was found and what was expected (`results/…csv:14: …`).
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from anonbench.core.errors import DataError
from anonbench.core.files import write_text
from anonbench.data.text import read_user_text

MOST = 2**63 - 1  # whole numbers are int64 in arrays
SHOWN = 10  # wrong rows named in one message


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
    text = read_user_text(path, "Has the stage that writes it been run?")
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


def read_user_csv(path: Path, columns: Sequence[str], missing: str = "") -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, row) of a user's CSV, as spreadsheets save it: commas, semicolons or tabs between the fields.

    Columns may be in any order, with others beside them, in upper or lower case. Spaces around a field are no part of
    it; a field that is not there is "".

    columns: those that must be there.
    missing: what to do when there is no such file, for the message.
    """
    text = read_user_text(path, missing)
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=lambda letter: len(set(_header(head, letter)) & set(columns)))
    found = _header(head, delimiter)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True, strict=True)
    line = 0
    try:
        next(reader, None)
        _check_columns(path, head.strip(), found, columns)
        line = reader.line_num
        for fields in reader:
            line = reader.line_num
            if not fields:
                continue
            if any(field.strip() for field in fields[len(found) :]):
                raise DataError(f"{path}:{line}: has more fields than the header. Put a path with a comma into quotes.")
            yield line, dict.fromkeys(found, "") | dict(zip(found, (field.strip() for field in fields), strict=False))
    except csv.Error as error:
        raise DataError(f"{path}:{line + 1}: not valid CSV ({error}).") from error


def _check_columns(path: Path, head: str, found: Sequence[str], columns: Sequence[str]) -> None:
    for column in columns:
        if column not in found:
            raise DataError(
                f"{path}:1: no column '{column}': found {head or 'nothing'}; expected {','.join(columns)}, "
                f"separated by commas."
            )
        if found.count(column) > 1:
            raise DataError(f"{path}:1: column '{column}' is there {found.count(column)} times; expected it once.")


def _header(line: str, delimiter: str) -> list[str]:
    """The names of the columns, in lower case where that makes no two of them alike."""
    names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])]
    lower = [name.lower() for name in names]
    return [low if lower.count(low) == 1 else name for name, low in zip(names, lower, strict=True)]


def raise_all(faults: Sequence[str]) -> None:
    """Raise one `DataError` that names the first ten faults and counts the rest; nothing for none."""
    if faults:
        more = [f"and {len(faults) - SHOWN} more wrong rows"] if len(faults) > SHOWN else []
        raise DataError("\n".join([*faults[:SHOWN], *more]))


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
    if kind is int and abs(value) > MOST:
        raise DataError(f"{where}: column {column} is {value}; expected an integer of at most 19 digits.")
    if not math.isfinite(value) or (at_least is not None and value < at_least):
        raise DataError(f"{where}: column {column} is {value}; expected {expected}.")
    return value


def checked_choice(row: Mapping[str, str], column: str, known: Sequence[str], where: str) -> Any:
    """One of the known words; raises `DataError` for another."""
    if row[column] not in known:
        raise DataError(f"{where}: column {column} is '{row[column]}'; expected one of {', '.join(known)}.")
    return row[column]
