"""Names of body parts, and the helper that turns grids into point clouds."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anonbench.rendered.geometry import Array, F, Mask, PointCloud
from anonbench.rendered.skeleton import Skinning


class Part(IntEnum):
    """What a pixel shows; 0 is the background."""

    NONE = 0
    HAIR = 1
    FACE = 2
    HEAD = 3  # skin of the head that is not face: ears, nape, bald crown
    NECK = 4
    TOP = 5
    ARM = 6
    LOWER = 7
    SHOE = 8
    BAG = 9
    HAT = 10


SKIN_PARTS = (Part.FACE, Part.HEAD, Part.NECK, Part.ARM)


def cloud_of(
    grid: Array,
    normals: Array,
    albedo: ArrayLike,
    part: Part | NDArray[np.uint8],
    skinning: Skinning,
    gloss: float = 0.02,
    keep: Mask | None = None,
) -> PointCloud:
    """A point cloud from (rows, columns, 3) grids; albedo is one colour or a grid of colours.

    part: one part or a grid of parts.
    skinning: for all points of the grid, row by row.
    keep: grid of the points to use.
    """
    rows, columns = grid.shape[:2]
    chosen = np.ones(rows * columns, bool) if keep is None else np.broadcast_to(keep, (rows, columns)).ravel()
    colours = np.broadcast_to(np.asarray(albedo, F), grid.shape).reshape(-1, 3)
    parts = np.broadcast_to(np.asarray(part, np.uint8), (rows, columns)).ravel()
    return PointCloud(
        points=grid.reshape(-1, 3)[chosen].astype(F),
        normals=normals.reshape(-1, 3)[chosen].astype(F),
        albedo=np.clip(colours[chosen], 0.002, 1.0),
        gloss=np.full(int(chosen.sum()), gloss, F),
        part=parts[chosen],
        skinning=Skinning(skinning.first[chosen], skinning.second[chosen], skinning.weight[chosen]),
    )
