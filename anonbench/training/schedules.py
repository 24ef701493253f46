"""Learning-rate schedules: what the optimizer's learning rate is multiplied by."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

from anonbench.core import checks as _checks


@dataclass(frozen=True)
class Constant:
    """The same learning rate throughout."""

    def factor(self, epoch: int, progress: float, epochs: int) -> float:
        return 1.0


@dataclass(frozen=True)
class Step:
    """Multiply the learning rate by `gamma` after each milestone.

    milestones: numbers of finished epochs, ascending, >= 1.
    gamma: > 0. The paper's decay: 0.1.
    Source: Dietlmeier et al. 2020 give gamma alone. The milestones are torchreid's default step of 20 epochs.
    """

    milestones: tuple[int, ...] = (20, 40, 60, 80)
    gamma: float = 0.1

    def __post_init__(self) -> None:
        _check_milestones(self.milestones)
        _checks.number("gamma", self.gamma, 0, above=True)

    def factor(self, epoch: int, progress: float, epochs: int) -> float:
        return self.gamma ** bisect_right(self.milestones, epoch)


@dataclass(frozen=True)
class WarmupStep:
    """Rise linearly over the first epochs, then multiply by `gamma` after each milestone. One value an epoch.

    In the t-th epoch (t = 1, 2, ...) the factor rises from warmup_start at t = 1 to 1 at t = warmup_epochs.

    warmup_epochs: >= 1.
    warmup_start: factor of the first epoch, > 0, <= 1.
    milestones, gamma: as for `step`.
    Source: Dietlmeier et al. 2020, section IV-A: from 3.5e-5 to 3.5e-4 in the first 10 epochs, x 0.1 after 40 and 70,
    which is t / 10. (Its formula prints 3.5e-5 x t / 10, against its own text.) BoT's code starts at 0.01 and reaches
    1 one epoch later.
    """

    warmup_epochs: int = 10
    warmup_start: float = 0.1
    milestones: tuple[int, ...] = (40, 70)
    gamma: float = 0.1

    def __post_init__(self) -> None:
        _checks.integer("warmup_epochs", self.warmup_epochs, 1)
        _checks.number("warmup_start", self.warmup_start, 0, 1, above=True)
        _check_milestones(self.milestones)
        _checks.number("gamma", self.gamma, 0, above=True)

    def factor(self, epoch: int, progress: float, epochs: int) -> float:
        decay = self.gamma ** bisect_right(self.milestones, epoch)
        if epoch >= self.warmup_epochs - 1:
            return decay
        return decay * (self.warmup_start + (1 - self.warmup_start) * epoch / (self.warmup_epochs - 1))


@dataclass(frozen=True)
class OneCycle:
    """Rise to the learning rate and fall again, both along a half cosine, changing with every batch.

    rise: share of the training in which the rate rises, within 0..1.
    start: factor at the beginning, > 0, <= 1.
    end: factor at the end, >= 0, <= 1.
    Source: Smith and Topin, "Super-Convergence", arXiv:1708.07120, with torch's cosine form and defaults. Adam's beta
    stays constant here.
    """

    rise: float = 0.3
    start: float = 0.04
    end: float = 4e-6

    def __post_init__(self) -> None:
        _checks.number("rise", self.rise, 0, 1)
        _checks.number("start", self.start, 0, 1, above=True)
        _checks.number("end", self.end, 0, 1)

    def factor(self, epoch: int, progress: float, epochs: int) -> float:
        done = (epoch + progress) / epochs  # 0..1
        if done < self.rise:
            return _cosine(self.start, 1.0, done / self.rise)
        return _cosine(1.0, self.end, (done - self.rise) / (1 - self.rise) if self.rise < 1 else 0.0)


@dataclass(frozen=True)
class WarmupShares:
    """Rise linearly at the beginning, then multiply by `gamma` after each milestone; places are shares of the training.

    warmup: share in which the rate rises, within 0..1. The factor changes with every batch.
    warmup_start: factor of the first batch, > 0, <= 1.
    milestones: shares, ascending, within 0..1.
    gamma: > 0.
    Source: detectron2's WarmupMultiStepLR, whose places are numbers of batches: 18,000 of 24,000 is 0.75.
    """

    warmup: float = 0.0
    warmup_start: float = 0.001
    milestones: tuple[float, ...] = (0.75,)
    gamma: float = 0.1

    def __post_init__(self) -> None:
        _checks.number("warmup", self.warmup, 0, 1)
        _checks.number("warmup_start", self.warmup_start, 0, 1, above=True)
        _checks.number("gamma", self.gamma, 0, above=True)
        for milestone in self.milestones:
            _checks.number("milestones", milestone, 0, 1, above=True)
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones is {list(self.milestones)}; expected ascending shares")

    def factor(self, epoch: int, progress: float, epochs: int) -> float:
        done = (epoch + progress) / epochs  # 0..1
        decay = self.gamma ** bisect_right(self.milestones, done)
        if done >= self.warmup:
            return decay
        return decay * (self.warmup_start + (1 - self.warmup_start) * done / self.warmup)


Schedule = Constant | Step | WarmupStep | OneCycle | WarmupShares
# Each has factor(epoch, progress, epochs): epoch counts from 0 up to epochs - 1, progress in [0, 1) is the share of
# the epoch's batches that are done.


def _cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2


def _check_milestones(milestones: object) -> None:
    if not isinstance(milestones, tuple):
        raise ValueError(f"milestones is {milestones!r}; expected a list of epochs, e.g. [40, 70]")
    for milestone in milestones:
        _checks.integer("milestones", milestone, 1)
    if list(milestones) != sorted(set(milestones)):
        raise ValueError(f"milestones is {list(milestones)}; expected ascending epochs")
