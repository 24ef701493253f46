"""Pictures of people under anonymizers: who is shown, which part of them, and where on the page."""

from __future__ import annotations

import numpy as np
import pytest
from figure_checks import check_layout, words
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from anonbench.core.errors import DataError
from anonbench.data.entries import REAL_PEOPLE
from anonbench.data.images import RGB
from anonbench.data.pictures import Picture
from anonbench.data.regions import Region
from anonbench.report.style import ALARM
from anonbench.studies.reid_faces.samples import (
    best_faces,
    draw_before_after,
    draw_techniques,
    draw_variants,
    head,
    upper_half,
)

BOX = Region((10, 8, 20, 20), score=0.9)


def image(path: str, pid: int) -> Picture:
    return Picture(path, "gallery", 10, 20, "x", {"pid": pid, "camid": 1})


def numbered(height: int = 128, width: int = 64) -> RGB:
    """Red holds the row, green the column."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, 0 * rows], axis=-1).astype(np.uint8)


def test_the_largest_confident_face_of_each_identity_largest_first() -> None:
    images = [image("a1", 1), image("a2", 1), image("b", 2), image("c", 3), image("junk", -1), image("nobody", 0)]
    faces = {
        "a1": [Region((0, 0, 4, 4), score=1.0), Region((0, 0, 9, 9), score=0.1)],  # 16, 0.81
        "a2": [Region((0, 0, 5, 5), score=0.9)],  # 20.25
        "b": [Region((0, 0, 6, 6), score=0.8)],  # 23.04
        "c": [],
        "junk": [Region((0, 0, 9, 9), score=1.0)],
        "nobody": [Region((0, 0, 9, 9), score=1.0)],
    }
    assert [(f.path, f.box) for f in best_faces(images, faces, 9)] == [("b", faces["b"][0]), ("a2", faces["a2"][0])]
    assert [f.path for f in best_faces(images, faces, 1)] == ["b"]


def test_a_default_box_is_no_face() -> None:
    """Detectors give it the score 0."""
    assert best_faces([image("a", 1)], {"a": [Region((15, 4, 35, 23), score=0.0, source="default")]}, 3) == []


def test_the_head_is_a_square_about_the_box() -> None:
    """The box is 10 x 12 about (15, 14); 2.3 times 12 is 27.6, so the side is 28: columns 1-28, rows 0-27."""
    found = head(numbered(), BOX)
    assert found.shape == (28, 28, 3)
    assert tuple(found[0, 0, :2]) == (0, 1)


@pytest.mark.parametrize(
    "box", [Region((-3, -3, 8, 8), score=1), Region((58, 110, 70, 130), score=1), Region((0, 0, 64, 128), score=1)]
)
def test_the_head_stays_inside_the_image(box: Region) -> None:
    found = head(numbered(), box)
    assert found.shape[0] == found.shape[1] <= 64
    assert found.shape[0] >= min(64, 2 * min(box.x1 - box.x0, 64) - 1)


def test_the_upper_half_of_an_odd_number_of_rows() -> None:
    assert len(upper_half(numbered(129))) == 65


def test_originals_over_anonymized_over_their_heads() -> None:
    originals = [numbered(), numbered(120, 50)]
    hidden = [np.zeros_like(o) for o in originals]
    figure = draw_before_after(originals, hidden, [BOX, BOX], "blur", "toy (rendered people)")
    check_layout(figure)
    assert len(figure.axes) == 8
    shown = [np.asarray(axes.get_images()[0].get_array()) for axes in figure.axes]
    assert np.array_equal(shown[0], originals[0])
    assert np.array_equal(shown[3], hidden[1])
    assert np.array_equal(shown[4], head(originals[0], BOX))
    place = [axes.get_position() for axes in figure.axes]
    assert place[0].y0 > place[2].y1 > place[4].y1 > place[6].y1, "rows from the top"
    assert place[0].x1 < place[1].x0
    assert place[0].x0 + place[0].width / 2 == pytest.approx(place[2].x0 + place[2].width / 2), "the same column"
    assert words(figure).count("original") == words(figure).count("blur") == 2
    assert "Data: toy (rendered people)." in words(figure)


def test_techniques_three_a_row_in_the_order_given() -> None:
    names = ["original", "zero", "blank", "pixelate", "inpaint", "blur"]
    images = {name: np.full((128, 64, 3), 40 * n, np.uint8) for n, name in enumerate(names)}
    details = {"blur": "gaussian_blur: sigma_rel 0.125"}
    figure = draw_techniques(images, BOX, "toy", details)
    check_layout(figure)
    assert len(figure.axes) == 12, "each with its head"
    crops, heads = figure.axes[::2], figure.axes[1::2]
    assert [int(a.get_images()[0].get_array()[0, 0, 0]) for a in crops] == [40 * n for n in range(6)]
    tops = [round(a.get_position().y1, 6) for a in crops]
    assert len(set(tops[:3])) == len(set(tops[3:])) == 1
    assert tops[0] > tops[3]
    assert all(h.get_position().x0 > c.get_position().x1 for c, h in zip(crops, heads, strict=True))
    text = words(figure)
    assert [text.index(name) for name in names] == sorted(text.index(name) for name in names)
    assert "64 × 128 pixels" in " ".join(text)
    assert "10 × 12 pixels" in " ".join(text)
    assert "sigma_rel" in " ".join(text)


@pytest.mark.parametrize("people", [1, 2, 12])
def test_pages_for_few_and_many_people(people: int) -> None:
    images = [numbered()] * people
    check_layout(draw_before_after(images, images, [BOX] * people, "pixelate", "toy"))
    check_layout(draw_variants({"original": images, "pixelate": images}))
    check_layout(draw_techniques({f"variant{n}": numbered() for n in range(people)}, BOX, "toy"))


def test_a_warning_stands_above_and_covers_nothing() -> None:
    images = [numbered()] * 2
    for figure in (
        draw_before_after(images, images, [BOX] * 2, "pixelate", "toy", REAL_PEOPLE),
        draw_variants({"original": images, "pixelate": images}, REAL_PEOPLE),
        draw_techniques({"zero": numbered()}, BOX, "toy", warning=REAL_PEOPLE),
    ):
        check_layout(figure)
        assert "REAL PEOPLE" in " ".join(words(figure))
        (line,) = [text for text in figure.findobj(Text) if text.get_text().startswith("REAL PEOPLE")]
        assert line.get_color() == ALARM
        bottom = line.get_window_extent(FigureCanvasAgg(figure).get_renderer()).y0 / figure.bbox.height
        assert bottom >= max(axes.get_position().y1 for axes in figure.axes)


def test_nothing_to_show_is_said() -> None:
    with pytest.raises(DataError, match="there is no image to show"):
        draw_before_after([], [], [], "blur", "toy")
