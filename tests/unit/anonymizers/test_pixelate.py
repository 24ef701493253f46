"""Pixelation against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest

from anonbench.anonymizers.pixelate import Pixelate
from anonbench.data.images import RGB
from anonbench.data.regions import Region

RNG = np.random.default_rng(1)


def naive_mosaic(crop: RGB, n: int) -> np.ndarray:
    """Every pixel takes the area mean of the cell in which its centre lies (on a line: the later cell); float64."""
    height, width = crop.shape[:2]
    rows, columns = max(1, min(n, height // 2)), max(1, min(n, width // 2))

    def weights(cell: int, cells: int, length: int) -> np.ndarray:
        start, end = cell * length / cells, (cell + 1) * length / cells
        pixels = np.arange(length)
        overlap = np.minimum(pixels + 1, end) - np.maximum(pixels, start)
        return np.maximum(overlap, 0) / (end - start)

    result = np.empty(crop.shape)
    for y in range(height):
        for x in range(width):
            wy = weights((2 * y + 1) * rows // (2 * height), rows, height)
            wx = weights((2 * x + 1) * columns // (2 * width), columns, width)
            result[y, x] = np.einsum("y,x,yxc->c", wy, wx, crop.astype(float))
    return result


@pytest.mark.parametrize("size", [(14, 18), (12, 12), (37, 25), (6, 6), (5, 9), (3, 2), (1, 7), (7, 1), (1, 1)])
@pytest.mark.parametrize("n", [1, 4, 6])
def test_agrees_with_a_plain_loop(size: tuple[int, int], n: int) -> None:
    width, height = size
    image = RNG.integers(0, 256, (height + 5, width + 4, 3), dtype=np.uint8)
    patch = Pixelate(n).redact(image, Region((3, 2, 3 + width, 2 + height)), RNG)
    expected = naive_mosaic(image[2 : 2 + height, 3 : 3 + width], n)
    assert np.abs(patch - expected).max() <= 0.51


def test_a_divisible_box_has_n_by_n_even_cells() -> None:
    image = RNG.integers(0, 256, (24, 12, 3), dtype=np.uint8)
    patch = Pixelate(6).redact(image, Region((0, 0, 12, 24)), RNG)
    cells = patch[::4, ::2]  # (6, 6, 3)
    np.testing.assert_array_equal(np.kron(cells, np.ones((4, 2, 1), dtype=np.uint8)), patch)
    assert len(np.unique(cells.reshape(-1, 3), axis=0)) == 36


@pytest.mark.parametrize("side", [2, 3, 4, 5, 6, 7])
def test_a_box_smaller_than_the_grid_is_still_hidden(side: int) -> None:
    """With n x n cells whatever the size, a box of n px or fewer would come back unchanged."""
    image = RNG.integers(0, 256, (side, side, 3), dtype=np.uint8)
    patch = Pixelate(6).redact(image, Region((0, 0, side, side)), RNG)
    assert len(np.unique(patch.reshape(-1, 3), axis=0)) == (side // 2) ** 2


@pytest.mark.parametrize("bad", [0, -3, 2.5, "6", True])
def test_bad_n(bad: object) -> None:
    with pytest.raises(ValueError, match=f"n must be a whole number >= 1, got {bad!r}"):
        Pixelate(n=bad)  # type: ignore[arg-type]
