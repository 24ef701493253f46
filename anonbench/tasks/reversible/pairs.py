"""Batches of two pictures of each person: what a generator is given, and what it is to make."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anonbench.core import checks as _checks
from anonbench.data.seeding import derive_seed
from anonbench.training.generators import from_pixels
from anonbench.training.loading import DeviceImages


@dataclass(frozen=True)
class Noise:
    """Gaussian noise that is drawn again for every batch.

    std: standard deviation as a share of the full range, > 0.

    Values are cut off at black and white and rounded, as those of the stored pictures are. Numbers are drawn on the
    device of the pictures: those of a GPU differ from a CPU's.
    """

    std: float

    def __post_init__(self) -> None:
        _checks.number("std", self.std, 0, above=True)

    def draw(self, pictures: Tensor, seed: int) -> Tensor:
        """(B, 3, H, W) float on 0..255 to the same, of whole numbers."""
        source = torch.Generator(pictures.device).manual_seed(seed)
        noise = torch.randn(pictures.shape, generator=source, device=pictures.device)
        return (pictures + 255 * self.std * noise).round().clamp(0, 255)


class Pairs:
    """Pictures beside what they are to become.

    given: (N, 3, H, W) uint8.
    wanted: (N, 3, H, W) uint8, or noise that is drawn for every batch.
    flip: probability that both pictures of a pair are flipped.
    """

    def __init__(self, given: Tensor, wanted: Tensor | Noise, flip: float, device: torch.device) -> None:
        self.flip, self.device = flip, device
        self.given = DeviceImages(given, device)
        self.want(wanted)

    def want(self, wanted: Tensor | Noise) -> None:
        """Change what the pictures are to become."""
        self.wanted = wanted if isinstance(wanted, Noise) else DeviceImages(wanted, self.device)

    def sent(self, values: Tensor) -> Tensor:
        """Values of the CPU on the device, without waiting for what a GPU is doing, as a plain copy would."""
        return values if self.device.type == "cpu" else values.pin_memory().to(self.device, non_blocking=True)

    def batch(self, indices: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """Given and wanted pictures `indices`, (B,) on the CPU: (B, 3, H, W) float32 in -1..1 each, channels last.

        Flips are drawn on the CPU, so that a CPU and a GPU flip the same.
        """
        generator = torch.Generator().manual_seed(seed)
        flipped = self.sent(torch.rand(len(indices), generator=generator) < self.flip)  # (B,)
        given = _flip(self._taken(self.given, indices), flipped)
        if isinstance(self.wanted, Noise):
            wanted = self.wanted.draw(given, derive_seed(seed, "noise"))
        else:
            wanted = _flip(self._taken(self.wanted, indices), flipped)
        return from_pixels(given), from_pixels(wanted)

    def _taken(self, images: DeviceImages, indices: Tensor) -> Tensor:
        on_device = images.images.device.type == self.device.type
        return images[self.sent(indices) if on_device else indices].float()


def _flip(pictures: Tensor, flipped: Tensor) -> Tensor:
    turned = torch.where(flipped.view(-1, 1, 1, 1), pictures.flip(3), pictures)
    return turned.contiguous(memory_format=torch.channels_last)
