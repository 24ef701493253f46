"""Metrics of settings arranged in rows: the settings of a row side by side, in percent.

A cell is the mean over runs (seeds, and splits where a dataset has several) with its standard error; the runs go into
a table beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import pandas as pd

from anonbench.core.errors import DataError
from anonbench.report.compare import Pair, compare_number, comparison
from anonbench.report.layout import STANDARD_ERROR
from anonbench.tasks.reid.settings import Condition, Design, Metrics, Setting, of_condition

RUN = ("split", "seed")
Baselines = Mapping[str, Pair]
"""metric -> (published, rebuilt) scores of the baseline"""


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


def row_cells(
    results: Sequence[Metrics], dataset: str, model: str, columns: Mapping[str, tuple[str, Setting]], **names: str
) -> dict[str, Cell]:
    """The cells of one row by column, such as `map_orig_anon`.

    columns: as `Design.columns` has them. names: what the settings are filled with, such as `variant="blur"`.
    Raises `DataError` when the settings have not been evaluated in the same runs.
    """
    found = {
        column: cell_of(results, metric, setting.of(dataset, model, **names))
        for column, (metric, setting) in columns.items()
    }
    runs = {column: set(cell.runs) for column, cell in found.items()}
    first = next(iter(runs))
    for column, present in runs.items():
        if present != runs[first]:
            odd = sorted(map(str, present ^ runs[first]))[0]
            raise DataError(
                f"{', '.join((dataset, model, *names.values()))}: {first} and {column} do not have the same "
                f"(split, seed) runs, first difference {odd}. Evaluate all settings for all runs."
            )
    return found


def cell_of(results: Sequence[Metrics], metric: str, condition: Condition) -> Cell:
    """One metric of every run of a condition. Raises `DataError` when there is none."""
    matching = of_condition(results, condition)
    if not matching:
        raise DataError(
            f"no metrics for {condition.dataset}, {condition.model}, trained on {condition.train}, tested on "
            f"{condition.tested}; the table needs that setting among its inputs."
        )
    runs = {(r.get("split"), r["seed"]): 100 * r[metric] for r in matching}
    return Cell(dict(sorted(runs.items(), key=lambda run: (run[0][0] or 0, run[0][1]))))


def summary(row: Mapping[str, Cell]) -> dict[str, Any]:
    """The fields of a row: means, number of runs, standard errors (`<column>_se`)."""
    runs = len(next(iter(row.values())).runs)
    errors = {f"{column}{STANDARD_ERROR}": cell.standard_error for column, cell in row.items()}
    return {**{column: cell.mean for column, cell in row.items()}, "runs": runs, **errors}


def runs_table(
    results: Sequence[Metrics],
    dataset: str,
    columns: Mapping[str, tuple[str, Setting]],
    rows: Iterable[tuple[str, str]],
) -> pd.DataFrame:
    """What the means stand for: data, model, variant, split, seed and the values of the columns in percent.

    rows: (model, variant) pairs.
    """
    table = []
    for model, variant in rows:
        found = row_cells(results, dataset, model, columns, variant=variant)
        for run in next(iter(found.values())).runs:
            values = {column: round(cell.runs[run], 4) for column, cell in found.items()}
            table.append(
                {"data": dataset, "model": model, "variant": variant, **dict(zip(RUN, run, strict=True)), **values}
            )
    return pd.DataFrame(table).astype({"split": "Int64"})


def describe_results(results: Sequence[Metrics]) -> str:
    """Which runs there are, in words: `seeds 0, 1 and splits 0, 1`."""
    seeds = sorted({r["seed"] for r in results})
    splits = sorted({r["split"] for r in results if r.get("split") is not None})
    text = f"{'seeds' if len(seeds) > 1 else 'seed'} {', '.join(map(str, seeds))}"
    return text + (f" and splits {', '.join(map(str, splits))}" if splits else "")


def compare_settings(
    rebuilt: pd.DataFrame, published: pd.DataFrame | None, key: str, design: Design, baselines: Baselines | None = None
) -> pd.DataFrame:
    """Compare a table of settings with the published one, a line for every cell.

    rebuilt, published: tables with a column `key` and columns such as `map_orig_anon`; None: nothing is published.
    baselines: the scores of the baseline, for tables that do not hold them.

    Effects are differences to the baseline in percent points. Rows that the paper does not have keep empty published
    fields.
    """
    printed = pd.DataFrame(columns=rebuilt.columns, index=pd.Index([], dtype=str))
    printed = printed if published is None else published.set_index(key)
    lines = []
    for row in rebuilt.to_dict("records"):
        found = printed.loc[row[key]] if row[key] in printed.index else None
        for column, (metric, setting) in design.columns().items():
            if column not in rebuilt.columns:
                continue
            before: Pair = (None, None)
            if setting.name != design.baseline:
                before = baselines[metric] if baselines else _pair(row, found, f"{metric}_{design.baseline}")
            lines.append(compare_number(str(row["data"]), str(row[key]), column, _pair(row, found, column), before))
    return comparison(lines)


def _pair(row: Mapping[Any, Any], printed: Any, column: str) -> Pair:
    return None if printed is None else float(printed[column]), float(row[column])
