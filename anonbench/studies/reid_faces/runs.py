"""The runs of a setting: every training that was evaluated in it, one value each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from anonbench.core.errors import DataError
from anonbench.studies.reid_faces.settings import SETTINGS, Metrics, labels_of, of_setting


@dataclass(frozen=True, slots=True)
class Case:
    """What a row of a figure stands for: one model on one dataset, and the variant that "anonymized" means."""

    dataset: str
    model: str
    variant: str


@dataclass(frozen=True, slots=True)
class Runs:
    """One metric of the runs of one setting, in percent."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return fmean(self.values)

    @property
    def standard_error(self) -> float:
        """Standard error of the mean; NaN for a single run, which says nothing about the others."""
        return stdev(self.values) / math.sqrt(len(self.values)) if len(self.values) > 1 else math.nan

    @property
    def bounds(self) -> tuple[float, float]:
        """The mean less and plus one standard error; the mean itself for a single run."""
        error = self.standard_error if len(self.values) > 1 else 0.0
        return self.mean - error, self.mean + error


def find_runs(metrics: Sequence[Metrics], case: Case, setting: str) -> list[Metrics]:
    """The metrics of every run (seed, split) of a setting, a key of `settings.SETTINGS`, in the order given.

    Raises `DataError` when there is none.
    """
    wanted = _labels(case, setting)
    found = of_setting(metrics, wanted)
    if not found:
        raise DataError(
            f"no metrics for {case.dataset}, {case.model}, trained on {wanted['train']}, tested on {wanted['query']}; "
            f"the figure needs that setting among its inputs."
        )
    return found


def has_runs(metrics: Sequence[Metrics], case: Case, setting: str) -> bool:
    """Whether a setting, a key of `settings.SETTINGS`, has been evaluated in any run."""
    return bool(of_setting(metrics, _labels(case, setting)))


def _labels(case: Case, setting: str) -> dict[str, str]:
    """What the metrics of a setting are labelled with."""
    train, test = (case.variant if v == "anon" else v for v in SETTINGS[setting])
    return labels_of(case.dataset, case.model, train, test)


def runs_of(metrics: Sequence[Metrics], case: Case, setting: str, metric: str) -> Runs:
    """One metric (`map`, `rank1`, …) of every run of a setting. Raises `DataError` when there is none."""
    return Runs(tuple(100 * float(m[metric]) for m in find_runs(metrics, case, setting)))


def describe_runs(counts: Sequence[int]) -> str:
    """What marks and bars mean, given how many runs stand behind each of them."""
    fewest, most = min(counts), max(counts)
    if most == 1:
        return "One run a mark: the spread between runs is not known."
    many = str(most) if fewest == most else f"{fewest} to {most}"
    return f"Marks: means of {many} runs; bars: ± 1 standard error; ticks: single runs."
