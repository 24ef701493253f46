"""Embed the query and gallery images of one manifest with one trained network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from anonbench.core.command import Input, Output, command
from anonbench.core.errors import DataError
from anonbench.core.files import atomic_file
from anonbench.core.progress import ProgressBar
from anonbench.core.registry import load_plugins
from anonbench.tasks.reid.augmentation import normalize
from anonbench.tasks.reid.checkpoint import load_network
from anonbench.tasks.reid.models._network import ReidNetwork, create_model, read_input_size
from anonbench.tasks.reid.people import read_people
from anonbench.tasks.reid.recipe import Recipe
from anonbench.training.device import autocast, place, reproducible, select_device
from anonbench.training.loading import images_that_fit, load_images

CHUNK = 4096  # images decoded at a time, if memory has room: 0.1 GB at 128 x 64, 0.4 GB at 256 x 128


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
    network, entry = load_network(checkpoint)
    images = [i for i in read_people(manifest, splits, split) if i.split in ("query", "gallery")]
    if not images:
        raise DataError(f"{manifest}: no image has split 'query' or 'gallery'; there is nothing to embed.")
    size = read_input_size(entry, create_model(entry))
    precision = Recipe.from_config(entry.get("training")).precision
    where = select_device(device, threads)
    paths = [i.path for i in images]
    features = _features(network, root, paths, size, precision, where, threads, batch_size)
    with atomic_file(output) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            features=features,
            paths=np.array(paths),
            pids=np.array([i.labels["pid"] for i in images], np.int64),
            camids=np.array([i.labels["camid"] for i in images], np.int64),
            splits=np.array([i.split for i in images]),
        )


def _features(
    network: ReidNetwork,
    root: Path,
    paths: Sequence[str],
    size: tuple[int, int],
    precision: str,
    device: torch.device,
    threads: int,
    batch_size: int,
) -> NDArray[np.float32]:
    """(N, D) float32 embeddings of image files, decoded and embedded in pieces of bounded size."""
    place(network, device, channels_last=True)
    features = np.empty((len(paths), network.feature_dim), np.float32)
    # Whole batches, so that the arithmetic does not depend on the memory.
    chunk = max(batch_size, min(CHUNK, images_that_fit(size)) // batch_size * batch_size)
    with torch.inference_mode(), reproducible(precision, device), ProgressBar(len(paths), "embed", "images") as bar:
        for start in range(0, len(paths), chunk):
            pixels = load_images(root, paths[start : start + chunk], size, threads)
            for offset in range(0, len(pixels), batch_size):
                batch = normalize(pixels[offset : offset + batch_size].to(device))  # (b, 3, H, W)
                with autocast(precision, device):
                    embedding = network(batch)  # (b, D)
                features[start + offset : start + offset + len(batch)] = embedding.float().cpu().numpy()
                bar.update(len(batch))
    return features
