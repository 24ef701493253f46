"""Ground truth of faces as a CSV: what rendered data brings along, or what you have drawn by hand.

One row a face: `path,x0,y0,x1,y1`; a picture without a face has a row with empty corners. Columns that are used where
they are there:

    visible         0: too little of the face shows; it is neither to be found nor a mistake
    ignore          1: the same, and no detector is trained on it
    view            of the head, in words
    skin_tone       a class
    face_occluded   (or occluded) 1: something hides a part of the face
    face_fraction   the visible share of the face; above 0 without a box, the picture is `unclear`
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from anonbench.core.errors import DataError
from anonbench.data.regions import Region
from anonbench.data.tables import raise_all, read_user_csv

FILE = "ground_truth/annotations.csv"  # below a dataset's folder
CORNERS = ("x0", "y0", "x1", "y1")
ANNOTATION_COLUMNS = ("path", *CORNERS)


@dataclass(frozen=True, slots=True)
class Annotation:
    """A region that is there, whether or not a detector finds it.

    path: of its picture.
    visible: whether enough of it shows to be found.
    ignore: whether it is too unclear to be learnt from.
    attributes: what it is like, such as {"view": "profile", "skin_tone": "3", "occluded": "1"}; no key for what the
        file does not tell.
    """

    path: str
    region: Region
    visible: bool = True
    ignore: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def counted(self) -> bool:
        """False for one that is neither to be found nor a mistake."""
        return self.visible and not self.ignore


@dataclass(frozen=True, slots=True)
class Annotations:
    """The annotated regions of every picture, and the pictures that show a face of which no box is known.

    unclear: a part of a face shows there, less than the annotation calls a visible face: what a detector finds there is
        neither right nor wrong.
    """

    regions: Mapping[str, tuple[Annotation, ...]]
    unclear: frozenset[str]


def read_annotations(file: Path) -> Annotations:
    """Read a CSV of annotated faces. Raises `DataError` for a missing file or column, or malformed rows."""
    columns = ", ".join(ANNOTATION_COLUMNS)
    regions: dict[str, list[Annotation]] = {}
    unclear = set()
    faults = []
    for line, row in read_user_csv(file, ANNOTATION_COLUMNS, f"Ground truth is a CSV with the columns {columns}."):
        where = f"{file}:{line}"
        if not any(row.values()):  # as spreadsheets leave below a table
            continue
        try:
            if not row["path"]:
                raise DataError(f"{where}: column path is empty; expected the picture that shows the box.")
            found = regions.setdefault(row["path"], [])
            if any(row[c] for c in CORNERS):
                found.append(_annotation(row, where))
            elif _number(row.get("face_fraction") or "0", "face_fraction", where) > 0:
                unclear.add(row["path"])
        except DataError as error:
            faults.append(str(error))
    raise_all(faults)
    return Annotations({path: tuple(found) for path, found in regions.items()}, frozenset(unclear))


def _annotation(row: Mapping[str, str | None], where: str) -> Annotation:
    x0, y0, x1, y1 = (_number(row[c], c, where) for c in CORNERS)
    if not (x0 < x1 and y0 < y1):
        raise DataError(f"{where}: box {x0}, {y0}, {x1}, {y1} is empty; expected x0 < x1 and y0 < y1.")
    told = {
        "view": row.get("view"),
        "skin_tone": row.get("skin_tone"),
        "occluded": row.get("face_occluded") or row.get("occluded"),
    }
    return Annotation(
        row["path"] or "",
        Region((x0, y0, x1, y1), source="annotated"),
        visible=_flag(row, "visible", "1", where),
        ignore=_flag(row, "ignore", "0", where),
        attributes={name: value for name, value in told.items() if value},
    )


def _flag(row: Mapping[str, str | None], column: str, default: str, where: str) -> bool:
    value = row.get(column) or default
    if value not in ("0", "1"):
        raise DataError(f"{where}: {column} is '{value}'; expected 0 or 1.")
    return value == "1"


def _number(text: str | None, column: str, where: str) -> float:
    text = text or ""  # None in a row that is cut off
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{where}: column {column} is '{text or ''}'; expected a number.")
    return value
