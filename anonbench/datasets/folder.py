"""The user's own data: images anywhere below a folder, and a CSV that says who is on them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.images import IMAGE_SUFFIXES
from anonbench.data.tables import MOST, raise_all, read_user_csv
from anonbench.datasets import DATASETS, JUNK_PID, SPLITS, PersonImage
from anonbench.datasets._listing import (
    DatasetInfo,
    DatasetListing,
    adapter,
    complete,
    is_image,
    is_text,
    list_files,
)

INFO = DatasetInfo(
    title="your own data",
    format="folder",
    layout="""\
  images.csv            (columns path,pid,camid,split; split is train, query or gallery)
  <path>                (every image that the CSV names, relative to this folder)""",
    citation="none",
    licence="Yours to know: make sure that the people shown agree, or that the law of your place permits the use.",
    request_from="Write the CSV with one row an image, such as: cam1/0007_01.jpg,7,1,train",
)
COLUMNS = ("path", "pid", "camid", "split")
DIGITS = 20  # no int64 has so many
INTEGER = re.compile(r"-?[0-9]+")  # stricter than int(), which reads 0007_01 as 701


@DATASETS.register("folder")
@adapter(INFO)
def read(root: Path, *, csv: str = "images.csv") -> DatasetListing:
    """List the images that a CSV names.

    csv: the file, relative to `root`, as `read_user_csv` takes it, with the columns path, pid, camid, split (others are
        ignored). pid >= 0; -1 marks junk, in the gallery alone. Identity 0 is a person like others, under a new number.
        Where 0 is in the gallery alone it marks distractors. camid >= 0.

    Raises `DataError` with file and line for malformed rows (the first ten of them), a path given
    twice, leading out of the folder or without a file; and for what `_listing.complete` refuses.
    """
    if not isinstance(csv, str) or not _stays_inside(csv):
        raise ConfigError(f"dataset format 'folder': option 'csv' is {csv!r}; expected a path below the folder.")
    files = list_files(root, INFO)
    table = root / csv
    present = set(files)
    images: dict[str, PersonImage] = {}
    missing: list[str] = []
    faults: list[str] = []
    for line, row in read_user_csv(table, COLUMNS, f"Expected\n{INFO.layout}\n{INFO.request_from}"):
        where = f"{table}:{line}"
        try:
            image = _record(row, where)
        except DataError as error:
            faults.append(str(error))
            continue
        if image.path in images:
            faults.append(f"{where}: {image.path} is listed a second time; expected one row an image.")
            continue
        if image.path not in present:
            missing.append(f"{where}: {root / image.path}")
        images[image.path] = image
    raise_all(faults)
    if missing:
        raise DataError(
            f"{missing[0]}: no such file ({len(missing)} of {len(images)} images are missing). "
            f"Paths are relative to {root} and distinguish upper from lower case."
        )

    def reason(path: str) -> str:
        return f"not listed in {csv}"

    def sidecar(path: str) -> bool:
        return is_text(path) or path == PurePosixPath(csv).as_posix()

    people = _with_zero_as_person(table, images)
    return complete(root, INFO, people, files, reason, sidecar, columns={PurePosixPath(csv).as_posix(): COLUMNS})


def _with_zero_as_person(table: Path, images: Mapping[str, PersonImage]) -> list[PersonImage]:
    """The images, identity 0 under a number that nobody has: elsewhere 0 means a distractor.

    Where 0 is in the gallery alone it stays a distractor: it matches no query either way.
    """
    listed = list(images.values())
    roles = {image.split for image in listed if image.pid == 0}
    if not roles & {"train", "query"}:
        return listed
    if "train" in roles and len(roles) > 1:
        raise DataError(
            f"{table}: identity 0 is in train and in {' and '.join(sorted(roles - {'train'}))}. If 0 marks distractors "
            f"in the gallery, number the people of train from 1 on; if it is a person, move them to one side."
        )
    unused = max(image.pid for image in listed) + 1
    return [replace(image, pid=unused) if image.pid == 0 else image for image in listed]


def _record(row: dict[str, str], where: str) -> PersonImage:
    split = row["split"].strip()
    if split not in SPLITS:
        raise DataError(f"{where}: column split is {split or 'empty'}; expected {', '.join(SPLITS)}.")
    at_least = JUNK_PID if split == "gallery" else 0
    special = " (0 = distractor, -1 = junk)" if split == "gallery" else f" in the split {split}"
    pid = _integer(row["pid"], "pid", where, at_least, special)
    return PersonImage(_path(row["path"], where), pid, _integer(row["camid"], "camid", where, 0), split)


def _integer(text: str, column: str, where: str, at_least: int, note: str = "") -> int:
    text = text.strip()
    if not INTEGER.fullmatch(text) or (len(text) < DIGITS and int(text) < at_least):
        raise DataError(f"{where}: column {column} is {text or 'empty'}; expected an integer >= {at_least}{note}.")
    if len(text) >= DIGITS or int(text) >= MOST:
        raise DataError(f"{where}: column {column} is {text[:40]}; expected an integer below {MOST}.")
    return int(text)


def _path(text: str, where: str) -> str:
    text = text.strip()
    if not text:
        raise DataError(f"{where}: column path is empty; expected an image file relative to the dataset's folder.")
    if not _stays_inside(text):
        raise DataError(
            f"{where}: column path is {text}; expected a path relative to the dataset's folder, with forward slashes "
            f"and without '..'."
        )
    if not is_image(text):
        raise DataError(f"{where}: column path is {text}; expected a file ending in {', '.join(IMAGE_SUFFIXES)}.")
    return PurePosixPath(text).as_posix()


def _stays_inside(path: str) -> bool:
    return "\\" not in path and not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts
