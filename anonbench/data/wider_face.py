"""WIDER FACE's annotations, as text and as MATLAB files: detectors are trained from them and tested against them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from anonbench.core.errors import DataError
from anonbench.data.text import read_user_text

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LAYOUT = """\
Expected, as WIDER FACE's archives unpack:
  wider_face_split/wider_face_train_bbx_gt.txt   (or wider_face_train.mat)
  WIDER_train/images/0--Parade/0_Parade_….jpg
Request it from http://shuoyang1213.me/WIDERFACE/ (research use; its images show real people). Without it, train on
rendered scenes."""
COLUMNS = 10  # x y w h blur expression illumination invalid occlusion pose
INVALID = 7
MATLAB_ERRORS = (OSError, ValueError, KeyError, IndexError, TypeError, NotImplementedError, MatReadError)


@dataclass(frozen=True)
class FaceImage:
    """A picture and the faces annotated in it, as arrays: WIDER FACE has up to 1,968 in one picture.

    boxes: (n, 4) float64, x0, y0, x1, y1, half-open, in pixels.
    ignore: (n,) bool: neither face nor background there (too unclear to be learnt from, as WIDER FACE's `invalid`).
    """

    path: Path
    boxes: Floats
    ignore: Flags


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
        found = read_text(text)
    elif matlab.is_file():
        found = read_matlab(matlab)
    else:
        raise DataError(f"{text}: missing, and so is {matlab.name}.\n{LAYOUT}")
    images = root / f"WIDER_{split}" / "images"
    faces = [
        FaceImage(images / name, *boxes_and_invalid(rows)) for name, rows in sorted(found, key=lambda item: item[0])
    ]
    check_images(faces, images)
    return faces


def check_images(faces: Sequence[FaceImage], folder: Path) -> None:
    """Raise `DataError` unless there is a picture, and each has its file."""
    if not faces:
        raise DataError(f"{folder}: the annotations list no image at all.")
    missing = [face.path for face in faces if not face.path.is_file()]
    if missing:
        raise DataError(
            f"{missing[0]}: missing, as are {len(missing) - 1} more of {len(faces)} annotated images below {folder}. "
            f"Unpack the images there, or annotate only those that are there."
        )


def boxes_and_invalid(rows: Floats) -> tuple[Floats, Flags]:
    """x0, y0, x1, y1 (n, 4) and WIDER's flag `invalid` (n,) of rows (m, 10), without those that have no area."""
    rows = rows[(rows[:, 2] > 0) & (rows[:, 3] > 0)]
    return corners_of(rows[:, :4]), rows[:, INVALID] != 0


def corners_of(boxes: Floats) -> Floats:
    """x, y, w, h (n, 4) to x, y, x + w, y + h."""
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


# --- the files ---


def read_text(file: Path) -> Iterator[tuple[str, Floats]]:
    """(path below images/, rows (n, 10)): a path, the number of faces n, then n lines; one line of zeros for n = 0.

    Raises `DataError` for a line that is not as the layout has it.
    """
    lines = read_user_text(file).rstrip("\n").split("\n")
    at = 0
    while at < len(lines):
        name = lines[at].strip()
        if not name:
            at += 1
            continue
        if not name.endswith(".jpg"):
            raise DataError(f"{file}:{at + 1}: found '{name[:40]}'; expected the path of an image.\n{LAYOUT}")
        try:
            count = int(lines[at + 1])
        except (IndexError, ValueError) as error:
            raise DataError(f"{file}:{at + 2}: expected the number of faces of {name}.") from error
        if count < 0:
            raise DataError(f"{file}:{at + 2}: found {count}; expected the number of faces of {name}.")
        first = at + 2
        at = first + max(1, count)
        if at > len(lines):
            raise DataError(f"{file}: ends within the {count} faces of {name}; unpack the archive again.")
        yield name, np.array([_text_row(file, n, lines[n]) for n in range(first, first + count)]).reshape(-1, 10)


def _text_row(file: Path, index: int, line: str) -> list[float]:
    try:
        values = [float(part) for part in line.split()]
    except ValueError:
        values = []
    if len(values) != COLUMNS or not all(map(math.isfinite, values)):
        raise DataError(f"{file}:{index + 1}: found '{line[:60]}'; expected {COLUMNS} numbers: x y w h and flags.")
    return values


def read_matlab(file: Path) -> Iterator[tuple[str, Floats]]:
    """As `read_text`, from event_list, file_list, face_bbx_list and, if there, invalid_label_list."""
    content = load_matlab(file)
    try:
        events, files, boxes = (content[key][:, 0] for key in ("event_list", "file_list", "face_bbx_list"))
        invalid = content["invalid_label_list"][:, 0] if "invalid_label_list" in content else [None] * len(events)
        for event, names, faces, flags in zip(events, files, boxes, invalid, strict=True):
            for n, (name, rows) in enumerate(zip(names[:, 0], faces[:, 0], strict=True)):
                full = np.zeros((len(rows), COLUMNS))
                full[:, :4] = rows.reshape(-1, 4)
                if flags is not None:
                    full[:, INVALID] = flags[n, 0].ravel()
                if not np.isfinite(full).all():
                    raise ValueError(f"a box of {name[0]} has a number that is not finite")
                yield f"{event[0]}/{name[0]}.jpg", full
    except MATLAB_ERRORS as error:
        raise _not_wider(file, error) from error


def read_setting(file: Path) -> list[NDArray[np.int64]]:
    """For each image, in the order of `read_matlab`, the numbers (from 0) of the faces that a setting counts.

    file: such as wider_easy_val.mat, of WIDER FACE's evaluation tool.
    """
    content = load_matlab(file)
    try:
        return [
            np.asarray(numbers[0], np.int64).ravel() - 1 for event in content["gt_list"].ravel() for numbers in event
        ]
    except MATLAB_ERRORS as error:
        raise _not_wider(file, error) from error


def load_matlab(file: Path) -> Mapping[str, Any]:
    """The variables of a MATLAB file; raises `DataError` when it cannot be read."""
    try:
        content: Mapping[str, Any] = loadmat(file)
    except MATLAB_ERRORS as error:
        raise DataError(
            f"{file}: not a MATLAB file, so not WIDER FACE's annotations ({error}). Unpack the archive again."
        ) from error
    return content


def _not_wider(file: Path, error: Exception) -> DataError:
    return DataError(
        f"{file}: not WIDER FACE's annotations ({type(error).__name__}: {error}). Unpack the archive again."
    )
