"""The look that all figures share: colours that can be told apart, pages in inches, files that repeat."""

from __future__ import annotations

import io
import itertools
import re

import matplotlib
import numpy as np
import pytest
from figure_checks import check_layout
from matplotlib.figure import Figure
from PIL import Image

from anonbench.report import style
from anonbench.report.style import (
    FAINT,
    INK,
    Page,
    Series,
    open_page,
    render,
    text_width,
    wrap,
)
from anonbench.studies.reid_faces.figures_ranked import CORRECT, WRONG
from anonbench.studies.reid_faces.series import SERIES
from anonbench.studies.reversible.figures_maps import LOOKS

# How colours look without the long- or the middle-wave cones: linear RGB, severity 1.
# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency" (2009).
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array([
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998],
    ]),
    "deuteranopia": np.array([
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881],
    ]),
}  # fmt: skip
TO_XYZ = np.array([
    [0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041],
])  # fmt: skip


def linear(colour: str) -> np.ndarray:
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(colour: str, vision: str) -> np.ndarray:
    """CIE L*a*b* of a colour as somebody sees it."""
    xyz = TO_XYZ @ np.clip(VISION[vision] @ linear(colour), 0, 1) / np.array([0.95047, 1, 1.08883])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def closest(colours: list[str], vision: str) -> float:
    """The least distance between any two colours; 2.3 is just noticeable side by side."""
    return min(float(np.linalg.norm(lab(a, vision) - lab(b, vision))) for a, b in itertools.combinations(colours, 2))


def contrast_on_white(colour: str) -> float:
    return 1.05 / (float(linear(colour) @ [0.2126, 0.7152, 0.0722]) + 0.05)


@pytest.mark.parametrize("vision", VISION)
def test_colours_that_carry_meaning_can_be_told_apart(vision: str) -> None:
    assert closest([series.colour for series in SERIES.values()], vision) > 30
    assert closest([CORRECT, WRONG], vision) > 30
    assert closest([style.OKABE_ITO[colour] for colour, _ in LOOKS], vision) > 15  # of seven; shapes differ too


def test_the_check_of_colours_can_fail() -> None:
    """Matplotlib's own red and green are far apart, but not for somebody with deuteranopia."""
    assert closest(["#D62728", "#2CA02C"], "normal") > 100
    assert closest(["#D62728", "#2CA02C"], "deuteranopia") < 10


def test_settings_differ_in_more_than_colour() -> None:
    looks = list(SERIES.values())
    assert len({series.marker for series in looks}) == len({str(series.line) for series in looks}) == len(looks) == 3


def test_text_is_readable_on_white() -> None:
    """4.5:1 is what WCAG asks of text of this size, 3:1 of marks."""
    assert min(contrast_on_white(INK), contrast_on_white(FAINT)) >= 4.5
    assert min(contrast_on_white(s.colour) for s in SERIES.values()) >= 3


def sheet() -> Figure:
    with style.house_style():
        page, top = open_page("A title", "Notes on what is shown.\nData: toy.", 5.0, 1.5)
        page.key([Series("one", "#0072B2", "o", "-"), Series("two", "#D55E00", "s", "--")], 0.15, top)
        page.axes(1.0, top + 0.4, 3.0, 0.8).plot([0, 1], [2, 3])
        page.image(np.full((4, 2, 3), 200, np.uint8), 4.2, top + 0.4, 0.4, 0.8)
        page.frame(4.2, top + 0.4, 0.4, 0.8, edgecolor="#000000")
    return page.figure


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_the_same_figure_is_the_same_file(kind: str) -> None:
    assert render(sheet(), kind) == render(sheet(), kind)


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_the_users_own_settings_do_not_leak_in(kind: str) -> None:
    plain = render(sheet(), kind)
    foreign = {"font.size": 30, "axes.facecolor": "black", "svg.fonttype": "path", "lines.linewidth": 9}
    with matplotlib.rc_context({**foreign, "figure.dpi": 31, "savefig.transparent": True}):
        assert render(sheet(), kind) == plain


def test_a_drawing_leaves_matplotlibs_settings_alone() -> None:
    before = dict(matplotlib.rcParams)
    render(sheet(), "svg")
    assert dict(matplotlib.rcParams) == before


def test_svg_keeps_words_and_says_no_date() -> None:
    svg = render(sheet(), "svg").decode()
    for word in ("A title", "Notes on what is shown.", "Data: toy.", "one", "two"):
        assert f">{word}<" in svg
    assert "<dc:title>A title</dc:title>" in svg
    assert not re.search(r"dc:date|20\d\d-\d\d-\d\d", svg)


def test_png_has_the_size_of_the_page_and_its_title() -> None:
    figure = sheet()
    picture = Image.open(io.BytesIO(render(figure, "png")))
    assert picture.size == tuple(int(style.PNG_DPI * inches) for inches in figure.get_size_inches())
    assert picture.info["Title"] == "A title"


def test_things_lie_where_they_were_put_in_inches_from_the_top_left() -> None:
    page = Page(4.0, 2.0)
    axes = page.axes(1.0, 0.5, 2.0, 1.0)
    assert axes.get_position().bounds == pytest.approx((0.25, 0.25, 0.5, 0.5))
    page.text(1.0, 0.5, "here")
    assert page.figure.texts[-1].get_position() == pytest.approx((0.25, 0.75))
    wide = page.fitted(np.zeros((10, 40, 3), np.uint8), 1.0, 0.5, 2.0, 1.0)  # 2.0 x 0.5 inches, centred
    assert wide.get_position().bounds == pytest.approx((0.25, 0.375, 0.5, 0.25))
    tall = page.fitted(np.zeros((40, 20, 3), np.uint8), 1.0, 0.5, 2.0, 1.0)  # 0.5 x 1.0 inches
    assert tall.get_position().bounds == pytest.approx((0.4375, 0.25, 0.125, 0.5))


def test_images_are_shown_pixel_by_pixel() -> None:
    """A checkerboard of 2 x 4 pixels on 0.4 x 0.8 inches: every pixel is a square of 40 dots of one colour."""
    board = np.zeros((4, 2, 3), np.uint8)
    board[::2, ::2] = board[1::2, 1::2] = 255
    page = Page(0.4, 0.8)
    page.image(board, 0, 0, 0.4, 0.8)
    shown = np.array(Image.open(io.BytesIO(render(page.figure, "png"))).convert("RGB"))
    assert np.array_equal(shown, board.repeat(40, axis=0).repeat(40, axis=1))


def test_notes_are_wrapped_to_the_page_and_the_body_begins_below() -> None:
    notes = " ".join(["word"] * 60)
    page, top = open_page("T", notes, 3.0, 1.0)
    short, short_top = open_page("T", "word", 3.0, 1.0)
    assert top > short_top
    assert page.height - top == pytest.approx(1.0)
    assert short.height - short_top == pytest.approx(1.0)
    assert " ".join(t.get_text() for t in page.figure.texts[1:]) == notes
    check_layout(page.figure)


def test_wrapping_breaks_between_words_only() -> None:
    assert wrap("a bb ccc", 100, 8) == ["a bb ccc"]
    assert wrap("alpha beta", 0.01, 8) == ["alpha", "beta"]
    assert wrap("", 1, 8) == []
    assert text_width("alpha beta", 8) > text_width("alpha", 8) > text_width("", 8) == 0
    assert text_width("alpha", 16) == pytest.approx(2 * text_width("alpha", 8))


def test_an_axis_holds_its_values_with_room_at_both_ends() -> None:
    assert style.around([0, 10]) == pytest.approx((-0.6, 10.6))
    low, high = style.around([5.0])
    assert low < 5 < high


def test_writing_makes_both_files_or_none(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    style.write_figure(sheet(), tmp_path / "a/f.svg", tmp_path / "a/f.png")
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["f.png", "f.svg"]
    figure = sheet()
    plain = style.render

    def fail(drawn: Figure, kind: str) -> bytes:
        if kind == "png":
            raise RuntimeError("no fonts")
        return plain(drawn, kind)

    monkeypatch.setattr(style, "render", fail)
    with pytest.raises(RuntimeError, match="no fonts"):
        style.write_figure(figure, tmp_path / "b/f.svg", tmp_path / "b/f.png")
    assert not (tmp_path / "b").exists()
