"""Train a network that finds instances, on the training pictures of one variant."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.errors import ConfigError, DataError, nearest
from anonbench.core.hashing import file_sha256
from anonbench.core.registry import load_plugins
from anonbench.data.instances import InstanceFile, Vocabulary
from anonbench.data.pictures import Picture, read_manifest
from anonbench.data.seeding import derive_seed
from anonbench.tasks.instances.checkpoint import save_network, take_weights
from anonbench.tasks.instances.models._rcnn import InstanceModel, create_model
from anonbench.tasks.instances.recipe import InstanceRecipe
from anonbench.tasks.instances.scenes import Pictures, Truth, learnt_categories
from anonbench.tasks.instances.training import InstanceTask
from anonbench.training.checkpoint import Resume, key_of, origin
from anonbench.training.device import select_device
from anonbench.training.fit import fit
from anonbench.training.progress import write_history

logger = logging.getLogger(__name__)
SPLIT = "train"


@command("train", gpu=True, plugin="anonbench.tasks.instances.models:INSTANCE_MODELS")
def train_instances(
    manifest: Input,
    root: Input,
    instances: Input,
    spec: Spec,
    seed: int,
    output: Output,
    history: Output,
    resume_dir: Path,
    device: str = "auto",
    threads: int = 1,
    initial: Input | None = None,
    trained_on: str = "",
    plugins: Sequence[str] = (),
    code: str = "",
) -> None:
    """Train a network that finds instances, on the pictures of the split `train`.

    Crowds and what the dataset ignores are not learnt. Pictures are read as they are needed.

    manifest: the pictures of the variant (CSV of `index` or `anonymize`).
    root: folder that their paths are relative to.
    instances: what is in the dataset's pictures (JSON lines of `index-instances`).
    spec: `{method, training: {...}, **parameters}`, config entries of the model and its recipe.
    seed: of the weights and of every random choice, >= 0.
    output: the network (.pt).
    history: losses, learning rate and speed of every epoch (CSV).
    resume_dir: where the state of an unfinished training is kept. Removed on success.
    initial: a network (.pt of this stage) from which the weights are taken that do not belong to its classes. Left out:
        new ones, or those of ImageNet where the model says `pretrained`.
    trained_on: what the pictures are, DATASET/VARIANT; written into the checkpoint.
    """
    load_plugins(plugins)
    model, recipe = create_model(spec), InstanceRecipe.from_config(spec.get("training"))
    known = InstanceFile(instances)
    categories = _categories(known.vocabulary, model, recipe, instances)
    where = select_device(device, threads)
    truth = Truth(known, model.finds, categories, recipe.least_side)
    pictures = _training_set(manifest, truth, recipe)
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(seed, "weights"))
        network = model.build(len(categories), len(known.vocabulary.keypoints), load=initial is None)
    if initial is not None:
        take_weights(network, initial)
    paths = [picture.path for picture in pictures]
    task = InstanceTask(network, model.losses, Pictures(root, pictures), truth, paths, recipe, threads)
    files = [file for file in (instances, initial) if file is not None]
    resume = Resume(resume_dir, key=_key(spec, seed, pictures, files, code))
    rows = fit(task, recipe.passes(len(paths)), seed, where, recipe.precision, resume)
    keypoints = len(known.vocabulary.keypoints)
    save_network(output, network, spec, categories, keypoints, origin(trained_on, manifest))
    write_history(history, task.values, rows)
    resume.remove()


def _categories(vocabulary: Vocabulary, model: InstanceModel, recipe: InstanceRecipe, file: Path) -> tuple[str, ...]:
    if "keypoints" in model.finds and not vocabulary.keypoints:
        raise DataError(f"{file}: the dataset has no keypoints, so that a network of keypoints learns nothing from it.")
    for name in recipe.without:
        if name not in vocabulary.categories:
            raise ConfigError(f"training.without: no category '{name}': {nearest(name, vocabulary.categories)}")
    categories = learnt_categories(vocabulary, model.people_alone, recipe.without)
    if not categories:
        raise ConfigError(f"training.without is {list(recipe.without)}: no category is left of {file}.")
    return categories


def _training_set(manifest: Path, truth: Truth, recipe: InstanceRecipe) -> list[Picture]:
    """The pictures that are learnt from; says how many are left out, and what there is to learn."""
    listed = [picture for picture in read_manifest(manifest) if picture.split == SPLIT]
    counts = dict.fromkeys(truth.labels, 0)
    pictures: list[Picture] = []
    for picture in listed:
        found = truth.instances(picture.path)
        if recipe.empty or truth.teaches(found):
            pictures.append(picture)
            for instance in found:
                counts[instance.category] += 1
    if not pictures:
        raise DataError(
            f"{manifest}: of {len(listed)} pictures of the split '{SPLIT}' none has anything to learn: no instance of "
            f"{', '.join(truth.labels)} in {truth.file.path} that is not a crowd, ignored or smaller than "
            f"{recipe.least_side:g} pixels."
        )
    logger.info(
        "%d pictures, %d more without anything to learn; instances: %s",
        len(pictures),
        len(listed) - len(pictures),
        ", ".join(f"{count} {name}" for name, count in counts.items()),
    )
    return pictures


def _key(spec: Mapping[str, Any], seed: int, pictures: Sequence[Picture], files: Sequence[Path], code: str) -> str:
    """What a saved state must have in common with this training: model and recipe, seed, data, code."""
    data = [(picture.path, picture.sha256) for picture in pictures]
    read = [file_sha256(file) for file in files]
    return key_of(spec, seed, data, read, code)
