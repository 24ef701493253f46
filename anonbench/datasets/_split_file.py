"""Split files: who is for training, query and gallery, written down beside a dataset that ships without."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.tables import raise_all, read_user_csv
from anonbench.data.text import read_user_text
from anonbench.datasets import SPLITS
from anonbench.datasets._listing import some


def find_split_file(root: Path, name: object, default: str | None = None) -> Path | None:
    """The split file that an option names, relative to the dataset's folder; the default one where it is there.

    Raises `ConfigError` for a name that is no text, `DataError` when a named file is missing.
    """
    if name is None:
        return root / default if default is not None and (root / default).is_file() else None
    if not isinstance(name, str) or not name:
        raise ConfigError(f"option 'split_file' is {name!r}; expected a file name, or null.")
    path = root / name  # an absolute name stays what it is
    if not path.is_file():
        raise DataError(f"{path}: no such split file. Correct the option 'split_file', or leave it out.")
    return path


def read_split_file(path: Path, images: Iterable[str]) -> list[dict[str, str]]:
    """The splits of a file, each a map image path -> role.

    images: the paths of the dataset's images, relative to its folder.

    Two formats are read. A CSV with the columns path and split has one split. JSON is torchreid's: a list of splits,
    `{"train": [[path, pid, camid], ...], "query": [...], "gallery": [...]}`, whose paths may be absolute and of another
    machine; they are matched by their last parts. pid and camid there are numbered anew for each split and ignored.

    Raises `DataError` for a malformed file, a path that is no image of the dataset or stands in two roles.
    """
    known = _Endings(images)
    if path.suffix.lower() == ".json":
        return [_json_split(path, number, entry, known) for number, entry in enumerate(_json(path))]
    return [_csv_split(path, known)]


class _Endings:
    """Image paths found again by their last parts."""

    def __init__(self, images: Iterable[str]) -> None:
        self.by_name: dict[str, list[str]] = {}
        for image in images:
            self.by_name.setdefault(PurePosixPath(image).name, []).append(image)

    def find(self, path: str, where: str) -> str:
        text = path.replace("\\", "/")
        found = [i for i in self.by_name.get(PurePosixPath(text).name, []) if text == i or text.endswith(f"/{i}")]
        if not found:
            raise DataError(f"{where}: {path} is no image of this dataset. Does the file belong to another copy?")
        return max(found, key=len)  # all end alike: the longest agrees with most of the folders


def _json(path: Path) -> list[Any]:
    try:
        content = json.loads(read_user_text(path))
    except ValueError as error:
        raise DataError(f"{path}: not a readable JSON file ({error}).") from error
    if not isinstance(content, list) or not content:
        raise DataError(f"{path}: expected a list of splits, each with {', '.join(SPLITS)}.")
    return content


def _json_split(path: Path, number: int, entry: Any, known: _Endings) -> dict[str, str]:
    roles: dict[str, str] = {}
    for split in SPLITS:
        where = f"{path}: split {number}, {split}"
        if not isinstance(entry, Mapping) or not isinstance(entry.get(split), list):
            raise DataError(f"{where}: missing; expected a list of [path, pid, camid].")
        for k, item in enumerate(entry[split]):
            if not isinstance(item, list) or not item or not isinstance(item[0], str):
                raise DataError(f"{where}: entry {k} is {item!r}; expected [path, pid, camid].")
            _assign(roles, known.find(item[0], f"{where}, entry {k}"), split, f"{where}, entry {k}")
    return roles


def _csv_split(path: Path, known: _Endings) -> dict[str, str]:
    roles: dict[str, str] = {}
    faults = []
    for line, row in read_user_csv(path, ("path", "split")):
        where = f"{path}:{line}"
        try:
            if row["split"] not in SPLITS:
                raise DataError(f"{where}: column split is {row['split'] or 'empty'}; expected {', '.join(SPLITS)}.")
            _assign(roles, known.find(row["path"], where), row["split"], where)
        except DataError as error:
            faults.append(str(error))
    raise_all(faults)
    return roles


def _assign(roles: dict[str, str], image: str, split: str, where: str) -> None:
    if image in roles:
        raise DataError(f"{where}: {image} is listed a second time (before: {roles[image]}); expected it once.")
    roles[image] = split


def check_complete(path: Path, number: int, roles: Mapping[str, str], images: Iterable[str]) -> None:
    """Raise `DataError` when a split leaves images out."""
    left_out = [image for image in images if image not in roles]
    if left_out:
        raise DataError(f"{path}: split {number} leaves out {some(left_out)}; expected every image of the dataset.")
