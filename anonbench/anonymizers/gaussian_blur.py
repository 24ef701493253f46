"""Gaussian blur of a box."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from anonbench.anonymizers import ANONYMIZERS
from anonbench.data.images import RGB
from anonbench.data.regions import Region

KERNEL_REACH = 4  # in standard deviations; what is cut off weighs 6e-5, below one grey level


@ANONYMIZERS.register("gaussian_blur")
@dataclass(frozen=True)
class GaussianBlur:
    """Blur a face box with a Gaussian kernel whose width follows the box.

    sigma_rel: standard deviation as a fraction of the box width, > 0.

    Only the crop of the box is blurred: no pixel from outside flows in and none flows out. Beyond the crop its edge
    pixels are repeated, as in Pillow's `GaussianBlur`, whose `radius` is the standard deviation.

    Source: Dietlmeier et al. 2020, section III-B (crop of the bounding box, radius = width / 8). Deviation: a true
    Gaussian to 4 sigma where Pillow approximates it by three box filters. As in the paper nothing guards very small
    boxes: below 4 px of width the default sigma is under half a pixel and changes little.
    """

    sigma_rel: float = 1 / 8

    def __post_init__(self) -> None:
        if not (isinstance(self.sigma_rel, int | float) and 0 < self.sigma_rel < math.inf):
            raise ValueError(f"sigma_rel must be > 0, got {self.sigma_rel!r}")

    def redact(self, image: RGB, region: Region, rng: np.random.Generator) -> RGB:
        x0, y0, x1, y1 = region.pixels
        sigma = self.sigma_rel * (x1 - x0)
        size = 2 * math.ceil(KERNEL_REACH * sigma) + 1
        # In float32: OpenCV's 8-bit path rounds the kernel to 1/256.
        crop = image[y0:y1, x0:x1].astype(np.float32)
        blurred = cv2.GaussianBlur(crop, (size, size), sigma, borderType=cv2.BORDER_REPLICATE)
        return np.rint(blurred).clip(0, 255).astype(np.uint8)
