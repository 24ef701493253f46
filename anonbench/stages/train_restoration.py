"""Train a restoration: what somebody without the key learns from hidden pictures and their originals (Study 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.errors import DataError
from anonbench.core.registry import load_plugins
from anonbench.data.pictures import Picture
from anonbench.stages._pairs import state_key
from anonbench.tasks.reid.people import read_training_people
from anonbench.tasks.reversible.recipe import JointRecipe
from anonbench.tasks.reversible.restoration import RestorationTask
from anonbench.training.checkpoint import Resume
from anonbench.training.device import select_device
from anonbench.training.fit import fit
from anonbench.training.generators import check_size, save_generator
from anonbench.training.loading import load_images
from anonbench.training.progress import write_history


@command("train", gpu=True, needs={"spec": ("recipe",)})
def train_restoration(
    manifest: Input,
    root: Input,
    shown_manifest: Input,
    shown_root: Input,
    spec: Spec,
    seed: int,
    output: Output,
    history: Output,
    resume_dir: Path,
    device: str = "auto",
    threads: int = 1,
    splits: Input | None = None,
    split: int | None = None,
    plugins: Sequence[str] = (),
    code: str = "",
) -> None:
    """Train a generator that restores originals from the stored pictures of a variant.

    It learns from all identities of the split 'train', which it is never tested on: nobody is held out, since nothing
    is chosen by a validation. No picture of another split is opened.

    manifest: the original images (CSV of `index`).
    root: folder that their paths are relative to.
    shown_manifest: the stored pictures that are restored from, under the same paths (CSV of `anonymize_whole`).
    shown_root: folder that theirs are relative to.
    spec: `{recipe: {...}}`, the config entry.
    seed: of the weights and of every random choice, >= 0.
    output: the generator that restores (.pt).
    history: losses, learning rate and speed of every epoch (CSV).
    resume_dir: where the state of an unfinished training is kept. Removed on success.
    splits: roles of the images in the further splits of the dataset (CSV of `index`).
    split: which of them to train on, from 0 on. Left out: the manifest's own.
    """
    load_plugins(plugins)
    recipe = JointRecipe.from_config(spec["recipe"])
    where = select_device(device, threads)
    people = read_training_people(manifest, splits, split)
    shown = {picture.path: picture for picture in read_training_people(shown_manifest, splits, split)}
    size = _size(shown_manifest, people, shown)
    check_size(*size, recipe.generator.levels)
    paths = [picture.path for picture in people]
    hidden = load_images(shown_root, paths, size, threads, resume_dir / "shown")
    originals = load_images(root, paths, size, threads, resume_dir / "originals")
    task = RestorationTask(hidden, originals, recipe)
    stored = [shown[path].sha256 for path in paths]
    resume = Resume(resume_dir, key=state_key(spec, seed, people, code, stored))
    rows = fit(task, recipe.epochs, seed, where, recipe.precision, resume)
    save_generator(output, task.recovery, {"role": "recovery", "size": list(size), "seed": seed})
    write_history(history, RestorationTask.values, rows)
    resume.remove()


def _size(manifest: Path, people: Sequence[Picture], shown: Mapping[str, Picture]) -> tuple[int, int]:
    """(height, width) of all stored pictures; raises `DataError` where they differ, or one is not there."""
    missing = [picture.path for picture in people if picture.path not in shown]
    if missing:
        raise DataError(
            f"{manifest}: {len(missing)} of {len(people)} training images are not in it, first {missing[0]}; expected "
            f"the stored pictures of the same dataset. Run the stage that writes them again."
        )
    sizes = sorted({(shown[picture.path].height, shown[picture.path].width) for picture in people})
    if len(sizes) > 1:
        raise DataError(
            f"{manifest}: pictures are of {len(sizes)} sizes, such as {sizes[0][0]} x {sizes[0][1]} and "
            f"{sizes[1][0]} x {sizes[1][1]} (height x width); expected one. Give the variant a `resize:`."
        )
    return sizes[0]
