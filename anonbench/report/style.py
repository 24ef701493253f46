"""One look for every figure: colours, marks, type, and a page on which things are placed in inches.

Figures are made with Matplotlib's objects, without `pyplot`: no state outlives a call, and the settings of the user's
own `matplotlibrc` do not leak in (`house_style`).

Colours are those of Okabe and Ito, "Color Universal Design" (2008), which people with protanopia or deuteranopia can
tell apart. Colour is never the only difference: series differ in marker and in line too.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path

from anonbench.core.files import write_bytes
from anonbench.data.images import RGB

OKABE_ITO = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky blue": "#56B4E9",
    "bluish green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "reddish purple": "#CC79A7",
}
INK = "#222222"  # text and axes
FAINT = "#6B6B6B"  # second-rank text; 5.3:1 on white, above the 4.5:1 that readable text needs
ALARM = "#B00020"  # a warning; 7.6:1 on white
GRID = "#DDDDDD"
BAND = "#EDEDED"

TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 11.0, 8.5, 7.5  # points
MARGIN = 0.15  # inches
LINE_HEIGHT = 1.35  # of the font size
PNG_DPI = 200

_RC = {
    "font.family": "sans-serif",
    "font.size": TEXT_SIZE,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.labelsize": TEXT_SIZE,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": TEXT_SIZE,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "lines.markersize": 5.0,
    "text.color": INK,
    "text.parse_math": False,  # a variant may have a dollar in its name
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": SMALL_SIZE,
    "ytick.labelsize": TEXT_SIZE,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "svg.fonttype": "none",  # words stay words: they can be searched, read aloud and edited
    "svg.hashsalt": "anonbench",  # the same figure is the same file
}


@dataclass(frozen=True)
class Series:
    """How one series of values looks wherever it appears.

    line: a Matplotlib line style.
    """

    label: str
    colour: str
    marker: str
    line: str | tuple[float, tuple[float, ...]]


@contextlib.contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's defaults with our settings over them; also a decorator for functions that draw."""
    with matplotlib.style.context(["default", _RC]):
        yield


class Page:
    """A figure on which everything has its place in inches from the top left corner."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height))

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes whose frame covers that rectangle."""
        bottom = self.height - top - height
        return self.figure.add_axes((left / self.width, bottom / self.height, width / self.width, height / self.height))

    def text(self, left: float, top: float, text: str, size: float = TEXT_SIZE, **properties: Any) -> None:
        """Text whose top left corner (or what `ha`, `va` say) is at that place."""
        settings: dict[str, Any] = {"ha": "left", "va": "top", **properties}
        self.figure.text(left / self.width, 1 - top / self.height, text, fontsize=size, **settings)

    def image(self, image: RGB, left: float, top: float, width: float, height: float) -> Axes:
        """An image (h, w, 3) uint8 that fills that rectangle, every pixel shown as a sharp rectangle."""
        axes = self.axes(left, top, width, height)
        axes.imshow(image, interpolation="none", aspect="auto")
        axes.set(xticks=[], yticks=[])
        for side in axes.spines.values():
            side.set_visible(False)
        return axes

    def fitted(self, image: RGB, left: float, top: float, width: float, height: float) -> Axes:
        """An image as large as fits into that rectangle, in its own proportions, centred."""
        scale = min(width / image.shape[1], height / image.shape[0])
        own_width, own_height = image.shape[1] * scale, image.shape[0] * scale
        return self.image(image, left + (width - own_width) / 2, top + (height - own_height) / 2, own_width, own_height)

    def frame(self, left: float, top: float, width: float, height: float, **properties: Any) -> None:
        """The outline of a rectangle."""
        corner = (left / self.width, 1 - (top + height) / self.height)
        patch = Rectangle(corner, width / self.width, height / self.height, fill=False, **properties)
        patch.set_transform(self.figure.transFigure)
        self.figure.add_artist(patch)

    def key(
        self, series: Sequence[Series], left: float, top: float, lines: bool = True, weight: str = "normal"
    ) -> None:
        """A line of text that names series beside their marks.

        lines: whether the figure joins the marks by lines.

        The words are dark: as text, the colours have too little contrast with the paper (3.4:1 and 3.9:1).
        """
        sample = 0.3 if lines else 0.12
        y = 1 - (top + TEXT_SIZE / 72 / 2) / self.height
        for entry in series:
            x = [(left + part * sample) / self.width for part in (0, 0.5, 1)]
            mark = Line2D(
                x, [y] * 3, color=entry.colour, ls=entry.line if lines else "", marker=entry.marker, markevery=[1]
            )
            mark.set_transform(self.figure.transFigure)
            self.figure.add_artist(mark)
            left += sample + 0.06
            self.text(left, top + TEXT_SIZE / 72 / 2, entry.label, va="center", fontweight=weight)
            left += text_width(entry.label, TEXT_SIZE, weight) + 0.25


def header_lines(notes: str, width: float) -> list[str]:
    """Notes wrapped to a page `width` inches wide; line breaks in them are kept."""
    return [line for paragraph in notes.split("\n") for line in wrap(paragraph, width - 2 * MARGIN, TEXT_SIZE)]


def open_page(title: str, notes: str, width: float, body_height: float, warning: str = "") -> tuple[Page, float]:
    """A page with a title, and below it the notes on what is shown and on which data.

    warning: a line in red above them, such as that real people are shown. "": none.

    Returns the page and how far down it the body may begin. body_height inches are free from there.
    """
    warned = wrap(warning, width - 2 * MARGIN, TEXT_SIZE)
    lines = [*warned, *header_lines(notes, width)]
    step = TEXT_SIZE * LINE_HEIGHT / 72
    body_top = MARGIN + TITLE_SIZE * LINE_HEIGHT / 72 + 0.02 + step * len(lines) + 0.12
    page = Page(width, body_top + body_height)
    page.figure.set_label(title)
    page.text(MARGIN, MARGIN, title, TITLE_SIZE, fontweight="bold")
    for number, line in enumerate(lines):
        top, is_warning = MARGIN + TITLE_SIZE * LINE_HEIGHT / 72 + 0.02 + step * number, number < len(warned)
        weight = "bold" if is_warning else "normal"
        page.text(MARGIN, top, line, color=ALARM if is_warning else FAINT, fontweight=weight)
    return page, body_top


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Width of a line of text in inches, in the fonts of the house style, and 4 % more for rounding to pixels."""
    font = FontProperties(family="sans-serif", size=size, weight=weight)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return 1.04 * float(width) / 72


def wrap(text: str, width: float, size: float) -> list[str]:
    """Text broken between words into lines of at most `width` inches; a longer word has a line of its own."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def around(values: Iterable[float]) -> tuple[float, float]:
    """A range for an axis: it holds the values and a little room at both ends."""
    low, high = min(values := list(values)), max(values)
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room


@house_style()
def render(figure: Figure, file_format: str) -> bytes:
    """A figure as the bytes of a `svg` or `png` file. The same figure gives the same bytes: no date is written."""
    # Left to itself Matplotlib writes the date into an SVG and its version into both.
    kinds: dict[str, dict[str, str | None]] = {
        "svg": {"Date": None, "Creator": "anonbench"},
        "png": {"Software": "anonbench"},
    }
    buffer = io.BytesIO()
    figure.savefig(
        buffer, format=file_format, dpi=PNG_DPI, metadata={"Title": str(figure.get_label()), **kinds[file_format]}
    )
    return buffer.getvalue()


def write_figure(figure: Figure, svg: Path, png: Path) -> None:
    """Write a figure as both files, or as neither when it cannot be drawn."""
    for path, data in [(svg, render(figure, "svg")), (png, render(figure, "png"))]:
        write_bytes(path, data)
