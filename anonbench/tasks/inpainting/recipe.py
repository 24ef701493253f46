"""What decides how an inpainter is trained: an entry of `inpainters:` but for its detector and data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from anonbench.core import checks as _checks
from anonbench.core.fields import build
from anonbench.tasks.reid.recipe import PRECISIONS, choose, mapping
from anonbench.training.inpainter import InpainterSettings
from anonbench.training.optimizers import Adam
from anonbench.training.schedules import Constant, Schedule


@dataclass(frozen=True)
class InpaintingRecipe:
    """How a generator and its discriminator learn.

    network: the generator and its crops (`training.inpainter.InpainterSettings`).
    epochs: >= 0. 0 keeps the initial weights.
    crops_per_epoch: that are looked at before the next line of the history, >= 1.
    batch_size: crops a step, >= 2.
    optimizer: Adam's parameters, of both networks. DeepPrivacy2: learning rate 0.002, betas 0 and 0.99.
    schedule: of both learning rates, as in a model's recipe, over `optimizer.lr`. DeepPrivacy2: constant. A rate that
        falls takes the noise out of a short training.
    discriminator_width: channels of its first level, >= 1.
    r1: weight of the penalty on the discriminator's gradient at real crops, >= 0. DeepPrivacy2: 0.1 for bodies, 1 for
        faces of 256 x 256.
    r1_every: steps from one penalty to the next, >= 1; it counts as many times as much.
    drift: weight of the discriminator's squared answers to real crops, >= 0.
    l1: weight of the mean absolute difference between the hidden person and the one put there, in -1..1, >= 0. 0 is
        DeepPrivacy2's and the only value that asks for nobody in particular. A little makes a short training look like
        people sooner, and like the average of them.
    average: decay of the running mean of the generator's weights in every step, 0 <= average < 1. The mean is what is
        judged and kept. Early on it decays faster: (1 + steps) / (10 + steps) at most.
    flip: probability of a horizontal flip, 0..1.
    least_px: height of the smallest regions that are learnt from, in pixels of the picture, >= 1: smaller ones are
        blurred when they are enlarged.
    most_crops: that are kept in memory, >= 2; of more people so many are drawn.
    held_out: share of the pictures whose crops are not learnt from but judged by, 0 < held_out < 1.
    most_judged: crops by which the distance is computed, >= 2.
    judged_every: epochs between two computations, >= 1; the last epoch is always judged.
    centres: cluster centres of styles that are computed in the end, >= 1. DeepPrivacy2: 512.
    precision: fp32, bf16 or auto, as in a model's recipe.
    Source: DeepPrivacy2's public configurations, which train on 50 million crops of 288 x 160, 64 a step.
    """

    network: InpainterSettings = field(default_factory=InpainterSettings)
    epochs: int = 100
    crops_per_epoch: int = 500_000
    batch_size: int = 64
    optimizer: Adam = field(default_factory=lambda: Adam(0.002, 0.0, (0.0, 0.99)))
    schedule: Schedule = field(default_factory=Constant)
    discriminator_width: int = 64
    r1: float = 0.1
    r1_every: int = 16
    drift: float = 0.001
    l1: float = 0.0
    average: float = 0.999
    flip: float = 0.5
    least_px: int = 16
    most_crops: int = 200_000
    held_out: float = 0.1
    most_judged: int = 1024
    judged_every: int = 1
    centres: int = 512
    precision: str = "auto"

    def __post_init__(self) -> None:
        _checks.integer("epochs", self.epochs, 0)
        for name in ("crops_per_epoch", "discriminator_width", "r1_every", "least_px", "judged_every", "centres"):
            _checks.integer(name, getattr(self, name), 1)
        for name in ("batch_size", "most_crops", "most_judged"):
            _checks.integer(name, getattr(self, name), 2)
        for name in ("r1", "drift", "l1"):
            _checks.number(name, getattr(self, name), 0)
        _checks.number("flip", self.flip, 0, 1)
        _checks.number("average", self.average, 0, 1)
        _checks.number("held_out", self.held_out, 0, 1, above=True)
        for name in ("average", "held_out"):
            if getattr(self, name) == 1:
                raise ValueError(f"{name} is 1; expected < 1")
        _checks.choice("precision", self.precision, PRECISIONS)

    @classmethod
    def from_config(cls, entry: Mapping[str, Any] | None, where: str = "recipe") -> InpaintingRecipe:
        """The recipe that a config entry describes; what it leaves out keeps its default, within its sections, too.

        where: the entry's place in the config, for messages.
        Raises `ConfigError` for an unknown key (with the nearest known one) or a value out of range.
        """
        values: dict[str, Any] = dict(mapping(entry, where))
        values["network"] = build(InpainterSettings, mapping(values.get("network"), where), f"{where}.network")
        adam = {"lr": 0.002, "weight_decay": 0.0, "betas": (0.0, 0.99), **mapping(values.get("optimizer"), where)}
        values["optimizer"] = build(Adam, adam, f"{where}.optimizer")
        if "schedule" in values:
            values["schedule"] = choose("schedule", values["schedule"], f"{where}.schedule")
        return build(cls, values, where)
