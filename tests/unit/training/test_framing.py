"""Crops around regions: where they lie, what they may show, and the way back."""

from __future__ import annotations

import numpy as np
import pytest

from anonbench.data.masks import Mask
from anonbench.data.regions import Region, covered
from anonbench.training.framing import GREY, Framing, paste

FACES = Framing((16, 16), margin=0.35, background=0.0)
BODIES = Framing((36, 20), margin=0.05, background=0.3)


def picture(height: int = 60, width: int = 50) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def disc(cy: int, cx: int, radius: int, height: int = 60, width: int = 50) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    return (rows - cy) ** 2 + (columns - cx) ** 2 <= radius**2


def test_a_face_gets_as_much_on_each_side_as_the_margin_says() -> None:
    """By hand: a box of 10 x 20 grows to 20 x 1.7 = 34 a side about its centre (20, 30)."""
    assert FACES.frame((15, 20, 25, 40), 200) == (3, 13, 37, 47)


def test_a_body_has_the_crops_proportions_and_enough_background() -> None:
    """By hand: 36 high and 20 wide + 10 % is 39.6 x 22; all of it body, it must be 720 / 0.7 = 1028.6 pixels at least.

    22 / 20 = 1.1 is less than sqrt(1028.6 / 720) = 1.195, so that the frame is 43.03 x 23.9, rounded up.
    """
    x0, y0, x1, y1 = BODIES.frame((100, 100, 120, 136), 36 * 20)
    assert (y1 - y0, x1 - x0) == (44, 24)
    assert x0 <= 100 - 1 <= 120 + 1 <= x1
    assert BODIES.frame((100, 100, 120, 136), 1) == (99, 98, 121, 138), "a thin one needs the margin only"


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (49, 59, 50, 60), (0, 0, 50, 60), (3, 0, 4, 60), (0, 7, 50, 8)])
def test_a_frame_holds_all_of_its_box(box: tuple[int, int, int, int]) -> None:
    for framing in (FACES, BODIES):
        x0, y0, x1, y1 = framing.frame(box, (box[2] - box[0]) * (box[3] - box[1]))
        assert x0 <= box[0]
        assert y0 <= box[1]
        assert x1 >= box[2]
        assert y1 >= box[3]


def test_no_hidden_pixel_has_an_influence_on_a_crop() -> None:
    """Two people; in the crop of one the other is hidden, too, at any scale."""
    image = picture()
    first, second = disc(30, 20, 12), disc(25, 38, 9)
    region = Region((8, 18, 33, 43), "body", mask=Mask.pack(first))
    hidden = first | second
    other = image.copy()
    other[hidden] = np.random.default_rng(2).integers(0, 256, (int(hidden.sum()), 3), dtype=np.uint8)
    for framing in (FACES, BODIES, Framing((7, 9), 0.3), Framing((120, 90), 0.1)):
        one, two = framing.cut(image, region, hidden), framing.cut(other, region, hidden)
        np.testing.assert_array_equal(one.pixels, two.pixels)
        assert (framing.cut_original(image, one.frame) != framing.cut_original(other, one.frame)).any()
        assert not (one.own & one.known).any()
        assert (one.pixels[one.known] == framing.cut_original(image, one.frame)[one.known]).all()


def test_what_is_outside_the_picture_is_grey_and_not_known() -> None:
    crop = FACES.cut(picture(), Region((0, 0, 10, 10)), covered([Region((0, 0, 10, 10))], 60, 50))
    assert crop.frame[:2] == (-4, -4)
    assert (crop.pixels[:2] == GREY).all()
    assert not crop.known[:2].any()
    assert crop.known[-1, -1]


def test_key_points_go_along_and_lost_ones_are_not_known() -> None:
    points = [(0.0, 0.0, 0.0)] * 17
    points[0], points[16] = (10.0, 20.0, 2.0), (19.0, 38.0, 1.0)
    region = Region((0, 0, 20, 40), "body", keypoints=tuple(points))
    framing = Framing((80, 40), 0.0, 0.0)
    crop = framing.cut(picture(), region, covered([region], 60, 50))
    assert crop.frame == (0, 0, 20, 40)
    np.testing.assert_allclose(crop.points[[0, 16]], [[21, 41, 1], [39, 77, 1]], err_msg="the middles of those pixels")
    assert crop.points[:, 2].sum() == 2


def test_pasting_changes_the_region_alone_and_undoes_the_cut() -> None:
    """A smooth picture comes back nearly as it was; pixels outside the region do so to the bit."""
    rows, columns = np.mgrid[0:60, 0:50]
    image = np.stack([rows * 3, columns * 4, rows + columns], axis=2).astype(np.uint8)
    belongs = disc(6, 5, 14)  # over the picture's corner
    region = Region((0, 0, 20, 21), "body", mask=Mask.pack(belongs))
    framing = Framing((64, 64), 0.1)
    crop = framing.cut(image, region, belongs)
    result = np.zeros_like(image)
    paste(result, crop, framing.cut_original(image, crop.frame))
    assert not result[~belongs].any()
    inner = disc(6, 5, 12) & (rows > 1) & (columns > 1)  # the grey beyond the picture's edge is mixed in there
    assert np.abs(result[inner].astype(int) - image[inner]).max() <= 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": (3, 16)}, "size is 3; expected an integer >= 4"),
        ({"size": [16, 16]}, "expected .height, width."),
        ({"size": (16, 16), "margin": -1}, "margin is -1; expected >= 0"),
        ({"size": (16, 16), "background": 1}, "background is 1; expected < 1"),
    ],
)
def test_bad_values_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Framing(**values)  # type: ignore[arg-type]
