"""Ground-truth boxes that come with a dataset, in place of a detector."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from anonbench.core.errors import DataError
from anonbench.data.records import Detection
from anonbench.detectors import DETECTORS, Detect

COLUMNS = ("path", "x0", "y0", "x1", "y1")


@DETECTORS.register("annotated")
@dataclass(frozen=True)
class Annotated:
    """Read face boxes from a CSV shipped with the dataset.

    file: the CSV, relative to the dataset's root, with the columns path, x0, y0, x1, y1 (others are ignored), one row
        a face. Boxes are half-open, in pixels. A row with empty corners says that the image shows no face.
    """

    file: str = "ground_truth/annotations.csv"

    def __post_init__(self) -> None:
        if not isinstance(self.file, str) or not self.file:
            raise ValueError(f"file must be the name of a CSV below the dataset's root, got {self.file!r}")

    def open(self, root: Path) -> Detect:
        """Read the annotations. Raises `DataError` when the file is missing or a row is malformed."""
        boxes = self._read(root / self.file)

        def detect(image: object, path: str) -> list[Detection]:
            if path not in boxes:
                raise DataError(
                    f"{root / self.file}: no row for {path}. Annotations must list every image; "
                    f"leave the corners empty where no face is visible."
                )
            return boxes[path]

        return detect

    def _read(self, file: Path) -> dict[str, list[Detection]]:
        if not file.is_file():
            raise DataError(
                f"{file}: missing. The detector 'annotated' needs face boxes that come with the dataset "
                f"(columns {', '.join(COLUMNS)}); choose another detector, such as centerface, for this dataset."
            )
        boxes: dict[str, list[Detection]] = {}
        with file.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            missing = [c for c in COLUMNS if c not in (reader.fieldnames or [])]
            if missing:
                raise DataError(f"{file}: column {missing[0]} is missing. Expected {', '.join(COLUMNS)}.")
            for row in reader:
                found = boxes.setdefault(row["path"], [])
                corners = [row[c] for c in COLUMNS[1:]]
                if not any(corners):
                    continue
                try:
                    x0, y0, x1, y1 = map(float, corners)
                    finite = all(map(math.isfinite, (x0, y0, x1, y1)))
                except (TypeError, ValueError):
                    finite = False
                if not finite:
                    raise DataError(f"{file}:{reader.line_num}: box {corners} is not four numbers x0, y0, x1, y1.")
                if not (x0 < x1 and y0 < y1):
                    raise DataError(f"{file}:{reader.line_num}: box {corners} is empty; expected x0 < x1 and y0 < y1.")
                found.append(Detection(x0, y0, x1, y1, 1.0))
        return boxes
