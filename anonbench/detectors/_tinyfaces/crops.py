"""Random crops of training images: scaled, cut out, flipped, with their targets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from anonbench.data.images import RGB, read_image
from anonbench.data.seeding import derive_seed
from anonbench.detectors._tinyfaces.face_images import FaceImages
from anonbench.detectors._tinyfaces.network import IMAGENET_MEAN
from anonbench.detectors._tinyfaces.targets import TargetSettings, assign, heatmap_side

Floats = NDArray[np.float64]
MEAN_COLOUR = np.array(IMAGENET_MEAN).round().astype(np.uint8)


@dataclass(frozen=True)
class CropSettings:
    """How training crops are cut.

    side: of the square crop in pixels.
    scales: of the image before cropping, drawn with equal chances.
    flip: probability of a horizontal flip, 0..1.
    kept_iou: a face cut by the crop's edge stays if what is left overlaps all of it this much, else it is background.
    Source: the authors' cnn_get_batch_hardmine.m.
    """

    side: int = 500
    scales: tuple[float, ...] = (0.5, 1.0, 2.0)
    flip: float = 0.5
    kept_iou: float = 0.3


@dataclass(frozen=True)
class Crop:
    """A crop and its faces.

    image: (side, side, 3) uint8, mean colour where no image is.

    boxes: (n, 4), ignore: (n,), in its pixels.
    inside: the part that shows the image, x0, y0, x1, y1.
    """

    image: RGB
    boxes: Floats
    ignore: NDArray[np.bool_]
    inside: tuple[float, float, float, float]


def random_crop(
    image: RGB, boxes: Floats, ignore: NDArray[np.bool_], rng: np.random.Generator, settings: CropSettings
) -> Crop:
    """A square crop of an image (H, W, 3) scaled at random. A smaller image is placed somewhere in the square."""
    side, scale = settings.side, settings.scales[rng.integers(len(settings.scales))]
    size = [math.ceil(length * scale) for length in (image.shape[1], image.shape[0])]  # x, y
    start = [int(rng.integers(0, max(0, length - side) + 1)) for length in size]
    length = [min(side, whole) for whole in size]
    paste = [int(rng.integers(0, side - part + 1)) for part in length]
    canvas = np.broadcast_to(MEAN_COLOUR, (side, side, 3)).copy()
    canvas[paste[1] : paste[1] + length[1], paste[0] : paste[0] + length[0]] = _cut(image, scale, start, length)
    shift = np.tile(np.subtract(paste, start), 2)
    inside = (paste[0], paste[1], paste[0] + length[0], paste[1] + length[1])
    moved = boxes * scale + shift
    clipped = np.clip(moved, np.tile(inside[:2], 2), np.tile(inside[2:], 2))
    kept = _area(clipped) > settings.kept_iou * _area(moved)  # the part's overlap with the whole is their areas' ratio
    crop = Crop(canvas, clipped[kept], ignore[kept], inside)
    return _flip(crop) if rng.random() < settings.flip else crop


def _cut(image: RGB, scale: float, start: list[int], length: list[int]) -> RGB:
    """The part of the scaled image that begins at `start` and is `length` long (x, y); only it is computed."""
    if scale == 1:
        return image[start[1] : start[1] + length[1], start[0] : start[0] + length[0]]
    low = [first / scale for first in start]
    high = [
        min((first + part) / scale, whole)
        for first, part, whole in zip(start, length, (image.shape[1], image.shape[0]), strict=True)
    ]
    source = (low[0], low[1], high[0], high[1])
    resized = Image.fromarray(image).resize((length[0], length[1]), Image.Resampling.BILINEAR, box=source)
    return np.asarray(resized)


def _flip(crop: Crop) -> Crop:
    side = crop.image.shape[1]
    boxes = crop.boxes.copy()
    boxes[:, [0, 2]] = side - crop.boxes[:, [2, 0]]
    x0, y0, x1, y1 = crop.inside
    return Crop(np.ascontiguousarray(crop.image[:, ::-1]), boxes, crop.ignore, (side - x1, y0, side - x0, y1))


def _area(boxes: Floats) -> Floats:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


class TrainingCrops(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Crops with targets, by (epoch, index of the image): image (3, s, s) uint8, labels (25, h, h) int8, targets
    (100, h, h) float32. What is drawn follows from seed, epoch and index, in whichever process.
    """

    def __init__(self, images: FaceImages, crops: CropSettings, targets: TargetSettings, seed: int) -> None:
        self.images, self.crops, self.targets, self.seed = images, crops, targets, seed

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
        epoch, index = key
        rng = np.random.default_rng(derive_seed(self.seed, "crop", epoch, index))
        face_image = self.images[index]
        crop = random_crop(read_image(face_image.path), face_image.boxes, face_image.ignore, rng, self.crops)
        side = heatmap_side(self.crops.side)
        labels, targets = assign(crop.boxes, crop.ignore, side, crop.inside, rng, self.targets)
        pixels = torch.from_numpy(crop.image.transpose(2, 0, 1).copy())
        return pixels, torch.from_numpy(labels), torch.from_numpy(targets)
