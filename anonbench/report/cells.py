"""Cells of tables in percent: the mean over the runs (seeds, and splits where a dataset has several) of a condition.

cell = cell_of(results, "map", condition)    # results: metrics files; condition: what its runs share
cell.mean, cell.standard_error
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, Protocol

from anonbench.core.errors import DataError
from anonbench.data.results import Metrics
from anonbench.report.layout import STANDARD_ERROR

RUN = ("split", "seed")


class Condition(Protocol):
    """What the runs of a cell share: a network, what it was trained on, what it was tested on."""

    @property
    def dataset(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def train(self) -> str: ...

    @property
    def tested(self) -> str:
        """What it was tested on, in words."""

    @property
    def labels(self) -> dict[str, str]:
        """What its metrics are labelled with."""


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


@dataclass(frozen=True, slots=True)
class Cell:
    """One metric of one setting in percent: {(split, seed): value}; split is None where a dataset has only one."""

    runs: Mapping[tuple[int | None, int], float]

    @property
    def mean(self) -> float:
        """Mean over the runs, two decimals."""
        return round(Runs(tuple(self.runs.values())).mean, 2)

    @property
    def standard_error(self) -> float | None:
        """Of the mean over the runs, two decimals; None for a single run.

        Splits share images, so that their runs are less independent than their number says: a lower bound there.
        """
        return round(Runs(tuple(self.runs.values())).standard_error, 2) if len(self.runs) > 1 else None


def of_condition(results: Sequence[Metrics], condition: Condition) -> list[Metrics]:
    """The metrics of every run (seed, split) of a condition, in the order given."""
    labels = condition.labels
    return [m for m in results if all(m.get(key) == value for key, value in labels.items())]


def number(metrics: Metrics, metric: str) -> float:
    """A metric by its name; one in a group by the names with points between them.

    Raises `DataError` where there is none, or no number.

    >>> number({"map": 0.5, "segm": {"ap": 0.25}}, "segm.ap")
    0.25
    """
    found: Any = metrics
    for name in metric.split("."):
        if not isinstance(found, Mapping) or name not in found:
            known = ", ".join(map(str, found)) if isinstance(found, Mapping) and found else "nothing"
            raise DataError(f"metrics have no '{metric}': '{name}' is not among {known}")
        found = found[name]
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise DataError(f"metrics: '{metric}' is {found!r}; expected a number")
    return float(found)


def cell_of(results: Sequence[Metrics], metric: str, condition: Condition) -> Cell:
    """One metric of every run of a condition. Raises `DataError` when there is none."""
    matching = of_condition(results, condition)
    if not matching:
        raise DataError(
            f"no metrics for {condition.dataset}, {condition.model}, trained on {condition.train}, tested on "
            f"{condition.tested}; the table needs that setting among its inputs."
        )
    runs = {(r.get("split"), r["seed"]): 100 * number(r, metric) for r in matching}
    return Cell(dict(sorted(runs.items(), key=lambda run: (run[0][0] or 0, run[0][1]))))


def summary(row: Mapping[str, Cell]) -> dict[str, Any]:
    """The fields of a row: means, number of runs, standard errors (`<column>_se`)."""
    runs = len(next(iter(row.values())).runs)
    errors = {f"{column}{STANDARD_ERROR}": cell.standard_error for column, cell in row.items()}
    return {**{column: cell.mean for column, cell in row.items()}, "runs": runs, **errors}


def describe_results(results: Sequence[Metrics]) -> str:
    """Which runs there are, in words: `seeds 0, 1 and splits 0, 1`."""
    seeds = sorted({r["seed"] for r in results})
    splits = sorted({r["split"] for r in results if r.get("split") is not None})
    text = f"{'seeds' if len(seeds) > 1 else 'seed'} {', '.join(map(str, seeds))}"
    return text + (f" and splits {', '.join(map(str, splits))}" if splits else "")
