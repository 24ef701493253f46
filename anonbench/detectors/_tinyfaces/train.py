"""Training of TinyFaces: the recipe, and the task that `training.fit` runs."""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from anonbench.core import checks as _checks
from anonbench.core.errors import DataError, MissingDependencyError
from anonbench.core.fields import build
from anonbench.detectors._tinyfaces.crops import CropSettings, TrainingCrops
from anonbench.detectors._tinyfaces.face_images import FaceImages
from anonbench.detectors._tinyfaces.losses import SamplingSettings, detection_loss, select
from anonbench.detectors._tinyfaces.network import TRUNKS, TinyFacesNetwork
from anonbench.detectors._tinyfaces.targets import TargetSettings
from anonbench.detectors._tinyfaces.templates import NUM_TEMPLATES
from anonbench.detectors._tinyfaces.weights import fill
from anonbench.training.checkpoint import Resume
from anonbench.training.device import place
from anonbench.training.fit import Batches, Step, Task, fit
from anonbench.training.progress import EpochSummary

PRECISIONS = ("auto", "fp32", "bf16")
# torchvision's IMAGENET1K_V1, with which the authors' (Caffe's) and the port's trainings start as well.
IMAGENET_FILES = {
    "resnet18": "resnet18-f37072fd.pth",
    "resnet50": "resnet50-0676ba61.pth",
    "resnet101": "resnet101-63fe2227.pth",
}
IMAGENET_SERVER = "https://download.pytorch.org/models"
SECTIONS = {"crops": CropSettings, "targets": TargetSettings, "sampling": SamplingSettings}


@dataclass(frozen=True)
class TrainingRecipe:
    """How TinyFaces is trained. The defaults are the authors' (scripts/hr_res101.m) but for step_epochs, the port's.

    trunk: resnet101, resnet50 or resnet18.
    pretrained: start the trunk from ImageNet weights.
    epochs: passes over the images, >= 0.
    batch_size: crops a step, >= 1 (the authors': 12 on each of 4 GPUs; the port: 12).
    images_per_epoch: images drawn for an epoch. 0: all, each once.
    lr, momentum, weight_decay: of SGD.
    step_epochs: epochs after which lr is divided by ten, again and again (the port: 20; the authors keep it: 0).
    fine_head_lr: factor on lr for the head on the finer map.
    warmup_steps: steps over which lr rises from 0 (neither source; a trunk without ImageNet weights needs it).
    precision: auto, fp32 or bf16 (see the recipes of re-identification).
    crops, targets, sampling: settings below keys of these names.
    """

    trunk: str = "resnet101"
    pretrained: bool = True
    epochs: int = 50
    batch_size: int = 12
    images_per_epoch: int = 0
    lr: float = 1e-4
    momentum: float = 0.9
    weight_decay: float = 5e-4
    step_epochs: int = 20
    fine_head_lr: float = 0.1
    warmup_steps: int = 0
    precision: str = "fp32"
    crops: CropSettings = field(default_factory=CropSettings)
    targets: TargetSettings = field(default_factory=TargetSettings)
    sampling: SamplingSettings = field(default_factory=SamplingSettings)

    def __post_init__(self) -> None:
        _checks.choice("trunk", self.trunk, tuple(TRUNKS))
        _checks.choice("pretrained", self.pretrained, (True, False))
        for name, low in (("epochs", 0), ("batch_size", 1), ("images_per_epoch", 0), ("step_epochs", 0)):
            _checks.integer(name, getattr(self, name), low)
        _checks.integer("warmup_steps", self.warmup_steps, 0)
        _checks.number("lr", self.lr, 0, above=True)
        _checks.number("momentum", self.momentum, 0, 1)
        for name in ("weight_decay", "fine_head_lr"):
            _checks.number(name, getattr(self, name), 0)
        _checks.choice("precision", self.precision, PRECISIONS)
        _checks.integer("crops.side", self.crops.side, 64)
        if not isinstance(self.crops.scales, tuple) or not self.crops.scales:
            raise ValueError(f"crops.scales is {self.crops.scales!r}; expected numbers > 0, e.g. [0.5, 1, 2]")
        for scale in self.crops.scales:
            _checks.number("crops.scales", scale, 0, above=True)
        for name in ("flip", "kept_iou"):
            _checks.number(f"crops.{name}", getattr(self.crops, name), 0, 1)
        _checks.number("targets.negative_iou", self.targets.negative_iou, 0, 1)
        _checks.number("targets.positive_iou", self.targets.positive_iou, self.targets.negative_iou, 1)
        _checks.choice("targets.ignore_border", self.targets.ignore_border, (True, False))
        for name in ("positives", "negatives"):
            _checks.integer(f"sampling.{name}", getattr(self.sampling, name), 1)
        _checks.number("sampling.easy_loss", self.sampling.easy_loss, 0)

    @classmethod
    def from_config(cls, entry: Mapping[str, Any]) -> TrainingRecipe:
        """The recipe of a config entry. What it leaves out keeps its default.

        Raises `ConfigError` for an unknown key, with the nearest known one, or a value out of range.
        """
        values = dict(entry)
        for key in SECTIONS.keys() & values.keys():
            values[key] = build(SECTIONS[key], values[key], f"detector training: {key}")
        return build(cls, values, "detector training")


def train_tinyfaces(
    images: FaceImages,
    recipe: TrainingRecipe,
    seed: int,
    device: torch.device,
    resume: Resume | None = None,
    workers: int = 0,
) -> tuple[TinyFacesNetwork, list[EpochSummary]]:
    """Train a network; returns it in eval mode on `device`, with one row of history an epoch.

    workers: processes that read and crop images. 0: this one. They change nothing in the result.
    resume: where the state is kept, see `fit`. The caller removes it in the end.
    Raises `DataError` without a face to learn from, `TrainingError` when the loss is no longer finite,
    `MissingDependencyError` when ImageNet weights are asked for and cannot be had.
    """
    task = TinyFacesTask(images, recipe, workers)
    history = fit(task, recipe.epochs, seed, device, recipe.precision, resume)
    return task.network.eval(), history


def load_imagenet(network: TinyFacesNetwork) -> None:
    """Copy ImageNet weights into a trunk (torchvision's geometry), from torch.hub's cache or by download.

    Raises `MissingDependencyError` when the file is neither in the cache nor downloadable.
    """
    name = IMAGENET_FILES[network.trunk]
    file = Path(torch.hub.get_dir()) / "checkpoints" / name
    try:
        url = f"{IMAGENET_SERVER}/{name}"
        weights = torch.hub.load_state_dict_from_url(url, map_location="cpu", progress=False, weights_only=True)
    except (URLError, OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise MissingDependencyError(
            f"ImageNet weights of {network.trunk} cannot be loaded ({error}). Put {url} at {file}, or set "
            f"`pretrained: false` in the recipe to train from random weights."
        ) from error
    heads = {k: v for k, v in network.state_dict().items() if not k.startswith("model.")}
    fill(network, heads | {f"model.{k}": v for k, v in weights.items()}, file)


Crops = tuple[Tensor, Tensor, Tensor]  # (B, 3, s, s) uint8, labels (B, 25, h, h) int8, targets (B, 100, h, h) float32


class TinyFacesTask(Task[Crops]):
    """Classification of templates as face or background, and regression of the faces' boxes.

    classification_loss, regression_loss: an image. positives, negatives: templates learnt from, an image.
    """

    values = ("classification_loss", "regression_loss", "positives", "negatives")
    advice = "Lower `lr` (a tenth is a good start) or raise `warmup_steps`."

    def __init__(self, images: FaceImages, recipe: TrainingRecipe, workers: int = 0) -> None:
        if not any((~image.ignore).any() for image in images):
            raise DataError(
                f"none of the {len(images)} training images shows a face that counts. Check the annotations."
            )
        self.all_images, self.recipe, self.workers = images, recipe, workers

    def setup(self) -> None:
        run, recipe = self.run, self.recipe
        self.crops = TrainingCrops(self.all_images, recipe.crops, recipe.targets, run.seed)
        self.network = TinyFacesNetwork(recipe.trunk)
        if recipe.pretrained:
            load_imagenet(self.network)
        place(self.network, run.device, channels_last=True)
        fine = list(self.network.score_res3.parameters())
        rest = [*self.network.model.parameters(), *self.network.score_res4.parameters()]
        groups = [{"params": rest, "factor": 1.0}, {"params": fine, "factor": recipe.fine_head_lr}]
        self.networks = {"network": self.network}
        self.optimizers = {
            "network": torch.optim.SGD(groups, recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay)
        }

    def batches(self, epoch: int) -> Batches[Crops]:
        rng = np.random.default_rng(self.run.seed_of("order", epoch))
        total, wanted = len(self.crops), self.recipe.images_per_epoch or len(self.crops)
        order = np.concatenate([rng.permutation(total) for _ in range(math.ceil(wanted / total))])[:wanted]
        keys = [(epoch, int(index)) for index in order]
        return DataLoader(
            self.crops,
            self.recipe.batch_size,
            sampler=keys,
            num_workers=self.workers,
            pin_memory=self.run.device.type == "cuda",
            multiprocessing_context="spawn" if self.workers else None,
        )

    def size(self, batch: Crops) -> int:
        return len(batch[0])

    def learning_rates(self, at: Step) -> Mapping[str, float]:
        recipe = self.recipe
        lr = recipe.lr * 0.1 ** (at.epoch // recipe.step_epochs if recipe.step_epochs else 0)
        return {"network": lr * min(1.0, (at.epoch * at.steps + at.number + 1) / max(1, recipe.warmup_steps))}

    def step(self, batch: Crops, at: Step) -> Mapping[str, Tensor]:
        pixels, labels, targets = (tensor.to(self.run.device, non_blocking=True) for tensor in batch)
        with self.run.autocast():
            maps = self.network(pixels.float().contiguous(memory_format=torch.channels_last))  # (B, 125, h, h)
        maps = maps.float()
        chosen = select(maps[:, :NUM_TEMPLATES], labels, at.seed_of("sampling"), self.recipe.sampling)
        classification, regression = detection_loss(maps, chosen, targets)
        self.descend(classification + regression, "network")
        return {
            "classification_loss": classification,
            "regression_loss": regression,
            "positives": (chosen == 1).sum().double() / len(pixels),
            "negatives": (chosen == -1).sum().double() / len(pixels),
        }
