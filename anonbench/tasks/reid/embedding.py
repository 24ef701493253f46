"""Embeddings of image files by a trained network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from anonbench.core.progress import ProgressBar
from anonbench.tasks.reid.augmentation import normalize
from anonbench.tasks.reid.checkpoint import load_network
from anonbench.tasks.reid.models._network import create_model, read_input_size
from anonbench.tasks.reid.recipe import Recipe
from anonbench.training.device import autocast, place, reproducible
from anonbench.training.loading import images_that_fit, load_images

CHUNK = 4096  # images decoded at a time, if memory has room: 0.1 GB at 128 x 64, 0.4 GB at 256 x 128


def embed_files(
    checkpoint: Path, root: Path, paths: Sequence[str], device: torch.device, threads: int, batch_size: int
) -> NDArray[np.float32]:
    """(N, D) embeddings of image files by a trained network, in the precision of its recipe.

    checkpoint: of `train`.
    root: folder that the paths are relative to. Files are decoded and embedded in pieces of bounded size.
    """
    network, entry = load_network(checkpoint)
    size = read_input_size(entry, create_model(entry))
    precision = Recipe.from_config(entry.get("training")).precision
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
