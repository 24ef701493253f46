"""What TinyFaces is trained from: images with face boxes, from WIDER FACE's folder or from a CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from anonbench.core.errors import DataError
from anonbench.data.wider_face import COLUMNS, INVALID, LAYOUT, read_annotations

CSV_COLUMNS = ("path", "x0", "y0", "x1", "y1")


@dataclass(frozen=True)
class FaceImage:
    """One training image.

    boxes: (n, 4) float64, x0, y0, x1, y1, half-open, in pixels. ignore: (n,) bool: neither face nor background there
    (too unclear to be learnt from, as WIDER FACE's `invalid`).
    """

    path: Path
    boxes: NDArray[np.float64]
    ignore: NDArray[np.bool_]


FaceImages = Sequence[FaceImage]


def read_wider_face(root: Path, split: str = "train") -> list[FaceImage]:
    """The images of a WIDER FACE split in its native layout, sorted by path; the text file is read before the `.mat`.

    Corners count from 0 and x + w is the first column right of the face: in the validation set x is 0 for 213 faces,
    x + w is 1024, the images' width, for 189, and never more. Boxes without area are dropped. The `invalid` flag
    becomes `ignore` (the authors and the port train on such boxes like on others).

    Raises `DataError` when a file or an image is missing, or a line is not as the layout has it.
    """
    folder = root / "wider_face_split"
    text, matlab = folder / f"wider_face_{split}_bbx_gt.txt", folder / f"wider_face_{split}.mat"
    if text.is_file():
        found = read_annotations(text)
    elif matlab.is_file():
        found = _read_matlab(matlab)
    else:
        raise DataError(f"{text}: missing, and so is {matlab.name}.\n{LAYOUT}")
    images = root / f"WIDER_{split}" / "images"
    faces = [_face_image(images / name, rows) for name, rows in sorted(found, key=lambda item: item[0])]
    _check_images(faces, images)
    return faces


def read_face_csv(file: Path, root: Path | None = None) -> list[FaceImage]:
    """Images and boxes of a CSV with the columns path, x0, y0, x1, y1 and, if there, ignore (0 or 1).

    One row a face; an image without faces has a row with empty corners. Other columns are passed over. Sorted by path.
    root: what paths are relative to; default: the CSV's folder.
    Raises `DataError` for a missing file, column or image, or a malformed row.
    """
    if not file.is_file():
        raise DataError(f"{file}: missing. Expected a CSV with the columns {', '.join(CSV_COLUMNS)}.")
    boxes: dict[str, list[tuple[list[float], bool]]] = {}
    with file.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        missing = [c for c in CSV_COLUMNS if c not in (reader.fieldnames or [])]
        if missing:
            raise DataError(f"{file}: column {missing[0]} is missing. Expected {', '.join(CSV_COLUMNS)}.")
        for row in reader:
            found = boxes.setdefault(row["path"], [])
            box = _csv_box(row, f"{file}:{reader.line_num}")
            if box is not None:
                found.append((box, (row.get("ignore") or "0") == "1"))
    folder = file.parent if root is None else root
    faces = [
        FaceImage(
            folder / path,
            np.array([box for box, _ in rows], np.float64).reshape(-1, 4),
            np.array([ignore for _, ignore in rows], bool),
        )
        for path, rows in sorted(boxes.items())
    ]
    _check_images(faces, folder)
    return faces


def _csv_box(row: dict[str, Any], where: str) -> list[float] | None:
    corners = [row[c] for c in CSV_COLUMNS[1:]]
    if not any(corners):
        return None
    if (row.get("ignore") or "0") not in ("0", "1"):
        raise DataError(f"{where}: ignore is '{row['ignore']}'; expected 0 or 1.")
    try:
        box = [float(corner) for corner in corners]
    except (TypeError, ValueError):
        box = [math.nan]
    if not all(map(math.isfinite, box)):
        raise DataError(f"{where}: box {corners} is not four numbers x0, y0, x1, y1.")
    if not (box[0] < box[2] and box[1] < box[3]):
        raise DataError(f"{where}: box {corners} is empty; expected x0 < x1 and y0 < y1.")
    return box


def _read_matlab(file: Path) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """As `read_annotations`, from event_list, file_list, face_bbx_list and, if there, invalid_label_list."""
    try:
        content = loadmat(file)
        events, files, boxes = (content[key][:, 0] for key in ("event_list", "file_list", "face_bbx_list"))
        invalid = content["invalid_label_list"][:, 0] if "invalid_label_list" in content else [None] * len(events)
        for event, names, faces, flags in zip(events, files, boxes, invalid, strict=True):
            for n, (name, rows) in enumerate(zip(names[:, 0], faces[:, 0], strict=True)):
                full = np.zeros((len(rows), COLUMNS))
                full[:, :4] = rows.reshape(-1, 4)
                if flags is not None:
                    full[:, INVALID] = flags[n, 0].ravel()
                yield f"{event[0]}/{name[0]}.jpg", full
    except (OSError, ValueError, KeyError, IndexError, NotImplementedError, MatReadError) as error:
        raise DataError(
            f"{file}: not WIDER FACE's annotations ({type(error).__name__}: {error}). Unpack the archive again."
        ) from error


def _face_image(path: Path, rows: NDArray[np.float64]) -> FaceImage:
    rows = rows[(rows[:, 2] > 0) & (rows[:, 3] > 0)]
    return FaceImage(path, np.hstack([rows[:, :2], rows[:, :2] + rows[:, 2:4]]), rows[:, INVALID] != 0)


def _check_images(faces: FaceImages, folder: Path) -> None:
    if not faces:
        raise DataError(f"{folder}: the annotations list no image at all.")
    missing = [face.path for face in faces if not face.path.is_file()]
    if missing:
        raise DataError(
            f"{missing[0]}: missing, as are {len(missing) - 1} more of {len(faces)} annotated images below {folder}. "
            f"Unpack the images there, or annotate only those that are there."
        )
