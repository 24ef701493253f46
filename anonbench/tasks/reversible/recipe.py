"""A recipe of Study 2: everything that decides what a joint training, its base and a restoration learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from anonbench.core import checks as _checks
from anonbench.core.fields import build
from anonbench.tasks.reid.losses import LossSettings
from anonbench.tasks.reid.recipe import METHODS, PRECISIONS, choose, mapping
from anonbench.tasks.reid.samplers import IdentitySampler, Sampler, check_batch_size
from anonbench.training.optimizers import Adam, Optimizer
from anonbench.training.schedules import Schedule, WarmupStep


@dataclass(frozen=True)
class GeneratorSettings:
    """The U-Nets that anonymize and recover.

    levels: halvings, 2 or more: 7 for 256 x 128, at most 6 for 128 x 64.
    width: channels of the first level, >= 1.
    """

    levels: int = 7
    width: int = 64

    def __post_init__(self) -> None:
        _checks.integer("levels", self.levels, 2)
        _checks.integer("width", self.width, 1)


@dataclass(frozen=True)
class DiscriminatorSettings:
    """The discriminators.

    width: channels of the first layer, >= 1.
    layers: convolutions of stride 2, >= 1; 3 see patches of 70 x 70 pixels.
    """

    width: int = 64
    layers: int = 3

    def __post_init__(self) -> None:
        _checks.integer("width", self.width, 1)
        _checks.integer("layers", self.layers, 1)


@dataclass(frozen=True)
class UpgradeSettings:
    """When the generator's own pictures replace the desensitized ones as what it is to make.

    epsilon_psnr: by how much PSNR(raw, protected) may exceed PSNR(raw, desensitized), in dB.
    epsilon_ssim: the same for SSIM.
    epsilon_rank1: how far below the base's R1(raw, desensitized) the first R1(raw, protected) that counts may lie, in
        0..1.
    every: epochs between two decisions, >= 1, a multiple of validation.every.
    Source: Zhang et al. 2022, sections 3.4 and 4.2; `every` is from their code.
    """

    epsilon_psnr: float = 1.0
    epsilon_ssim: float = 0.05
    epsilon_rank1: float = 0.05
    every: int = 5

    def __post_init__(self) -> None:
        _checks.number("epsilon_psnr", self.epsilon_psnr, 0)
        _checks.number("epsilon_ssim", self.epsilon_ssim, 0)
        _checks.number("epsilon_rank1", self.epsilon_rank1, 0, 1)
        _checks.integer("every", self.every, 1)


@dataclass(frozen=True)
class ValidationSettings:
    """The training identities that no network learns from.

    share: of the training identities, 0 < share < 1.
    query_share: of their images, those that are queries; the others are the gallery. 0 < query_share < 1.
    every: epochs between two validations, >= 1. The last epoch is always validated.
    Source: Zhang et al. 2022, section 4.2: 4 : 1 both times. Their code validates every 5 epochs, when it decides.
    """

    share: float = 0.2
    query_share: float = 0.2
    every: int = 1

    def __post_init__(self) -> None:
        for name in ("share", "query_share"):
            _checks.number(name, getattr(self, name), 0, 1, above=True)
            if getattr(self, name) == 1:
                raise ValueError(f"{name} is 1; expected < 1")
        _checks.integer("every", self.every, 1)


# Keys with keys below them: the methods they choose from (of `tasks.reid.recipe.METHODS`), or None for a plain section.
SECTIONS: dict[str, str | None] = {
    "sampler": "sampler",
    "schedule": "schedule",
    "generator_optimizer": "optimizer",
    "discriminator_optimizer": "optimizer",
    "reid_optimizer": "optimizer",
    "loss": None,
    "generator": None,
    "discriminator": None,
    "upgrade": None,
    "validation": None,
}


@dataclass(frozen=True)
class JointRecipe:
    """How two generators, their discriminators and a re-identification network learn together, by default as published.

    epochs: passes over the training identities, >= 0. 0 keeps the initial weights.
    batch_size: images a step, >= 2. For `pk` it must be identities x images.
    sampler: `method: shuffle | pk`. The paper follows AGW, whose batches are 16 identities x 4 images.
    generator, discriminator: sizes of the networks.
    generator_optimizer: `method: adam | sgd` and its parameters, of both generators.
    discriminator_optimizer: the same, of both discriminators.
    reid_optimizer: the same, of the re-identification network.
    schedule: as in a model's recipe; the factor of all three learning rates.
    loss: of the re-identification network, as in a model's recipe. Default: AGW's.
    l1_weight: lambda, of the mean absolute differences in -1..1, >= 0.
    reid_weight: of the re-identification losses of equation 8, > 0 (the paper: 1).
    head_start: epochs in which the generators and discriminators learn alone before the re-identification network
        joins them, >= 0 and < epochs (the paper: 0). A small budget of CPU time goes further so: those epochs cost a
        third, and the network does not learn from pictures that hide nothing in particular yet. In the others its
        learning rate runs through the whole schedule, and so it does in the training of the base, which has only them.
    flip: probability of a horizontal flip, which original and wanted picture share, 0..1.
    upgrade: when the supervision is upgraded.
    validation: which identities are held out, and how often they are looked at.
    precision: fp32, bf16 or auto, as in a model's recipe.
    Source: Zhang et al. 2022, section 4.2. Weight decay and the discriminators' betas and learning rate are from their
        code. What else it changes in the training images beside the flip is not known; here nothing.
    """

    epochs: int = 120
    batch_size: int = 64
    sampler: Sampler = field(default_factory=lambda: IdentitySampler(16, 4))
    generator: GeneratorSettings = field(default_factory=GeneratorSettings)
    discriminator: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)
    generator_optimizer: Optimizer = field(default_factory=lambda: Adam(3.5e-4, 5e-4, (0.5, 0.999)))
    discriminator_optimizer: Optimizer = field(default_factory=lambda: Adam(3.5e-4, 5e-4, (0.5, 0.999)))
    reid_optimizer: Optimizer = field(default_factory=lambda: Adam(3.5e-4, 5e-4))
    schedule: Schedule = field(default_factory=lambda: WarmupStep(10, 0.1, (40, 80), 0.1))
    loss: LossSettings = field(
        default_factory=lambda: LossSettings(triplet="weighted", triplet_weight=1.0, center_weight=5e-4)
    )
    l1_weight: float = 100.0
    reid_weight: float = 1.0
    head_start: int = 0
    flip: float = 0.5
    upgrade: UpgradeSettings = field(default_factory=UpgradeSettings)
    validation: ValidationSettings = field(default_factory=ValidationSettings)
    precision: str = "auto"

    def __post_init__(self) -> None:
        _checks.integer("epochs", self.epochs, 0)
        _checks.integer("batch_size", self.batch_size, 2)
        _checks.number("l1_weight", self.l1_weight, 0)
        _checks.number("reid_weight", self.reid_weight, 0, above=True)
        _checks.integer("head_start", self.head_start, 0)
        if self.head_start and self.head_start >= self.epochs:
            raise ValueError(
                f"head_start is {self.head_start} and epochs is {self.epochs}; expected fewer epochs of head start"
            )
        _checks.number("flip", self.flip, 0, 1)
        _checks.choice("precision", self.precision, PRECISIONS)
        check_batch_size(self.batch_size, self.sampler)
        if self.upgrade.every % self.validation.every:
            raise ValueError(
                f"upgrade.every is {self.upgrade.every} and validation.every is {self.validation.every}; expected a "
                f"multiple: the supervision is decided on after a validation"
            )

    @property
    def reid_epochs(self) -> int:
        """Epochs in which the re-identification network learns."""
        return self.epochs - self.head_start

    @classmethod
    def from_config(cls, entry: Mapping[str, Any] | None, where: str = "recipe") -> JointRecipe:
        """The recipe that a config entry describes. What it leaves out keeps its default, within its sections, too.

        So `generator_optimizer: {lr: 0.001}` changes the learning rate and leaves the betas alone. Another `method:`
        than the default's starts from that method's own values.

        where: the entry's place in the config, for messages.
        Raises `ConfigError` for an unknown key (with the nearest known one) or a value out of range.
        """
        values: dict[str, Any] = dict(mapping(entry, where))
        defaults = cls()
        for key in SECTIONS.keys() & values.keys():
            place = f"{where}.{key}"
            values[key] = _section(key, getattr(defaults, key), mapping(values[key], place), place)
        return build(cls, values, where)


def _section(key: str, default: Any, entry: Mapping[str, Any], where: str) -> Any:
    """A section with the values of its entry, and the default's for the others."""
    kept = {part.name: getattr(default, part.name) for part in fields(default)}
    kind = SECTIONS[key]
    if kind is not None:
        methods = METHODS[kind]
        name = next(name for name, method in methods.items() if method is type(default))
        if entry.get("method", name) != name:
            return choose(kind, entry, where)
        return choose(kind, {"method": name, **kept, **entry}, where)
    return build(type(default), {**kept, **entry}, where)
