"""Crops around regions as a generator sees them, and the way back into the picture: trainings and anonymizers share it.

framing = Framing(size=(288, 160), margin=0.05, background=0.3)
crop = framing.cut(image, region, hidden)     # hidden: every pixel of the picture that must not be seen
picture[...] = paste(picture, crop, made)     # made: (288, 160, 3), what a generator has put there
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anonbench.core import checks as _checks
from anonbench.data.images import RGB, resize
from anonbench.data.instances import COCO_KEYPOINTS
from anonbench.data.masks import Bits
from anonbench.data.regions import Region, covered

GREY = 127  # of pixels that are not to be seen; the middle of -1..1
Points = NDArray[np.float32]
Value = TypeVar("Value", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Crop:
    """What is around a region, at a generator's size.

    frame: x0, y0, x1, y1 in pixels of the picture; it may reach beyond the picture.
    pixels: (h, w, 3) uint8; `GREY` where nothing may be seen.
    own: (h, w) bool, what is to be filled: every pixel that shows some of the region.
    known: (h, w) bool, what may be seen: no hidden pixel and nothing outside the picture has a share in it.
    points: (17, 3) float32, x and y in pixels of the crop and 1 where the point is known, else 0; of no use for faces.
    belongs: (H, W) bool, the region's pixels in the picture.
    """

    frame: tuple[int, int, int, int]
    pixels: RGB
    own: Bits
    known: Bits
    points: Points
    belongs: Bits


@dataclass(frozen=True)
class Framing:
    """How a crop lies around a region.

    size: height and width of the crop in pixels, >= 4 each. Its proportions are those of the frame.
    margin: what is added on each side, as a share of the region's box, >= 0.
    background: least share of the crop that does not belong to the region, 0 <= background < 1.

    DeepPrivacy2: bodies 288 x 160 with 10 % more on each axis (0.05 on each side) and at least 30 % background; faces
    square, 128 x 128 with 0.35 on each side, 256 x 256 with 0.2 (a side 1.4 times as long).
    Source: Hukkelås and Lindseth, "DeepPrivacy2", WACV 2023, and its public configuration.
    """

    size: tuple[int, int]
    margin: float = 0.05
    background: float = 0.3

    def __post_init__(self) -> None:
        if not isinstance(self.size, tuple) or len(self.size) != 2:
            raise ValueError(f"size is {self.size!r}; expected [height, width]")
        for side in self.size:
            _checks.integer("size", side, 4)
        _checks.number("margin", self.margin, 0)
        _checks.number("background", self.background, 0, 1)
        if self.background == 1:
            raise ValueError("background is 1; expected < 1")

    def frame(self, box: Sequence[float], area: float) -> tuple[int, int, int, int]:
        """The frame around a box: x0, y0, x1, y1 in whole pixels, also beyond the picture. It holds all of the box.

        area: of the region, in pixels.

        >>> Framing(size=(8, 8), margin=0.5, background=0).frame((10, 20, 14, 24), 16)
        (8, 18, 16, 26)
        """
        x0, y0, x1, y1 = box
        height, width = (y1 - y0) * (1 + 2 * self.margin), (x1 - x0) * (1 + 2 * self.margin)
        least = math.sqrt(area / (1 - self.background) / (self.size[0] * self.size[1]))  # pixels for one of the crop
        scale = max(height / self.size[0], width / self.size[1], least)
        height, width = math.ceil(scale * self.size[0] - 1e-6), math.ceil(scale * self.size[1] - 1e-6)
        left, top = math.floor((x0 + x1 - width) / 2), math.floor((y0 + y1 - height) / 2)
        return left, top, left + width, top + height

    def cut(self, image: RGB, region: Region, hidden: Bits) -> Crop:
        """The crop around a region of a picture. No hidden pixel has any influence on it.

        image: (H, W, 3) uint8.
        region: with a box in whole pixels inside the picture.
        hidden: (H, W) bool, all of the region among them.
        """
        belongs = covered([region], *image.shape[:2])
        frame = self.frame(region.pixels, float(belongs.sum()))
        # Hidden pixels turn grey before anything is resized: what a filter mixes is the same whatever they were.
        seen = np.where(hidden[..., None], np.uint8(GREY), image)
        return Crop(
            frame=frame,
            pixels=resize(_window(seen, frame, GREY), self.size),
            own=_touched(_window(belongs, frame, False), self.size),
            known=~_touched(_window(hidden, frame, True), self.size),
            points=self._points(region, frame),
            belongs=belongs,
        )

    def cut_original(self, image: RGB, frame: tuple[int, int, int, int]) -> RGB:
        """The same crop with what is hidden in it, (h, w, 3) uint8: for trainings, and methods that say so."""
        return resize(_window(image, frame, GREY), self.size)

    def _points(self, region: Region, frame: tuple[int, int, int, int]) -> Points:
        points = np.zeros((len(COCO_KEYPOINTS), 3), np.float32)
        if region.kind == "body" and region.keypoints is not None and len(region.keypoints) == len(points):
            x0, y0, x1, y1 = frame
            x, y, seen = np.array(region.keypoints, np.float32).T
            points[:, 0] = (x + 0.5 - x0) * self.size[1] / (x1 - x0)
            points[:, 1] = (y + 0.5 - y0) * self.size[0] / (y1 - y0)
            points[:, 2] = seen > 0
        return points


def paste(picture: RGB, crop: Crop, made: RGB) -> None:
    """Put what was made for a crop, (h, w, 3) uint8, into the region of a picture, and nowhere else. In place.

    It is brought back to the frame's size by Pillow's bicubic filter, which widens with the reduction.
    """
    x0, y0, x1, y1 = crop.frame
    back = np.asarray(Image.fromarray(made).resize((x1 - x0, y1 - y0), Image.Resampling.BICUBIC))
    height, width = picture.shape[:2]
    rows, columns = slice(max(0, y0), min(height, y1)), slice(max(0, x0), min(width, x1))
    belongs = crop.belongs[rows, columns]
    picture[rows, columns][belongs] = back[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0][
        belongs
    ]


def _window(values: NDArray[Value], frame: tuple[int, int, int, int], outside: int | bool) -> NDArray[Value]:
    """The part of (H, W, …) values in a frame, with `outside` beyond the picture."""
    x0, y0, x1, y1 = frame
    height, width = values.shape[:2]
    part = np.full((y1 - y0, x1 - x0, *values.shape[2:]), outside, values.dtype)
    rows, columns = slice(max(0, y0), min(height, y1)), slice(max(0, x0), min(width, x1))
    part[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0] = values[rows, columns]
    return part


def _touched(bits: Bits, size: tuple[int, int]) -> Bits:
    """(H, W) bool to (h, w): where a set pixel has a share, however small, in what `resize` makes."""
    height, width = size
    return np.asarray(Image.fromarray(bits.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)) > 0
