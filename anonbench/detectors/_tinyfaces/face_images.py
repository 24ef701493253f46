"""What TinyFaces is trained from: images with face boxes, from WIDER FACE's folder or from a CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from anonbench.core.errors import DataError
from anonbench.data.annotations import ANNOTATION_COLUMNS, read_annotations
from anonbench.data.regions import corners
from anonbench.data.wider_face import FaceImage, check_images

FaceImages = Sequence[FaceImage]


def read_face_csv(file: Path, root: Path | None = None) -> list[FaceImage]:
    """Images and boxes of a CSV with the columns path, x0, y0, x1, y1 and, if there, ignore (0 or 1).

    One row a face; an image without faces has a row with empty corners. Sorted by path.
    root: what paths are relative to; default: the CSV's folder.
    Raises `DataError` for a missing file, column or image, or a malformed row.
    """
    if not file.is_file():
        raise DataError(f"{file}: missing. Expected a CSV with the columns {', '.join(ANNOTATION_COLUMNS)}.")
    folder = file.parent if root is None else root
    faces = [
        FaceImage(
            folder / path,
            corners(annotation.region for annotation in found),
            np.array([annotation.ignore for annotation in found], bool),
        )
        for path, found in sorted(read_annotations(file).regions.items())
    ]
    check_images(faces, folder)
    return faces
