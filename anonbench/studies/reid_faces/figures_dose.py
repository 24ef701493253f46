"""Dose and response: how a metric follows the strength of an anonymizer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import offset_copy

from anonbench.core.errors import ConfigError
from anonbench.data.results import Metrics
from anonbench.report.cells import Runs
from anonbench.report.style import (
    FAINT,
    MARGIN,
    TEXT_SIZE,
    around,
    house_style,
    open_page,
)
from anonbench.studies.reid_faces.cases import Case, describe_runs, has_runs, known_keys, runs_of
from anonbench.studies.reid_faces.headings import HEADINGS
from anonbench.studies.reid_faces.series import SERIES
from anonbench.studies.reid_faces.settings import BASELINE, CONTRASTS, TESTED

PAGE_WIDTH = 7.6  # inches
NUDGE = 2.5  # points
FAMILY_KEYS = ("title", "axis", "values", "more_hides")


@dataclass(frozen=True, slots=True)
class Family:
    """Variants that differ in one parameter.

    title: heading of the panel.
    axis: the parameter with its unit.
    values: variant -> parameter, at least two.
    more_hides: whether a larger value hides more. The axis runs so that hiding increases to the right.
    """

    title: str
    axis: str
    values: Mapping[str, float]
    more_hides: bool = True

    def __post_init__(self) -> None:
        if len(self.values) < 2 or len(set(self.values.values())) != len(self.values):
            raise ConfigError(
                f"dose-response '{self.title}': values are {dict(self.values)}; expected at least two variants, each "
                f"with a parameter of its own."
            )


def read_families(entries: Sequence[Mapping[str, Any]]) -> list[Family]:
    """The families that the figure shows; raises `ConfigError` for none, an unknown or a missing key."""
    if not entries:
        raise ConfigError("dose_response: families is empty; expected at least one.")
    return [_by_dose(Family(**known_keys(entry, FAMILY_KEYS, FAMILY_KEYS[:3], "family"))) for entry in entries]


def _by_dose(family: Family) -> Family:
    """Its variants from the one that hides least to the one that hides most."""
    ordered = sorted(family.values.items(), key=lambda item: item[1], reverse=not family.more_hides)
    return replace(family, values=dict(ordered))


@house_style()
def draw_dose_response(
    metrics: Sequence[Metrics],
    dataset: str,
    model: str,
    families: Sequence[Family],
    label: str,
    metric: str = "map",
) -> Figure:
    """A panel for each family: the metric of one model over the parameter, original → original as reference line.

    metrics: contents of metrics files, every run of original → original and of original → anonymized. anonymized →
        anonymized is drawn for those doses that were trained on.
    label: the data, in words.
    Raises `DataError` for a dose or a reference without metrics.
    """
    points = {
        (family.title, variant, setting): runs_of(metrics, Case(dataset, model, variant), setting, metric)
        for family in families
        for variant in family.values
        for setting in CONTRASTS
        if setting == TESTED or has_runs(metrics, Case(dataset, model, variant), setting)
    }
    first = next(iter(families[0].values))
    reference = runs_of(metrics, Case(dataset, model, first), BASELINE, metric)
    counts = describe_runs([len(runs.values) for runs in (*points.values(), reference)])
    heading = HEADINGS.metrics.get(metric, metric)
    notes = (
        f"{heading} of {model} as faces are hidden more, from left to right. Trained → tested on. {counts}"
        f"\nData: {label}."
    )
    left, gap, height = MARGIN + 0.5, 0.45, 2.3
    width = (PAGE_WIDTH - left - MARGIN - 0.1 - gap) / 2
    rows = (len(families) + 1) // 2
    page, top = open_page("How strongly must a face be hidden?", notes, PAGE_WIDTH, 0.3 + rows * (height + 0.75))
    reference_line = replace(SERIES[BASELINE], marker="")
    page.key([reference_line, *(SERIES[setting] for setting in CONTRASTS)], MARGIN, top)
    spread = [value for runs in (*points.values(), reference) for value in (*runs.values, *runs.bounds)]
    for number, family in enumerate(families):
        place, line = number % 2, number // 2
        axes = page.axes(left + place * (width + gap), top + 0.5 + line * (height + 0.75), width, height)
        _reference(axes, reference)
        for setting in CONTRASTS:
            found = {v: points.get((family.title, v, setting)) for v in family.values}
            if series := {family.values[v]: runs for v, runs in found.items() if runs is not None}:
                _response(axes, series, setting)
        _finish(axes, family)
        axes.set_ylim(*around(spread))
        axes.set_title(family.title, loc="left", fontweight="bold", pad=4)
        if place == 0:
            axes.set_ylabel(f"{heading} (%)", color=FAINT)
    return page.figure


def _reference(axes: Axes, runs: Runs) -> None:
    series = SERIES[BASELINE]
    if len(runs.values) > 1:
        axes.axhspan(*runs.bounds, color=series.colour, alpha=0.12, lw=0)
    axes.axhline(runs.mean, color=series.colour, ls=series.line, lw=1.2, gid=BASELINE)


def _response(axes: Axes, points: Mapping[float, Runs], setting: str) -> None:
    look = SERIES[setting]
    # The two settings are side by side, so that neither hides the other's bars.
    aside = -NUDGE if setting == TESTED else NUDGE
    place = offset_copy(axes.transData, axes.get_figure(root=True), x=aside, units="points")
    for value, runs in points.items():
        if len(runs.values) > 1:
            axes.plot(
                [value] * len(runs.values), runs.values, "_", color=look.colour, ms=5, mew=0.8, transform=place,
                gid=f"runs-{setting}",
            )  # fmt: skip
            axes.plot([value, value], runs.bounds, "-", color=look.colour, lw=1.4, transform=place)
    values = sorted(points)
    axes.plot(
        values, [points[v].mean for v in values], color=look.colour, ls=look.line, marker=look.marker, ms=5.5,
        mec="white", mew=0.5, transform=place, gid=setting,
    )  # fmt: skip


def _finish(axes: Axes, family: Family) -> None:
    """A logarithmic axis for positive values, since doses are mostly doubled. Every dose has its tick."""
    values = sorted(family.values.values())
    if values[0] > 0:
        axes.set_xscale("log")
        low, high = (math.exp(edge) for edge in around(math.log(v) for v in values))
    else:
        low, high = around(values)
    axes.set_xlim(*((low, high) if family.more_hides else (high, low)))
    axes.minorticks_off()
    axes.set_xticks(values, [f"{v:.3g}" for v in values])
    axes.grid()
    axes.set_xlabel(family.axis, fontsize=TEXT_SIZE)
