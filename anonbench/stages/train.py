"""Train one model on the training split of one manifest."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import anonbench.models
import anonbench.training
from anonbench.errors import DataError
from anonbench.models._network import create_model, read_input_size
from anonbench.records import JUNK_PID, IndexedImage
from anonbench.tables import read_manifest, write_csv
from anonbench.training.checkpoint import Resume, save_network
from anonbench.training.data import load_images
from anonbench.training.device import select_device
from anonbench.training.engine import train_network
from anonbench.training.progress import EpochSummary
from anonbench.training.recipe import Recipe
from anonbench.training.seeding import derive_seed

HISTORY_COLUMNS = tuple(f.name for f in dataclasses.fields(EpochSummary))


def train(
    manifest: Path,
    root: Path,
    model: Mapping[str, Any],
    seed: int,
    checkpoint: Path,
    history: Path,
    resume_dir: Path,
    device: str,
    threads: int,
    splits: Path | None = None,
    split: int | None = None,
) -> None:
    """Train the network of a model's config entry and write its checkpoint and its history.

    model: `{method, input: [height, width], pretrained: bool, training: {...}, evaluation: {...}, **parameters}`.
    splits, split: train on another split of the dataset than the manifest's (`tables.read_manifest`).
    resume_dir: where the state of an unfinished training is kept; removed on success.
    """
    recipe = Recipe.from_config(model.get("training"))
    plugin = create_model(model)
    images, labels, num_identities = _training_set(manifest, splits, split)
    where = select_device(device, threads)
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(seed, "weights"))
        network = plugin.build(num_identities, pretrained=bool(model.get("pretrained", False)))
    rows: list[EpochSummary] = []
    resume = Resume(resume_dir, key=_key(model, seed, images))
    if recipe.epochs:
        pixels = load_images(root, [i.path for i in images], read_input_size(model, plugin), threads)
        rows = train_network(network, pixels, labels, recipe, seed, where, resume)
    save_network(checkpoint, network, model, num_identities)
    write_csv(history, HISTORY_COLUMNS, (dataclasses.astuple(row) for row in rows))
    resume.remove()


def _training_set(manifest: Path, splits: Path | None, split: int | None) -> tuple[list[IndexedImage], Tensor, int]:
    """The images of the training split, their labels (N,) int64 numbering the sorted pids, the number of pids."""
    images = [i for i in read_manifest(manifest, splits, split) if i.split == "train"]
    if not images:
        raise DataError(f"{manifest}: no image has split 'train'. Does this data set come without a training split?")
    junk = [i.path for i in images if i.pid == JUNK_PID]
    if junk:
        raise DataError(
            f"{manifest}: {len(junk)} images of split 'train' have pid {JUNK_PID} (junk), first {junk[0]}; "
            f"expected an identity, pid >= 0. Leave them out of the data set."
        )
    pids = sorted({i.pid for i in images})
    number = {pid: label for label, pid in enumerate(pids)}
    if len(pids) < 2:
        raise DataError(f"{manifest}: the split 'train' has one identity (pid {pids[0]}); expected at least two.")
    return images, torch.tensor([number[i.pid] for i in images]), len(pids)


def _key(model: Mapping[str, Any], seed: int, images: Sequence[IndexedImage]) -> str:
    """What a saved state must have in common with this training: model and recipe, seed, data, code."""
    entry = {k: v for k, v in model.items() if k != "evaluation"}
    data = [(i.path, i.pid, i.sha256) for i in images]
    packages = [Path(p) for package in (anonbench.models, anonbench.training) for p in package.__path__]
    code = [p.read_text(encoding="utf-8") for package in packages for p in sorted(package.glob("*.py"))]
    text = json.dumps([entry, seed, data, code, torch.__version__], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
