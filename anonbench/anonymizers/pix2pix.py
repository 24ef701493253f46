"""A whole picture through a trained generator: protected by an anonymizer's weights, recovered by a recovery's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from anonbench.anonymizers import ANONYMIZERS
from anonbench.core import checks
from anonbench.data.images import RGB
from anonbench.data.regions import Region

if TYPE_CHECKING:
    from anonbench.training.generators import UNet

# torch is imported where a picture is made: reading a configuration need not wait for it.


@ANONYMIZERS.register("pix2pix")
@dataclass(frozen=True)
class Pix2pix:
    """Let a trained U-Net make every picture anew.

    weights: a generator's file, `anonymizer.pt` or `recovery.pt` of a training. Both are keys: who has one can undo
        what the other does, or learn to.
    batch: pictures at once, whole number >= 1; of those the ones of one size go through the network together.

    It hides whole pictures alone (`whole_picture`). Height and width must be multiples of 2^levels of the generator
    (`multiple_px`): 64 at 6 levels. Values are rounded to whole levels: what is stored is what a recovery gets.

    A GPU is used where the job sees one. The arithmetic is float32, on a GPU too, without TensorFloat-32.

    Source: Zhang et al. 2022, sections 3.1 and 3.2 (`training.generators`).
    """

    whole_picture: ClassVar[bool] = True

    weights: str = ""
    batch: int = 64

    def __post_init__(self) -> None:
        try:
            checks.integer("batch", self.batch, 1)
        except ValueError:
            raise ValueError(f"batch must be a whole number >= 1, got {self.batch!r}") from None

    @property
    def multiple_px(self) -> int:
        """Height and width of a picture must be multiples of it."""
        return 2**self._network.levels

    def anonymize_batch(
        self, images: Sequence[RGB], regions: Sequence[Sequence[Region]], rngs: Sequence[np.random.Generator]
    ) -> list[RGB]:
        """Raises ValueError for a region that is not the whole picture, or a size the generator does not take."""
        for image, found in zip(images, regions, strict=True):
            _demand_whole(image, found)
            self._demand_size(image)
        made: list[RGB] = [image[:0] for image in images]
        for size in sorted({image.shape for image in images}):
            numbers = [number for number, image in enumerate(images) if image.shape == size]
            for first in range(0, len(numbers), self.batch):
                part = numbers[first : first + self.batch]
                for number, picture in zip(part, self._forward([images[n] for n in part]), strict=True):
                    made[number] = picture
        return made

    def _forward(self, images: Sequence[RGB]) -> list[RGB]:
        """Pictures of one size, (h, w, 3) uint8 each, to as many."""
        import torch

        from anonbench.training.device import reproducible
        from anonbench.training.generators import from_pixels, to_pixels

        device = next(self._network.parameters()).device
        # (B, h, w, 3) -> (B, 3, h, w), which lies channels last in memory
        pictures = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).to(device)
        with torch.inference_mode(), reproducible("fp32", device):
            made = to_pixels(self._network(from_pixels(pictures)))
        return [np.ascontiguousarray(picture) for picture in made.permute(0, 2, 3, 1).cpu().numpy()]

    @cached_property
    def _network(self) -> UNet:
        import torch

        from anonbench.training.device import place
        from anonbench.training.generators import load_generator

        network, _ = load_generator(Path(self.weights))
        place(network, torch.device("cuda" if torch.cuda.is_available() else "cpu"), channels_last=True)
        return network

    def _demand_size(self, image: RGB) -> None:
        height, width = image.shape[:2]
        step = self.multiple_px
        if height % step or width % step:
            raise ValueError(
                f"{self.weights}: a generator of {self._network.levels} levels takes pictures whose height and width "
                f"are multiples of {step} pixels, got {height} x {width} (height x width). Write another `resize:` "
                f"into the variant, the one it was trained with, or train one with fewer levels."
            )

    def __getstate__(self) -> dict[str, Any]:
        """Without the network: another process loads its own."""
        return {"weights": self.weights, "batch": self.batch}


def _demand_whole(image: RGB, regions: Sequence[Region]) -> None:
    height, width = image.shape[:2]
    for region in regions:
        if region.pixels != (0, 0, width, height) or region.mask is not None:
            what = "a mask" if region.mask is not None else f"the box {region.pixels}"
            raise ValueError(
                f"pix2pix makes whole pictures and cannot hide {what} of one of {width} x {height} pixels. Write "
                f"`detector: null` into the variant's entry, or take an anonymizer of regions, such as gaussian_blur."
            )
