"""`mask_out`: one grey for all that a region covers."""

from __future__ import annotations

import numpy as np

from anonbench.anonymizers._apply import anonymize_image
from anonbench.anonymizers.mask_out import MaskOut
from anonbench.data.masks import Mask
from anonbench.data.regions import Region

RNG = np.random.default_rng(0)


def test_the_masked_pixels_are_127_and_the_others_as_they_were() -> None:
    image = RNG.integers(0, 256, (12, 10, 3), dtype=np.uint8)
    mask = np.zeros((12, 10), bool)
    mask[2:9, 3:6] = mask[5, 1:9] = True
    shown = anonymize_image(image, [Region((1, 2, 9, 9), "body", mask=Mask.pack(mask))], MaskOut(), RNG)
    np.testing.assert_array_equal(shown, np.where(mask[..., None], 127, image))
