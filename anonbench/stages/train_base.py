"""Train the base of Study 2: re-identification on raw and desensitized pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.files import write_text
from anonbench.core.registry import load_plugins
from anonbench.stages._pairs import load_pictures, read_training, state_key, write_roles
from anonbench.tasks.reid.checkpoint import save_network
from anonbench.tasks.reid.people import read_training_people
from anonbench.tasks.reversible.base import BaseTask
from anonbench.training.checkpoint import Resume, origin
from anonbench.training.device import select_device
from anonbench.training.fit import fit
from anonbench.training.progress import write_history


@command("train", gpu=True, needs={"spec": ("recipe", "model", "desensitized")})
def train_base(
    manifest: Input,
    root: Input,
    spec: Spec,
    seed: int,
    output: Output,
    reference: Output,
    history: Output,
    people: Output,
    resume_dir: Path,
    device: str = "auto",
    threads: int = 1,
    splits: Input | None = None,
    split: int | None = None,
    division_seed: int | None = None,
    trained_on: str = "",
    plugins: Sequence[str] = (),
    code: str = "",
) -> None:
    """Train one re-ID network on pairs of raw and desensitized pictures, and see how well it finds one by the other.

    The identities of the training split are divided as in `train_anonymizer` with the same division seed. No picture
    of another split is opened.

    manifest: the original images (CSV of `index`).
    root: folder that their paths are relative to.
    spec: `{recipe: {...}, model: {...}, desensitized: {method, resize: [height, width], **parameters}}`, config
        entries.
    seed: of the weights and of every random choice, >= 0.
    output: the network (.pt), a checkpoint like those of `train`.
    reference: R1(raw, desensitized), PSNR and SSIM of the desensitized pictures on the held-out identities (JSON).
    history: losses, accuracies, learning rate and speed of every epoch (CSV).
    people: what each image of the training split was used for (CSV).
    resume_dir: where the state of an unfinished training is kept. Removed on success.
    splits: roles of the images in the further splits of the dataset (CSV of `index`).
    split: which of them to train on, from 0 on. Left out: the manifest's own.
    division_seed: that draws who is held out. Left out: the seed. A second key is judged on the same people as the
        first, and as the base with whose rank-1 its upgrades begin.
    trained_on: what the pictures are, DATASET/VARIANT; written into the checkpoint.
    """
    load_plugins(plugins)
    settings = read_training(spec)
    where = select_device(device, threads)
    found = read_training_people(manifest, splits, split)
    held_out = seed if division_seed is None else division_seed
    pictures = load_pictures(root, found, settings, held_out, threads, resume_dir)
    validation = pictures.validation(settings, where)
    labels = pictures.labels
    num_identities = int(labels.max()) + 1
    network = settings.build_network(num_identities, seed)
    recipe = settings.recipe
    task = BaseTask(network, pictures.taught_originals, pictures.taught_wanted, labels, recipe)
    resume = Resume(resume_dir, key=state_key(spec, seed, found, code, held_out))
    rows = fit(task, recipe.reid_epochs, seed, where, recipe.precision, resume)
    scores = {
        "rank1": validation.desensitized_rank1(network),
        **asdict(validation.desensitized_quality()),
        "queries": len(pictures.division.query),
        "gallery": len(pictures.division.gallery),
        "identities": num_identities,
        "uses_cameras": pictures.division.uses_cameras,
    }
    save_network(output, network, settings.checkpoint_entry, num_identities, origin(trained_on, manifest))
    write_text(reference, json.dumps(scores, indent=1) + "\n")
    write_history(history, BaseTask.values, rows)
    write_roles(people, pictures)
    resume.remove()
