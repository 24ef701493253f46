"""Train one model on the training split of one manifest."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.errors import ConfigError, DataError
from anonbench.core.registry import load_plugins
from anonbench.data.pictures import Picture
from anonbench.data.seeding import derive_seed
from anonbench.tasks.reid.checkpoint import save_network
from anonbench.tasks.reid.models._network import create_model, read_input_size
from anonbench.tasks.reid.people import read_training_people
from anonbench.tasks.reid.recipe import Recipe
from anonbench.tasks.reid.samplers import Shuffle
from anonbench.tasks.reid.training import ReidTask, check_ranks, train_network
from anonbench.training.checkpoint import Resume, key_of, origin
from anonbench.training.device import select_device
from anonbench.training.distributed import ALONE, Ranks, joined
from anonbench.training.launch import launch
from anonbench.training.loading import load_images
from anonbench.training.progress import EpochSummary, write_history

logger = logging.getLogger(__name__)


@command("train", gpu=True, plugin="anonbench.tasks.reid.models:MODELS")
def train(
    manifest: Input,
    root: Input,
    spec: Spec,
    seed: int,
    output: Output,
    history: Output,
    resume_dir: Path,
    device: str = "auto",
    threads: int = 1,
    splits: Input | None = None,
    split: int | None = None,
    trained_on: str = "",
    gpus: int = 1,
    plugins: Sequence[str] = (),
    code: str = "",
) -> None:
    """Train one re-ID network on the training split of one manifest.

    manifest: the images (CSV of `index` or `anonymize`).
    root: folder that their paths are relative to.
    spec: config entry of the model, `{method, input: [height, width], pretrained: bool, training: {...}, evaluation:
        {...}, **parameters}`.
    seed: of the weights and of every random choice, >= 0.
    output: checkpoint (.pt).
    history: loss, accuracy, learning rate and speed of every epoch (CSV).
    resume_dir: where the state of an unfinished training is kept, and decoded images that memory has no room for.
        Removed on success. A state that other code has kept is not used.
    splits: roles of the images in the further splits of the dataset (CSV of `index`).
    split: which of them to train on, from 0 on. Left out: the manifest's own.
    trained_on: what the pictures are, DATASET/VARIANT; written into the checkpoint.
    gpus: processes that train together, each on a separate GPU (with device cpu, each on its share of the threads).
        Where auto finds no GPU at all, one process does it.
    """
    recipe = Recipe.from_config(spec.get("training"))
    create_model(spec)
    where = select_device(device, threads)
    ranks = _number_of_ranks(gpus, device, where) if recipe.epochs else 1
    task = _Task(manifest, root, spec, seed, output, history, resume_dir, splits, split, trained_on, code)
    if ranks == 1:
        _train(task, where, threads)
        return
    check_ranks(recipe, ranks)
    options = {"device": where.type, "threads": threads, "plugins": plugins}
    launch(_train_as_rank, {"task": task, **options}, ranks, threads)


def _number_of_ranks(gpus: int, device: str, where: torch.device) -> int:
    """`gpus`, or 1 where `auto` finds none. Raises `ConfigError` where there are fewer."""
    if where.type == "cpu":
        if device == "auto" and gpus > 1:
            logger.info("no GPU here: one process trains on the CPU instead of one on each of %d GPUs", gpus)
            return 1
        return gpus
    if torch.cuda.device_count() < gpus:
        raise ConfigError(
            f"gpus is {gpus}, but torch sees {torch.cuda.device_count()}. Lower `gpus:` of the model, or ask the "
            f"scheduler for more."
        )
    return gpus


@dataclass(frozen=True)
class _Task:
    """What is trained, from what, and where it is written: see `train`."""

    manifest: Path
    root: Path
    model: Mapping[str, Any]
    seed: int
    checkpoint: Path
    history: Path
    resume_dir: Path
    splits: Path | None
    split: int | None
    trained_on: str
    code: str


def _train_as_rank(task: _Task, device: str, threads: int, plugins: Sequence[str]) -> None:
    """What each of several processes does; `threads` are those of all of them."""
    load_plugins(plugins)
    with joined(device) as ranks:
        own = max(1, threads // ranks.count)
        _train(task, select_device(device, own), own, ranks)


def _train(task: _Task, device: torch.device, threads: int, ranks: Ranks = ALONE) -> None:
    recipe = Recipe.from_config(task.model.get("training"))
    plugin = create_model(task.model)
    images, labels, num_identities = _training_set(task.manifest, task.splits, task.split)
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(task.seed, "weights"))
        # The other ranks are handed the weights of rank 0: one download is enough.
        network = plugin.build(num_identities, pretrained=bool(task.model.get("pretrained", False)) and ranks.main)
    rows: list[EpochSummary] = []
    resume = Resume(task.resume_dir, key=_key(task.model, task.seed, images, task.code))
    if recipe.epochs:
        if len(images) < recipe.batch_size and isinstance(recipe.sampler, Shuffle) and ranks.main:
            logger.warning(
                "batch_size is %d, but there are %d training images: every batch is all of them",
                recipe.batch_size, len(images),
            )  # fmt: skip
        size = read_input_size(task.model, plugin)
        pixels = load_images(task.root, [i.path for i in images], size, threads, task.resume_dir, ranks)
        rows = train_network(network, pixels, labels, recipe, task.seed, device, resume, ranks)
    if ranks.main:
        about = origin(task.trained_on, task.manifest) if recipe.epochs else {}
        save_network(task.checkpoint, network, task.model, num_identities, about)
        write_history(task.history, ReidTask.values, rows)
        resume.remove()


def _training_set(manifest: Path, splits: Path | None, split: int | None) -> tuple[list[Picture], Tensor, int]:
    """The images of the training split, their labels (N,) int64 numbering the sorted pids, the number of pids."""
    images = read_training_people(manifest, splits, split)
    pids = sorted({i.labels["pid"] for i in images})
    number = {pid: label for label, pid in enumerate(pids)}
    if len(pids) < 2:
        raise DataError(f"{manifest}: the split 'train' has one identity (pid {pids[0]}); expected at least two.")
    return images, torch.tensor([number[i.labels["pid"]] for i in images]), len(pids)


def _key(model: Mapping[str, Any], seed: int, images: Sequence[Picture], code: str) -> str:
    """What a saved state must have in common with this training: model and recipe, seed, data, code."""
    entry = {k: v for k, v in model.items() if k != "evaluation"}
    data = [(i.path, i.labels["pid"], i.sha256) for i in images]
    return key_of(entry, seed, data, code)
