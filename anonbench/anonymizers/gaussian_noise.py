"""Gaussian noise on a box."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from anonbench.anonymizers import ANONYMIZERS
from anonbench.data.images import RGB
from anonbench.data.regions import Region


@ANONYMIZERS.register("gaussian_noise")
@dataclass(frozen=True)
class GaussianNoise:
    """Add Gaussian noise to every value of a box.

    std: standard deviation as a fraction of the full range, > 0: 0.5 is 127.5 of 255 grey levels. What leaves the range
        is clipped.

    Noise hides a picture from eyes, not from a computer: averaging neighbours takes most of it away. Two copies of a
    picture with noise drawn anew show more than one, so a stored copy has the noise of its image (`rng`) once and for
    all; trainings that see the pictures many times may draw it anew (`redrawn`).

    Source: Zhang et al. 2022, "adding Gaussian noise N(0, 0.5)". Their public code takes 0.5 as the standard deviation
    in units of the range, clips, and draws it at every load. Deviation: values are rounded, theirs are cut off, which
    darkens a picture by half a level.
    """

    redrawn: ClassVar[bool] = True

    std: float = 0.5

    def __post_init__(self) -> None:
        if not (isinstance(self.std, int | float) and 0 < self.std < math.inf):
            raise ValueError(f"std must be > 0, got {self.std!r}")

    def redact(self, image: RGB, region: Region, rng: np.random.Generator) -> RGB:
        x0, y0, x1, y1 = region.pixels
        noise = rng.standard_normal((y1 - y0, x1 - x0, 3), dtype=np.float32)  # (h, w, 3)
        noise *= np.float32(255 * self.std)
        noise += image[y0:y1, x0:x1]
        return np.rint(noise, out=noise).clip(0, 255).astype(np.uint8)
