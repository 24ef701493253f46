"""Records to CSV files and back: validated, sorted, written atomically.

Every reader reports the file, the line, what was found and what was expected (`results/…csv:14: …`).
"""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from anonbench.core.errors import DataError
from anonbench.core.files import write_text
from anonbench.data.records import SPLITS, Detection, DroppedImage, IndexedImage

MANIFEST_COLUMNS = ("path", "pid", "camid", "split", "width", "height", "sha256")
DROPPED_COLUMNS = ("path", "reason")
DETECTION_COLUMNS = ("path", "face", "x0", "y0", "x1", "y1", "score")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows under a header; None becomes an empty field."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_text(path, buffer.getvalue())


def read_csv(path: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Read a CSV whose header must be exactly `columns`; returns (line number, row) pairs."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Has the stage that writes it been run?") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text file ({error.reason}). Run the stage that writes it again.") from error
    reader = csv.DictReader(io.StringIO(text))
    found = tuple(reader.fieldnames or ())
    if found != tuple(columns):
        raise DataError(f"{path}:1: header is {','.join(found) or '(empty)'}; expected {','.join(columns)}.")
    rows = []
    for row in reader:
        if None in row or None in row.values():
            raise DataError(f"{path}:{reader.line_num}: expected {len(columns)} fields. Is the file cut off?")
        rows.append((reader.line_num, row))
    if not text.endswith("\n"):  # every line that we write has an end; half a number would go unnoticed
        lines = text.count("\n") + 1
        raise DataError(f"{path}:{lines}: the file is cut off. Remove it and run the stage that writes it again.")
    return rows


def write_manifest(path: Path, images: Iterable[IndexedImage]) -> None:
    """Write a manifest sorted by path."""
    ordered = sorted(images, key=lambda i: i.path)
    write_csv(path, MANIFEST_COLUMNS, ([getattr(i, c) for c in MANIFEST_COLUMNS] for i in ordered))


def read_manifest(path: Path, splits: Path | None = None, split: int | None = None) -> list[IndexedImage]:
    """Read a manifest, with the roles of another split of the dataset when one is asked for.

    splits, split: the file that `write_splits` wrote and the number of the split; None for the manifest's own roles.
    Raises `DataError` for malformed fields, duplicate paths, an empty file, or a split that is not there.
    """
    images: list[IndexedImage] = []
    seen: set[str] = set()
    for line, row in read_csv(path, MANIFEST_COLUMNS):
        where = f"{path}:{line}"
        image = IndexedImage(
            path=_relative(row["path"], where),
            pid=_number(int, row, "pid", where, at_least=-1),
            camid=_number(int, row, "camid", where, at_least=0),
            split=_choice(row["split"], SPLITS, where, "split"),
            width=_number(int, row, "width", where, at_least=1),
            height=_number(int, row, "height", where, at_least=1),
            sha256=row["sha256"],
        )
        if image.path in seen:
            raise DataError(f"{where}: {image.path} is listed twice; expected one row an image.")
        seen.add(image.path)
        images.append(image)
    if not images:
        raise DataError(f"{path}: lists no image.")
    if splits is None or split is None:
        return images
    return assign_split(images, read_split(splits, split), splits)


def write_dropped(path: Path, dropped: Iterable[DroppedImage]) -> None:
    """Write the list of images that a manifest leaves out, with reasons (a header alone when there are none)."""
    write_csv(path, DROPPED_COLUMNS, ([d.path, d.reason] for d in sorted(dropped, key=lambda d: d.path)))


def write_sidecars(path: Path, files: Iterable[str]) -> None:
    """Write the list of the text and protocol files that a drop-in copy of a dataset needs beside its images."""
    write_csv(path, ("path",), ([file] for file in sorted(files)))


def read_sidecars(path: Path) -> list[str]:
    """Read the list that `write_sidecars` wrote."""
    return [_relative(row["path"], f"{path}:{line}") for line, row in read_csv(path, ("path",))]


def write_splits(path: Path, splits: Sequence[Mapping[str, str]]) -> None:
    """Write the further ways in which a dataset is divided: one row an image, one column a split, from split0 on.

    splits: one map path -> role for each split; none for a dataset with a single split (a header alone is written).
    """
    columns = ("path", *(f"split{number}" for number in range(len(splits))))
    write_csv(
        path, columns, ([image, *(split[image] for split in splits)] for image in sorted(splits[0] if splits else ()))
    )


def read_split(path: Path, number: int) -> dict[str, str]:
    """The role (train, query, gallery) of every image in one of the splits that `write_splits` wrote.

    Raises `DataError` when the dataset has no such split or a role is unknown.
    """
    header = path.read_text(encoding="utf-8").partition("\n")[0].split(",") if path.is_file() else ["path"]
    rows = read_csv(path, header)
    column = f"split{number}"
    if column not in header:
        raise DataError(
            f"{path}: has {len(header) - 1} splits, numbered from 0; there is no split {number}. "
            f"Correct `splits:` in the dataset's config entry."
        )
    return {
        _relative(row["path"], f"{path}:{line}"): _choice(row[column], SPLITS, f"{path}:{line}", column)
        for line, row in rows
    }


def assign_split(images: Iterable[IndexedImage], roles: Mapping[str, str], source: Path) -> list[IndexedImage]:
    """The images with the roles of another split; raises `DataError` for an image without one."""
    assigned = []
    for image in images:
        if image.path not in roles:
            raise DataError(f"{source}: no row for {image.path}. Index the dataset again.")
        assigned.append(dataclasses.replace(image, split=roles[image.path]))
    return assigned


def write_detections(path: Path, detections: Mapping[str, Sequence[Detection]]) -> None:
    """Write one row a face; an image without a face has one row with face = -1 and empty corners."""
    rows: list[list[object]] = []
    for image in sorted(detections):
        for number, d in enumerate(detections[image]):
            rows.append([image, number, *(f"{v:.3f}" for v in (d.x0, d.y0, d.x1, d.y1)), f"{d.score:.4f}"])
        if not detections[image]:
            rows.append([image, -1, None, None, None, None, None])
    write_csv(path, DETECTION_COLUMNS, rows)


def read_detections(path: Path) -> dict[str, list[Detection]]:
    """Read detections: every image of the manifest, with an empty list where no face was found."""
    detections: dict[str, list[Detection]] = {}
    for line, row in read_csv(path, DETECTION_COLUMNS):
        where = f"{path}:{line}"
        faces = detections.setdefault(_relative(row["path"], where), [])
        number = _number(int, row, "face", where, at_least=-1)
        if number == -1:
            continue
        if number != len(faces):
            raise DataError(f"{where}: face number {number} of {row['path']}; expected {len(faces)}.")
        x0, y0, x1, y1 = (_number(float, row, c, where) for c in ("x0", "y0", "x1", "y1"))
        if not (x0 < x1 and y0 < y1):
            raise DataError(f"{where}: box {x0}, {y0}, {x1}, {y1} is empty; expected x0 < x1 and y0 < y1.")
        faces.append(Detection(x0, y0, x1, y1, _number(float, row, "score", where, at_least=0)))
    return detections


def _relative(path: str, where: str) -> str:
    if not path or path.startswith("/") or "\\" in path or ".." in path.split("/"):
        raise DataError(f"{where}: path '{path}' must be relative to the dataset root, with forward slashes.")
    return path


def _number(
    kind: Callable[[str], Any], row: Mapping[str, str], column: str, where: str, at_least: float | None = None
) -> Any:
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


def _choice(value: str, known: Sequence[str], where: str, column: str) -> str:
    if value not in known:
        raise DataError(f"{where}: column {column} is '{value}'; expected one of {', '.join(known)}.")
    return value
