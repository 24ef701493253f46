"""Whether a dataset's folder still is what was made from it, though something was put into it.

Snakemake dates a folder by its last added or removed entry: a `.DS_Store`, a `Thumbs.db` or a `notes.txt` would index a
dataset again, and train every network again on the same images. Rules that read a manifest depend on that. Those that
read the folder itself ask here before they count its date.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from anonbench.core.errors import AnonbenchError
from anonbench.core.hashing import file_sha256
from anonbench.data import paths
from anonbench.data.left_out import files_of
from anonbench.data.pictures import DROPPED_COLUMNS, Picture, read_manifest, read_sidecars, read_split
from anonbench.data.tables import read_csv
from anonbench.datasets._listing import DatasetListing
from anonbench.stages.index import list_images


def is_as_indexed(name: str, entry: Mapping[str, Any], root: Path = Path()) -> bool:
    """Whether a real dataset that has a newer date than its manifest would be indexed to the same manifest.

    name, entry: of the dataset in the configuration.
    root: of the workflow.
    The folder is listed as `index` does. Images and sidecars that were written since are compared by their hash, or
    count as different where none is known. A line on stderr says so when nothing has changed. False where the dates
    leave no question.
    """
    manifest, folder = root / paths.manifest(name), root / entry["root"]
    indexed = _date(manifest)
    if indexed is None or max(_date(folder) or 0, folder.lstat().st_mtime_ns) <= indexed:
        return False
    try:
        listing = list_images(folder, entry, [root / file for file in files_of(entry.get("leave_out"))])
        before = {picture.path: picture for picture in read_manifest(manifest)}
        same = _same_images(listing, before) and _same_splits(listing, root / paths.splits(name))
        sidecars = set(read_sidecars(root / paths.sidecars(name)))
    except (AnonbenchError, OSError):  # `index` says it better
        return False
    if not same or not sidecars <= set(listing.sidecars) or _any_newer((folder / s for s in sidecars), indexed):
        return False
    newer = [path for path in before if _any_newer([folder / path], indexed)]
    if any(file_sha256(folder / path) != before[path].sha256 for path in newer):
        return False
    known = sidecars | {row["path"] for _, row in read_csv(root / paths.dropped(name), DROPPED_COLUMNS)}
    others = sorted({*listing.sidecars, *(image.path for image in listing.dropped)} - known)
    more = f" Not copied into variants: {', '.join(others[:3])}{' …' if others[3:] else ''}." if others else ""
    print(
        f"{entry['root']}: something was added or removed since it was indexed, but none of its {len(before):,} images "
        f"has changed: nothing is made again.{more}",
        file=sys.stderr,
    )
    return True


def is_older(files: Iterable[Path], product: Path) -> bool:
    """Whether there are files, and none was written or moved since `product` was made from them."""
    found, made = [file for file in files if file.is_file()], _date(product)
    return made is not None and bool(found) and not _any_newer(found, made)


def _same_images(listing: DatasetListing, before: Mapping[str, Picture]) -> bool:
    now = {image.path: (image.split, dict(image.labels)) for image in listing.images}
    return now == {path: (picture.split, dict(picture.labels)) for path, picture in before.items()}


def _same_splits(listing: DatasetListing, file: Path) -> bool:
    header = file.read_text(encoding="utf-8").partition("\n")[0].split(",")
    return len(header) - 1 == len(listing.splits) and all(
        read_split(file, number) == dict(split) for number, split in enumerate(listing.splits)
    )


def _date(path: Path) -> int | None:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime_ns
    return None


def _any_newer(files: Iterable[Path], date: int) -> bool:
    """Whether a file was written, or came to its place (which keeps its date), after a date."""
    states = (file.stat() for file in files)
    return any(max(state.st_mtime_ns, state.st_ctime_ns) > date for state in states)
