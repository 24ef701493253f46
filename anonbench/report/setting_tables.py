"""Metrics of settings arranged as Study 1 prints them: Tables III-VII (a row per model), Table VIII (per anonymizer).

Source: Dietlmeier et al. 2020, Tables III-VIII: their order of rows and columns, in percent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

import pandas as pd

from anonbench.errors import DataError

ORIGINAL = "original"
UNTRAINED = "untrained"
METRICS = ("map", "rank1")
# Column suffix -> (train variant, test variant); "anon" stands for the row's variant.
SETTINGS = {
    "orig_orig": (ORIGINAL, ORIGINAL),
    "orig_anon": (ORIGINAL, "anon"),
    "anon_anon": ("anon", "anon"),
}
HEADINGS = {
    "orig_orig": "original → original",
    "orig_anon": "original → anonymized",
    "anon_anon": "anonymized → anonymized",
}
METRIC_HEADINGS = {"map": "mAP", "rank1": "Rank-1"}

Metrics = Mapping[str, Any]


def model_table(metrics: Iterable[Metrics], dataset: str, models: Sequence[str], variant: str) -> pd.DataFrame:
    """One row a model: columns data, model and mAP, rank-1 of the three settings in percent, means over seeds."""
    results = list(metrics)
    rows = [
        {"data": dataset, "model": model, **_cells(results, dataset, model, variant, tuple(SETTINGS))}
        for model in models
    ]
    return pd.DataFrame(rows)


def anonymizer_table(metrics: Iterable[Metrics], dataset: str, model: str, variants: Sequence[str]) -> pd.DataFrame:
    """One row an anonymizer: columns data, anonymizer and mAP, rank-1 of the two anonymized settings in percent."""
    results = list(metrics)
    settings = ("orig_anon", "anon_anon")
    rows = [{"data": dataset, "anonymizer": v, **_cells(results, dataset, model, v, settings)} for v in variants]
    return pd.DataFrame(rows)


def untrained_table(metrics: Iterable[Metrics], cells: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """Trained beside untrained networks, original images: has the training taught the networks anything?

    cells: (dataset, model) pairs. rank1_ratio: trained rank-1 over untrained; below 2 a cell measures little.
    """
    results = list(metrics)
    rows = []
    for dataset, model in cells:
        row: dict[str, Any] = {"data": dataset, "model": model}
        for name, train in (("untrained", UNTRAINED), ("trained", ORIGINAL)):
            for metric in METRICS:
                row[f"{metric}_{name}"] = _mean(results, metric, dataset, model, train, ORIGINAL)
        row["rank1_ratio"] = round(row["rank1_trained"] / row["rank1_untrained"], 2) if row["rank1_untrained"] else None
        rows.append(row)
    return pd.DataFrame(rows)


def markdown(table: pd.DataFrame, title: str, note: str) -> str:
    """A table for reading: one decimal, settings spelt out, and a note on what the numbers stand on."""
    headings = [_heading(column) for column in table.columns]
    lines = [f"# {title}", "", "| " + " | ".join(headings) + " |"]
    lines.append("|" + "|".join(" --- " if table[c].dtype.kind in "OTU" else " ---: " for c in table.columns) + "|")
    for row in table.itertuples(index=False):
        lines.append("| " + " | ".join(_show(value) for value in row) + " |")
    return "\n".join([*lines, "", note, ""])


def _cells(
    results: Sequence[Metrics], dataset: str, model: str, variant: str, settings: Sequence[str]
) -> dict[str, float]:
    cells = {}
    for setting in settings:
        train, test = (variant if v == "anon" else v for v in SETTINGS[setting])
        for metric in METRICS:
            cells[f"{metric}_{setting}"] = _mean(results, metric, dataset, model, train, test)
    return cells


def _mean(results: Sequence[Metrics], metric: str, dataset: str, model: str, train: str, test: str) -> float:
    """Mean over seeds of one metric of one setting, in percent with two decimals."""
    wanted = {"dataset": dataset, "model": model, "train": train, "query": test, "gallery": test}
    values = [r[metric] for r in results if all(r[key] == value for key, value in wanted.items())]
    if not values:
        raise DataError(
            f"no metrics for {dataset}, {model}, trained on {train}, tested on {test}; "
            f"the table needs that setting among its inputs."
        )
    return round(100 * fmean(values), 2)


def _heading(column: str) -> str:
    metric, _, setting = column.partition("_")
    if metric in METRIC_HEADINGS:
        return f"{METRIC_HEADINGS[metric]} {HEADINGS.get(setting, setting)}"
    return column


def _show(value: object) -> str:
    if value is None or value != value:
        return "–"
    return f"{value:.1f}" if isinstance(value, float) else str(value)
