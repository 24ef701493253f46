"""Training of TinyFaces: the recipe, the loop, and going on after an interruption."""

from __future__ import annotations

import logging
import math
import pickle
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from anonbench.core import checks as _checks
from anonbench.core.errors import ConfigError, DataError, MissingDependencyError, TrainingError, nearest
from anonbench.core.progress import ProgressBar
from anonbench.data.seeding import derive_seed
from anonbench.detectors._tinyfaces.crops import CropSettings, TrainingCrops
from anonbench.detectors._tinyfaces.face_images import FaceImages
from anonbench.detectors._tinyfaces.losses import SamplingSettings, detection_loss, select
from anonbench.detectors._tinyfaces.network import TRUNKS, TinyFacesNetwork
from anonbench.detectors._tinyfaces.targets import TargetSettings
from anonbench.detectors._tinyfaces.templates import NUM_TEMPLATES
from anonbench.detectors._tinyfaces.weights import fill
from anonbench.training.checkpoint import Resume
from anonbench.training.device import autocast, place, reproducible

logger = logging.getLogger(__name__)
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

    trunk: resnet101, resnet50 or resnet18. pretrained: start the trunk from ImageNet weights.
    epochs: passes over the images, >= 0. batch_size: crops a step, >= 1 (the authors': 12 on each of 4 GPUs; the port:
        12). images_per_epoch: images drawn for an epoch; 0 = all, each once.
    lr, momentum, weight_decay: of SGD. step_epochs: epochs after which lr is divided by ten, again and again (the port:
        20; the authors keep it: 0). fine_head_lr: factor on lr for the head on the finer map.
    warmup_steps: steps over which lr rises from 0 (neither source; a trunk without ImageNet weights needs it).
    precision: auto, fp32 or bf16 (see the recipes of re-identification).
    crops, targets, sampling: settings below keys of their own.
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
        """The recipe of a config entry; what it leaves out keeps its default.

        Raises `ConfigError` for an unknown key, with the nearest known one, or a value out of range.
        """
        values = dict(entry)
        for key in SECTIONS.keys() & values.keys():
            values[key] = _fill(SECTIONS[key], values[key], f"{key}.")
        recipe: TrainingRecipe = _fill(cls, values, "")
        return recipe


@dataclass(frozen=True, slots=True)
class TrainingEpoch:
    """One row of a training's history.

    epoch: from 1. classification_loss, regression_loss: an image, mean. positives, negatives: templates learnt from,
    an image. lr: of the last step.
    """

    epoch: int
    classification_loss: float
    regression_loss: float
    positives: float
    negatives: float
    lr: float
    images_per_second: float
    seconds: float


def train_tinyfaces(
    images: FaceImages,
    recipe: TrainingRecipe,
    seed: int,
    device: torch.device,
    resume: Resume | None = None,
    workers: int = 0,
) -> tuple[TinyFacesNetwork, list[TrainingEpoch]]:
    """Train a network; returns it in eval mode on `device`, with one row of history an epoch.

    workers: processes that read and crop images; 0 = this one. They change nothing in the result.
    resume: where the state is kept after every epoch. A state of the same key found there is continued, and on a CPU
        in fp32 the weights come out bit-identical to those of an undisturbed run. The caller removes it in the end.
    Raises `DataError` without a face to learn from, `TrainingError` when the loss is no longer finite,
    `MissingDependencyError` when ImageNet weights are asked for and cannot be had.
    """
    if not any((~image.ignore).any() for image in images):
        raise DataError(f"none of the {len(images)} training images shows a face that counts. Check the annotations.")
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), reproducible(recipe.precision, device):
        training = _Training(images, recipe, seed, device, workers)
        training.restore(resume)
        steps = training.steps * recipe.epochs
        with ProgressBar(steps, "train_detector", "steps") as bar:
            bar.update(training.steps * len(training.history))
            for epoch in range(len(training.history), recipe.epochs):
                row = training.run_epoch(epoch, bar)
                logger.info(
                    "epoch %d/%d: loss %.3f + %.3f, %.1f faces, %.1f images/s",
                    *(row.epoch, recipe.epochs, row.classification_loss, row.regression_loss),
                    *(row.positives, row.images_per_second),
                )
                training.save(resume)
    return training.network.eval(), training.history


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


class _Training:
    """Everything that changes while the network is trained, and what saves and restores it."""

    def __init__(
        self, images: FaceImages, recipe: TrainingRecipe, seed: int, device: torch.device, workers: int
    ) -> None:
        self.recipe, self.seed, self.device, self.workers = recipe, seed, device, workers
        self.crops = TrainingCrops(images, recipe.crops, recipe.targets, seed)
        torch.manual_seed(derive_seed(seed, "weights"))
        self.network = TinyFacesNetwork(recipe.trunk)
        if recipe.pretrained:
            load_imagenet(self.network)
        place(self.network, device, channels_last=True)
        fine = list(self.network.score_res3.parameters())
        rest = [*self.network.model.parameters(), *self.network.score_res4.parameters()]
        self.optimizer = torch.optim.SGD(
            [{"params": rest, "factor": 1.0}, {"params": fine, "factor": recipe.fine_head_lr}],
            recipe.lr,
            recipe.momentum,
            weight_decay=recipe.weight_decay,
        )
        self.history: list[TrainingEpoch] = []
        self.steps = math.ceil((recipe.images_per_epoch or len(images)) / recipe.batch_size)

    def run_epoch(self, epoch: int, bar: ProgressBar) -> TrainingEpoch:
        """Train for one epoch; every random choice in it follows from the seed and the epoch alone."""
        started = time.perf_counter()
        self.network.train()
        sums = torch.zeros(4, dtype=torch.float64, device=self.device)
        images, lr = 0, 0.0
        for step, (pixels, labels, targets) in enumerate(self._batches(epoch)):
            lr = self._set_learning_rate(epoch, step)
            sums += self._step(pixels, labels, targets, derive_seed(self.seed, "sampling", epoch, step))
            images += len(pixels)
            bar.update()
        means = (sums / images).tolist()
        if not all(map(math.isfinite, means)):
            raise TrainingError(
                f"the loss is not finite in epoch {epoch + 1} of {self.recipe.epochs} (learning rate {lr:.2e}, seed "
                f"{self.seed}). Lower `lr` (a tenth is a good start) or raise `warmup_steps`."
            )
        seconds = time.perf_counter() - started
        classification, regression, positives, negatives = means
        rate = images / seconds
        row = TrainingEpoch(epoch + 1, classification, regression, positives, negatives, lr, rate, seconds)
        self.history.append(row)
        return row

    def _batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        rng = np.random.default_rng(derive_seed(self.seed, "order", epoch))
        total, wanted = len(self.crops), self.recipe.images_per_epoch or len(self.crops)
        order = np.concatenate([rng.permutation(total) for _ in range(math.ceil(wanted / total))])[:wanted]
        keys = [(epoch, int(index)) for index in order]
        return iter(
            DataLoader(
                self.crops,
                self.recipe.batch_size,
                sampler=keys,
                num_workers=self.workers,
                pin_memory=self.device.type == "cuda",
                multiprocessing_context="spawn" if self.workers else None,
            )
        )

    def _set_learning_rate(self, epoch: int, step: int) -> float:
        recipe = self.recipe
        lr = recipe.lr * 0.1 ** (epoch // recipe.step_epochs if recipe.step_epochs else 0)
        lr *= min(1.0, (epoch * self.steps + step + 1) / max(1, recipe.warmup_steps))
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["factor"]
        return lr

    def _step(self, pixels: Tensor, labels: Tensor, targets: Tensor, seed: int) -> Tensor:
        """One step; returns the sums over images of both losses, of positives and of negatives, (4,) float64."""
        pixels = pixels.to(self.device, non_blocking=True).float().contiguous(memory_format=torch.channels_last)
        labels, targets = (t.to(self.device, non_blocking=True) for t in (labels, targets))
        with autocast(self.recipe.precision, self.device):
            maps = self.network(pixels)  # (B, 125, h, h)
        maps = maps.float()
        chosen = select(maps[:, :NUM_TEMPLATES], labels, seed, self.recipe.sampling)
        classification, regression = detection_loss(maps, chosen, targets)
        self.optimizer.zero_grad(set_to_none=True)
        (classification + regression).backward()
        self.optimizer.step()
        losses = torch.stack([classification.detach(), regression.detach()]) * len(pixels)
        return torch.cat([losses, torch.stack([(chosen == 1).sum(), (chosen == -1).sum()])]).double()

    def restore(self, resume: Resume | None) -> None:
        """Continue from a saved state when there is one."""
        state = resume.load(self.device) if resume is not None else None
        if state is None:
            return
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.history = [TrainingEpoch(**row) for row in state["history"]]
        logger.info("continuing after epoch %d of %d", len(self.history), self.recipe.epochs)

    def save(self, resume: Resume | None) -> None:
        if resume is not None:
            history = [asdict(row) for row in self.history]
            resume.save(
                {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict(), "history": history}
            )


def _fill(cls: Any, entry: Any, where: str) -> Any:
    if not isinstance(entry, Mapping):
        raise ConfigError(f"detector training: {where.rstrip('.')} is {entry!r}; expected keys with values below it")
    known = [f.name for f in fields(cls)]
    for key in entry:
        if key not in known:
            raise ConfigError(f"detector training: there is no '{where}{key}': {nearest(key, known)}")
    try:
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()})
    except (TypeError, ValueError) as error:
        raise ConfigError(f"detector training: {error}") from error
