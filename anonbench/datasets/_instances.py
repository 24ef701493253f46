"""What the readers of instances share: what they return, and how a picture of labels becomes instances."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rle

from anonbench.core.errors import DataError
from anonbench.data.images import opened, read_bytes
from anonbench.data.instances import Instance, Scene, Vocabulary
from anonbench.data.masks import Bits, Mask
from anonbench.data.pictures import Picture

Reader = Callable[[Path, Sequence[Picture], int], tuple[Vocabulary, Iterable[Scene]]]
"""`reader(root, pictures, threads)`: what there is, and the instances of each picture in the order of the pictures."""
PERSON_AND_VEHICLES = ("person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")
"""The eight classes that Cityscapes and BDD100K score, in the order of both."""


def mask_instance(category: str, mask: Mask, crowd: bool = False, ignore: bool = False) -> Instance:
    """The instance of a mask, with the box and the area of its pixels. Its number is given by `numbered`."""
    return Instance(0, category, box_of(mask), mask, area_of(mask), crowd, ignore)


def packed(pixels: Bits) -> Mask:
    """The mask of (H, W) bool, as `Mask.pack` makes it: the same in a tenth of the time for a large picture."""
    return from_rle(rle.encode(np.asfortranarray(pixels, np.uint8)))


def from_rle(found: Mapping[str, Any]) -> Mask:
    """pycocotools' compressed run lengths as a `Mask`."""
    height, width = found["size"]
    return Mask(height, width, found["counts"].decode("ascii"))


def box_of(mask: Mask) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 of a mask, half-open; all 0 for one without a pixel."""
    x, y, width, height = map(float, rle.toBbox(mask.rle))
    return x, y, x + width, y + height


def area_of(mask: Mask) -> float:
    """Its pixels."""
    return float(rle.area(mask.rle))


def numbered(scenes: Iterable[Scene]) -> Iterator[Scene]:
    """The same with numbers from 1 on, in their order, for datasets that number instances in each picture alone."""
    number = 0
    for path, instances, void in scenes:
        renumbered = []
        for instance in instances:
            number += 1
            renumbered.append(dataclasses.replace(instance, number=number))
        yield path, renumbered, void


def read_labels(file: Path, picture: Picture, modes: Sequence[str], expected: str) -> NDArray[np.uint16]:
    """A picture of labels, (H, W) or (H, W, channels), as large as the picture that it is about.

    modes: Pillow's modes that it may have.
    expected: the same in words.

    Raises `DataError` where it is missing, cannot be decoded, or has another mode or size.
    """
    if not file.is_file():
        raise DataError(
            f"{file}: missing; expected the labels of {picture.path}. Unpack the annotations again, or leave the "
            f"picture out (`leave_out` in the dataset's config entry)."
        )
    with opened(read_bytes(file), file) as image:
        if image.mode not in modes:
            raise DataError(
                f"{file}: is a picture of mode {image.mode}; expected {expected}. A tool that converts pictures "
                f"changes labels: unpack the annotations again."
            )
        labels = np.asarray(image)
    if labels.shape[:2] != (picture.height, picture.width):
        raise DataError(
            f"{file}: is {labels.shape[1]} x {labels.shape[0]} pixels; expected {picture.width} x {picture.height} "
            f"like {picture.path}. Do both come from the same release, and is neither scaled?"
        )
    return labels.astype(np.uint16)
