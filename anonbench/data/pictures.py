"""Pictures: the manifest of a dataset, what is left out of it, what goes with it, and its splits.

A manifest has one row a picture: `path,split,width,height,sha256`, then a column for each label. Labels belong to the
task: pictures for re-identification have `pid` and `camid`, pictures of crowds have none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from anonbench.core.errors import DataError
from anonbench.data.extras import extras_of
from anonbench.data.images import as_rgb, opened, read_bytes, sha256, upright
from anonbench.data.tables import checked_choice, checked_number, checked_path, read_csv, write_csv

MANIFEST_COLUMNS = ("path", "split", "width", "height", "sha256")
DROPPED_COLUMNS = ("path", "reason")
SIDECAR_COLUMNS = ("path", "columns")
LEAST_LABEL = {"pid": -1, "camid": 0}  # other labels may be any integer


class Listed(Protocol):
    """What is known of a picture before its file is opened: what dataset adapters return."""

    @property
    def path(self) -> str: ...

    @property
    def split(self) -> str: ...

    @property
    def labels(self) -> Mapping[str, int]: ...


@dataclass(frozen=True, slots=True)
class ListedPicture:
    """A picture before its file is opened.

    path, split, labels: as `Picture`.
    """

    path: str
    split: str
    labels: Mapping[str, int] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a dataset: a row of its manifest.

    path: relative to the dataset's root, with forward slashes.
    split: the part of the dataset, as the dataset names it: train, query, gallery, val.
    width, height: in pixels.
    sha256: of the file's bytes, hexadecimal.
    labels: what the task knows of it, whole numbers by name, such as {"pid": 7, "camid": 2}; {} for none.
    """

    path: str
    split: str
    width: int
    height: int
    sha256: str
    labels: Mapping[str, int] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class DroppedImage:
    """An image file found below a dataset's root that is not in its manifest, and why."""

    path: str
    reason: str


def describe_images(root: Path) -> Callable[[Listed], tuple[Picture, frozenset[str]]]:
    """A function that reads one image file below `root`: its manifest row, and what else it holds (`extras_of`)."""

    def describe(listed: Listed) -> tuple[Picture, frozenset[str]]:
        data = read_bytes(root / listed.path)
        with opened(data, root / listed.path) as image:
            found = extras_of(image, data)
            height, width = as_rgb(upright(image)).shape[:2]
        return Picture(listed.path, listed.split, width, height, sha256(data), dict(listed.labels)), found

    return describe


# --- the manifest ---


def write_manifest(path: Path, pictures: Iterable[Picture]) -> None:
    """Write a manifest sorted by path. Raises ValueError unless all pictures have the same labels."""
    ordered = sorted(pictures, key=lambda picture: picture.path)
    labels = tuple(ordered[0].labels) if ordered else ()
    different = [picture.path for picture in ordered if set(picture.labels) != set(labels)]
    if different:
        raise ValueError(f"{different[0]} has other labels than {ordered[0].path} ({', '.join(labels) or 'none'})")
    rows = ([*(getattr(p, c) for c in MANIFEST_COLUMNS), *(p.labels[name] for name in labels)] for p in ordered)
    write_csv(path, (*MANIFEST_COLUMNS, *labels), rows)


def read_manifest(
    path: Path,
    splits: Path | None = None,
    split: int | None = None,
    needs: Sequence[str] = (),
    roles: Sequence[str] = (),
) -> list[Picture]:
    """Read a manifest, with the roles of another split of the dataset when one is asked for.

    splits, split: the file that `write_splits` wrote and the number of the split; None for the manifest's own roles.
    needs: labels without which the caller can do nothing.
    roles: the splits that may occur; any when left out.

    Raises `DataError` for malformed fields, duplicate paths, an empty file, a label or a split that is not there.
    """
    pictures: list[Picture] = []
    seen: set[str] = set()
    for line, row in read_csv(path, MANIFEST_COLUMNS, further=True):
        where = f"{path}:{line}"
        names = tuple(row)[len(MANIFEST_COLUMNS) :]
        _demand_labels(path, names, needs)
        picture = Picture(
            path=checked_path(row["path"], where),
            split=checked_choice(row, "split", roles or (row["split"],), where),
            width=checked_number(int, row, "width", where, at_least=1),
            height=checked_number(int, row, "height", where, at_least=1),
            sha256=row["sha256"],
            labels={name: checked_number(int, row, name, where, LEAST_LABEL.get(name)) for name in names},
        )
        if not picture.split:
            raise DataError(f"{where}: column split is empty; expected the name of a part of the dataset.")
        if picture.path in seen:
            raise DataError(f"{where}: {picture.path} is listed twice; expected one row an image.")
        seen.add(picture.path)
        pictures.append(picture)
    if not pictures:
        raise DataError(f"{path}: lists no image.")
    if splits is None or split is None:
        return pictures
    return assign_split(pictures, read_split(splits, split, roles), splits)


def _demand_labels(path: Path, found: Sequence[str], needs: Sequence[str]) -> None:
    missing = [name for name in needs if name not in found]
    if missing:
        raise DataError(
            f"{path}: its pictures have no {' and no '.join(missing)} (labels: {', '.join(found) or 'none'}). This "
            f"needs pictures of people with identities, as datasets for re-identification have them."
        )


# --- what is left out, and what goes with it ---


def write_dropped(path: Path, dropped: Iterable[DroppedImage]) -> None:
    """Write the list of images that a manifest leaves out, with reasons (a header alone when there are none)."""
    write_csv(path, DROPPED_COLUMNS, ([d.path, d.reason] for d in sorted(dropped, key=lambda d: d.path)))


def write_sidecars(path: Path, files: Iterable[str], columns: Mapping[str, Sequence[str]] | None = None) -> None:
    """Write the list of the text and protocol files that a drop-in copy of a dataset needs beside its images.

    columns: of those that are tables, the columns that a copy gets; all of a file's bytes where it is not named.
    """
    needed = columns or {}
    write_csv(path, SIDECAR_COLUMNS, ([file, ";".join(needed.get(file, ()))] for file in sorted(files)))


def read_sidecars(path: Path) -> dict[str, tuple[str, ...]]:
    """The list that `write_sidecars` wrote: a file -> the columns that a copy gets, () for a copy byte for byte."""
    return {
        checked_path(row["path"], f"{path}:{line}"): tuple(filter(None, row["columns"].split(";")))
        for line, row in read_csv(path, SIDECAR_COLUMNS)
    }


# --- splits ---


def write_splits(path: Path, splits: Sequence[Mapping[str, str]]) -> None:
    """Write the further ways in which a dataset is divided: one row an image, one column a split, from split0 on.

    splits: one map path -> role for each split; none for a dataset with a single split (a header alone is written).
    """
    columns = ("path", *(f"split{number}" for number in range(len(splits))))
    write_csv(
        path, columns, ([image, *(split[image] for split in splits)] for image in sorted(splits[0] if splits else ()))
    )


def read_split(path: Path, number: int, roles: Sequence[str] = ()) -> dict[str, str]:
    """The role of every image in one of the splits that `write_splits` wrote.

    roles: those that may occur; any when left out.
    Raises `DataError` when the dataset has no such split or a role is unknown.
    """
    header = path.read_text(encoding="utf-8").partition("\n")[0].split(",") if path.is_file() else ["path"]
    rows = read_csv(path, header)
    column = f"split{number}"
    if column not in header:
        raise DataError(
            f"{path}: has {len(header) - 1} splits, numbered from 0; there is no split {number}. "
            f"Correct `splits:` in the dataset's config entry."
        )
    return {
        checked_path(row["path"], f"{path}:{line}"): checked_choice(
            row, column, roles or (row[column],), f"{path}:{line}"
        )
        for line, row in rows
    }


def assign_split(pictures: Iterable[Picture], roles: Mapping[str, str], source: Path) -> list[Picture]:
    """The pictures with the roles of another split; raises `DataError` for a picture without one."""
    assigned = []
    for picture in pictures:
        if picture.path not in roles:
            raise DataError(f"{source}: no row for {picture.path}. Index the dataset again.")
        assigned.append(dataclasses.replace(picture, split=roles[picture.path]))
    return assigned
