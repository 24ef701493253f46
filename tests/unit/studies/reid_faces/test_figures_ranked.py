"""Ranked lists: images in their order, correct and wrong ones told apart by more than colour."""

from __future__ import annotations

import numpy as np
import pytest
from figure_checks import check_layout, words
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from anonbench.core.errors import DataError
from anonbench.data.images import RGB
from anonbench.studies.reid_faces.figures_ranked import RankedImage, RankedQuery, RankedStrip, draw_ranked


def flat(shade: int, height: int = 16, width: int = 8) -> RGB:
    return np.full((height, width, 3), shade, np.uint8)


def query(correct: list[list[bool]], why: str = "Largest loss: AP 83 → 21 %") -> RankedQuery:
    strips = [
        RankedStrip(name, flat(100 + n), 0.83 - 0.62 * n, [RankedImage(flat(10 * i), c) for i, c in enumerate(row)])
        for n, (name, row) in enumerate(zip(("original", "blur"), correct, strict=True))
    ]
    return RankedQuery(why, "query/0001.jpg", strips)


def frames(figure: Figure, name: str) -> list[Rectangle]:
    return [a for a in figure.artists + figure.patches if isinstance(a, Rectangle) and a.get_gid() == name]


def shades(figure: Figure) -> list[int]:
    return [int(axes.get_images()[0].get_array()[0, 0, 0]) for axes in figure.axes]


def test_the_query_then_the_gallery_in_order() -> None:
    figure = draw_ranked([query([[True, False, False], [False, False, True]])], "bot", "toy (rendered people)")
    check_layout(figure)
    assert shades(figure) == [100, 0, 10, 20, 101, 0, 10, 20]
    lefts = [axes.get_position().x0 for axes in figure.axes[:4]]
    assert lefts == sorted(lefts)
    assert len(frames(figure, "query")) == 2
    text = words(figure)
    assert text.count("1 ✓") == 1
    assert text.count("3 ✓") == 1
    assert [text.count(mark) for mark in ("1 ✗", "2 ✗", "3 ✗")] == [1, 2, 1]
    for word in ("Largest loss: AP 83 → 21 %", "query/0001.jpg", "original", "AP 83 %", "blur", "AP 21 %"):
        assert word in text
    assert "Data: toy (rendered people)." in text


def test_correct_and_wrong_frames_differ_in_line_and_colour() -> None:
    figure = draw_ranked([query([[True, False], [False, False]])], "bot", "toy")
    (correct,), wrong = frames(figure, "correct"), frames(figure, "wrong")
    assert len(wrong) == 3
    assert correct.get_linestyle() == "-"
    assert {str(frame.get_linestyle()) for frame in wrong} != {"-"}
    assert correct.get_edgecolor() != wrong[0].get_edgecolor()


def test_images_keep_their_proportions() -> None:
    strip = RankedStrip("original", flat(1, 60, 60), 0.5, [RankedImage(flat(2, 30, 60), True)])
    figure = draw_ranked([RankedQuery("Median change", "q.jpg", [strip])], "bot", "toy")
    width, height = figure.get_size_inches()
    sizes = [(a.get_position().width * width, a.get_position().height * height) for a in figure.axes]
    assert [w / h for w, h in sizes] == pytest.approx([1, 2])


def test_many_queries_and_long_names_fit_on_the_page() -> None:
    row = [True, False] * 5
    queries = [query([row, row], why) for why in ("Largest loss: AP 100 → 0 %", "Median change: AP 50 → 50 %")]
    check_layout(draw_ranked(queries, "a model with a rather long name", "toy"))


def test_without_a_query_there_is_nothing_to_show() -> None:
    with pytest.raises(DataError, match="there is no query to show"):
        draw_ranked([], "bot", "toy")
