"""From points in camera space to pixels: weak perspective and a depth-sorted index buffer."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from anonbench.rendering.geometry import Array, F


@dataclass(frozen=True)
class Projection:
    """Camera space (metres, origin at the person's feet) to raster pixels.

    scale: pixels per metre at the feet. foot_x, foot_y: pixel of the feet. distance_m: to the camera; nearer parts
    appear larger.
    """

    scale: float
    foot_x: float
    foot_y: float
    distance_m: float

    def __call__(self, points: Array) -> tuple[Array, Array]:
        """Pixel columns and rows (fractional) of points (..., 3)."""
        size = F(self.scale) / (1 - points[..., 2] / F(self.distance_m))
        return F(self.foot_x) + points[..., 0] * size, F(self.foot_y) - points[..., 1] * size


def splat(columns: Array, rows: Array, depth: Array, width: int, height: int) -> NDArray[np.int32]:
    """Index of the nearest point in every pixel, -1 where there is none; (height, width) int32.

    depth grows towards the camera. Points are painted from far to near, so the last one written stays.
    """
    x, y = np.floor(columns).astype(np.int32), np.floor(rows).astype(np.int32)
    inside = np.nonzero((x >= 0) & (x < width) & (y >= 0) & (y < height))[0]
    index = np.full(height * width, -1, np.int32)
    if len(inside):
        z = depth[inside]
        # 16-bit depths sort by radix, six times faster than floats; 2 m / 65534 is far below the surfaces' spacing.
        steps = ((z - z.min()) / (np.ptp(z) + F(1e-6)) * 65534).astype(np.uint16)
        order = inside[np.argsort(steps, kind="stable")]
        index[y[order] * width + x[order]] = order
    return _fill_pinholes(index.reshape(height, width))


def _fill_pinholes(index: NDArray[np.int32]) -> NDArray[np.int32]:
    """Give uncovered pixels amid covered ones the index of a neighbour."""
    covered = index >= 0
    holes = ~covered & (cv2.blur(covered.astype(F), (3, 3)) > 0.55)
    if holes.any():
        height, width = index.shape
        y, x = np.nonzero(holes)
        for dy, dx in ((0, -1), (0, 1), (-1, 0), (1, 0)):
            near = index[np.clip(y + dy, 0, height - 1), np.clip(x + dx, 0, width - 1)]
            empty = (near >= 0) & (index[y, x] < 0)
            index[y[empty], x[empty]] = near[empty]
    return index
