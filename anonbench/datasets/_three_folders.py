"""The tree of Market-1501 (`bounding_box_train`, `query`, `bounding_box_test`), which DukeMTMC-reID took over."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from anonbench.core.errors import DataError
from anonbench.datasets import PersonImage
from anonbench.datasets._listing import check_twins, is_hidden, is_image

SPLIT_OF_FOLDER = {"bounding_box_train": "train", "query": "query", "bounding_box_test": "gallery"}


def named_images(root: Path, files: Iterable[str], name: re.Pattern[str], expected: str) -> list[PersonImage]:
    """The images in the three folders, with what their names say.

    name: pattern of a whole file name with the groups `pid` and `camid`.
    expected: for the message about a foreign name: what names look like, with an example.

    Raises `DataError` for a foreign name, or two files for one image.
    """
    images = [_record(root, path, name, expected) for path in files if _is_inside(path)]
    check_twins(root, (image.path for image in images))
    return images


def why_outside(path: str) -> str:
    """Why an image beside the three folders is left out."""
    return f"outside {', '.join(SPLIT_OF_FOLDER)}"


def _is_inside(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return folder in SPLIT_OF_FOLDER and is_image(name) and not is_hidden(name)


def _record(root: Path, path: str, name: re.Pattern[str], expected: str) -> PersonImage:
    folder, _, file = path.rpartition("/")
    match = name.fullmatch(file)
    if match is None:
        raise DataError(f"{root / path}: not a {expected}. Rename the file or move it out of {folder}/.")
    return PersonImage(path, int(match["pid"]), int(match["camid"]), SPLIT_OF_FOLDER[folder])
