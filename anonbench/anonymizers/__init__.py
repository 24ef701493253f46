"""Anonymizers: the only place where pixels are hidden. One module a method, named like its key in the config.

An anonymizer is a frozen dataclass whose fields are its parameters. `redact` sees the whole image and one box and
returns what to show in the box's place; `_apply.anonymize_image` pastes the patches.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from anonbench.core.registry import Registry
from anonbench.data.images import RGB

ANONYMIZERS = Registry("anonymizer", __name__)

Box = tuple[int, int, int, int]
"""`x0, y0, x1, y1` in whole pixels, half-open, inside the image and not empty (see `images.clip_box`)."""


class Anonymizer(Protocol):
    """What every anonymizer offers."""

    def redact(self, image: RGB, box: Box, rng: np.random.Generator) -> RGB:
        """Return the patch that replaces `image[y0:y1, x0:x1]`.

        image: the whole picture, (H, W, 3) uint8 RGB, read-only.
        rng: the only source of randomness allowed; seeded per image, so that order and worker count do not matter.
        Returns (y1 - y0, x1 - x0, 3) uint8 RGB, sharing no memory with `image`.
        """
        ...
