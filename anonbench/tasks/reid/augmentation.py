"""Random changes of a whole batch at once, on the device that trains: uint8 in, normalised float out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from anonbench.core import checks as _checks

# Of ImageNet's RGB channels in 0..1, the constants that torchvision's weights were trained with.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

ENLARGEMENT = 1.125  # of the random translation (section IV-A: the image is first increased to 1 + 1/8)
ERASE_ATTEMPTS = 100  # draws of a rectangle until one fits into the image, as in the published code
ERASE_FILLS = ("mean", "unnormalized_mean")
WHOLE = slice(None)


@dataclass(frozen=True)
class Augmentation:
    """What is changed at random in each training image, in this order: flip, translate, pad and crop, erase.

    flip: probability of a horizontal flip, 0..1.
    translate: probability of a random 2-D translation, 0..1: enlarge by 9/8 (bilinear), then crop at random.
    pad_crop: black border in pixels that is added on every side before cropping at random, >= 0 (0: off; BoT: 10).
    erase: probability of erasing a random rectangle, 0..1 (BoT: 0.5).
    erase_area: smallest and largest share of the image that is erased, within 0..1.
    erase_ratio: smallest and largest height / width of the rectangle, > 0; drawn uniformly.
    erase_fill: `mean` fills with ImageNet's mean colour, i.e. 0 after normalisation, as the paper describes;
        `unnormalized_mean` writes 0.485, 0.456, 0.406 into the *normalised* image (a light grey), as BoT's code does.
    Sources: Dietlmeier et al. 2020, section IV-A (flip and translation with p = 0.5). Zhong et al., "Random Erasing
    Data Augmentation", AAAI 2020. Luo et al. 2019, section 3.2.
    """

    flip: float = 0.5
    translate: float = 0.5
    pad_crop: int = 0
    erase: float = 0.0
    erase_area: tuple[float, float] = (0.02, 0.4)
    erase_ratio: tuple[float, float] = (0.3, 3.33)
    erase_fill: str = "mean"

    def __post_init__(self) -> None:
        _checks.number("flip", self.flip, 0, 1)
        _checks.number("translate", self.translate, 0, 1)
        _checks.integer("pad_crop", self.pad_crop, 0)
        _checks.number("erase", self.erase, 0, 1)
        _checks.pair("erase_area", self.erase_area, 0, 1)
        _checks.pair("erase_ratio", self.erase_ratio, 0, above=True)
        _checks.choice("erase_fill", self.erase_fill, ERASE_FILLS)

    def apply(self, images: Tensor, seed: int, part: slice = WHOLE, batch: int | None = None) -> Tensor:
        """(B, 3, H, W) uint8 to (B, 3, H, W) float32, augmented and normalised, on the device of `images`.

        part, batch: the images are this part of a batch of so many, and change as they would within the whole of it.
        Random numbers are drawn on the CPU, so that a CPU and a GPU apply the same changes for the same seed.
        """
        generator = torch.Generator().manual_seed(seed)
        height, width = images.shape[2:]
        batch = len(images) if batch is None else batch
        flipped = torch.rand(batch, generator=generator)[part] < self.flip  # (B,)
        translated = torch.rand(batch, generator=generator)[part] < self.translate  # (B,)
        offsets = torch.rand(batch, 2, generator=generator)[part]  # (B, 2) of the translation, rows then columns
        shifts = torch.randint(0, 2 * self.pad_crop + 1, (batch, 2), generator=generator)[part]  # (B, 2)
        boxes = Rectangles(*(side[part] for side in random_rectangles(batch, height, width, self, generator)))

        x = images.float()
        x = torch.where(_per_image(flipped, x), x.flip(3), x)
        if translated.any():
            chosen = translated.nonzero().flatten()  # (C,)
            x = x.index_copy(0, chosen.to(x.device), translate(x[chosen.to(x.device)], offsets[chosen]))
        if self.pad_crop:
            x = pad_and_crop(x, self.pad_crop, shifts)
        x = normalize(x)
        if self.erase:
            x = erase(x, boxes, MEAN if self.erase_fill == "unnormalized_mean" else (0.0, 0.0, 0.0))
        return x


class Rectangles(NamedTuple):
    """One rectangle an image: rows top <= y < bottom, columns left <= x < right; all (B,) integers; empty = none."""

    top: Tensor
    left: Tensor
    bottom: Tensor
    right: Tensor


def normalize(images: Tensor) -> Tensor:
    """(B, 3, H, W), uint8 or float in 0..255, to float32 with ImageNet's mean 0 and standard deviation 1."""
    mean = torch.tensor(MEAN, device=images.device).view(1, 3, 1, 1) * 255
    std = torch.tensor(STD, device=images.device).view(1, 3, 1, 1) * 255
    return (images.float() - mean) / std


def translate(images: Tensor, offsets: Tensor) -> Tensor:
    """Enlarge (B, 3, H, W) float by 9/8 and crop back to (B, 3, H, W).

    offsets: (B, 2) in 0..1: where the crop lies between the first and the last possible row and column.
    """
    height, width = images.shape[2:]
    large = (round(height * ENLARGEMENT), round(width * ENLARGEMENT))
    enlarged = F.interpolate(images, large, mode="bilinear", align_corners=False)  # (B, 3, 9/8 H, 9/8 W)
    room = torch.tensor([large[0] - height, large[1] - width])
    return crop(enlarged, (offsets * room).round().long(), height, width)  # (B, 3, H, W)


def pad_and_crop(images: Tensor, pad: int, shifts: Tensor) -> Tensor:
    """Add `pad` black pixels on every side of (B, 3, H, W) and crop back at shifts (B, 2) in 0..2 pad."""
    height, width = images.shape[2:]
    return crop(F.pad(images, (pad, pad, pad, pad)), shifts, height, width)


def crop(images: Tensor, corners: Tensor, height: int, width: int) -> Tensor:
    """Cut (height, width) out of each image of (B, C, h, w) at its own top left corner, (B, 2) rows and columns."""
    corners = corners.to(images.device)
    rows = corners[:, :1] + torch.arange(height, device=images.device)  # (B, height)
    columns = corners[:, 1:] + torch.arange(width, device=images.device)  # (B, width)
    number = torch.arange(len(images), device=images.device)
    cut = images.permute(0, 2, 3, 1)[number[:, None, None], rows[:, :, None], columns[:, None, :]]  # (B, H, W, C)
    return cut.permute(0, 3, 1, 2)  # (B, C, height, width), stored channels last


def random_rectangles(
    batch: int, height: int, width: int, settings: Augmentation, generator: torch.Generator
) -> Rectangles:
    """Draw the rectangles to erase: with probability `erase`, the first of 100 draws that fits into the image."""
    happens = torch.rand(batch, generator=generator) < settings.erase  # (B,)
    draws = torch.rand(4, batch, ERASE_ATTEMPTS, generator=generator, dtype=torch.float64)
    area = (settings.erase_area[0] + draws[0] * (settings.erase_area[1] - settings.erase_area[0])) * height * width
    ratio = settings.erase_ratio[0] + draws[1] * (settings.erase_ratio[1] - settings.erase_ratio[0])
    tall = (area * ratio).sqrt().round().long()  # (B, attempts)
    wide = (area / ratio).sqrt().round().long()
    fits = (tall < height) & (wide < width) & happens[:, None]
    first = fits.int().argmax(dim=1, keepdim=True)  # (B, 1); 0 where none fits
    fits, tall, wide = (t.gather(1, first).flatten() for t in (fits, tall, wide))  # (B,)
    tall, wide = tall * fits, wide * fits  # an empty rectangle where nothing is erased
    top = ((height - tall + 1) * draws[2, :, 0]).floor().long()
    left = ((width - wide + 1) * draws[3, :, 0]).floor().long()
    return Rectangles(top, left, top + tall, left + wide)


def erase(images: Tensor, boxes: Rectangles, fill: tuple[float, float, float]) -> Tensor:
    """Write `fill` (one value a channel) into the rectangles of (B, 3, H, W) float images."""
    device = images.device
    rows, columns = (torch.arange(side, device=device) for side in images.shape[2:])
    top, left, bottom, right = (side.to(device)[:, None] for side in boxes)
    in_rows = (rows >= top) & (rows < bottom)  # (B, H)
    in_columns = (columns >= left) & (columns < right)  # (B, W)
    inside = in_rows[:, None, :, None] & in_columns[:, None, None, :]  # (B, 1, H, W)
    return torch.where(inside, torch.tensor(fill, device=device).view(1, 3, 1, 1), images)


def _per_image(mask: Tensor, like: Tensor) -> Tensor:
    return mask.to(like.device).view(-1, *(1,) * (like.dim() - 1))
