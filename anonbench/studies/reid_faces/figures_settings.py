"""What anonymizing costs each model: the metrics in three settings, and their differences with intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anonbench.core.errors import DataError
from anonbench.data.results import Metrics
from anonbench.report.cells import Runs
from anonbench.report.style import (
    BAND,
    FAINT,
    GRID,
    INK,
    MARGIN,
    TEXT_SIZE,
    around,
    house_style,
    open_page,
    text_width,
)
from anonbench.studies.reid_faces.cases import Case, describe_runs, runs_of
from anonbench.studies.reid_faces.headings import HEADINGS
from anonbench.studies.reid_faces.series import SERIES
from anonbench.studies.reid_faces.settings import CONTRASTS, METRICS

PAGE_WIDTH = 7.6  # inches
DIFFERENCE_COLUMNS = ("dataset", "model", "variant", "metric", "contrast", "difference", "low", "high")
TRAINING_COLUMNS = ("training_low", "training_high")


# ---------------------------------------------------------------------------------------------- metrics by setting
@house_style()
def draw_settings(metrics: Sequence[Metrics], cases: Sequence[Case], label: str) -> Figure:
    """mAP and rank-1 of every model in the three settings: one row a case, datasets below one another.

    metrics: contents of metrics files, every run of every setting that `cases` need.
    label: the data, in words.
    Raises `DataError` for a setting without metrics.
    """
    values = {
        (case, metric, setting): runs_of(metrics, case, setting, metric)
        for case in cases
        for metric in METRICS
        for setting in SERIES
    }
    groups = _by_dataset(cases)
    counts = describe_runs([len(runs.values) for runs in values.values()])
    notes = f"Trained → tested on. Anonymized: {_variants(cases)}. {counts}\nData: {label}."
    row, gap, key, axis = 0.45, 0.5, 0.2, 0.35
    body = key + sum(gap + row * len(group) for group in groups.values()) + axis
    page, top = open_page("The cost of anonymizing, by model", notes, PAGE_WIDTH, body)
    page.key(list(SERIES.values()), MARGIN, top, lines=False)
    left = MARGIN + max(text_width(c.model, TEXT_SIZE) for c in cases) + 0.15
    width = (PAGE_WIDTH - MARGIN - left - 0.3) / len(METRICS)
    top += key
    limits = {metric: around([v for key, runs in values.items() if key[1] == metric for v in runs.values])
              for metric in METRICS}  # fmt: skip
    for number, (dataset, group) in enumerate(groups.items()):
        page.text(MARGIN, top + 0.1, dataset, fontweight="bold")
        top += gap
        for column, metric in enumerate(METRICS):
            axes = page.axes(left + column * (width + 0.3), top, width, row * len(group))
            _model_rows(axes, [c.model for c in group], labelled=column == 0)
            for index, case in enumerate(group):
                for place, setting in enumerate(SERIES):
                    _mark(axes, values[case, metric, setting], index + 0.22 * (place - 1), setting)
            axes.set_xlim(*limits[metric])
            axes.tick_params(axis="x", labelbottom=number == len(groups) - 1)
            axes.set_title(f"{HEADINGS.metrics[metric]} (%)", loc="left", color=FAINT, pad=4)
        top += row * len(group)
    return page.figure


def _mark(axes: Axes, runs: Runs, y: float, setting: str) -> None:
    """The mean of some runs with its standard error, over the single runs."""
    series = SERIES[setting]
    if len(runs.values) > 1:
        axes.plot(runs.values, [y] * len(runs.values), "|", color=series.colour, ms=5, mew=0.7, gid=f"runs-{setting}")
        axes.plot(runs.bounds, [y, y], color=series.colour, lw=2.2, solid_capstyle="butt")
    axes.plot([runs.mean], [y], series.marker, color=series.colour, ms=5, mec="white", mew=0.5, gid=setting)


# ---------------------------------------------------------------------------------------------- differences
@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of a contrast to original → original in percentage points, with its 95 % intervals.

    row: what the row is called.
    low, high: interval of the difference for the networks that were trained.
    training: the interval that allows for the luck of training too, where it is known.
    """

    row: str
    dataset: str
    contrast: str
    value: float
    low: float
    high: float
    training: tuple[float, float] | None = None

    @property
    def widest(self) -> tuple[float, float]:
        """The bounds that hold all its intervals."""
        low, high = self.training or (self.low, self.high)
        return min(low, self.low), max(high, self.high)


def read_differences(table: pd.DataFrame, source: str, metric: str = "map") -> list[Difference]:
    """The differences of one metric in a table with (at least) the columns `DIFFERENCE_COLUMNS`.

    difference, low, high are in percentage points. Rows of contrasts other than `CONTRASTS` are left out. The columns
    `TRAINING_COLUMNS`, where they are there and filled, hold the interval that allows for the luck of training. A row
    is named after its model, and after its variant too when the table has several.

    source: the table's name for messages.
    Raises `DataError` for a missing column, no row, a row twice, or bounds that do not hold the difference.
    """
    missing = [column for column in DIFFERENCE_COLUMNS if column not in table.columns]
    if missing:
        raise DataError(
            f"{source}: column {missing[0]} is missing; expected {', '.join(DIFFERENCE_COLUMNS)} among the columns. "
            f"Compute the statistics again."
        )
    chosen = table[(table["metric"] == metric) & table["contrast"].isin(CONTRASTS)]
    several = chosen["variant"].nunique() > 1
    found: dict[tuple[str, str, str], Difference] = {}
    for entry in chosen.to_dict("records"):
        row = f"{entry['model']}, {entry['variant']}" if several else str(entry["model"])
        key = (str(entry["dataset"]), row, str(entry["contrast"]))
        if key in found:
            raise DataError(f"{source}: {', '.join(key)} is listed twice for the metric {metric}; expected one row.")
        found[key] = _difference(entry, row, f"{source}: {', '.join(key)}")
    if not found:
        raise DataError(
            f"{source}: no row for the metric {metric} and the contrasts {', '.join(CONTRASTS)}; there is nothing to "
            f"draw."
        )
    return list(found.values())


def _difference(entry: Mapping[Any, Any], row: str, where: str) -> Difference:
    value, low, high = (float(entry[c]) for c in ("difference", "low", "high"))
    if not low <= value <= high:
        raise DataError(
            f"{where}: difference {value} with the interval {low} to {high}; expected low <= difference <= high. "
            f"Compute the statistics again."
        )
    training = tuple(float(entry.get(c, math.nan)) for c in TRAINING_COLUMNS)
    return Difference(
        row, str(entry["dataset"]), str(entry["contrast"]), value, low, high,
        training=None if math.isnan(training[0] + training[1]) else (training[0], training[1]),
    )  # fmt: skip


@house_style()
def draw_differences(
    differences: Sequence[Difference], margin: float | None, label: str, metric: str = "map", interval: str = ""
) -> Figure:
    """One row a (dataset, model): what anonymizing changes against original → original, with 95 % intervals.

    margin: half the width of the equivalence band in percentage points, None for no band.
    label: the data, in words.
    interval: how the intervals were computed, for the notes.
    """
    heading = HEADINGS.metrics.get(metric, metric)
    band = "" if margin is None else f" Grey band: ± {margin:g} points, taken as equivalent."
    how = f" ({interval})" if interval else ""
    luck = any(d.training for d in differences)
    thin = " for these networks; thin lines: allowing for the luck of training too" if luck else ""
    notes = (
        f"Difference in {heading} to original → original, percentage points. Bars: 95 % intervals{how}{thin}. "
        f"Filled marks: zero is outside{' both' if luck else ''}; hollow: it is not.{band}\nData: {label}."
    )
    groups: dict[str, dict[str, dict[str, Difference]]] = {}
    for d in differences:
        groups.setdefault(d.dataset, {}).setdefault(d.row, {})[d.contrast] = d
    row, gap, axis = 0.24, 0.36, 0.45
    body = 0.15 + sum(gap + row * len(rows) for rows in groups.values()) + axis
    page, top = open_page(f"What anonymizing changes: {heading}", notes, PAGE_WIDTH, body)
    left = MARGIN + max(text_width(d.row, TEXT_SIZE) for d in differences) + 0.15
    width = (PAGE_WIDTH - MARGIN - left - 0.25) / len(CONTRASTS)
    limits = _limits(differences, margin)
    for column, contrast in enumerate(CONTRASTS):
        page.key([SERIES[contrast]], left + column * (width + 0.25), top, lines=False, weight="bold")
    top += 0.15
    for number, (dataset, rows) in enumerate(groups.items()):
        page.text(MARGIN, top + 0.12, dataset, fontweight="bold")
        top += gap
        height = row * len(rows)
        for column, contrast in enumerate(CONTRASTS):
            axes = page.axes(left + column * (width + 0.25), top, width, height)
            _model_rows(axes, list(rows), labelled=column == 0)
            axes.set_xlim(*limits)
            if margin is not None:
                axes.axvspan(-margin, margin, color=BAND, lw=0, zorder=0, gid="margin")
            axes.axvline(0, color=INK, lw=0.8, zorder=1, gid="zero")
            for index, entry in enumerate(rows.values()):
                if contrast in entry:
                    _interval(axes, entry[contrast], index)
            last = number == len(groups) - 1
            axes.tick_params(axis="x", labelbottom=last)
            if last:
                axes.set_xlabel("percentage points")
        top += height
    return page.figure


def _interval(axes: Axes, difference: Difference, y: float) -> None:
    series = SERIES[difference.contrast]
    low, high = difference.widest
    clear = low > 0 or high < 0
    axes.plot(
        [low, high], [y, y], color=series.colour, lw=0.8, solid_capstyle="butt", gid=f"widest-{difference.contrast}"
    )
    axes.plot([difference.low, difference.high], [y, y], color=series.colour, lw=2.4, solid_capstyle="butt")
    axes.plot(
        [difference.value], [y], series.marker, ms=5.5, mec=series.colour, mfc=series.colour if clear else "white",
        mew=1.2, gid=difference.contrast,
    )  # fmt: skip


def _limits(differences: Sequence[Difference], margin: float | None) -> tuple[float, float]:
    """One range for all panels, so that they can be compared. It holds zero, the band and every interval."""
    edges = [0.0, *(edge for d in differences for edge in d.widest)]
    return around(edges + ([] if margin is None else [-margin, margin]))


# ---------------------------------------------------------------------------------------------- shared
def _model_rows(axes: Axes, names: Sequence[str], labelled: bool) -> None:
    """Rows for names from top to bottom, with hairlines between them."""
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), list(names) if labelled else [""] * len(names))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    for boundary in range(1, len(names)):
        axes.axhline(boundary - 0.5, color=GRID, lw=0.5, zorder=0)
    axes.spines["left"].set_visible(False)


def _by_dataset(cases: Iterable[Case]) -> dict[str, list[Case]]:
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.dataset, []).append(case)
    return groups


def _variants(cases: Iterable[Case]) -> str:
    return ", ".join(dict.fromkeys(case.variant for case in cases))
