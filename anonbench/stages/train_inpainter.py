"""Train the generator of a realistic anonymizer: it learns to put other people where people were (Study 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anonbench.core import checks
from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.errors import ConfigError, DataError
from anonbench.core.files import atomic_file
from anonbench.data.entries import REAL_PEOPLE
from anonbench.data.images import encode_image
from anonbench.data.pictures import Picture, read_manifest
from anonbench.data.regions import Region, read_regions, region_as_json
from anonbench.tasks.inpainting.crops import choose_crops, hold_out, load_crops
from anonbench.tasks.inpainting.distance import relative_distance
from anonbench.tasks.inpainting.recipe import InpaintingRecipe
from anonbench.tasks.inpainting.samples import sample_sheet, withheld_sheet
from anonbench.tasks.inpainting.training import InpaintingTask
from anonbench.training.checkpoint import Resume, key_of
from anonbench.training.device import select_device
from anonbench.training.fit import fit
from anonbench.training.inpainter import save_inpainter
from anonbench.training.progress import write_history

PEOPLE = {"drawn": "", "real": REAL_PEOPLE, "withheld": ""}  # what the samples say about them, in red


@command("train", gpu=True)
def train_inpainter(
    manifest: Input,
    root: Input,
    detections: Input,
    spec: Spec,
    seed: int,
    output: Output,
    history: Output,
    samples: Output,
    resume_dir: Path,
    people: str = "withheld",
    device: str = "auto",
    threads: int = 1,
    code: str = "",
) -> None:
    """Train a generator that fills the regions of people with other people, for the anonymizer `gan_inpaint`.

    It learns from the pictures of the training split alone. A share of them is held out to judge by.

    manifest: the original pictures (CSV of `index`).
    root: folder that their paths are relative to.
    detections: their regions (CSV of `detect`). Those of the network's kind are learnt from; all of a picture are
        hidden from the generator, as they will be when it anonymizes.
    spec: the recipe: keys of `InpaintingRecipe`, such as `{network: {kind: face, size: [32, 32], levels: 3}}`.
    seed: of the weights and of every random choice, >= 0.
    output: the generator with the centres of its styles (.pt).
    history: losses, distance, learning rate and speed of every epoch (CSV).
    samples: people that it puts into held-out crops, beside those who were there (PNG).
    resume_dir: where the state of an unfinished training is kept. Removed on success.
    people: what `samples` may show. drawn: these people are drawn. real: they are not, and the sheet says so in red.
        withheld: nobody, it holds a note instead.
    """
    _demand_people(people)
    recipe = InpaintingRecipe.from_config(spec)
    where = select_device(device, threads)
    regions = _training_regions(manifest, detections)
    wanted = choose_crops(regions, recipe.network.kind, recipe.least_px, recipe.most_crops, seed)
    taught, held_out = hold_out(wanted, recipe.held_out, seed)
    crops, judged = (load_crops(root, part, regions, recipe.network, threads) for part in (taught, held_out))
    print(f"train-inpainter: {len(crops)} crops of {len(taught)} pictures, {len(judged)} held out to judge by")
    task = InpaintingTask(crops, judged, recipe)
    pictures = [picture for picture in read_manifest(manifest) if picture.path in regions]
    resume = Resume(resume_dir, _key(spec, seed, pictures, regions, code))
    rows = fit(task, recipe.epochs, seed, where, recipe.precision, resume)
    _say(task, rows[-1].values["distance"] if rows else None)
    network, styles = task.averaged.cpu(), task.styles()
    save_inpainter(output, network, styles, {"seed": seed, "crops": len(crops), "epochs": recipe.epochs})
    write_history(history, InpaintingTask.values, rows)
    sheet = withheld_sheet() if people == "withheld" else sample_sheet(network, styles, judged, seed, PEOPLE[people])
    with atomic_file(samples) as file:
        file.write_bytes(encode_image(sheet, ".png", 100))
    resume.remove()


def _demand_people(people: str) -> None:
    try:
        checks.choice("people", people, PEOPLE)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _training_regions(manifest: Path, detections: Path) -> dict[str, list[Region]]:
    """The regions of the pictures of the training split. Raises `DataError` where there is none, or no such split."""
    pictures = [picture for picture in read_manifest(manifest) if picture.split == "train"]
    if not pictures:
        raise DataError(f"{manifest}: no picture has split 'train'. Does this data set come without a training split?")
    regions = read_regions(detections)
    missing = [picture.path for picture in pictures if picture.path not in regions]
    if missing:
        raise DataError(
            f"{detections}: does not belong to {manifest}: {missing[0]} is not in it. Run the detection again."
        )
    return {picture.path: regions[picture.path] for picture in pictures}


def _say(task: InpaintingTask, distance: float | None) -> None:
    """How near the generator came, and how near two halves of the real crops are to one another."""
    half = len(task.real_features) // 2
    if distance is None or half < 2:
        return
    floor = float(relative_distance(task.real_features[:half], task.real_features[half:]))
    print(f"train-inpainter: distance {distance:.3f}; two halves of the real crops are {floor:.3f} apart")


def _key(
    spec: Mapping[str, Any], seed: int, pictures: Sequence[Picture], regions: Mapping[str, Sequence[Region]], code: str
) -> str:
    """What a saved state must have in common with this training: recipe, seed, data, code."""
    data = [(p.path, p.sha256, list(map(region_as_json, regions[p.path]))) for p in pictures]
    return key_of(dict(spec), seed, data, code)
