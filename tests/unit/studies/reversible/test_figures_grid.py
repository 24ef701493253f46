"""Grids of pictures: who is shown, which numbers stand below, where everything is on the page."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from figure_checks import check_layout, words
from matplotlib.figure import Figure

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.entries import REAL_PEOPLE
from anonbench.data.images import RGB
from anonbench.data.pictures import Picture
from anonbench.report.style import ALARM
from anonbench.studies.reversible.figures_grid import (
    Column,
    Quality,
    choose_people,
    draw_grid,
    measure,
    read_columns,
)

COLUMNS = [
    Column("original", "raw"),
    Column("blurred", "blurred", "blurring"),
    Column("blurred_protected", "protected (without U)", "blurring"),
]


def picture(path: str, pid: int, camid: int = 1, split: str = "query") -> Picture:
    return Picture(path, split, 32, 64, "x", {"pid": pid, "camid": camid})


PEOPLE = [picture(f"q/{pid}_{n}.png", pid, n) for pid in range(1, 9) for n in range(3)]


def flat(shade: int, height: int = 64, width: int = 32) -> RGB:
    return np.full((height, width, 3), shade, np.uint8)


def grid(people: int = 2, columns: list[Column] = COLUMNS, **changed: object) -> Figure:
    settings = {
        "columns": columns,
        "people": [picture(f"{n}.png", n + 1, n) for n in range(people)],
        "pictures": [[flat(10 * row + column) for row in range(people)] for column in range(len(columns))],
        "qualities": [Quality(20.04 + n, 0.514 + n / 100, 0) for n in range(len(columns) - 1)],
        "label": "toy (rendered people)",
        "title": "What is hidden",
        "seed": 0,
    } | changed
    return draw_grid(**settings)


# --- who is shown ---


def test_people_are_drawn_by_the_seed_and_not_by_the_order_of_the_manifest() -> None:
    first = choose_people(PEOPLE, 4, 0)
    assert choose_people(list(reversed(PEOPLE)), 4, 0) == first
    assert any(choose_people(PEOPLE, 4, seed) != first for seed in (1, 2))


def test_everybody_is_shown_once_and_more_people_come_behind() -> None:
    shown = choose_people(PEOPLE, 8, 0)
    assert sorted(person.labels["pid"] for person in shown) == list(range(1, 9))
    assert choose_people(PEOPLE, 3, 0) == shown[:3]
    assert choose_people(PEOPLE, 99, 0) == shown
    assert len({person.labels["camid"] for person in shown}) > 1, "not always a person's first picture"


def test_only_queries_of_people_are_shown() -> None:
    others = [picture("junk.png", -1), picture("distractor.png", 0), picture("gallery.png", 5, split="gallery")]
    assert choose_people([*others, picture("q.png", 3)], 9, 0) == [picture("q.png", 3)]
    assert choose_people(others, 9, 0) == []


# --- numbers ---


def test_quality_by_hand() -> None:
    """8 grey levels: 20 log10(255/8) = 30.069 dB; 16: 24.048. SSIM of flat pictures is its term of light alone."""
    raw = [flat(100), flat(100)]
    found = measure(raw, [flat(108), flat(116)])

    def light(a: float, b: float) -> float:
        return (2 * a * b + (0.01 * 255) ** 2) / (a * a + b * b + (0.01 * 255) ** 2)

    assert found.psnr == pytest.approx((20 * math.log10(255 / 8) + 20 * math.log10(255 / 16)) / 2)
    assert found.ssim == pytest.approx((light(100, 108) + light(100, 116)) / 2, abs=1e-6)
    assert found.identical == 0


def test_identical_pictures_are_counted_and_not_averaged() -> None:
    found = measure([flat(100), flat(50)], [flat(100), flat(58)])
    assert (found.psnr, found.identical) == (pytest.approx(20 * math.log10(255 / 8)), 1)
    assert measure([flat(9)], [flat(9)]) == Quality(math.inf, pytest.approx(1.0), 1)


def test_raw_pictures_are_resized_to_the_copys_size() -> None:
    """A raw picture of another size, left half black, right half white, is the same picture at the copy's size."""

    def halves(height: int, width: int) -> RGB:
        image = flat(0, height, width)
        image[:, width // 2 :] = 255
        return image

    assert measure([halves(128, 64)], [halves(64, 32)]).ssim > 0.95
    assert measure([halves(128, 64)], [halves(64, 32)[:, ::-1]]).ssim < 0.5


def test_pictures_smaller_than_the_window_are_refused() -> None:
    with pytest.raises(DataError, match=r"16 x 8 pixels is too small for SSIM; expected sides of at least 11"):
        measure([flat(0)], [flat(0, 8, 16)])


# --- the page ---


def test_columns_and_rows_in_order_with_numbers_below() -> None:
    figure = grid()
    check_layout(figure)
    assert [int(axes.get_images()[0].get_array()[0, 0, 0]) for axes in figure.axes] == [0, 1, 2, 10, 11, 12]
    corners = [(axes.get_position().x0, -axes.get_position().y1) for axes in figure.axes]
    assert corners[0][0] < corners[1][0] < corners[2][0]
    assert [x for x, _ in corners[:3]] == [x for x, _ in corners[3:]]
    assert corners[0][1] < corners[3][1]
    found = {text.get_text(): text.get_position()[0] for text in figure.texts}
    middles = [(axes.get_position().x0 + axes.get_position().x1) / 2 for axes in figure.axes[:3]]
    for middle, below in zip(middles[1:], [("20.0", "0.51"), ("21.0", "0.52")], strict=True):
        assert [found[text] for text in below] == pytest.approx([middle, middle])
    assert [found[title] for title in ("raw", "blurred", "(without U)")] == pytest.approx(middles)
    assert {"person 1\ncamera 0", "person 2\ncamera 1", "PSNR, dB", "SSIM", "blurring"} <= found.keys()
    assert "against 'raw'" in " ".join(words(figure))
    assert "Data: toy (rendered people)." in words(figure)


def test_pictures_of_other_sizes_are_shown_at_one() -> None:
    pictures = [[flat(1, 90, 40)] * 2, [flat(2)] * 2, [flat(3)] * 2]
    figure = grid(pictures=pictures)
    sizes = {
        (round(a.get_position().width * figure.get_size_inches()[0], 6), round(a.get_position().height, 6))
        for a in figure.axes
    }
    assert len(sizes) == 1
    assert figure.axes[0].get_images()[0].get_interpolation() == "none"
    assert figure.axes[0].get_images()[0].get_array().shape == (90, 40, 3), "shown as it is, not resized"
    assert "those of other proportions stretched to it" in " ".join(words(figure))
    assert "stretched" not in " ".join(words(grid()))


@pytest.mark.parametrize(("people", "methods"), [(1, 0), (4, 1), (6, 2), (8, 2)])
def test_pages_for_few_and_many_pictures_fit_on_paper(people: int, methods: int) -> None:
    columns = [Column("original", "raw"), Column("recovered", "recovered")]
    for group in ("blurring", "pixelation", "noise")[:methods]:
        columns += [Column(group, title, group) for title in ("shown", "protected (without U)", "protected (with U)")]
    figure = grid(people, columns)
    check_layout(figure)
    width, height = figure.get_size_inches()
    assert width <= 7.2
    assert height <= 10.7


def test_a_caption_breaks_before_its_bracket() -> None:
    columns = [Column("original", "raw"), Column("a", "protected (with U)")]
    assert {"protected", "(with U)"} <= set(words(grid(4, columns)))
    wide = grid(4, columns, pictures=[[flat(0, 64, 128)] * 4] * 2)
    assert "protected (with U)" in words(wide)


def test_identical_pictures_are_said() -> None:
    figure = grid(qualities=[Quality(math.inf, 1.0, 2), Quality(30.0, 0.9, 1)])
    assert "∞" in words(figure)
    assert "identical to 'raw' are left out of the PSNR" in " ".join(words(figure))
    assert "identical" not in " ".join(words(grid(qualities=[Quality(math.inf, 1.0, 2), Quality(30.0, 0.9, 0)])))


def test_a_warning_stands_above_the_pictures() -> None:
    figure = grid(warning=REAL_PEOPLE)
    check_layout(figure)
    (line,) = [text for text in figure.texts if text.get_text().startswith("REAL PEOPLE")]
    assert line.get_color() == ALARM
    assert line.get_position()[1] > max(axes.get_position().y1 for axes in figure.axes)


# --- settings ---


def test_settings_that_do_not_fit() -> None:
    file = Path("m.csv")
    entries = [{"variant": "original", "title": "raw"}, {"variant": "blurred", "title": "blurred", "group": "g"}]
    assert read_columns(entries, [file] * 2, [file] * 2) == [COLUMNS[0], Column("blurred", "blurred", "g")]
    for wrong, files, message in (
        (entries[:1], 1, "variants has 1 entries; expected the raw pictures and at least one more"),
        (entries, 3, "2 variants, 3 manifests and 3 image folders; expected one of each"),
        ([*entries, {"variant": "x", "titel": "y"}], 3, r"variants[2] has no key 'titel': did you mean 'title'?"),
        ([*entries, {"variant": "x", "title": 5}], 3, r"variants[2]: title is 5 (no text"),
    ):
        with pytest.raises(ConfigError, match=re.escape(message)):
            read_columns(wrong, [file] * files, [file] * files)
