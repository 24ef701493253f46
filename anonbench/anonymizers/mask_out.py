"""Regions of one grey."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from anonbench.anonymizers import ANONYMIZERS
from anonbench.core import checks
from anonbench.data.images import RGB
from anonbench.data.regions import Region


@ANONYMIZERS.register("mask_out")
@dataclass(frozen=True)
class MaskOut:
    """Set every pixel of a region to one grey.

    level: of all three channels, 0..255.

    Source: Hukkelås & Lindseth 2023, section 3.2: 127. Their public code sets 0 in [-1, 1], which is 127.5.
    """

    depends_on_hidden: ClassVar[bool] = False
    level: int = 127

    def __post_init__(self) -> None:
        checks.integer("level", self.level, 0)
        checks.number("level", self.level, 0, 255)

    def redact(self, image: RGB, region: Region, rng: np.random.Generator) -> RGB:
        x0, y0, x1, y1 = region.pixels
        return np.full((y1 - y0, x1 - x0, 3), self.level, dtype=np.uint8)
