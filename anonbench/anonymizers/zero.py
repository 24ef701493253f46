"""Black boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from anonbench.anonymizers import ANONYMIZERS
from anonbench.data.images import RGB
from anonbench.data.regions import Region


@ANONYMIZERS.register("zero")
@dataclass(frozen=True)
class Zero:
    """Set every pixel of a face box to black (0, 0, 0).

    Source: Dietlmeier et al. 2020, section III-B.
    """

    depends_on_hidden: ClassVar[bool] = False

    def redact(self, image: RGB, region: Region, rng: np.random.Generator) -> RGB:
        x0, y0, x1, y1 = region.pixels
        return np.zeros((y1 - y0, x1 - x0, 3), dtype=np.uint8)
