"""List the images of a dataset: who is where, how large, with which bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.parallel import parallel_map
from anonbench.core.registry import load_plugins
from anonbench.data.extras import say_extras
from anonbench.data.left_out import REASON, files_of, left_out_by
from anonbench.data.pictures import describe_images, write_dropped, write_manifest, write_sidecars, write_splits
from anonbench.datasets import DATASETS
from anonbench.datasets._listing import DatasetListing
from anonbench.datasets._listing import leave_out as without

# Keys of a dataset's config entry that are not options of its adapter.
ENTRY_KEYS = ("format", "root", "render", "unpack", "splits", "published_as", "leave_out", "cut")


@command("data", plugin="anonbench.datasets:DATASETS", needs={"spec": ("format",)})
def index(
    root: Input,
    spec: Spec,
    output: Output,
    dropped: Output,
    sidecars: Output,
    splits: Output,
    leave_out: list[Input] | None = None,
    threads: int = 1,
    plugins: Sequence[str] = (),
) -> None:
    """List the images of a dataset: who is where, how large, with which bytes.

    Every image is decoded once, so that a truncated file is reported here and not in the middle of a training. What
    the files hold besides a picture (EXIF with place and preview, further pictures, transparent pixels) is counted and
    said: `anonymize` copies metadata with the images in which it hides nothing.

    root: the dataset's folder; only read.
    spec: its config entry. `format` names the adapter, the rest are the adapter's options.
    output: manifest (CSV), a row an image.
    dropped: list of the image files that are not in the manifest, with reasons (CSV).
    sidecars: list of the text and protocol files that a copy of the dataset needs too (CSV).
    splits: roles of the images in the further splits of the dataset (CSV).
    leave_out: the files that the entry's `leave_out` names: a path a line, or a CSV with a column path, such as an
        audit's. Without the key: files of pictures that are not to be used.
    """
    load_plugins(plugins)
    named = {"leave_out": list(map(str, leave_out or ()))}
    listing = list_images(root, {**named, **spec}, leave_out or None)
    described = parallel_map(describe_images, (root,), listing.images, threads, "index")
    write_manifest(output, [picture for picture, _ in described])
    write_dropped(dropped, listing.dropped)
    write_sidecars(sidecars, listing.sidecars, listing.columns)
    write_splits(splits, listing.splits)
    if leave_out or spec.get("leave_out"):
        left_out = sum(image.reason.startswith(REASON) for image in listing.dropped)
        print(f"index: {left_out} pictures left out, {len(listing.images)} used")
    for line in say_extras({picture.path: found for picture, found in described}):
        print(f"index: {line}")


def list_images(root: Path, entry: Mapping[str, Any], files: Sequence[Path] | None = None) -> DatasetListing:
    """What a dataset's adapter lists, without the pictures that are to be left out.

    entry: of the config; what its key `leave_out` names.
    files: the files among that, where they are to be read from another place.
    Raises `DataError` for a picture that is not there, and where what is left is no dataset.
    """
    options = {key: value for key, value in entry.items() if key not in ENTRY_KEYS}
    listing: DatasetListing = DATASETS.get(entry["format"])(root, **options)
    named = entry.get("leave_out")
    listed = left_out_by(named, list(map(Path, files_of(named))) if files is None else files)
    return without(root, listing, listed) if listed else listing
