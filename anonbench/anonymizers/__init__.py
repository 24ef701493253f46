"""Anonymizers: the only place where pixels are hidden. One module a method, named like its key in the config.

An anonymizer is a frozen dataclass whose fields are its parameters. It has one of two forms:

    redact(image, region, rng) -> patch               `Anonymizer`: one region at a time, on a CPU
    anonymize_batch(images, regions, rngs) -> images  `LearnedAnonymizer`: several whole pictures at once, with weights

`_apply` pastes what they make into a copy of the picture, inside the regions alone.

One whose parameter does not fit every region says where with `cuts(region) -> bool`: `anonymize` counts such regions.

One that fills regions from their surroundings also has `fill(image, boxes)`, which gets all boxes of a picture: what
surrounds one of them may be hidden by another. One with `depends_on_hidden: ClassVar[bool] = False` promises that no
pixel of any box changes its result, and `anonbench check anonymizer` tries it. Where that depends on its parameters it
is a property.

One with `whole_picture: ClassVar[bool] = True` takes the region of the whole picture alone, and raises ValueError for
another. Where it takes some sizes only, `multiple_px` says what height and width must be multiples of. One whose result
is drawn from `rng` may have `redrawn: ClassVar[bool] = True`: trainings draw it anew at every look at a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from anonbench.core.registry import Registry
from anonbench.data.images import RGB
from anonbench.data.regions import Box, Region

ANONYMIZERS = Registry("anonymizer", __name__)


class Anonymizer(Protocol):
    """The simple form."""

    def redact(self, image: RGB, region: Region, rng: np.random.Generator) -> RGB:
        """Return the patch that replaces `image[y0:y1, x0:x1]`, where `x0, y0, x1, y1 = region.pixels`.

        image: the whole picture, (H, W, 3) uint8 RGB, read-only.
        region: its box is in whole pixels, inside the image and not empty. Of a region with a mask only the masked
            pixels of the patch are pasted.
        rng: the only source of randomness allowed; seeded per image, so that order and worker count do not matter.
        Returns (y1 - y0, x1 - x0, 3) uint8 RGB, sharing no memory with `image`.
        """
        ...


class Filler(Protocol):
    """What an anonymizer of the simple form has beside `redact` when it looks at pixels around a region."""

    def fill(self, image: RGB, boxes: Sequence[Box]) -> RGB:
        """Return a copy of the picture, (H, W, 3) uint8 RGB, with all its boxes filled; `_apply` cuts the patches out.

        image: the whole picture, read-only.
        boxes: of all its regions, at least one, in whole pixels inside the image.
        """
        ...


class LearnedAnonymizer(Protocol):
    """The form of those with weights. They are loaded at the first batch, not when the plug-in is made.

    weights: the file of weights; the stage fills it in from the rule's input.
    batch: how many pictures `anonymize_batch` wants at once, >= 1.

    A GPU is visible only where the job has one: `gpu: true` in the variant's entry, and the config's `device`.
    """

    @property
    def weights(self) -> str: ...

    @property
    def batch(self) -> int: ...

    def anonymize_batch(
        self, images: Sequence[RGB], regions: Sequence[Sequence[Region]], rngs: Sequence[np.random.Generator]
    ) -> Sequence[RGB]:
        """Return a copy of each picture in which its regions are hidden and all else is as it was.

        images: (H, W, 3) uint8 RGB each, read-only; they may differ in size.
        regions: of each picture, at least one, from the smallest to the largest, with boxes as in `Anonymizer.redact`.
        rngs: of each picture, the only source of randomness allowed. One for each, so that a picture does not depend on
            those that share its batch.
        """
        ...
