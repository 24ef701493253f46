"""WIDER FACE's own files: ground truth as text and as MATLAB files, detections as a folder of text files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from anonbench.core.errors import DataError
from anonbench.data.wider_face import INVALID, read_annotations
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
    The files may lie in `folder` or, as in WIDER FACE itself, in `wider_face_split` or `ground_truth` below it; the
    MATLAB files in any of these go before the text.
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
    truth, chosen = _load(file), _load(setting)
    found: dict[str, Faces] = {}
    try:
        events = zip(truth["event_list"], truth["file_list"], truth["face_bbx_list"], chosen["gt_list"], strict=True)
        for event, names, boxes, kept in events:
            for name, image_boxes, numbers in zip(names[0], boxes[0], kept[0], strict=True):
                corners = _corners(np.asarray(image_boxes[0], np.float64).reshape(-1, 4))
                counted = np.zeros(len(corners), bool)
                counted[np.asarray(numbers[0], np.int64).ravel() - 1] = True
                found[f"{event[0][0]}/{name[0][0]}.jpg"] = Faces(corners, counted)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise DataError(f"{file}, {setting.name}: not as WIDER FACE ships them ({error}). {EXPECTED}") from error
    return found


def _load(file: Path) -> Mapping[str, Any]:
    try:
        content: Mapping[str, Any] = scipy.io.loadmat(file)
    except (OSError, ValueError, NotImplementedError, TypeError) as error:
        raise DataError(f"{file}: not a MATLAB file that can be read ({error}). {EXPECTED}") from error
    return content


def _read_text(file: Path) -> dict[str, Faces]:
    found: dict[str, Faces] = {}
    for name, rows in read_annotations(file):
        rows = rows[(rows[:, 2] > 0) & (rows[:, 3] > 0)]
        found[name] = Faces(_corners(rows[:, :4]), rows[:, INVALID] == 0)
    return found


def _corners(boxes: Floats) -> Floats:
    """x, y, w, h to x, y, x + w, y + h."""
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


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
        _, _, *lines = [*file.read_text(encoding="utf-8").splitlines(), "", ""]
        try:
            rows = [[float(v) for v in line.split()[:5]] for line in lines if line.strip()]
            boxes = np.array(rows, np.float64).reshape(len(rows), 5)
        except ValueError as error:
            raise DataError(f"{file}: not lines of `x y w h score` below name and number ({error}).") from error
        yield f"{file.parent.name}/{file.stem}.jpg", np.concatenate([_corners(boxes[:, :4]), boxes[:, 4:]], axis=1)
