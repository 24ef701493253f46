"""Embed the query and gallery images of one manifest with one trained network."""

from __future__ import annotations

from collections.abc import Sequence

from anonbench.core.command import Input, Output, command
from anonbench.core.errors import DataError
from anonbench.core.registry import load_plugins
from anonbench.tasks.reid.embedding import embed_files
from anonbench.tasks.reid.features import write_features
from anonbench.tasks.reid.people import read_people
from anonbench.training.device import select_device


@command("evaluate", gpu=True, plugin="anonbench.tasks.reid.models:MODELS")
def embed(
    checkpoint: Input,
    manifest: Input,
    root: Input,
    output: Output,
    device: str = "auto",
    threads: int = 1,
    batch_size: int = 128,
    splits: Input | None = None,
    split: int | None = None,
    plugins: Sequence[str] = (),
) -> None:
    """Compute the features of the query and gallery images of one manifest with one trained network.

    One row for each image, in the manifest's order: features (N, D) float32, paths (N,) str, pids (N,) int64, camids
    (N,) int64, splits (N,) str. Junk images are embedded too: leaving them out of the ranking is handled by `evaluate`.
    No image is flipped or changed but for the resize. The arithmetic has the precision of the model's recipe.

    checkpoint: the trained network (.pt of `train`).
    manifest: the images (CSV of `index` or `anonymize`).
    root: folder that their paths are relative to.
    output: features (.npz).
    batch_size: images at a time.
    splits: roles of the images in the further splits of the dataset (CSV of `index`).
    split: which of them to take query and gallery from, from 0 on. Left out: the manifest's own.

    Source of batch_size: Dietlmeier et al. 2020, section IV-A.
    """
    load_plugins(plugins)
    images = [i for i in read_people(manifest, splits, split) if i.split in ("query", "gallery")]
    if not images:
        raise DataError(f"{manifest}: no image has split 'query' or 'gallery'; there is nothing to embed.")
    paths = [i.path for i in images]
    features = embed_files(checkpoint, root, paths, select_device(device, threads), threads, batch_size)
    write_features(output, features, images)
