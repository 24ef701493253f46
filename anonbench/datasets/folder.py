"""The user's own data: images anywhere below a folder, and a CSV that says who is on them."""

from __future__ import annotations

import csv as csv_format
import io
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.images import IMAGE_SUFFIXES
from anonbench.datasets import DATASETS, JUNK_PID, SPLITS, PersonImage
from anonbench.datasets._listing import (
    DatasetInfo,
    DatasetListing,
    adapter,
    complete,
    is_image,
    is_text,
    list_files,
)

INFO = DatasetInfo(
    title="your own data",
    format="folder",
    layout="""\
  images.csv            (columns path,pid,camid,split; split is train, query or gallery)
  <path>                (every image that the CSV names, relative to this folder)""",
    citation="none",
    licence="Yours to know: make sure that the people shown agree, or that the law of your place permits the use.",
    request_from="Write the CSV with one row an image, such as: cam1/0007_01.jpg,7,1,train",
)
COLUMNS = ("path", "pid", "camid", "split")
INTEGER = re.compile(r"-?[0-9]+")  # stricter than int(), which reads 0007_01 as 701


@DATASETS.register("folder")
@adapter(INFO)
def read(root: Path, *, csv: str = "images.csv") -> DatasetListing:
    """List the images that a CSV names.

    csv: the file, relative to `root`, UTF-8, comma-separated, with the columns path, pid, camid, split in any order
        (others are ignored). pid >= 1; 0 marks distractors and -1 junk, in the gallery alone. camid >= 0.

    Raises `DataError` with file and line for a malformed row, a path given twice, leading out of the folder or
    without a file; and for what `_listing.complete` refuses.
    """
    if not isinstance(csv, str) or not _stays_inside(csv):
        raise ConfigError(f"dataset format 'folder': option 'csv' is {csv!r}; expected a path below the folder.")
    files = list_files(root, INFO)
    table = root / csv
    present = set(files)
    images: dict[str, PersonImage] = {}
    missing: list[str] = []
    for line, row in _rows(table):
        where = f"{table}:{line}"
        image = _record(row, where)
        if image.path in images:
            raise DataError(f"{where}: {image.path} is listed a second time; expected one row an image.")
        if image.path not in present:
            missing.append(f"{where}: {root / image.path}")
        images[image.path] = image
    if missing:
        raise DataError(
            f"{missing[0]}: no such file ({len(missing)} of {len(images)} images are missing). "
            f"Paths are relative to {root} and distinguish upper from lower case."
        )

    def reason(path: str) -> str:
        return f"not listed in {csv}"

    def sidecar(path: str) -> bool:
        return is_text(path) or path == PurePosixPath(csv).as_posix()

    return complete(
        root, INFO, images.values(), files, reason, sidecar, columns={PurePosixPath(csv).as_posix(): COLUMNS}
    )


def _rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, row) of the CSV; a byte-order mark, as spreadsheets write it, is skipped."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"{table}: no such file. Expected\n{INFO.layout}\n{INFO.request_from}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{table}: cannot be read as UTF-8 text ({error}). Save it as CSV in UTF-8.") from error
    reader = csv_format.DictReader(io.StringIO(text), restval="", strict=True)
    try:
        _check_header(table, list(reader.fieldnames or []))
        for row in reader:
            if None in row:
                raise DataError(
                    f"{table}:{reader.line_num}: has more fields than the header. Put a path with a comma into quotes."
                )
            yield reader.line_num, row
    except csv_format.Error as error:
        raise DataError(f"{table}:{reader.line_num + 1}: not valid CSV ({error}).") from error


def _check_header(table: Path, found: list[str]) -> None:
    for column in COLUMNS:
        if column not in found:
            raise DataError(
                f"{table}:1: no column '{column}': found {','.join(found) or 'nothing'}; expected {','.join(COLUMNS)}, "
                f"separated by commas."
            )
        if found.count(column) > 1:
            raise DataError(f"{table}:1: column '{column}' is there {found.count(column)} times; expected it once.")


def _record(row: dict[str, str], where: str) -> PersonImage:
    split = row["split"].strip()
    if split not in SPLITS:
        raise DataError(f"{where}: column split is {split or 'empty'}; expected {', '.join(SPLITS)}.")
    at_least = JUNK_PID if split == "gallery" else 1
    special = " (0 = distractor, -1 = junk)" if split == "gallery" else f" in the split {split}"
    pid = _integer(row["pid"], "pid", where, at_least, special)
    return PersonImage(_path(row["path"], where), pid, _integer(row["camid"], "camid", where, 0), split)


def _integer(text: str, column: str, where: str, at_least: int, note: str = "") -> int:
    text = text.strip()
    if not INTEGER.fullmatch(text) or int(text) < at_least:
        raise DataError(f"{where}: column {column} is {text or 'empty'}; expected an integer >= {at_least}{note}.")
    return int(text)


def _path(text: str, where: str) -> str:
    text = text.strip()
    if not text:
        raise DataError(f"{where}: column path is empty; expected an image file relative to the dataset's folder.")
    if not _stays_inside(text):
        raise DataError(
            f"{where}: column path is {text}; expected a path relative to the dataset's folder, with forward slashes "
            f"and without '..'."
        )
    if not is_image(text):
        raise DataError(f"{where}: column path is {text}; expected a file ending in {', '.join(IMAGE_SUFFIXES)}.")
    return PurePosixPath(text).as_posix()


def _stays_inside(path: str) -> bool:
    return "\\" not in path and not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts
