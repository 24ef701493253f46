"""Gaussian blur of a box."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.special import ndtr

from anonbench.anonymizers import ANONYMIZERS
from anonbench.data.images import RGB
from anonbench.data.regions import Region

KERNELS = ("gaussian", "pillow", "box")
WIDTH, LARGER_SIDE = "width", "larger_side"
SIDES = (WIDTH, LARGER_SIDE)
KERNEL_REACH = 4  # in standard deviations; what is cut off weighs 6e-5, below one grey level


@ANONYMIZERS.register("gaussian_blur")
@dataclass(frozen=True)
class GaussianBlur:
    """Blur a face box with a Gaussian kernel whose width follows the box.

    sigma_rel: standard deviation as a fraction of a side of the box, > 0.
    kernel: `gaussian` is OpenCV's in float32, to 4 sigma, with the crop's edge pixels repeated. `pillow` is Pillow's
        `GaussianBlur`, whose `radius` is the standard deviation: three box filters, each of which repeats the
        edge again, so that the edge keeps less of what is near it. They differ most at the crop's border. `box` is no
        Gaussian: the mean of a square of that standard deviation, sqrt(12) sigma pixels a side, at least 2.
    side: which one: `width` or `larger_side`.
    blend_rel: standard deviation of a soft edge as a fraction of the same side, >= 0; 0 is a hard edge. The patch fades
        into the picture as a blurred mask of the box would let it: half of each at the edge, all of the patch two
        standard deviations inside. What shows through there is the face's rim: enlarge the box (`box_scale`).

    Only the crop of the box is blurred: no pixel from outside flows in and none flows out.

    Source: Dietlmeier et al. 2020, section III-B (crop of the bounding box, radius = width / 8, Pillow's words), which
    `pillow` follows to the letter. As in the paper nothing guards very small boxes: below 4 px of width the default
    sigma is under half a pixel and changes little.

    Zhang et al. 2022 blur whole pictures of 256 x 128 pixels by "12 x 12" (docs/decisions/anonymizers.md has the
    readings): `sigma_rel: 0.09375, kernel: pillow` is Pillow's radius 12, as in the public code; `sigma_rel: 0.02706,
    kernel: box` the mean of 12 x 12 pixels.

    Yang et al. 2022, "A Study of Face Obfuscation in ImageNet" (ICML), by their public code: Pillow's blur and a mask
    blurred alike, both by .1 of the larger side, on boxes that are larger by .1 of it all round: `sigma_rel: 0.1,
    blend_rel: 0.1, side: larger_side, kernel: pillow` with `box_scale: 1.2`. Deviations, since nothing outside a box
    may change or flow in: their mask also fades outwards, and they blur the whole picture; each box has a blur of its
    own, where theirs is that of the picture's largest one; `box_scale` enlarges a side by .1 of itself. Of a box of
    6 x 5 pixels it leaves nearly everything: noise correlates by .94 with what it was, above what the contract allows.
    """

    sigma_rel: float = 1 / 8
    kernel: str = "gaussian"
    side: str = WIDTH
    blend_rel: float = 0.0

    def __post_init__(self) -> None:
        if self.kernel not in KERNELS:
            raise ValueError(f"kernel must be one of {', '.join(KERNELS)}, got {self.kernel!r}")
        if not (isinstance(self.sigma_rel, int | float) and 0 < self.sigma_rel < math.inf):
            raise ValueError(f"sigma_rel must be > 0, got {self.sigma_rel!r}")
        if self.side not in SIDES:
            raise ValueError(f"side must be one of {', '.join(SIDES)}, got {self.side!r}")
        if not (isinstance(self.blend_rel, int | float) and 0 <= self.blend_rel < math.inf):
            raise ValueError(f"blend_rel must be >= 0, got {self.blend_rel!r}")

    def redact(self, image: RGB, region: Region, rng: np.random.Generator) -> RGB:
        x0, y0, x1, y1 = region.pixels
        length = x1 - x0 if self.side == WIDTH else max(x1 - x0, y1 - y0)
        crop = image[y0:y1, x0:x1]
        patch = self._blurred(crop, self.sigma_rel * length)
        return _blended(crop, patch, self.blend_rel * length) if self.blend_rel else patch

    def _blurred(self, image: RGB, sigma: float) -> RGB:
        if self.kernel == "pillow":
            return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma)))
        # In float32: OpenCV's 8-bit path rounds the kernel to 1/256.
        crop = image.astype(np.float32)
        if self.kernel == "box":
            side = max(2, round(math.sqrt(12) * sigma))
            return np.rint(cv2.blur(crop, (side, side), borderType=cv2.BORDER_REPLICATE)).astype(np.uint8)
        size = 2 * math.ceil(KERNEL_REACH * sigma) + 1
        blurred = cv2.GaussianBlur(crop, (size, size), sigma, borderType=cv2.BORDER_REPLICATE)
        return np.rint(blurred).clip(0, 255).astype(np.uint8)


def _blended(crop: RGB, patch: RGB, sigma: float) -> RGB:
    """The patch in a crop of the same size, (h, w, 3), fading into it towards the edges."""
    height, width = crop.shape[:2]
    share = (_fade(height, sigma)[:, None] * _fade(width, sigma))[..., None]  # (h, w, 1) of the patch
    return np.asarray(np.rint(share * patch + (1 - share) * crop), dtype=np.uint8)


def _fade(side_px: int, sigma: float) -> NDArray[np.float64]:
    """What a Gaussian blur leaves of a line of ones with zeros around it, at the centre of each pixel: (side_px,).

    >>> _fade(4, 1.0).round(2)
    array([0.69, 0.93, 0.93, 0.69])
    """
    centres = np.arange(side_px) + 0.5
    found: NDArray[np.float64] = ndtr((side_px - centres) / sigma) - ndtr(-centres / sigma)
    return found
