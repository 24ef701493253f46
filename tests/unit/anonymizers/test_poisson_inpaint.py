"""The membrane: a case by hand, the equation itself, and a sparse solver as a second opinion."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve

from anonbench.anonymizers._apply import anonymize_image
from anonbench.anonymizers.poisson_inpaint import PoissonInpaint, joint_membrane, membrane
from anonbench.data.regions import Box, Region, covered

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


def sparse_solution(image: np.ndarray, box: Box, hidden: np.ndarray | None = None) -> np.ndarray:
    """Assemble the five-point equations pixel by pixel and solve them with SciPy's sparse LU.

    hidden: (H, W) bool; the pixels of the box to solve for, all of them when left out. The others are 0.
    """
    x0, y0, x1, y1 = box
    height, width = image.shape[:2]
    pixels = [(y, x) for y in range(y0, y1) for x in range(x0, x1) if hidden is None or hidden[y, x]]
    number = {pixel: k for k, pixel in enumerate(pixels)}
    matrix, right = lil_matrix((len(number), len(number))), np.zeros((len(number), 3))
    for (y, x), k in number.items():
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= v < height and 0 <= u < width:
                matrix[k, k] += 1
                if (v, u) in number:
                    matrix[k, number[v, u]] -= 1
                else:
                    right[k] += image[v, u]
    surface = np.zeros((y1 - y0, x1 - x0, 3))
    surface[tuple(np.array(pixels).T - np.array([[y0], [x0]]))] = spsolve(matrix.tocsc(), right)
    return surface


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


def test_boxes_over_the_whole_image_are_grey() -> None:
    """Its mean would be a number about what is hidden."""
    image = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    assert (PoissonInpaint().redact(image, Region((0, 0, WIDTH, HEIGHT)), RNG) == 127).all()
    halves = [Region((0, 0, WIDTH, 20)), Region((0, 20, WIDTH, HEIGHT))]
    assert (anonymize_image(image, halves, PoissonInpaint(), RNG) == 127).all()


UNIONS: dict[str, list[Box]] = {
    "side by side": [(2, 6, 15, 22), (15, 6, 28, 22)],
    "overlapping": [(2, 6, 18, 22), (10, 15, 28, 34)],
    "a ring": [(4, 4, 26, 10), (4, 10, 10, 30), (20, 10, 26, 30), (4, 30, 26, 36)],
    "at the border": [(0, 0, 12, 20), (12, 10, 30, 40)],
}


@pytest.mark.parametrize("boxes", UNIONS.values(), ids=UNIONS)
def test_a_union_of_boxes_agrees_with_a_sparse_solver(boxes: list[Box]) -> None:
    image = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    hidden = covered(map(Region, boxes), HEIGHT, WIDTH)
    x0, y0, x1, y1 = (f(b[n] for b in boxes) for n, f in enumerate((min, min, max, max)))
    area = hidden[y0:y1, x0:x1]
    expected = sparse_solution(image, (x0, y0, x1, y1), hidden)
    np.testing.assert_allclose(joint_membrane(image, (x0, y0, x1, y1), area)[area], expected[area], atol=1e-6)
    filled = anonymize_image(image, map(Region, boxes), PoissonInpaint(), RNG)
    np.testing.assert_array_equal(filled[y0:y1, x0:x1][area], np.rint(expected)[area].astype(np.uint8))
    np.testing.assert_array_equal(filled[~hidden], image[~hidden])


def test_touching_boxes_show_nothing_of_each_other() -> None:
    """Filled one by one, nearly all of these 504 pixels depend on what the boxes hide."""
    image = RNG.integers(0, 256, (48, 40, 3), dtype=np.uint8)
    boxes = [Region((6, 10, 20, 28)), Region((20, 10, 34, 28))]
    other = image.copy()
    other[10:28, 6:34] = 255 - other[10:28, 6:34]
    a, b = (anonymize_image(picture, boxes, PoissonInpaint(), RNG) for picture in (image, other))
    np.testing.assert_array_equal(a, b)


def test_boxes_that_meet_at_a_corner_are_filled_one_by_one() -> None:
    image = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    boxes: list[Box] = [(2, 6, 15, 20), (15, 20, 28, 34)]
    filled = anonymize_image(image, map(Region, boxes), PoissonInpaint(), RNG)
    for x0, y0, x1, y1 in boxes:
        alone = np.rint(membrane(image, (x0, y0, x1, y1))).astype(np.uint8)
        np.testing.assert_array_equal(filled[y0:y1, x0:x1], alone)
