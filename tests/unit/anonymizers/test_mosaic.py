"""The mosaic of cells of a fixed size against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest

from anonbench.anonymizers.mosaic import Mosaic
from anonbench.data.images import RGB
from anonbench.data.regions import Region

RNG = np.random.default_rng(1)


def naive_mosaic(crop: RGB, cell: int, pixel: str) -> np.ndarray:
    result = np.empty(crop.shape)
    for y in range(0, crop.shape[0], cell):
        for x in range(0, crop.shape[1], cell):
            part = crop[y : y + cell, x : x + cell]
            result[y : y + cell, x : x + cell] = part[0, 0] if pixel == "corner" else part.mean(axis=(0, 1))
    return result


@pytest.mark.parametrize("size", [(128, 256), (64, 128), (25, 24), (24, 49), (7, 1), (1, 7), (1, 1)])
@pytest.mark.parametrize("cell", [2, 12, 24])
@pytest.mark.parametrize("pixel", ["corner", "mean"])
def test_agrees_with_a_plain_loop(size: tuple[int, int], cell: int, pixel: str) -> None:
    width, height = size
    image = RNG.integers(0, 256, (height + 5, width + 4, 3), dtype=np.uint8)
    patch = Mosaic(cell, pixel).redact(image, Region((3, 2, 3 + width, 2 + height)), RNG)
    expected = naive_mosaic(image[2 : 2 + height, 3 : 3 + width], cell, pixel)
    assert np.abs(patch - expected).max() <= (0 if pixel == "corner" else 0.51)


def test_cells_at_the_far_edges_are_hidden_too() -> None:
    """A loop that stops one cell early leaves the last 16 of 256 rows as they were."""
    image = RNG.integers(0, 256, (256, 128, 3), dtype=np.uint8)
    patch = Mosaic(24).redact(image, Region((0, 0, 128, 256)), RNG)
    np.testing.assert_array_equal(patch[240:, 120:], np.broadcast_to(image[240, 120], (16, 8, 3)))
    assert len(np.unique(patch.reshape(-1, 3), axis=0)) == 11 * 6


def test_a_corner_keeps_the_noise_that_a_mean_takes_away() -> None:
    image = RNG.integers(0, 256, (256, 128, 3), dtype=np.uint8)
    box = Region((0, 0, 128, 256))
    corner, mean = (Mosaic(24, pixel).redact(image, box, RNG).std() for pixel in ("corner", "mean"))
    assert corner > 60
    assert mean < 8


@pytest.mark.parametrize("bad", [0, 1, -3, 2.5, "6", True])
def test_bad_cells(bad: object) -> None:
    with pytest.raises(ValueError, match=f"cell_px must be a whole number >= 2, got {bad!r}"):
        Mosaic(bad)  # type: ignore[arg-type]


def test_an_unknown_pixel_lists_the_known() -> None:
    with pytest.raises(ValueError, match="pixel must be one of corner, mean, got 'median'"):
        Mosaic(pixel="median")
