"""What the trainings of Study 2 have in common: people, their originals and their desensitized pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anonbench.anonymizers import ANONYMIZERS
from anonbench.anonymizers._apply import anonymize_image, is_learned
from anonbench.core.errors import ConfigError, DataError
from anonbench.core.fields import Given
from anonbench.data.pictures import Picture
from anonbench.data.regions import Region
from anonbench.data.seeding import derive_seed, image_generator
from anonbench.data.tables import write_csv
from anonbench.tasks.reid.features import read_settings
from anonbench.tasks.reid.models._network import ReidNetwork, create_model, read_input_size
from anonbench.tasks.reversible.pairs import Noise
from anonbench.tasks.reversible.recipe import JointRecipe
from anonbench.tasks.reversible.validation import Division, Validation, divide
from anonbench.training.checkpoint import key_of
from anonbench.training.generators import check_size
from anonbench.training.loading import load_images

# Keys of a variant's entry that do not change what its anonymizer draws into a picture.
ENTRY_KEYS = ("detector", "gpu", "resize", "encoding", "jpeg_quality", "chroma")
PEOPLE_COLUMNS = ("path", "role")


@dataclass(frozen=True)
class Settings:
    """The config entries of a training, checked.

    recipe: of Study 2.
    model: entry of the re-identification model.
    desensitized: entry of the variant whose pictures are the first supervision.
    metric: how the model's features are compared.
    size: (height, width) of all pictures.
    """

    recipe: JointRecipe
    model: Mapping[str, Any]
    desensitized: Mapping[str, Any]
    metric: str
    size: tuple[int, int]

    def build_network(self, num_identities: int, seed: int) -> ReidNetwork:
        """A re-identification network to train."""
        with torch.random.fork_rng():
            torch.manual_seed(derive_seed(seed, "weights"))
            pretrained = bool(self.model.get("pretrained", False))
            return create_model(self.model).build(num_identities, pretrained)

    @property
    def checkpoint_entry(self) -> dict[str, Any]:
        """The model's entry as its checkpoint tells it: its own recipe has trained nothing here."""
        recipe = self.recipe
        training = {"epochs": recipe.reid_epochs, "batch_size": recipe.batch_size, "precision": recipe.precision}
        return {**self.model, "training": training}


def read_training(spec: Mapping[str, Any]) -> Settings:
    """The settings of a joint training or its base. Raises `ConfigError` for whatever does not fit together."""
    recipe, model = JointRecipe.from_config(spec["recipe"]), spec["model"]
    size = read_input_size(model, create_model(model))
    entry = dict(spec["desensitized"])
    if list(entry.get("resize") or ()) != list(size):
        raise ConfigError(
            f"the desensitized variant has resize: {entry.get('resize')!r} and the model '{model['method']}' has "
            f"input: {list(size)}; expected the same [height, width]. Change one of them: the model is shown the "
            f"pictures that the generator makes."
        )
    check_size(*size, recipe.generator.levels)
    anonymizer = ANONYMIZERS.create(entry, ignore=ENTRY_KEYS)
    if is_learned(anonymizer):
        raise ConfigError(
            f"desensitized.method is '{entry['method']}', which has weights; expected one that has none, such as "
            f"gaussian_blur, mosaic or gaussian_noise."
        )
    metric, _ = read_settings(model.get("evaluation") or {})
    return Settings(recipe, model, entry, metric, size)


@dataclass(frozen=True, eq=False)
class TrainingPictures:
    """Originals and desensitized pictures of a training split, in memory.

    people: of the split, in the manifest's order.
    division: who is learnt from and who is held out.
    originals, desensitized: (N, 3, H, W) uint8.
    noise: what is drawn in the place of the desensitized pictures in every batch; None where they are always the same.
    """

    people: Sequence[Picture]
    division: Division
    originals: Tensor
    desensitized: Tensor
    noise: Noise | None

    @cached_property
    def taught(self) -> Tensor:
        """Indices of the pictures that are learnt from."""
        return torch.from_numpy(self.division.train)

    @property
    def taught_originals(self) -> Tensor:
        return self.originals[self.taught]

    @property
    def taught_wanted(self) -> Tensor | Noise:
        return self.noise or self.desensitized[self.taught]

    @property
    def labels(self) -> Tensor:
        """(n,) int64: the identities that are learnt from, numbered in the order of their pids."""
        pids = [self.people[number].labels["pid"] for number in self.division.train]
        return torch.from_numpy(np.unique(pids, return_inverse=True)[1])

    def validation(self, settings: Settings, device: torch.device) -> Validation:
        """The pictures that are held out."""
        pids, camids = ([picture.labels[name] for picture in self.people] for name in ("pid", "camid"))
        return Validation(
            self.division, self.originals, self.desensitized, pids, camids, settings.metric, device,
            settings.recipe.precision,
        )  # fmt: skip


def load_pictures(
    root: Path, people: Sequence[Picture], settings: Settings, seed: int, threads: int, cache_dir: Path
) -> TrainingPictures:
    """Read the originals of a training split, resize them, and desensitize them as `anonymize_whole` does.

    seed: that draws who is held out.

    No other picture is opened. The desensitized ones stay in memory.
    """
    pids, camids = ([picture.labels[name] for picture in people] for name in ("pid", "camid"))
    division = divide(pids, camids, settings.recipe.validation, seed)
    paths = [picture.path for picture in people]
    originals = load_images(root, paths, settings.size, threads, cache_dir)
    anonymizer = ANONYMIZERS.create(settings.desensitized, ignore=ENTRY_KEYS)
    desensitized = torch.empty_like(originals)  # channels last, too
    height, width = settings.size
    whole = [Region((0, 0, width, height), kind="body")]

    def hide(number: int) -> None:
        picture = np.ascontiguousarray(originals[number].permute(1, 2, 0).numpy())  # (H, W, 3)
        hidden = anonymize_image(picture, whole, anonymizer, image_generator(paths[number]))
        desensitized[number] = torch.from_numpy(hidden).permute(2, 0, 1)

    with ThreadPoolExecutor(max(1, threads)) as pool:
        for _ in pool.map(hide, range(len(paths))):
            pass
    noise = Noise(anonymizer.std) if getattr(anonymizer, "redrawn", False) else None
    return TrainingPictures(people, division, originals, desensitized, noise)


def write_roles(path: Path, pictures: TrainingPictures) -> None:
    """Write what each picture of the training split was used for: train, query or gallery."""
    rows = [(picture.path, pictures.division.role(number)) for number, picture in enumerate(pictures.people)]
    write_csv(path, PEOPLE_COLUMNS, rows)


def state_key(spec: Mapping[str, Any], seed: int, people: Sequence[Picture], code: str, *more: Any) -> str:
    """What a saved state must have in common with a training: settings, seed, data, code."""
    data = [(p.path, p.labels["pid"], p.labels["camid"], p.sha256) for p in people]
    return key_of(spec, seed, data, code, *more)


def read_reference(path: Path) -> float:
    """R1(raw, desensitized) of a file of `train_base`, 0..1; raises `DataError` for another file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rank1 = float(Given(content)["rank1"])
    except (OSError, ValueError, TypeError, ConfigError) as error:
        raise DataError(f"{path}: not a reference of `train_base` ({error}). Run that stage again.") from error
    if not 0 <= rank1 <= 1:
        raise DataError(f"{path}: rank1 is {rank1}; expected a share, 0..1. Run `train_base` again.")
    return rank1
