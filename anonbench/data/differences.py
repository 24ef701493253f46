"""Where a copy of a picture differs from it: which regions another tool has changed, and what else.

The report has a row for each region of each picture, and one with region = -1 for all that lies outside:

    path,region,kind,x0,y0,x1,y1,pixels,changed,visible

`changed` is the share of its pixels that changed, 0..1. `visible` is 1 where so few did that what is there shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anonbench.data.images import RGB
from anonbench.data.masks import Bits
from anonbench.data.regions import Region, clip_region

COLUMNS = ("path", "region", "kind", "x0", "y0", "x1", "y1", "pixels", "changed", "visible")
LEAST_CHANGED = 0.05
"""Share of a region's pixels below which nothing was hidden in it. What JPEG alone changes: `changed_pixels`."""


@dataclass(frozen=True, slots=True)
class Change:
    """How much of a part of a picture changed.

    region: None for all that lies outside the regions.
    pixels: of the part.
    changed: how many of them changed.
    """

    region: Region | None
    pixels: int
    changed: int

    @property
    def share(self) -> float:
        """0..1; 0 of no pixels."""
        return self.changed / self.pixels if self.pixels else 0.0

    @property
    def visible(self) -> bool:
        """Whether it is a region in which next to nothing changed."""
        return self.region is not None and self.share < LEAST_CHANGED

    def row(self, path: str, number: int) -> list[object]:
        """Its row of the report."""
        place = (None,) * 5 if self.region is None else (self.region.kind, *self.region.pixels)
        return [path, number, *place, self.pixels, round(self.share, 4), int(self.visible)]


def changed_pixels(before: RGB, after: RGB, tolerance: int) -> Bits:
    """(H, W) bool: where some channel differs by more than `tolerance` grey levels.

    JPEG written anew at quality 85 with reduced colours changes .8 % of the pixels of a photograph by more than 16
    levels, at 75 3 %, at 50 7 % (the worst of four photographs, which had quality 90).
    """
    return np.asarray((np.abs(before.astype(np.int16) - after) > tolerance).any(axis=2))


def changes(before: RGB, after: RGB, regions: Sequence[Region], tolerance: int) -> list[Change]:
    """Of each region how much changed, then of all that is outside.

    before, after: (H, W, 3) uint8 of the same size.
    Regions are rounded outwards to whole pixels; one that lies outside the picture has no pixels.
    """
    changed = changed_pixels(before, after, tolerance)
    height, width = changed.shape
    outside = np.ones_like(changed)
    found = []
    for region in regions:
        clipped = clip_region(region, width, height)
        if clipped is None:
            continue
        x0, y0, x1, y1 = clipped.pixels
        shown = np.ones((y1 - y0, x1 - x0), bool)
        if region.mask is not None:
            shown = region.mask.unpack()[y0:y1, x0:x1]
        found.append(Change(clipped, int(shown.sum()), int((changed[y0:y1, x0:x1] & shown).sum())))
        outside[y0:y1, x0:x1] &= ~shown
    return [*found, Change(None, int(outside.sum()), int((changed & outside).sum()))]
