"""WIDER FACE's own files: ground truth as text and as MATLAB files, detections as a folder of text files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from anonbench.core.errors import DataError
from anonbench.data.text import read_user_text
from anonbench.data.wider_face import boxes_and_invalid, corners_of, read_matlab, read_setting, read_text
from anonbench.tasks.detection.wider import Faces, Floats

SETTINGS = ("easy", "medium", "hard")
TRUTH_MAT, TRUTH_TEXT = "wider_face_val.mat", "wider_face_val_bbx_gt.txt"
ALL = "all"
EXPECTED = (
    f"Expected a folder with {TRUTH_MAT} and wider_easy_val.mat, wider_medium_val.mat, wider_hard_val.mat (the "
    f"`ground_truth` of WIDER FACE's evaluation tool), or with {TRUTH_TEXT} (its `wider_face_split`)."
)


def read_wider_truth(folder: Path) -> dict[str, dict[str, Faces]]:
    """The faces of WIDER FACE's validation images: setting -> image path (`0--Parade/0_Parade_….jpg`) -> faces.

    With the evaluation tool's MATLAB files the settings are easy, medium and hard, in which faces outside the setting
    are ignored. From the text file alone there is one setting, `all`, in which faces marked invalid are ignored.
    The files may be in `folder` or, as in WIDER FACE itself, in `wider_face_split` or `ground_truth` below it. MATLAB
    files in any of these come before the text.
    Raises `DataError` when none is there, or a file is not as WIDER FACE ships it.
    """
    places = (folder, folder / "wider_face_split", folder / "ground_truth")
    for place in places:
        lists = {setting: place / f"wider_{setting}_val.mat" for setting in SETTINGS}
        if all(file.is_file() for file in (place / TRUTH_MAT, *lists.values())):
            return {setting: _read_mat(place / TRUTH_MAT, file) for setting, file in lists.items()}
    for place in places:
        if (place / TRUTH_TEXT).is_file():
            return {ALL: _read_text(place / TRUTH_TEXT)}
    raise DataError(f"{folder}: holds no ground truth of WIDER FACE. {EXPECTED}")


def _read_mat(file: Path, setting: Path) -> dict[str, Faces]:
    """The faces of every image, of which a setting counts some."""
    found: dict[str, Faces] = {}
    truth, chosen = list(read_matlab(file)), read_setting(setting)
    if len(truth) != len(chosen):
        raise DataError(
            f"{setting}: lists the faces of {len(chosen)} images, {file.name} those of {len(truth)}. {EXPECTED}"
        )
    for (path, rows), numbers in zip(truth, chosen, strict=True):
        counted = np.zeros(len(rows), bool)
        if (numbers < 0).any():
            raise DataError(f"{setting}: counts a face number {numbers.min() + 1} of {path}; expected 1 or more.")
        try:
            counted[numbers] = True
        except IndexError as error:
            raise DataError(f"{setting}: counts a face of {path} that {file.name} does not have ({error}).") from error
        found[path] = Faces(corners_of(rows[:, :4]), counted)
    return found


def _read_text(file: Path) -> dict[str, Faces]:
    found: dict[str, Faces] = {}
    for name, rows in read_text(file):
        boxes, invalid = boxes_and_invalid(rows)
        found[name] = Faces(boxes, ~invalid)
    return found


def read_wider_detections(folder: Path) -> dict[str, Floats]:
    """Detections as WIDER FACE's tool takes them: `<event>/<image>.txt` with the image's name, the number of boxes and
    `x y w h score` lines. Returns image path -> (n, 5) x0, y0, x1, y1, score.

    Raises `DataError` when there is no such file, or one is malformed.
    """
    found = dict(_detections_of(folder))
    if not found:
        raise DataError(f"{folder}: no detections below it; expected <event>/<image>.txt, as WIDER FACE's tool does.")
    return found


def _detections_of(folder: Path) -> Iterator[tuple[str, Floats]]:
    for file in sorted(folder.glob("*/*.txt")):
        boxes = _boxes_of(file)
        yield f"{file.parent.name}/{file.stem}.jpg", np.concatenate([corners_of(boxes[:, :4]), boxes[:, 4:]], axis=1)


def _boxes_of(file: Path) -> Floats:
    """(n, 5) x, y, w, h, score of one image; the header's name and number must be those of the file."""
    lines = read_user_text(file).rstrip().split("\n")
    name = PurePosixPath(lines[0].strip().replace("\\", "/")).name
    if name not in (file.stem, f"{file.stem}.jpg"):
        raise DataError(
            f"{file}:1: found '{name[:60]}'; expected the image's name, {file.stem}, then the number of boxes."
        )
    declared = lines[1].strip() if len(lines) > 1 else ""
    if not declared.isdecimal():
        raise DataError(f"{file}:2: found '{declared[:60]}'; expected the number of boxes that follow.")
    rows = [(number, line.split()) for number, line in enumerate(lines[2:], 3) if line.strip()]
    if len(rows) != int(declared):
        raise DataError(f"{file}: holds {len(rows)} boxes, its line 2 says {declared}. Is the file cut off?")
    boxes = np.empty((len(rows), 5))
    for row, (number, fields) in zip(boxes, rows, strict=True):
        try:
            row[:] = [float(field) for field in fields[:5]]
        except ValueError:
            row[:] = np.nan
        if not np.isfinite(row).all():
            raise DataError(f"{file}:{number}: found '{' '.join(fields)[:60]}'; expected numbers: x y w h score.")
    return boxes
