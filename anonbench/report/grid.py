"""A grid of pictures on a page: rows of anything, a column a variant, headings over groups of columns.

layout = arrange(columns, rows=3, shape=(128, 64), room=6.9)
draw_captions(page, columns, layout, start, top, bottom)
page.image(image, start + layout.lefts[0], y, layout.width, layout.height)
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from anonbench.report.style import GRID, LINE_HEIGHT, SMALL_SIZE, TEXT_SIZE, Page, text_width, wrap

PRINT_WIDTH = 7.2  # inches, between the margins of a page of A4 or letter
PRINT_HEIGHT = 8.1  # inches for the pictures; title, notes and captions take up to two more
NARROWEST = 4.6  # inches; a page of two columns still holds its title
HEIGHTS = (1.92, 1.28, 0.96)  # inches of a picture: at 200 dots an inch 128 rows have 3, 2, 1.5 dots each
GAP, GROUP_GAP = 0.06, 0.16  # inches between pictures, and between groups of columns
SPILL = 1.25  # of a picture's width that a line above it may take
LINE, SMALL_LINE = TEXT_SIZE * LINE_HEIGHT / 72, SMALL_SIZE * 1.5 / 72  # inches
GROUP_LINE = LINE + 0.06  # inches for the name of a group


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the grid.

    variant: whose pictures it shows.
    title: what stands above it, such as "protected (without U)".
    group: what stands above several columns side by side, such as "blurring"; "" for nothing.
    """

    variant: str
    title: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things stand, in inches from the first column's left edge.

    width, height: of a picture.
    captions: the lines above each column.
    lefts: where each column's pictures begin.
    right: where the last column ends.
    """

    width: float
    height: float
    captions: list[list[str]]
    lefts: list[float]
    right: float


def arrange(
    columns: Sequence[Column], rows: int, shape: tuple[int, int], room: float, heights: Sequence[float] = HEIGHTS
) -> Layout:
    """The largest pictures with which columns fit into `room` inches and rows into a page; else the smallest.

    shape: height and width of a picture, in any unit.
    heights: that a picture may have, in inches, the largest first.
    """
    for height in heights:
        width = height * shape[1] / shape[0]
        captions = [_caption(column.title, width) for column in columns]
        lefts, x = [], 0.0
        for number, (column, lines) in enumerate(zip(columns, captions, strict=True)):
            beside = max(0.0, max(text_width(line, TEXT_SIZE) for line in lines) - width) / 2
            if number:
                x += GAP if column.group == columns[number - 1].group else GROUP_GAP
            lefts.append(x + beside)
            x += width + 2 * beside
        if x <= room and rows * (height + GAP) <= PRINT_HEIGHT:
            break
    return Layout(width, height, captions, lefts, x)


def _caption(title: str, width: float) -> list[str]:
    """A column's caption in lines: broken before a bracket first, and a bracket only if it is much too wide."""
    if text_width(title, TEXT_SIZE) <= width:
        return [title]
    parts = title.replace(" (", "\n(").split("\n")
    return [line for part in parts for line in wrap(part, SPILL * width, TEXT_SIZE)]


def draw_captions(
    page: Page, columns: Sequence[Column], layout: Layout, start: float, top: float, bottom: float
) -> None:
    """Above each column its caption, and over columns of one group its name with a line as long as they are."""
    for left, lines in zip(layout.lefts, layout.captions, strict=True):
        for number, text in enumerate(reversed(lines)):
            y = bottom - 0.04 - number * LINE
            page.text(start + left + layout.width / 2, y, text, ha="center", va="bottom")
    for name, members in itertools.groupby(range(len(columns)), key=lambda n: columns[n].group):
        numbers = list(members)
        left, right = start + layout.lefts[numbers[0]], start + layout.lefts[numbers[-1]] + layout.width
        if name:
            page.text((left + right) / 2, top, name, ha="center", fontweight="bold")
            page.frame(left, top + LINE + 0.02, right - left, 0, edgecolor=GRID, lw=0.8)
