"""How good a detector is: its precision-recall curve, and what share of which faces it found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anonbench.report.style import (
    FAINT,
    MARGIN,
    OKABE_ITO,
    SMALL_SIZE,
    TEXT_SIZE,
    house_style,
    open_page,
    text_width,
)
from anonbench.statistics.proportion import Proportion
from anonbench.tasks.detection.wider import Curve

PAGE_WIDTH = 7.6  # inches
CURVE_SIZE = 2.6
ROW = 0.19
LOOKS = (("blue", "o", "-"), ("vermillion", "s", (0.0, (4.0, 1.5))), ("bluish green", "^", (0.0, (1.0, 1.2))))


@house_style()
def draw_detection(
    title: str,
    label: str,
    curves: Mapping[str, Curve],
    points: Mapping[str, tuple[float, float]],
    groups: Sequence[tuple[str, str, Proportion]],
    setting: str,
    iou: float,
    confidence: float,
) -> Figure:
    """Left the curve of each setting with its average precision, right the recall of each group with its interval.

    curves: setting -> its curve.
    points: setting -> (recall, precision) of all boxes that the detector gave.
    groups: (kind, name, share found), all faces first.
    setting: that of the groups, "" where there is one alone.
    label: what the data is, in words.
    """
    notes = (
        f"Left: precision and recall at IoU {iou:g} for falling thresholds; the mark: all boxes that it gave. "
        f"Right: faces found, with Wilson intervals ({100 * confidence:g} %); n: faces.\nData: {label}."
    )
    names = [name if kind == "all" else f"{kind}: {name}" for kind, name, _ in groups]
    left = MARGIN + 0.45
    right = left + CURVE_SIZE + 0.35 + max(text_width(name.replace("_", " "), TEXT_SIZE) for name in names)
    height = max(CURVE_SIZE, ROW * len(names))
    page, top = open_page(title, notes, PAGE_WIDTH, height + 0.45)
    _draw_curves(page.axes(left, top, CURVE_SIZE, CURVE_SIZE), curves, points)
    panel = page.axes(right, top, PAGE_WIDTH - right - 0.55, ROW * len(names))
    _draw_groups(panel, names, [share for _, _, share in groups], confidence)
    panel.set_xlabel(f"recall, % (setting: {setting})" if setting else "recall, %")
    return page.figure


def _draw_curves(
    axes: Axes, curves: Mapping[str, Curve], points: Mapping[str, tuple[float, float]]
) -> None:  # fmt: skip
    for number, (name, curve) in enumerate(curves.items()):
        colour, marker, line = LOOKS[number % len(LOOKS)]
        drawn = ~(curve.precision != curve.precision)  # without the thresholds at which nothing is detected
        text = f"{name}: AP {_percent(curve.average_precision)}"
        axes.plot(
            100 * curve.recall[drawn], 100 * curve.precision[drawn], color=OKABE_ITO[colour], ls=line, label=text,
            gid=f"curve-{name}",
        )  # fmt: skip
        recall, precision = points[name]
        if not (math.isnan(recall) or math.isnan(precision)):
            axes.plot([100 * recall], [100 * precision], marker, color=OKABE_ITO[colour], mec="white", mew=0.5)
    axes.set(xlim=(0, 101), ylim=(0, 101), xlabel="recall, %", ylabel="precision, %")
    axes.grid()
    axes.legend(loc="lower left", fontsize=SMALL_SIZE, frameon=False)


def _draw_groups(axes: Axes, names: Sequence[str], shares: Sequence[Proportion], confidence: float) -> None:
    for row, share in enumerate(shares):
        if share.n:
            low, high = share.wilson(confidence)
            axes.plot([100 * low, 100 * high], [row, row], color=OKABE_ITO["blue"], lw=1.8, solid_capstyle="butt")
            axes.plot([100 * share.value], [row], "o", color=OKABE_ITO["blue"], mec="white", mew=0.5, gid="group")
        axes.text(
            1.04,
            row,
            f"{share.n:,}",
            fontsize=SMALL_SIZE,
            color=FAINT,
            va="center",
            transform=axes.get_yaxis_transform(),
        )
    axes.set(xlim=(0, 101), ylim=(len(names) - 0.5, -0.5))
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.1f} %"
