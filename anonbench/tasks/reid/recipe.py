"""The `training:` entry of a model's config: everything that decides what a training learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from anonbench.core import checks as _checks
from anonbench.core.errors import ConfigError, nearest
from anonbench.core.fields import build
from anonbench.tasks.reid.augmentation import Augmentation
from anonbench.tasks.reid.losses import LossSettings
from anonbench.tasks.reid.samplers import IdentitySampler, Sampler, Shuffle, check_batch_size
from anonbench.training.optimizers import SGD, Adam, Optimizer
from anonbench.training.schedules import Constant, OneCycle, Schedule, Step, WarmupShares, WarmupStep

PRECISIONS = ("auto", "fp32", "bf16")
CHANNELS_LAST = ("auto", True, False)

# The choices behind `method:` of the entries that have one; the first is the default.
METHODS: dict[str, dict[str, Any]] = {
    "optimizer": {"adam": Adam, "sgd": SGD},
    "schedule": {
        "step": Step,
        "constant": Constant,
        "warmup_step": WarmupStep,
        "warmup_shares": WarmupShares,
        "one_cycle": OneCycle,
    },
    "sampler": {"shuffle": Shuffle, "pk": IdentitySampler},
}
SECTIONS: dict[str, Any] = {"loss": LossSettings, "augmentation": Augmentation}


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. The defaults are Study 1's recipe for torchreid's five architectures.

    epochs: passes over the training set, >= 0. 0 keeps the initial weights. The papers': 100, BoT 120.
    batch_size: images a step, >= 2 (batch normalisation needs more than one). The paper's: 32, BoT 64.
    optimizer: `method: adam | sgd` and its parameters.
    schedule: `method: constant | step | warmup_step | warmup_shares | one_cycle` and parameters, over `optimizer.lr`.
    loss: label smoothing, and the weights of the triplet and center losses.
    sampler: `method: shuffle | pk`. For `pk` batch_size must be identities x images.
    augmentation: probabilities of flip, translation, pad-and-crop and erasing.
    precision: fp32, bf16 or auto. bf16: convolutions and matrix products in bfloat16, weights and sums in float32.
        auto: bf16 where the processor multiplies it natively (AMX, AVX-512 BF16, GPUs from Ampere on), else fp32.
    channels_last: memory order of maps. auto: true (1.1 to 1.4 times faster on CPUs, no effect on what is learnt).
    Source: Dietlmeier et al. 2020, section IV-A. What it leaves open is from torchreid's defaults.
    """

    epochs: int = 100
    batch_size: int = 32
    optimizer: Optimizer = field(default_factory=Adam)
    schedule: Schedule = field(default_factory=Step)
    loss: LossSettings = field(default_factory=LossSettings)
    sampler: Sampler = field(default_factory=Shuffle)
    augmentation: Augmentation = field(default_factory=Augmentation)
    precision: str = "auto"
    channels_last: Literal["auto"] | bool = "auto"

    def __post_init__(self) -> None:
        _checks.integer("epochs", self.epochs, 0)
        _checks.integer("batch_size", self.batch_size, 2)
        _checks.choice("precision", self.precision, PRECISIONS)
        _checks.choice("channels_last", self.channels_last, CHANNELS_LAST)
        check_batch_size(self.batch_size, self.sampler)

    @classmethod
    def from_config(cls, entry: Mapping[str, Any] | None, where: str = "training") -> Recipe:
        """The recipe that a config entry describes. What it leaves out keeps its default.

        where: the entry's place in the config, for messages.
        Raises `ConfigError` for an unknown key (with the nearest known one) or a value out of range.
        """
        values: dict[str, Any] = dict(mapping(entry, where))
        for key in METHODS.keys() & values.keys():
            values[key] = choose(key, values[key], f"{where}.{key}")
        for key in SECTIONS.keys() & values.keys():
            values[key] = build(SECTIONS[key], mapping(values[key], f"{where}.{key}"), f"{where}.{key}")
        return build(cls, values, where)


def mapping(entry: object, where: str) -> Mapping[str, Any]:
    if entry is None:
        return {}
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{where} is {entry!r}; expected keys with values below it")
    return entry


def choose(key: str, entry: object, where: str) -> Any:
    """Build the variant that `method:` names."""
    values = dict(mapping(entry, where))
    methods = METHODS[key]
    method = values.pop("method", next(iter(methods)))
    if method not in methods:
        raise ConfigError(f"{where}.method is {method!r}: {nearest(str(method), methods)}")
    return build(methods[method], values, where)
