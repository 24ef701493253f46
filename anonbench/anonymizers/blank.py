"""Boxes of one colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anonbench.anonymizers import ANONYMIZERS
from anonbench.data.images import RGB
from anonbench.data.regions import Region


@ANONYMIZERS.register("blank")
@dataclass(frozen=True)
class Blank:
    """Fill a face box with its own mean colour, each channel rounded to a whole level.

    Source: Dietlmeier et al. 2020, section III-B.
    """

    def redact(self, image: RGB, region: Region, rng: np.random.Generator) -> RGB:
        x0, y0, x1, y1 = region.pixels
        crop = image[y0:y1, x0:x1]
        mean = np.rint(crop.mean(axis=(0, 1))).astype(np.uint8)  # (3,)
        return np.broadcast_to(mean, crop.shape).copy()
