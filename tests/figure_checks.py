"""What the tests of figures share: made-up metrics, looking into a figure, and a check of its layout."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

Metrics = dict[str, Any]
Point = tuple[float, float]
SETTINGS = {"orig_orig": ("original", "original"), "orig_anon": ("original", "blur"), "anon_anon": ("blur", "blur")}


def metrics_of(
    dataset: str, model: str, train: str, test: str, seed: int, mean_ap: float, rank1: float | None = None
) -> Metrics:
    first = mean_ap if rank1 is None else rank1
    cmc = [round(first + (1 - first) * k / 60, 6) for k in range(50)]
    return {
        "dataset": dataset, "model": model, "train": train, "query": test, "gallery": test, "seed": seed,
        "map": mean_ap, "rank1": first, "cmc": cmc,
    }  # fmt: skip


def three_settings(dataset: str, model: str, runs: dict[str, list[float]]) -> list[Metrics]:
    """Metrics of the three settings under `blur`, one for each value; rank-1 is 0.1 higher than mAP."""
    return [
        metrics_of(dataset, model, *SETTINGS[setting], seed, value, value + 0.1)
        for setting, values in runs.items()
        for seed, value in enumerate(values)
    ]


def marks(axes: Axes, name: str) -> list[Point]:
    """The points of every line that goes by a name."""
    lines = [line for line in axes.get_lines() if line.get_gid() == name]
    return [(float(x), float(y)) for line in lines for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)]


def titled(figure: Figure, title: str) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_title(loc="left") == title]


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]


def check_layout(figure: Figure) -> None:
    """Every word lies on the page, and none lies on another."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    unseen = {id(text) for axes in figure.axes for text in _beyond_the_axis(axes)}
    boxes = [
        (text.get_text(), text.get_window_extent(renderer))
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and id(text) not in unseen
    ]
    width, height = canvas.get_width_height()
    for word, box in boxes:
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width + 0.5 and box.y1 <= height + 0.5
        assert inside, f"'{word}' leaves the page: {box} of {width} x {height}"
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        common_x, common_y = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(common_x, common_y) < 2, f"'{one}' lies on '{other}'"


def _beyond_the_axis(axes: Axes) -> Iterator[Text]:
    """Labels of ticks that Matplotlib keeps but does not draw, since their values are out of view."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks():
            if not low <= tick.get_loc() <= high:
                yield tick.label1
