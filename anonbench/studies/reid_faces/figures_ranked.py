"""Ranked lists: what a model brings up for a query, before and after anonymizing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from anonbench.core.errors import DataError
from anonbench.data.images import RGB
from anonbench.report.style import (
    FAINT,
    INK,
    MARGIN,
    OKABE_ITO,
    SMALL_SIZE,
    TEXT_SIZE,
    Page,
    house_style,
    open_page,
    text_width,
)

IMAGE_HEIGHT, IMAGE_WIDTH, GAP = 1.04, 0.52, 0.11  # inches
QUERY_GAP = 0.2  # inches between the query and its list
CORRECT, WRONG = OKABE_ITO["bluish green"], OKABE_ITO["vermillion"]


@dataclass(frozen=True, eq=False)
class RankedImage:
    """A gallery image (H, W, 3) uint8 RGB, and whether it shows the query's person."""

    image: RGB
    correct: bool


@dataclass(frozen=True, eq=False)
class RankedStrip:
    """The start of one query's ranked list in one setting.

    setting: its name.
    query: the query's own image in it.
    average_precision: of the whole list, 0..1.
    gallery: best first, without the images that the ranking ignores.
    """

    setting: str
    query: RGB
    average_precision: float
    gallery: Sequence[RankedImage]


@dataclass(frozen=True, eq=False)
class RankedQuery:
    """One query in several settings.

    why: the rule that chose it.
    path: its image in the dataset.
    """

    why: str
    path: str
    strips: Sequence[RankedStrip]


@house_style()
def draw_ranked(queries: Sequence[RankedQuery], model: str, label: str, warning: str = "") -> Figure:
    """A block for each query with one strip a setting: the query, then the gallery's images in order of distance.

    Correct images have a solid frame and a tick, wrong ones a dashed frame and a cross. label: the data, in words.
    warning: a line in red, such as that the people are real.
    Raises `DataError` when there is no query to show.
    """
    if not queries:
        raise DataError("there is no query to show; expected at least one.")
    strips = [strip for query in queries for strip in query.strips]
    longest = max(len(strip.gallery) for strip in strips)
    left = MARGIN + max(text_width(line, TEXT_SIZE) for strip in strips for line in _caption(strip)) + 0.15
    page_width = left + IMAGE_WIDTH + QUERY_GAP + longest * (IMAGE_WIDTH + GAP) + MARGIN
    page_width = max(page_width, 5.5)
    heading, strip_height = 0.24, IMAGE_HEIGHT + 0.25
    notes = (
        f"{model}. Left: the query; right: the first {longest} gallery images in order of distance. Green, solid, ✓: "
        f"the same person; orange, dashed, ✗: someone else. Images that the ranking ignores (junk, the query's own "
        f"camera) are left out.\nData: {label}."
    )
    body = sum(heading + strip_height * len(q.strips) + 0.12 for q in queries)
    page, top = open_page("What comes up for a query", notes, page_width, body + 0.05, warning)
    for query in queries:
        page.text(MARGIN, top, query.why, fontweight="bold")
        why = text_width(query.why, TEXT_SIZE, "bold")
        page.text(MARGIN + why + 0.12, top + 0.01, query.path, SMALL_SIZE, color=FAINT)
        top += heading
        for strip in query.strips:
            _draw_strip(page, strip, left, top)
            top += strip_height
        top += 0.12
    return page.figure


def _draw_strip(page: Page, strip: RankedStrip, left: float, top: float) -> None:
    for number, line in enumerate(_caption(strip)):
        y = top + IMAGE_HEIGHT / 2 + (number - 0.5) * 0.16
        page.text(left - 0.15, y, line, ha="right", va="center", color=INK if number == 0 else FAINT)
    page.fitted(strip.query, left, top, IMAGE_WIDTH, IMAGE_HEIGHT)
    page.frame(left, top, IMAGE_WIDTH, IMAGE_HEIGHT, edgecolor=INK, lw=1.0, gid="query")
    x = left + IMAGE_WIDTH + QUERY_GAP
    for rank, ranked in enumerate(strip.gallery, start=1):
        colour = CORRECT if ranked.correct else WRONG
        page.fitted(ranked.image, x, top, IMAGE_WIDTH, IMAGE_HEIGHT)
        page.frame(
            x - 0.02, top - 0.02, IMAGE_WIDTH + 0.04, IMAGE_HEIGHT + 0.04, edgecolor=colour, lw=1.8,
            ls="-" if ranked.correct else (0.0, (2.5, 1.5)), gid="correct" if ranked.correct else "wrong",
        )  # fmt: skip
        mark = f"{rank} {'✓' if ranked.correct else '✗'}"
        page.text(x + IMAGE_WIDTH / 2, top + IMAGE_HEIGHT + 0.06, mark, SMALL_SIZE, ha="center", color=colour)
        x += IMAGE_WIDTH + GAP


def _caption(strip: RankedStrip) -> tuple[str, str]:
    return strip.setting, f"AP {100 * strip.average_precision:.0f} %"
