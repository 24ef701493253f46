"""Mosaic of cells of a fixed size."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from anonbench.anonymizers import ANONYMIZERS
from anonbench.data.images import RGB
from anonbench.data.regions import Region

PIXELS = ("corner", "mean")


@ANONYMIZERS.register("mosaic")
@dataclass(frozen=True)
class Mosaic:
    """Replace every cell of a box by one colour.

    cell_px: side of a cell in pixels, whole number >= 2. The first cell is in the box's upper left corner; what is left
        at its right and its lower edge is a smaller cell.
    pixel: `corner` takes the colour of a cell's upper left pixel, `mean` the mean colour, rounded to a whole level.

    A cell does not follow the box's size, as it does in `pixelate`, whose `n` counts cells: this is for whole pictures
    of one size.

    Source: Zhang et al. 2022, "pixelation 24 x 24" of pictures of 256 x 128 pixels. The paper does not say what a cell
    shows: `corner` is what the public code takes. That keeps 1 of 576 pixels as it was, with its noise.
    """

    cell_px: int = 24
    pixel: str = "corner"

    def __post_init__(self) -> None:
        if not (isinstance(self.cell_px, int) and not isinstance(self.cell_px, bool) and self.cell_px >= 2):
            raise ValueError(f"cell_px must be a whole number >= 2, got {self.cell_px!r}")
        if self.pixel not in PIXELS:
            raise ValueError(f"pixel must be one of {', '.join(PIXELS)}, got {self.pixel!r}")

    def redact(self, image: RGB, region: Region, rng: np.random.Generator) -> RGB:
        x0, y0, x1, y1 = region.pixels
        crop, cell = image[y0:y1, x0:x1], self.cell_px
        small = crop[::cell, ::cell] if self.pixel == "corner" else _means(crop, cell)
        return np.ascontiguousarray(small.repeat(cell, axis=0).repeat(cell, axis=1)[: y1 - y0, : x1 - x0])


def _means(crop: RGB, cell: int) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 -> (rows, columns, 3) uint8: the mean colour of every cell, of smaller ones at the edges too."""
    sums = cv2.integral(crop, sdepth=cv2.CV_64F)  # (h + 1, w + 1, 3), exact: whole numbers below 2^53
    height, width = crop.shape[:2]
    rows, columns = (np.append(np.arange(0, side, cell), side) for side in (height, width))
    corners = sums[rows][:, columns]
    total = corners[1:, 1:] - corners[1:, :-1] - corners[:-1, 1:] + corners[:-1, :-1]
    area = np.diff(rows)[:, None] * np.diff(columns)
    return np.rint(total / area[..., None]).astype(np.uint8)
