"""Boxes that somebody has written, in place of a detector: ground truth of a dataset, or faces that one missed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anonbench.core.errors import DataError
from anonbench.data.annotations import ANNOTATION_COLUMNS, FILE, read_annotations
from anonbench.data.regions import Region
from anonbench.data.tables import raise_all
from anonbench.detectors import DETECTORS, Detect


@DETECTORS.register("annotated")
@dataclass(frozen=True)
class Annotated:
    """Read boxes from a CSV with the columns path, x0, y0, x1, y1 (others are ignored), one row a face.

    Boxes are half-open, in pixels. A row with empty corners says that the image shows no face. The CSV of an audit is
    such a file.

    file: the CSV, relative to the dataset's root.
    boxes: instead, a CSV of yours, from the folder in which the workflow runs. Where it changes, faces are detected
        again.
    partial: true where the CSV lists some images only: those without a row have no box, and every row must name a file
        of the dataset. false: a missing row is an error.
    """

    file: str = FILE
    boxes: str = ""
    partial: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.file, str) or not self.file:
            raise ValueError(f"file must be the name of a CSV below the dataset's root, got {self.file!r}")
        if not isinstance(self.boxes, str):
            raise ValueError(f"boxes must be the path of a CSV, got {self.boxes!r}")
        if not isinstance(self.partial, bool):
            raise ValueError(f"partial must be true or false, got {self.partial!r}")

    def open(self, root: Path) -> Detect:
        """Read the annotations. Raises `DataError` when the file is missing or a row is malformed."""
        file = Path(self.boxes) if self.boxes else root / self.file
        boxes = self._read(file)
        if self.partial:
            _refuse_strangers(file, boxes, root)

        def detect(image: object, path: str) -> list[Region]:
            if path not in boxes and not self.partial:
                raise DataError(
                    f"{file}: no row for {path}. Annotations must list every image; leave the corners empty where no "
                    f"face is visible. Or write `partial: true` into the detector's entry: images without a row then "
                    f"have no box."
                )
            return boxes.get(path, [])

        return detect

    def _read(self, file: Path) -> dict[str, list[Region]]:
        if self.boxes and not file.is_file():
            raise DataError(
                f"{file}: no such file. It is the `boxes:` of a detector 'annotated', a path from the folder in which "
                f"the workflow runs (columns {', '.join(ANNOTATION_COLUMNS)})."
            )
        if not file.is_file():
            raise DataError(
                f"{file}: missing. The detector 'annotated' needs face boxes that come with the dataset "
                f"(columns {', '.join(ANNOTATION_COLUMNS)}); choose another detector, such as centerface, for this "
                f"dataset."
            )
        found = read_annotations(file).regions
        return {path: [annotation.region for annotation in annotations] for path, annotations in found.items()}


def _refuse_strangers(file: Path, boxes: dict[str, list[Region]], root: Path) -> None:
    """Where images may be missing, a misspelt path would hide nothing without a word."""
    raise_all(
        [
            f"{file}: {path} is no file of {root}. Paths are relative to the dataset's folder, with forward slashes, "
            f"and distinguish upper from lower case."
            for path in boxes
            if not (root / path).is_file()
        ]
    )
