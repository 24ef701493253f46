"""Crops of people to learn from: what is behind the mask, what is around it, and where the key points are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anonbench.core.errors import DataError
from anonbench.core.memory import available_memory
from anonbench.data.images import read_image
from anonbench.data.instances import COCO_KEYPOINTS, Vocabulary
from anonbench.data.regions import Region, clip_region, covered
from anonbench.data.seeding import generator
from anonbench.training.framing import Crop
from anonbench.training.generators import from_pixels
from anonbench.training.inpainter import InpainterSettings
from anonbench.training.loading import MEMORY_SHARE, DeviceImages

MIRRORED = Vocabulary((), COCO_KEYPOINTS).mirrored
LEAST_JUDGED = 2  # crops: one alone has no covariance, which the distance needs
Wanted = list[tuple[str, list[int]]]
"""Pictures, and which of their regions make a crop each."""


@dataclass(frozen=True, eq=False)
class Crops:
    """Crops in memory.

    originals: (N, 3, h, w) uint8, with the people in them.
    own: (N, 1, h, w) bool, the person to be put there.
    known: (N, 1, h, w) bool, what a generator may see.
    points: (N, 17, 3) float32, x and y in pixels of the crop, 1 where the point is known.
    """

    originals: Tensor
    own: Tensor
    known: Tensor
    points: Tensor

    def __len__(self) -> int:
        return len(self.originals)

    def __getitem__(self, indices: Tensor) -> Crops:
        return Crops(self.originals[indices], self.own[indices], self.known[indices], self.points[indices])


def choose_crops(regions: Mapping[str, Sequence[Region]], kind: str, least_px: int, most: int, seed: int) -> Wanted:
    """The regions of a kind that are at least so many pixels high, `most` of them drawn where there are more.

    regions: of the pictures of the training split.
    Raises `DataError` where fewer than 4 are left.
    """
    every = [
        (path, number)
        for path in sorted(regions)
        for number, region in enumerate(regions[path])
        if region.kind == kind and region.height >= least_px
    ]
    if len(every) < 4:
        found = sum(map(len, regions.values()))
        raise DataError(
            f"the training split has {len(every)} regions of kind '{kind}' that are at least {least_px} pixels high, "
            f"out of {found} regions in {len(regions)} pictures; expected at least 4. Lower `least_px`, change "
            f"`network.kind`, or name another detector."
        )
    if len(every) > most:
        drawn = generator(seed, "crops").choice(len(every), most, replace=False)
        every = [every[number] for number in sorted(drawn)]
    wanted: dict[str, list[int]] = {}
    for path, number in every:
        wanted.setdefault(path, []).append(number)
    return list(wanted.items())


def load_crops(
    root: Path, wanted: Wanted, regions: Mapping[str, Sequence[Region]], settings: InpainterSettings, threads: int
) -> Crops:
    """Cut the crops of some regions. All regions of a picture are hidden in each of them, as in an anonymized copy.

    Raises `DataError` for a picture that cannot be read, or crops that need more than half of the memory that is left.
    """
    height, width = settings.size
    count = sum(len(numbers) for _, numbers in wanted)
    needed, left = count * height * width * 5, available_memory()
    if needed > MEMORY_SHARE * left:
        raise DataError(
            f"{count} crops of {height} x {width} take {needed / 1e9:.2f} GB, more than half of the "
            f"{left / 1e9:.2f} GB of memory that are left. Lower `most_crops`, or give the job more memory."
        )
    originals = torch.empty((count, height, width, 3), dtype=torch.uint8)
    own, known = (torch.empty((count, 1, height, width), dtype=torch.bool) for _ in range(2))
    points = torch.empty((count, len(COCO_KEYPOINTS), 3))
    starts = np.cumsum([0, *(len(numbers) for _, numbers in wanted)])

    def load(place: int) -> None:
        path, numbers = wanted[place]
        image = read_image(root / path)
        inside = [clip_region(region, image.shape[1], image.shape[0]) for region in regions[path]]
        hidden = covered([region for region in inside if region], *image.shape[:2])
        for at, number in enumerate(numbers, start=int(starts[place])):
            region = inside[number]
            if region is None:
                raise DataError(f"{root / path}: region {number} lies outside the picture. Run the detection again.")
            crop: Crop = settings.framing.cut(image, region, hidden)
            originals[at] = torch.from_numpy(settings.framing.cut_original(image, crop.frame).copy())
            own[at, 0] = torch.from_numpy(crop.own)
            known[at, 0] = torch.from_numpy(crop.known)
            points[at] = torch.from_numpy(crop.points)

    with ThreadPoolExecutor(max(1, threads)) as pool:  # Pillow releases the interpreter's lock
        for _ in pool.map(load, range(len(wanted))):
            pass
    return Crops(originals.permute(0, 3, 1, 2), own, known, points)


def hold_out(wanted: Wanted, share: float, seed: int) -> tuple[Wanted, Wanted]:
    """Pictures to learn from and pictures to judge by, at least one of each, and at least `LEAST_JUDGED` crops.

    Raises `DataError` where the pictures do not suffice for that.
    """
    order = generator(seed, "held out").permutation(len(wanted)).tolist()
    crops = np.cumsum([len(wanted[number][1]) for number in order])  # of the first picture, the first two, …
    needed = int(np.searchsorted(crops, LEAST_JUDGED)) + 1  # pictures
    if needed >= len(wanted):
        raise DataError(
            f"{int(crops[-1])} regions to learn from lie in {len(wanted)} pictures; expected one picture beside those "
            f"with the {LEAST_JUDGED} regions by which the generator is judged. Add pictures to the training split, or "
            f"lower `least_px`."
        )
    count = min(max(needed, round(share * len(wanted))), len(wanted) - 1)
    judged = set(order[:count])
    return ([w for n, w in enumerate(wanted) if n not in judged], [wanted[n] for n in sorted(judged)])


class CropBatches:
    """Crops from which batches are taken onto a device."""

    def __init__(self, crops: Crops, flip: float, device: torch.device) -> None:
        self.flip, self.device = flip, device
        parts = (crops.originals, crops.own, crops.known, crops.points)
        self.parts = [DeviceImages(part, device) for part in parts]

    def batch(self, indices: Tensor, seed: int) -> Batch:
        """The crops `indices`, (B,) on the CPU. Flips are drawn on the CPU, so that a CPU and a GPU flip the same."""
        flipped = torch.rand(len(indices), generator=torch.Generator().manual_seed(seed)) < self.flip  # (B,)
        if self.device.type != "cpu":
            flipped = flipped.pin_memory().to(self.device, non_blocking=True)
        originals, own, known, points = (part[indices] for part in self.parts)
        mirrored = points[:, MIRRORED].clone()
        mirrored[..., 0] = originals.shape[3] - mirrored[..., 0]
        return Batch(
            from_pixels(_flip(originals, flipped)).contiguous(memory_format=torch.channels_last),
            _flip(own, flipped),
            _flip(known, flipped),
            torch.where(flipped.view(-1, 1, 1), mirrored, points),
        )


@dataclass(frozen=True, eq=False)
class Batch:
    """Crops as networks take them: as `Crops`, but `originals` float32 in -1..1."""

    originals: Tensor
    own: Tensor
    known: Tensor
    points: Tensor

    def __len__(self) -> int:
        return len(self.originals)


def _flip(pictures: Tensor, flipped: Tensor) -> Tensor:
    return torch.where(flipped.view(-1, 1, 1, 1), pictures.flip(3), pictures)
