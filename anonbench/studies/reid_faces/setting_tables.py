"""Metrics of settings arranged as Study 1 prints them: Tables III-VII (a row per model), Table VIII (per anonymizer).

A cell is the mean over runs (seeds, and splits where a dataset has several) with its standard error; the runs stand in
a table of their own.

Source: Dietlmeier et al. 2020, Tables III-VIII: their order of rows and columns, in percent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from anonbench.core.errors import DataError
from anonbench.studies.reid_faces.runs import Runs
from anonbench.studies.reid_faces.settings import (
    BASELINE,
    METRICS,
    ORIGINAL,
    SETTINGS,
    UNTRAINED,
    Metrics,
    labels_of,
    of_setting,
)

RUN = ("split", "seed")
STANDARD_ERROR = "_se"


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


def model_table(metrics: Iterable[Metrics], dataset: str, models: Sequence[str], variant: str) -> pd.DataFrame:
    """One row a model: data, model, mAP and rank-1 of the three settings (means in percent), number of runs, errors."""
    results = list(metrics)
    rows = [
        {"data": dataset, "model": model, **_summary(cells(results, dataset, model, variant, tuple(SETTINGS)))}
        for model in models
    ]
    return pd.DataFrame(rows)


def anonymizer_table(metrics: Iterable[Metrics], dataset: str, model: str, variants: Sequence[str]) -> pd.DataFrame:
    """One row an anonymizer: data, anonymizer, mAP and rank-1 of the two anonymized settings, runs, standard errors."""
    results = list(metrics)
    settings = ("orig_anon", "anon_anon")
    rows = [
        {"data": dataset, "anonymizer": v, **_summary(cells(results, dataset, model, v, settings))} for v in variants
    ]
    return pd.DataFrame(rows)


def runs_table(metrics: Iterable[Metrics], dataset: str, rows: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """What the means stand on: data, model, variant, split, seed and the values of the three settings in percent.

    rows: (model, variant) pairs.
    """
    results = list(metrics)
    table = []
    for model, variant in rows:
        found = cells(results, dataset, model, variant, tuple(SETTINGS))
        for run in found[f"map_{BASELINE}"].runs:
            values = {column: round(cell.runs[run], 4) for column, cell in found.items()}
            table.append(
                {"data": dataset, "model": model, "variant": variant, **dict(zip(RUN, run, strict=True)), **values}
            )
    return pd.DataFrame(table).astype({"split": "Int64"})


def untrained_table(metrics: Iterable[Metrics], pairs: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """Trained beside untrained networks, original images: has the training taught the networks anything?

    pairs: (dataset, model). rank1_ratio: trained rank-1 over untrained; below 2 a cell measures little.
    """
    results = list(metrics)
    rows = []
    for dataset, model in pairs:
        row: dict[str, Any] = {"data": dataset, "model": model}
        for name, train in (("untrained", UNTRAINED), ("trained", ORIGINAL)):
            for metric in METRICS:
                row[f"{metric}_{name}"] = _cell(results, metric, dataset, model, train, ORIGINAL).mean
        row["rank1_ratio"] = round(row["rank1_trained"] / row["rank1_untrained"], 2) if row["rank1_untrained"] else None
        rows.append(row)
    return pd.DataFrame(rows)


def cells(
    results: Sequence[Metrics], dataset: str, model: str, variant: str, settings: Sequence[str]
) -> dict[str, Cell]:
    """The cells of one row by column, such as `map_orig_anon`.

    Raises `DataError` when the settings have not been evaluated in the same runs.
    """
    found = {}
    for setting in settings:
        train, test = (variant if v == "anon" else v for v in SETTINGS[setting])
        for metric in METRICS:
            found[f"{metric}_{setting}"] = _cell(results, metric, dataset, model, train, test)
    runs = {column: set(cell.runs) for column, cell in found.items()}
    first = next(iter(runs))
    for column, present in runs.items():
        if present != runs[first]:
            odd = sorted(map(str, present ^ runs[first]))[0]
            raise DataError(
                f"{dataset}, {model}, {variant}: {first} and {column} do not have the same (split, seed) runs, first "
                f"difference {odd}. Evaluate all settings for all runs."
            )
    return found


def _cell(results: Sequence[Metrics], metric: str, dataset: str, model: str, train: str, test: str) -> Cell:
    matching = of_setting(results, labels_of(dataset, model, train, test))
    if not matching:
        raise DataError(
            f"no metrics for {dataset}, {model}, trained on {train}, tested on {test}; "
            f"the table needs that setting among its inputs."
        )
    runs = {(r.get("split"), r["seed"]): 100 * r[metric] for r in matching}
    return Cell(dict(sorted(runs.items(), key=lambda run: (run[0][0] or 0, run[0][1]))))


def _summary(row: Mapping[str, Cell]) -> dict[str, Any]:
    runs = len(next(iter(row.values())).runs)
    errors = {f"{column}{STANDARD_ERROR}": cell.standard_error for column, cell in row.items()}
    return {**{column: cell.mean for column, cell in row.items()}, "runs": runs, **errors}
