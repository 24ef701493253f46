"""Train an anonymizer, its recovery and a re-identification network together (Study 2)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.errors import ConfigError
from anonbench.core.registry import load_plugins
from anonbench.data.tables import write_csv
from anonbench.stages._pairs import (
    load_pictures,
    read_reference,
    read_training,
    state_key,
    write_roles,
)
from anonbench.tasks.reid.checkpoint import save_network
from anonbench.tasks.reid.people import read_training_people
from anonbench.tasks.reversible.training import JointTask, Upgrade, Validated, columns
from anonbench.training.checkpoint import Resume, origin
from anonbench.training.device import select_device
from anonbench.training.fit import fit
from anonbench.training.generators import save_generator
from anonbench.training.progress import write_history

logger = logging.getLogger(__name__)


@command("train", gpu=True, needs={"spec": ("recipe", "model", "upgrade", "desensitized")})
def train_anonymizer(
    manifest: Input,
    root: Input,
    spec: Spec,
    seed: int,
    output: Output,
    anonymizer: Output,
    recovery: Output,
    history: Output,
    upgrades: Output,
    validation: Output,
    people: Output,
    resume_dir: Path,
    reference: Input | None = None,
    device: str = "auto",
    threads: int = 1,
    splits: Input | None = None,
    split: int | None = None,
    division_seed: int | None = None,
    trained_on: str = "",
    plugins: Sequence[str] = (),
    code: str = "",
) -> None:
    """Train an anonymizer, the recovery that undoes it and a re-ID network that can use its pictures, together.

    A share of the training split's identities is held out to validate on. No picture of another split is opened. All
    three networks are those of the last epoch. If the last validation does not meet the privacy rule, that is said.

    Whoever has the anonymizer or the recovery can undo the copies: both are keys, to be kept apart from them.

    manifest: the original images (CSV of `index`).
    root: folder that their paths are relative to.
    spec: `{recipe: {...}, model: {...}, upgrade: bool, desensitized: {method, resize: [height, width], **parameters}}`:
        config entries, and whether the supervision is upgraded.
    seed: of the weights and of every random choice, >= 0.
    output: the re-ID network (.pt), a checkpoint like those of `train`.
    anonymizer: the generator that hides (.pt).
    recovery: the generator that recovers from what it makes (.pt).
    history: losses, accuracies, learning rate and speed of every epoch (CSV).
    upgrades: every upgrade of the supervision, with the limits that it met (CSV).
    validation: PSNR, SSIM and rank-1 of every validated epoch (CSV).
    people: what each image of the training split was used for (CSV).
    resume_dir: where the state of an unfinished training is kept. Removed on success.
    reference: R1(raw, desensitized) of the base (JSON of `train_base`); needed for upgrades.
    splits: roles of the images in the further splits of the dataset (CSV of `index`).
    split: which of them to train on, from 0 on. Left out: the manifest's own.
    division_seed: that draws who is held out. Left out: the seed. A second key is judged on the same people as the
        first, and as the base with whose rank-1 its upgrades begin.
    trained_on: what the pictures are, DATASET/VARIANT; written into the checkpoint.
    """
    load_plugins(plugins)
    settings = read_training(spec)
    rank1 = _reference(spec, reference)
    where = select_device(device, threads)
    found = read_training_people(manifest, splits, split)
    held_out = seed if division_seed is None else division_seed
    pictures = load_pictures(root, found, settings, held_out, threads, resume_dir)
    labels = pictures.labels
    num_identities = int(labels.max()) + 1
    network = settings.build_network(num_identities, seed)
    recipe = settings.recipe
    task = JointTask(
        network, pictures.taught_originals, pictures.taught_wanted, labels, pictures.validation(settings, where),
        recipe, rank1,
    )  # fmt: skip
    resume = Resume(resume_dir, key=state_key(spec, seed, found, code, rank1, held_out))
    rows = fit(task, recipe.epochs, seed, where, recipe.precision, resume)
    task.finish()
    _say(task)
    about = {"desensitized": settings.desensitized["method"], "size": list(settings.size), "seed": seed}
    save_network(output, network, settings.checkpoint_entry, num_identities, origin(trained_on, manifest))
    save_generator(anonymizer, task.anonymizer, {"role": "anonymizer", **about})
    save_generator(recovery, task.recovery, {"role": "recovery", **about})
    write_history(history, JointTask.values, rows)
    write_csv(upgrades, columns(Upgrade), [astuple(row) for row in task.upgrades])
    write_csv(validation, columns(Validated), [astuple(row) for row in task.validated])
    write_roles(people, pictures)
    resume.remove()


def _reference(spec: dict[str, Any], reference: Path | None) -> float | None:
    if not spec["upgrade"]:
        return None
    if reference is None:
        raise ConfigError(
            "upgrade is true, but no reference is given; expected the JSON that `train_base` writes for the same "
            "desensitized variant, model and seed: its rank1 is what the first upgrade is compared with."
        )
    return read_reference(reference)


def _say(task: JointTask) -> None:
    """What a reader of the results must know of the last epoch."""
    if not task.validated:
        return
    last, (psnr, ssim) = task.validated[-1], task.upgrading.limits
    if not last.private:
        logger.warning(
            "after the last epoch the privacy rule is NOT met: the protected pictures have %.2f dB and SSIM %.3f "
            "against the originals, expected less than %.2f dB and %.3f. They show more than the desensitized ones.",
            *(last.psnr_protected, last.ssim_protected, psnr, ssim),
        )
    if task.reference is not None and not task.upgrades:
        private = [row.rank1 for row in task.validated if row.private]
        found = (
            f"with R1(raw, protected) {max(private):.3f} at most" if private else "without which nothing is upgraded"
        )
        logger.warning(
            "the supervision was never upgraded: %d of %d validations met the privacy rule, %s; expected rank-1 above "
            "%.3f where it is decided. Train longer, or compare more queries (validation.query_share).",
            len(private), len(task.validated), found, task.upgrading.best,
        )  # fmt: skip
