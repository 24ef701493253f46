"""Smooth filling of boxes from their surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dstn, idstn, next_fast_len
from scipy.linalg import eigh_tridiagonal
from scipy.ndimage import find_objects, label
from scipy.sparse.linalg import LinearOperator, cg

from anonbench.anonymizers import ANONYMIZERS
from anonbench.data.images import RGB
from anonbench.data.regions import Box, Region

GREY = 127  # of a picture without a pixel outside the boxes
RESIDUAL = (
    1e-10  # of the equations on a union of boxes, relative; solutions agree with a direct solver's to 1e-6 levels
)


@ANONYMIZERS.register("poisson_inpaint")
@dataclass(frozen=True)
class PoissonInpaint:
    """Replace face boxes by the smoothest surface that meets the pixels around them. Nothing of the inside is used.

    Each channel solves Laplace's equation (the Poisson equation without a source): every pixel is the mean of its
    four neighbours, and the pixels just outside are given. Boxes that touch or overlap are filled as one area: neither
    may end in what the other hides. Where a box touches the image's border there is no outside pixel. There the surface
    ends with zero slope (a pixel is the mean of the neighbours it has). Where boxes cover the whole image there are no
    surroundings at all, and it becomes grey.

    Source: Dietlmeier et al. 2020, section III-B; Perez et al. 2003, "Poisson image editing", equation 2 (membrane).
    The paper treats neither boxes at the image's border nor boxes that touch.
    """

    depends_on_hidden: ClassVar[bool] = False

    def redact(self, image: RGB, region: Region, rng: np.random.Generator) -> RGB:
        x0, y0, x1, y1 = region.pixels
        return self.fill(image, [region.pixels])[y0:y1, x0:x1].copy()

    def fill(self, image: RGB, boxes: Sequence[Box]) -> RGB:
        hidden = np.zeros(image.shape[:2], dtype=bool)
        for x0, y0, x1, y1 in boxes:
            hidden[y0:y1, x0:x1] = True
        if hidden.all():
            return np.full_like(image, GREY)
        result = image.copy()
        areas, _ = label(hidden)  # pixels that meet at a corner alone are no neighbours in the equation either
        for number, (rows, columns) in enumerate(find_objects(areas), 1):
            area = areas[rows, columns] == number
            box = (columns.start, rows.start, columns.stop, rows.stop)
            surface = membrane(image, box) if area.all() else joint_membrane(image, box, area)
            result[rows, columns][area] = np.rint(surface).clip(0, 255).astype(np.uint8)[area]
        return result


def membrane(image: RGB, box: Box) -> NDArray[np.float64]:
    """Solve Laplace's equation in a box, (h, w, 3) float64 within the range of the surrounding pixels.

    The five-point Laplacian on a rectangle is a sum of one-dimensional ones along its sides, so in the product of
    their eigenvectors it is diagonal: two small matrix products each way give the direct solution, exact to rounding.

    box: must leave at least one pixel of the image outside, or the solution is not unique.
    """
    x0, y0, x1, y1 = box
    height, width = image.shape[:2]
    h, w = y1 - y0, x1 - x0
    above, below, left, right = y0 > 0, y1 < height, x0 > 0, x1 < width
    assert above or below or left or right, "a box over the whole image has no boundary values"

    given = np.zeros((3, h, w))  # sum of the known neighbours of each pixel
    if above:
        given[:, 0, :] += image[y0 - 1, x0:x1].T  # (3, w)
    if below:
        given[:, -1, :] += image[y1, x0:x1].T
    if left:
        given[:, :, 0] += image[y0:y1, x0 - 1].T  # (3, h)
    if right:
        given[:, :, -1] += image[y0:y1, x1].T

    values_y, vectors_y = _laplacian_modes(h, above, below)  # (h,), (h, h)
    values_x, vectors_x = _laplacian_modes(w, left, right)  # (w,), (w, w)
    modes = vectors_y.T @ given @ vectors_x  # (3, h, w)
    modes /= values_y[:, None] + values_x[None, :]
    solution = vectors_y @ modes @ vectors_x.T  # (3, h, w)
    return solution.transpose(1, 2, 0)


def joint_membrane(image: RGB, box: Box, area: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Solve Laplace's equation in an area of any shape, (h, w, 3) float64; 0 outside the area.

    By conjugate gradients, with the solution on a rectangle around it as preconditioner: two boxes take 20 to 50 steps,
    and a few times the memory of the rectangle. It begins from 0, so that nothing of the area is used.

    box: around the area.
    area: (h, w) bool: its pixels within the box.
    """
    x0, y0, x1, y1 = box
    h, w = area.shape
    values = np.pad(image, ((1, 1), (1, 1), (0, 0))).astype(np.float64)[y0 : y1 + 2, x0 : x1 + 2]  # (h + 2, w + 2, 3)
    there = np.pad(np.ones(image.shape[:2], dtype=bool), 1)[y0 : y1 + 2, x0 : x1 + 2]
    inside = np.pad(area, 1)
    shifts = [(slice(v, v + h), slice(u, u + w)) for v, u in ((0, 1), (2, 1), (1, 0), (1, 2))]
    neighbours = np.sum([there[shift] for shift in shifts], axis=0, dtype=np.float64)  # (h, w)
    known = there & ~inside
    given = np.sum([np.where(known[shift][..., None], values[shift], 0.0) for shift in shifts], axis=0)  # (h, w, 3)
    size = int(area.sum())

    def apply(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        surface = np.zeros((h + 2, w + 2))
        surface[1:-1, 1:-1][area] = vector
        total: NDArray[np.float64] = neighbours * surface[1:-1, 1:-1] - sum(surface[shift] for shift in shifts)
        return total[area]

    sides = (
        next_fast_len(h + 1) - 1,
        next_fast_len(w + 1) - 1,
    )  # sine transforms of 600 x 600 take 5 times those of 607 x 607
    rows, columns = (2 - 2 * np.cos(np.pi * np.arange(1, n + 1) / (n + 1)) for n in sides)
    eigenvalues = rows[:, None] + columns[None, :]

    def precondition(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        surface = np.zeros(sides)
        surface[:h, :w][area] = vector
        solved: NDArray[np.float64] = idstn(dstn(surface, type=1) / eigenvalues, type=1)
        return solved[:h, :w][area]

    shape = (size, size)
    operator, inverse = LinearOperator(shape, apply, dtype=float), LinearOperator(shape, precondition, dtype=float)
    solution = np.zeros((h, w, 3))
    for channel in range(3):
        solution[area, channel], failed = cg(operator, given[area, channel], rtol=RESIDUAL, maxiter=size, M=inverse)
        assert not failed, "the matrix is positive definite: the area leaves a pixel of the image outside"
    return solution


@lru_cache(maxsize=64)  # faces come in few sizes; 64 sides of 256 px are 34 MB
def _laplacian_modes(n: int, fixed_start: bool, fixed_end: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues (n,) and eigenvectors (n, n; in columns) of minus the second difference along n pixels.

    fixed_start, fixed_end: whether a pixel with a given value lies beyond that end (Dirichlet) or nothing (Neumann).
    """
    neighbours = np.full(n, 2.0)
    neighbours[0] -= not fixed_start
    neighbours[-1] -= not fixed_end
    values, vectors = eigh_tridiagonal(neighbours, np.full(n - 1, -1.0))
    return values, vectors
