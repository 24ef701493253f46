"""Gaussian blur of a width in pixels, whatever the size of the region."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from anonbench.anonymizers import ANONYMIZERS
from anonbench.core import checks
from anonbench.data.images import RGB
from anonbench.data.regions import Region


@ANONYMIZERS.register("blur_px")
@dataclass(frozen=True)
class BlurPx:
    """Show the blurred picture in a region: the same kernel for large and small ones.

    sigma_px: standard deviation in pixels, > 0.
    kernel_px: side of the kernel in pixels, odd, >= 3. What lies further away has no weight.

    The whole picture is blurred, so what surrounds a region flows into it near its border: background, and of a person
    behind or in front of this one what another region may hide. Nothing flows out. `gaussian_blur` follows the box
    and looks at the crop alone.

    Source: Hukkelås & Lindseth 2023, section 3.2: I (1 - M) + M I_blur with sigma 7 and a kernel of 3 sigma. The kernel
    thus ends at 1.43 sigma, and its corners weigh 13 % of its centre. Their public code blurs the resized crop of a
    person (288 x 160 pixels, a face 128 x 128) instead, so that large people are blurred more; this follows the paper.
    At the picture's border pixels are mirrored, as torchvision does (`reflect`).
    """

    sigma_px: float = 7.0
    kernel_px: int = 21

    def __post_init__(self) -> None:
        checks.number("sigma_px", self.sigma_px, 0, above=True)
        checks.integer("kernel_px", self.kernel_px, 3)
        if self.kernel_px % 2 == 0:
            raise ValueError(f"kernel_px is {self.kernel_px}; expected an odd integer >= 3")

    def redact(self, image: RGB, region: Region, rng: np.random.Generator) -> RGB:
        x0, y0, x1, y1 = region.pixels
        reach = self.kernel_px // 2
        left, top = max(0, x0 - reach), max(0, y0 - reach)
        # All that can reach the box, so that the cut never shows. In float32: OpenCV's 8-bit path rounds the kernel.
        around = image[top : y1 + reach, left : x1 + reach].astype(np.float32)
        size = (self.kernel_px, self.kernel_px)
        blurred = cv2.GaussianBlur(around, size, self.sigma_px, borderType=cv2.BORDER_REFLECT_101)
        inside = blurred[y0 - top : y1 - top, x0 - left : x1 - left]
        return np.rint(inside).clip(0, 255).astype(np.uint8)
