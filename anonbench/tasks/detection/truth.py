"""Ground truth of faces as a CSV: what `anonbench render` writes beside its images, or what you have drawn by hand."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from anonbench.core.errors import DataError

FILE = "ground_truth/annotations.csv"  # below a dataset's folder; the detector `annotated` reads it too
CORNERS = ("x0", "y0", "x1", "y1")
COLUMNS = ("path", *CORNERS)


@dataclass(frozen=True, slots=True)
class TrueFace:
    """A face: its box in pixels, half-open; view, skin_tone, occluded: "" where the file does not tell.

    counted: False for a face that is neither to be found nor a mistake.
    """

    path: str
    x0: float
    y0: float
    x1: float
    y1: float
    view: str = ""
    skin_tone: str = ""
    occluded: str = ""
    counted: bool = True

    @property
    def height(self) -> float:
        return self.y1 - self.y0


@dataclass(frozen=True, slots=True)
class FaceTruth:
    """The faces of every image, and the images that show a face of which no box is known.

    unclear: a part of a face shows there, less than the annotation calls a visible face: what a detector finds there is
    neither right nor wrong.
    """

    faces: Mapping[str, tuple[TrueFace, ...]]
    unclear: frozenset[str]


def read_face_truth(file: Path) -> FaceTruth:
    """Read annotations: the columns path, x0, y0, x1, y1; a row a face, empty corners for an image without one.

    Columns that are used where they are there: view, skin_tone, face_occluded or occluded (0 or 1); visible 0 or
    ignore 1 for a face that does not count; face_fraction, the visible share of the face: above 0 without a box the
    image is `unclear`.
    Raises `DataError` for a missing file or column, or a malformed row.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"{file}: cannot be read ({error.strerror}). Ground truth is a CSV with the columns {', '.join(COLUMNS)}."
        ) from error
    reader = csv.DictReader(io.StringIO(text))
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise DataError(f"{file}:1: column {missing[0]} is missing; expected {', '.join(COLUMNS)}.")
    faces: dict[str, list[TrueFace]] = {}
    unclear = set()
    for row in reader:
        where = f"{file}:{reader.line_num}"
        found = faces.setdefault(row["path"], [])
        if any(row[c] for c in CORNERS):
            x0, y0, x1, y1 = (_number(row[c], c, where) for c in CORNERS)
            if not (x0 < x1 and y0 < y1):
                raise DataError(f"{where}: box {x0}, {y0}, {x1}, {y1} is empty; expected x0 < x1 and y0 < y1.")
            hidden = row.get("face_occluded") or row.get("occluded") or ""
            counted = (row.get("visible") or "1") != "0" and (row.get("ignore") or "0") == "0"
            view, tone = (row.get(key) or "" for key in ("view", "skin_tone"))
            found.append(TrueFace(row["path"], x0, y0, x1, y1, view, tone, hidden, counted))
        elif _number(row.get("face_fraction") or "0", "face_fraction", where) > 0:
            unclear.add(row["path"])
    return FaceTruth({path: tuple(found) for path, found in faces.items()}, frozenset(unclear))


def _number(text: str | None, column: str, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{where}: column {column} is '{text}'; expected a number.")
    return value
