"""WIDER FACE's text files of annotations, from which detectors are trained and against which they are tested."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anonbench.core.errors import DataError

LAYOUT = """\
Expected, as WIDER FACE's archives unpack:
  wider_face_split/wider_face_train_bbx_gt.txt   (or wider_face_train.mat)
  WIDER_train/images/0--Parade/0_Parade_….jpg
Request it from http://shuoyang1213.me/WIDERFACE/ (research use; its images show real people). Without it, train on
rendered scenes."""
COLUMNS = 10  # x y w h blur expression illumination invalid occlusion pose
INVALID = 7


def read_annotations(file: Path) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """(path below images/, rows (n, 10)): a path, the number of faces n, then n lines; one line of zeros for n = 0.

    Raises `DataError` for a line that is not as the layout has it.
    """
    lines = file.read_text(encoding="utf-8").splitlines()
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
    if len(values) != COLUMNS:
        raise DataError(f"{file}:{index + 1}: found '{line[:60]}'; expected {COLUMNS} numbers: x y w h and flags.")
    return values
