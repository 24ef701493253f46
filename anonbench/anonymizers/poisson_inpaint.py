"""Smooth filling of a box from its surroundings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal

from anonbench.anonymizers import ANONYMIZERS
from anonbench.data.images import RGB
from anonbench.data.regions import Box, Region


@ANONYMIZERS.register("poisson_inpaint")
@dataclass(frozen=True)
class PoissonInpaint:
    """Replace a face box by the smoothest surface that meets the pixels around it. Nothing of the inside is used.

    Each channel solves Laplace's equation (the Poisson equation without a source): every pixel is the mean of its
    four neighbours, and the pixels just outside the box are given. Where the box touches the image's border there is
    no outside pixel. There the surface ends with zero slope (a pixel is the mean of the neighbours it has). A box that
    covers the whole image has no surroundings at all and is filled with its mean colour, as `blank` does.

    Source: Dietlmeier et al. 2020, section III-B; Perez et al. 2003, "Poisson image editing", equation 2 (membrane).
    The paper does not treat boxes at the image's border.
    """

    def redact(self, image: RGB, region: Region, rng: np.random.Generator) -> RGB:
        x0, y0, x1, y1 = region.pixels
        height, width = image.shape[:2]
        if (x0, y0, x1, y1) == (0, 0, width, height):
            mean = np.rint(image.mean(axis=(0, 1))).astype(np.uint8)
            return np.broadcast_to(mean, image.shape).copy()
        surface = membrane(image, region.pixels)
        return np.rint(surface).clip(0, 255).astype(np.uint8)


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
