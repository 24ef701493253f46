"""List the images of a dataset: who is where, how large, with which bytes."""

from __future__ import annotations

from collections.abc import Sequence

from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.parallel import parallel_map
from anonbench.core.registry import load_plugins
from anonbench.data.extras import say_extras
from anonbench.data.pictures import describe_images, write_dropped, write_manifest, write_sidecars, write_splits
from anonbench.datasets import DATASETS

# Keys of a dataset's config entry that are not options of its adapter.
ENTRY_KEYS = ("format", "root", "render", "unpack", "splits", "published_as")


@command("data", plugin="anonbench.datasets:DATASETS", needs={"spec": ("format",)})
def index(
    root: Input,
    spec: Spec,
    output: Output,
    dropped: Output,
    sidecars: Output,
    splits: Output,
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
    """
    load_plugins(plugins)
    options = {key: value for key, value in spec.items() if key not in ENTRY_KEYS}
    listing = DATASETS.get(spec["format"])(root, **options)
    described = parallel_map(describe_images, (root,), listing.images, threads, "index")
    write_manifest(output, [picture for picture, _ in described])
    write_dropped(dropped, listing.dropped)
    write_sidecars(sidecars, listing.sidecars, listing.columns)
    write_splits(splits, listing.splits)
    for line in say_extras({picture.path: found for picture, found in described}):
        print(f"index: {line}")
