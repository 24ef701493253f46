"""From points in camera space to pixels: weak perspective and a depth-sorted index buffer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonbench.rendered.geometry import Array, F

GAP_DEPTH_M = 0.02


@dataclass(frozen=True)
class Projection:
    """Camera space (metres, origin at the person's feet) to raster pixels.

    scale: pixels per metre at the feet.
    foot_x, foot_y: pixel of the feet.
    distance_m: to the camera; nearer parts appear larger.
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

    depth: metres, growing towards the camera. Points are painted from far to near, so the last one written stays.
    """
    x, y = np.floor(columns).astype(np.int32), np.floor(rows).astype(np.int32)
    inside = np.nonzero((x >= 0) & (x < width) & (y >= 0) & (y < height))[0]
    index = np.full(height * width, -1, np.int32)
    if len(inside) == 0:
        return index.reshape(height, width)
    z = depth[inside]
    # 16-bit depths sort by radix, six times faster than floats; 2 m / 65534 is far below the surfaces' spacing.
    steps = ((z - z.min()) / (np.ptp(z) + F(1e-6)) * 65534).astype(np.uint16)
    order = inside[np.argsort(steps, kind="stable")]
    index[y[order] * width + x[order]] = order
    image = index.reshape(height, width)
    top, bottom, left, right = y[inside].min(), y[inside].max() + 1, x[inside].min(), x[inside].max() + 1
    window = np.s_[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1]
    image[window] = _close_gaps(image[window], depth)
    return image


def _close_gaps(index: NDArray[np.int32], depth: Array) -> NDArray[np.int32]:
    """Close one-pixel gaps between neighbouring points of a surface, through which something further away shows.

    A pixel takes its neighbour's index when the neighbours on both sides are nearer by more than `GAP_DEPTH_M`.
    """
    for axis in (0, 1):
        nearness = np.where(index >= 0, depth[index], F(-1e3))
        inner, before, after = (
            tuple(slice(*bounds) if a == axis else slice(None) for a in (0, 1))
            for bounds in ((1, -1), (None, -2), (2, None))
        )
        gap = np.minimum(nearness[before], nearness[after]) > nearness[inner] + F(GAP_DEPTH_M)
        closed = index.copy()
        closed[inner][gap] = index[before][gap]
        index = closed
    return index
