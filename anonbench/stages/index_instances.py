"""List who and what stands where in the pictures of a scene dataset."""

from __future__ import annotations

from collections.abc import Sequence

from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.errors import ConfigError
from anonbench.core.registry import load_plugins
from anonbench.data.entries import SCENE_FORMATS
from anonbench.data.instances import write_instances
from anonbench.data.pictures import read_manifest
from anonbench.datasets import DATASETS


@command("data", plugin="anonbench.datasets:DATASETS", needs={"spec": ("format",)})
def index_instances(
    manifest: Input, root: Input, spec: Spec, output: Output, threads: int = 1, plugins: Sequence[str] = ()
) -> None:
    """List who and what stands where in the pictures of a scene dataset, in one form for every layout.

    Every annotation is checked: what is missing, cut off, of another size or no number is an error. A line of text
    says how many instances of each class there are.

    manifest: the pictures (CSV of `index`).
    root: the dataset's folder, with its annotations; only read.
    spec: of its config entry, `format`: the layout.
    output: the instances, a line a picture (`data.instances`).
    """
    load_plugins(plugins)
    read = getattr(DATASETS.get(spec["format"]), "instances", None)
    if read is None:
        raise ConfigError(
            f"dataset format '{spec['format']}' has no instances; expected one of {', '.join(SCENE_FORMATS)}"
        )
    pictures = sorted(read_manifest(manifest), key=lambda picture: picture.path)
    vocabulary, scenes = read(root, pictures, threads)
    counts = write_instances(output, vocabulary, scenes)
    found = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    print(f"index-instances: {len(pictures):,} pictures with {sum(counts.values()):,} instances: {found or 'none'}")
