"""Which queries lose by anonymizing: the change of average precision without a face, and by the face's size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anonbench.core.errors import DataError
from anonbench.report.style import (
    FAINT,
    GRID,
    INK,
    MARGIN,
    SMALL_SIZE,
    TEXT_SIZE,
    around,
    house_style,
    open_page,
    text_width,
)
from anonbench.studies.reid_faces.series import SERIES
from anonbench.studies.reid_faces.settings import CONTRASTS

PAGE_WIDTH = 7.6  # inches
COLUMNS = ("dataset", "model", "variant", "contrast", "group", "n_queries", "estimate", "low", "high")
PANELS_A_ROW = 3
ALL_MODELS = "all"  # what the table calls the queries of all models together


@dataclass(frozen=True, slots=True)
class FaceGroup:
    """The queries of one model whose faces are alike.

    name: such as "no face" or "8-12 px".
    estimate, low, high: mean change of average precision against original → original in percentage points with its 95 %
        interval. NaN where the group is too small to say.
    """

    model: str
    contrast: str
    name: str
    n_queries: int
    estimate: float
    low: float
    high: float


def read_face_groups(
    table: pd.DataFrame, source: str, dataset: str, variant: str, leave_out: Sequence[str] = ()
) -> list[FaceGroup]:
    """The groups of one dataset and variant in a table with (at least) the columns `COLUMNS`.

    leave_out: names of groups that are no group of queries (comparisons of groups, slopes). A column `metric`, where
        there is one, is cut down to `map`.
    source: the table's name for messages.
    Raises `DataError` for a missing column, no row, or a row twice.
    """
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise DataError(
            f"{source}: column {missing[0]} is missing; expected {', '.join(COLUMNS)} among the columns. Compute the "
            f"statistics again."
        )
    chosen = table[(table["dataset"] == dataset) & (table["variant"] == variant)]
    chosen = chosen[chosen["contrast"].isin(CONTRASTS) & ~chosen["group"].isin(list(leave_out))]
    if "metric" in chosen.columns:
        chosen = chosen[chosen["metric"] == "map"]
    key = ["model", "contrast", "group"]
    twice = chosen[chosen.duplicated(key)]
    if len(twice):
        raise DataError(f"{source}: {', '.join(map(str, twice.iloc[0][key]))} is listed twice; expected one row.")
    if chosen.empty:
        raise DataError(f"{source}: no row for {dataset} under {variant}; there is nothing to draw.")
    return [
        FaceGroup(
            str(row["model"]), str(row["contrast"]), str(row["group"]), int(row["n_queries"]), float(row["estimate"]),
            float(row["low"]), float(row["high"]),
        )
        for row in chosen.to_dict("records")
    ]  # fmt: skip


@house_style()
def draw_faces_cost(groups: Sequence[FaceGroup], variant: str, label: str) -> Figure:
    """A panel a model; in it a row a group of queries, with the change of average precision in both contrasts.

    variant: what the faces were hidden with.
    label: the data, in words.
    A group that is too small has a dash.
    """
    models = list(dict.fromkeys(g.model for g in groups))
    names = list(dict.fromkeys(g.name for g in groups))
    contrasts = [c for c in CONTRASTS if any(g.contrast == c for g in groups)]
    notes = (
        f"Mean change of average precision under '{variant}' against original → original, in percentage points, with "
        f"95 % intervals, by the height of the query's face. n: queries; –: too few to say.\nData: {label}."
    )
    columns = min(PANELS_A_ROW, len(models))
    left = MARGIN + max(text_width(n, TEXT_SIZE) for n in names) + 0.12
    counts = 0.34  # inches right of each panel, for n
    width = (PAGE_WIDTH - left - MARGIN - PANELS_A_ROW * counts - (PANELS_A_ROW - 1) * 0.12) / PANELS_A_ROW
    height = 0.31 * len(names)
    lines = math.ceil(len(models) / columns)
    page, top = open_page("Whose queries pay", notes, PAGE_WIDTH, 0.2 + lines * (height + 0.38) + 0.4)
    page.key([SERIES[c] for c in contrasts], MARGIN, top, lines=False)
    limits = around([0.0, *(v for g in groups for v in (g.low, g.high) if not math.isnan(v))])
    for number, model in enumerate(models):
        place, line = number % columns, number // columns
        x = left + place * (width + counts + 0.12)
        y = top + 0.2 + 0.28 + line * (height + 0.38)
        axes = page.axes(x, y, width, height)
        _panel(axes, [g for g in groups if g.model == model], names, contrasts)
        axes.set_xlim(*limits)
        axes.set_yticks(range(len(names)), names if place == 0 else [""] * len(names))
        axes.set_title("all models" if model == ALL_MODELS else model, loc="left", fontweight="bold", pad=4)
        below = number + columns >= len(models)
        axes.tick_params(axis="x", labelbottom=below)
        if below:
            axes.set_xlabel("percentage points", color=FAINT)
    return page.figure


def _panel(axes: Axes, groups: Sequence[FaceGroup], names: Sequence[str], contrasts: Sequence[str]) -> None:
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.axvline(0, color=INK, lw=0.8, zorder=1, gid="zero")
    axes.spines["left"].set_visible(False)
    aside = {c: 0.18 * (2 * i - 1) if len(contrasts) > 1 else 0.0 for i, c in enumerate(contrasts)}
    for boundary in range(1, len(names)):
        axes.axhline(boundary - 0.5, color=GRID, lw=0.5, zorder=0)
    beside = axes.get_yaxis_transform()  # x as a share of the panel's width, y a row
    for group in groups:
        row = names.index(group.name)
        y = row + aside[group.contrast]
        series = SERIES[group.contrast]
        if math.isnan(group.estimate):
            axes.text(0.02, y, "–", va="center", color=series.colour, transform=beside, gid=f"none-{group.contrast}")
        else:
            axes.plot([group.low, group.high], [y, y], color=series.colour, lw=1.8, solid_capstyle="butt")
            axes.plot(
                [group.estimate], [y], series.marker, color=series.colour, ms=5, mec="white", mew=0.5,
                gid=group.contrast,
            )  # fmt: skip
    for row, name in enumerate(names):
        sizes = sorted({g.n_queries for g in groups if g.name == name})
        text = "/".join(map(str, sizes))
        axes.text(1.03, row, text, fontsize=SMALL_SIZE, color=FAINT, transform=beside, va="center")
    axes.text(1.03, -0.55, "n", fontsize=SMALL_SIZE, color=FAINT, transform=beside, va="bottom", style="italic")
