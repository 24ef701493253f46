"""Masks: by hand, and against other ways to fill a polygon and to count runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anonbench.core.errors import DataError
from anonbench.data.masks import Mask
from anonbench.data.pictures import Picture
from anonbench.datasets._instances import area_of, box_of, packed
from anonbench.datasets._run_lengths import mask_of

PICTURE = Picture("a.jpg", "val", 40, 24, "0")  # width 40, height 24


def runs_of(pixels: np.ndarray) -> list[int]:
    """Run lengths column by column, beginning with pixels outside, counted one by one."""
    runs, value = [0], False
    for pixel in pixels.ravel(order="F"):
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return runs


def test_a_rectangle_by_hand() -> None:
    pixels = mask_of([[2, 3, 8, 3, 8, 20, 2, 20]], PICTURE, "here").unpack()
    expected = np.zeros((24, 40), bool)
    expected[3:20, 2:8] = True
    np.testing.assert_array_equal(pixels, expected)


def test_parts_are_joined_and_what_leaves_the_picture_is_cut_off() -> None:
    parts = [[-9, -5, 4, -5, 4, 6, -9, 6], [30, 20, 99, 20, 99, 99, 30, 99], [5, 5, 6, 6]]
    expected = np.zeros((24, 40), bool)
    expected[:6, :4] = expected[20:, 30:] = True
    np.testing.assert_array_equal(mask_of(parts, PICTURE, "here").unpack(), expected)


def inside_and_distance(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the middle of each pixel of the picture, whether it is in a polygon (n, 2), and how far from its border."""
    inside, distance = np.zeros((24, 40), bool), np.full((24, 40), np.inf)
    y, x = np.mgrid[:24, :40] + 0.5
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        crosses = (y0 > y) != (y1 > y)
        inside ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
        along = (((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2)).clip(0, 1)
        distance = np.minimum(distance, np.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0)))
    return inside, distance


@pytest.mark.parametrize("seed", range(10))
def test_a_pixel_whose_middle_is_inside_belongs_to_it(seed: int) -> None:
    """Counted by the crossings of a ray, but for pixels on the border."""
    rng = np.random.default_rng(seed)
    angles, radii = np.sort(rng.uniform(0, 2 * np.pi, 9)), rng.uniform(6, 30, 9)
    corners = np.stack([20 + radii * np.cos(angles), 12 + radii * np.sin(angles)], axis=1)
    ours = mask_of([corners.ravel().tolist()], PICTURE, "here").unpack()
    inside, distance = inside_and_distance(corners)
    assert (inside & (distance > 1)).sum() > 30
    np.testing.assert_array_equal(ours[distance > 1], inside[distance > 1])


@pytest.mark.parametrize("seed", range(10))
def test_run_lengths_in_both_forms(seed: int) -> None:
    pixels = np.random.default_rng(seed).random((24, 40)) < (seed / 9)
    mask = Mask.pack(pixels)
    assert mask_of({"size": [24, 40], "counts": runs_of(pixels)}, PICTURE, "here") == mask
    assert mask_of({"size": [24, 40], "counts": mask.counts}, PICTURE, "here") == mask
    assert packed(pixels) == mask
    assert area_of(mask) == pixels.sum()
    if pixels.any():
        rows, columns = np.nonzero(pixels)
        assert box_of(mask) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        (None, "has the segmentation None; expected polygons or run lengths"),
        ([], r"has the segmentation \[\]"),
        ([[1, 2, 3, 4]], "has no polygon of three corners or more"),
        ([[1, 2, 3, 4, 5, 6, 7]], "expected x and y of each corner"),
        ([[1, 2, 3, float("nan"), 5, 6]], "finite numbers"),
        ([[1, 2, 3, 1e999, 5, 6]], "finite numbers"),
        ([[1, 2, 3, "4", 5, 6]], "finite numbers"),
        ([1, 2, 3, 4, 5, 6], "has the polygon 1; expected"),
        ([[1, 2, 10**20, 4, 5, 6]], "has a corner at 1000+; expected pixels of a picture of 40 x 24"),
        ([[1, 2, 3, -401, 5, 6]], "has a corner at -401"),
        (
            {"size": [40, 24], "counts": [960]},
            r"of the size \[40, 24\]; expected height and width of a\.jpg, \[24, 40\]",
        ),
        ({"size": [24, 40], "counts": [900]}, "sum to 900; expected 24 x 40 pixels"),
        ({"size": [24, 40], "counts": [-1, 961]}, "expected whole numbers >= 0"),
        ({"size": [24, 40], "counts": None}, "are None; expected whole numbers"),
        ({"size": [24, 40], "counts": "ü"}, "hold the character"),
        ({"size": [24, 40], "counts": "1"}, "sum to 1; expected 24 x 40"),
        ({}, "of the size None"),
    ],
)
def test_what_is_no_mask_says_what_was_found(segmentation: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"^here.*{message}"):
        mask_of(segmentation, PICTURE, "here")
