"""The `training:` entry of a network of instances: everything that decides what a training learns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from anonbench.core import checks as _checks
from anonbench.core.fields import build
from anonbench.tasks.reid.recipe import PRECISIONS, choose, mapping
from anonbench.training.optimizers import SGD, Optimizer
from anonbench.training.schedules import Schedule, Step, WarmupShares, WarmupStep


@dataclass(frozen=True)
class InstanceRecipe:
    """How a network of instances is trained. The defaults are the paper's for Cityscapes, from detectron2's config.

    epochs: passes over the training set, >= 1; without a key of that name as many as `iterations` make.
    iterations: steps, >= 1; null where epochs are given.
    batch_size: pictures a step, >= 1. What is left at the end of an epoch is left out of it; the next one is
        shuffled anew.
    optimizer: `method: adam | sgd` and its parameters. Default: SGD, 0.01, momentum 0.9, weight decay 1e-4.
    schedule: `method: constant | step | warmup_step | warmup_shares | one_cycle` and its parameters. Those that count
        epochs need `epochs`.
    short_sides: one of them is drawn for each picture; its shorter side gets that length unless the longer one exceeds
        the model's `long_side`. [] for the model's own `short_side`.
    flip: probability of mirroring, 0..1.
    clip: largest norm of the gradient, > 0; null for any.
    least_side: shortest side of the box of an instance that is learnt, in pixels of the picture as it is stored.
    without: categories that are not learnt; where they stand is background.
    empty: whether pictures without anything to learn are learnt from, too. detectron2 leaves them out.
    precision: fp32, bf16 or auto, for the trunk; heads and losses are always float32.
    Source: Hukkelås and Lindseth 2023, section 4.1, and detectron2's configs, which it names.
    """

    epochs: int | None = None
    iterations: int | None = 24_000
    batch_size: int = 8
    optimizer: Optimizer = field(default_factory=lambda: SGD(lr=0.01, weight_decay=1e-4))
    schedule: Schedule = field(default_factory=lambda: WarmupShares(warmup=1 / 24, milestones=(0.75,)))
    short_sides: tuple[int, ...] = (800, 832, 864, 896, 928, 960, 992, 1024)
    flip: float = 0.5
    clip: float | None = None
    least_side: float = 1.0
    without: tuple[str, ...] = ()
    empty: bool = False
    precision: str = "auto"

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.iterations is None):
            raise ValueError(
                f"epochs is {self.epochs} and iterations is {self.iterations}; expected one of them (the other: null)"
            )
        if self.epochs is not None:
            _checks.integer("epochs", self.epochs, 1)
        if self.iterations is not None:
            _checks.integer("iterations", self.iterations, 1)
            if isinstance(self.schedule, Step | WarmupStep):
                raise ValueError("the schedule counts epochs, but iterations are given; use `method: warmup_shares`")
        _checks.integer("batch_size", self.batch_size, 1)
        for side in self.short_sides:
            _checks.integer("short_sides", side, 32)
        _checks.number("flip", self.flip, 0, 1)
        if self.clip is not None:
            _checks.number("clip", self.clip, 0, above=True)
        _checks.number("least_side", self.least_side, 1)
        for category in self.without:
            if not isinstance(category, str):
                raise ValueError(f"without holds {category!r}; expected names of categories")
        _checks.choice("precision", self.precision, PRECISIONS)

    @classmethod
    def from_config(cls, entry: Mapping[str, Any] | None, where: str = "training") -> InstanceRecipe:
        """The recipe that a config entry describes. What it leaves out keeps its default.

        where: the entry's place in the config, for messages.
        Raises `ConfigError` for an unknown key (with the nearest known one) or a value out of range.
        """
        values: dict[str, Any] = dict(mapping(entry, where))
        for key in {"optimizer", "schedule"} & values.keys():
            values[key] = choose(key, values[key], f"{where}.{key}")
        if values.get("epochs") is not None:
            values.setdefault("iterations", None)
        return build(cls, values, where)

    def steps(self, pictures: int) -> tuple[int, int]:
        """Steps of a whole epoch, and of the training, on so many pictures."""
        each = max(1, pictures // self.batch_size)
        return each, self.iterations or each * (self.epochs or 0)

    def passes(self, pictures: int) -> int:
        """Epochs of the training; the last one of `iterations` may be shorter."""
        each, total = self.steps(pictures)
        return math.ceil(total / each)
