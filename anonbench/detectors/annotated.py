"""Ground-truth boxes that come with a dataset, in place of a detector."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anonbench.core.errors import DataError
from anonbench.data.annotations import ANNOTATION_COLUMNS, FILE, read_annotations
from anonbench.data.regions import Region
from anonbench.detectors import DETECTORS, Detect


@DETECTORS.register("annotated")
@dataclass(frozen=True)
class Annotated:
    """Read face boxes from a CSV shipped with the dataset.

    file: the CSV, relative to the dataset's root, with the columns path, x0, y0, x1, y1 (others are ignored), one row
        a face. Boxes are half-open, in pixels. A row with empty corners says that the image shows no face.
    """

    file: str = FILE

    def __post_init__(self) -> None:
        if not isinstance(self.file, str) or not self.file:
            raise ValueError(f"file must be the name of a CSV below the dataset's root, got {self.file!r}")

    def open(self, root: Path) -> Detect:
        """Read the annotations. Raises `DataError` when the file is missing or a row is malformed."""
        boxes = self._read(root / self.file)

        def detect(image: object, path: str) -> list[Region]:
            if path not in boxes:
                raise DataError(
                    f"{root / self.file}: no row for {path}. Annotations must list every image; "
                    f"leave the corners empty where no face is visible."
                )
            return boxes[path]

        return detect

    def _read(self, file: Path) -> dict[str, list[Region]]:
        if not file.is_file():
            raise DataError(
                f"{file}: missing. The detector 'annotated' needs face boxes that come with the dataset "
                f"(columns {', '.join(ANNOTATION_COLUMNS)}); choose another detector, such as centerface, for this "
                f"dataset."
            )
        found = read_annotations(file).regions
        return {path: [annotation.region for annotation in annotations] for path, annotations in found.items()}
