"""The membrane: a case by hand, the equation itself, and a sparse solver as a second opinion."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve

from anonbench.anonymizers.poisson_inpaint import PoissonInpaint, membrane
from anonbench.data.regions import Region

RNG = np.random.default_rng(2)
HEIGHT, WIDTH = 40, 30
BOXES = [
    (8, 8, 22, 26),
    (0, 0, 14, 18),
    (16, 22, 30, 40),
    (0, 5, 30, 20),
    (5, 0, 20, 40),
    (0, 0, 30, 39),
    (1, 0, 30, 40),
    (4, 4, 5, 5),
    (29, 39, 30, 40),
    (3, 3, 4, 20),
]


def sparse_solution(image: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """Assemble the five-point equations pixel by pixel and solve them with SciPy's sparse LU."""
    x0, y0, x1, y1 = box
    height, width = image.shape[:2]
    number = {(y, x): k for k, (y, x) in enumerate((y, x) for y in range(y0, y1) for x in range(x0, x1))}
    matrix, right = lil_matrix((len(number), len(number))), np.zeros((len(number), 3))
    for (y, x), k in number.items():
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= v < height and 0 <= u < width:
                matrix[k, k] += 1
                if (v, u) in number:
                    matrix[k, number[v, u]] -= 1
                else:
                    right[k] += image[v, u]
    return np.asarray(spsolve(matrix.tocsc(), right)).reshape(y1 - y0, x1 - x0, 3)


@pytest.mark.parametrize("box", BOXES)
def test_agrees_with_a_sparse_solver(box: tuple[int, int, int, int]) -> None:
    image = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    surface = membrane(image, box)
    np.testing.assert_allclose(surface, sparse_solution(image, box), atol=1e-9)
    rounded = np.rint(surface).astype(np.uint8)
    np.testing.assert_array_equal(PoissonInpaint().redact(image, Region(box), RNG), rounded)


def test_every_pixel_is_the_mean_of_its_neighbours() -> None:
    """The residual of the equation itself in a large box, far beyond what the sparse test can afford."""
    image = RNG.integers(0, 256, (256, 128, 3), dtype=np.uint8)
    filled = image.astype(float)
    filled[10:250, 5:120] = membrane(image, (5, 10, 120, 250))
    inner = filled[10:250, 5:120]
    neighbours = filled[9:249, 5:120] + filled[11:251, 5:120] + filled[10:250, 4:119] + filled[10:250, 6:121]
    assert np.abs(4 * inner - neighbours).max() < 1e-9


def test_a_slope_is_continued_exactly() -> None:
    """A plane is its own membrane: 3x + 2y + 5 comes back inside the box."""
    y, x = np.mgrid[0:40, 0:30]
    image = np.repeat((3 * x + 2 * y + 5)[..., None], 3, axis=2).astype(np.uint8)
    holed = image.copy()
    holed[10:30, 6:20] = 0
    np.testing.assert_array_equal(PoissonInpaint().redact(holed, Region((6, 10, 20, 30)), RNG), image[10:30, 6:20])


def test_one_pixel_is_the_mean_of_four_neighbours_and_of_two_in_a_corner() -> None:
    image = np.zeros((3, 3, 3), dtype=np.uint8)
    image[0, 1], image[2, 1], image[1, 0], image[1, 2] = 10, 20, 40, 90
    assert (PoissonInpaint().redact(image, Region((1, 1, 2, 2)), RNG) == 40).all()
    assert (PoissonInpaint().redact(image, Region((0, 0, 1, 1)), RNG) == 25).all()


def test_zero_slope_at_the_image_border() -> None:
    """A band across the whole width between 10 above and 50 below: straight rows, whatever the columns."""
    image = np.zeros((6, 5, 3), dtype=np.uint8)
    image[0], image[4:] = 10, 50
    patch = PoissonInpaint().redact(image, Region((0, 1, 5, 4)), RNG)
    assert (patch == np.array([20, 30, 40])[:, None, None]).all()


@pytest.mark.parametrize("box", BOXES)
def test_nothing_of_the_inside_is_used(box: tuple[int, int, int, int]) -> None:
    image = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    other = image.copy()
    x0, y0, x1, y1 = box
    other[y0:y1, x0:x1] = RNG.integers(0, 256, (y1 - y0, x1 - x0, 3), dtype=np.uint8)
    redact = PoissonInpaint().redact
    np.testing.assert_array_equal(redact(image, Region(box), RNG), redact(other, Region(box), RNG))


def test_a_box_over_the_whole_image_is_its_mean() -> None:
    image = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    patch = PoissonInpaint().redact(image, Region((0, 0, WIDTH, HEIGHT)), RNG)
    assert (patch == np.rint(image.mean(axis=(0, 1)))).all()
