"""CMC curves: the share of queries that find their person among the first k images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from anonbench.core.errors import DataError
from anonbench.data.results import Metrics
from anonbench.report.style import FAINT, MARGIN, house_style, open_page
from anonbench.studies.reid_faces.cases import Case, find_runs
from anonbench.studies.reid_faces.series import SERIES

PAGE_WIDTH = 7.6  # inches
COLUMNS = 3


@house_style()
def draw_cmc(metrics: Sequence[Metrics], cases: Sequence[Case], max_rank: int, label: str) -> Figure:
    """A panel for each case with the three settings as lines, ranks 1 to max_rank, all panels on one scale.

    metrics: contents of metrics files with `cmc`, every run of every setting.
    label: the data, in words.
    A line is the mean of the runs. With several, a band reaches from the lowest to the highest.
    Raises `DataError` for a setting without metrics or a curve shorter than max_rank.
    """
    curves = {(case, setting): _curves(metrics, case, setting, max_rank) for case in cases for setting in SERIES}
    several = any(len(runs) > 1 for runs in curves.values())
    spread = " Lines: means of the runs; bands: from the lowest run to the highest." if several else ""
    notes = f"Share of queries with a correct image among the first k. Trained → tested on.{spread}\nData: {label}."
    columns = max(2, min(COLUMNS, len(cases)))
    panel_rows = math.ceil(len(cases) / columns)
    left, gap, height, row = MARGIN + 0.5, 0.22, 1.7, 2.15
    width = (PAGE_WIDTH - left - MARGIN - (columns - 1) * gap) / columns
    page, top = open_page("Rank at which people are found (CMC)", notes, PAGE_WIDTH, 0.45 + panel_rows * row + 0.1)
    page.key(list(SERIES.values()), MARGIN, top)
    lowest = min(float(runs.min()) for runs in curves.values())
    floor = max(0.0, 10 * math.floor((lowest - 2) / 10))
    for number, case in enumerate(cases):
        place, line = number % columns, number // columns
        axes = page.axes(left + place * (width + gap), top + 0.5 + line * row, width, height)
        for setting in SERIES:
            _draw(axes, curves[case, setting], setting)
        axes.set_title(case.model, loc="left", fontweight="bold", pad=4)
        axes.grid()
        axes.set(xlim=(1 - 0.02 * max_rank, max_rank), ylim=(floor, 101), xticks=_ticks(max_rank))
        axes.tick_params(axis="y", labelleft=place == 0, labelsize="small")
        below = number + columns >= len(cases)
        axes.tick_params(axis="x", labelbottom=below)
        if below:
            axes.set_xlabel("rank k", color=FAINT)
        if place == 0:
            axes.set_ylabel("found (%)", color=FAINT)
    return page.figure


def _curves(metrics: Sequence[Metrics], case: Case, setting: str, max_rank: int) -> NDArray[np.float64]:
    """(runs, max_rank) in percent."""
    curves = [m.get("cmc", ()) for m in find_runs(metrics, case, setting)]
    shortest = min(map(len, curves))
    if shortest < max_rank:
        raise DataError(
            f"the CMC curve of {case.dataset}, {case.model}, {setting} has {shortest} ranks; the figure shows "
            f"{max_rank}. Show fewer ranks, or evaluate again."
        )
    return 100 * np.array([curve[:max_rank] for curve in curves], float)


def _draw(axes: Axes, curves: NDArray[np.float64], setting: str) -> None:
    series = SERIES[setting]
    ranks = np.arange(1, curves.shape[1] + 1)
    if len(curves) > 1:
        axes.fill_between(ranks, curves.min(axis=0), curves.max(axis=0), color=series.colour, alpha=0.15, lw=0)
    marked = [rank - 1 for rank in _ticks(len(ranks))]
    axes.plot(
        ranks, curves.mean(axis=0), color=series.colour, ls=series.line, marker=series.marker, markevery=marked,
        ms=4, mec="white", mew=0.4, gid=setting, clip_on=False,
    )  # fmt: skip


def _ticks(max_rank: int) -> list[int]:
    """Ranks to label: the first, and then in steps of 5 or 10."""
    step = 5 if max_rank <= 25 else 10
    return [1, *range(step, max_rank + 1, step)]
