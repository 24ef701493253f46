"""How long an anonymizer takes for a picture, and a line over the picture's size.

timings = time_sizes(anonymizer, images, regions, scales=(0.5, 1, 2))
line = fit_line(timings)
line.seconds(640 * 480)
"""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from anonbench.anonymizers._apply import hide
from anonbench.core.errors import DataError
from anonbench.data.images import RGB, resize
from anonbench.data.masks import Mask
from anonbench.data.regions import Region, clip_region
from anonbench.data.seeding import generator

REPEATS = 2  # of which the faster counts: the first has caches to fill
LONG = 3.0  # seconds, from which on once is enough
MEGAPIXEL = 1e6


@dataclass(frozen=True, slots=True)
class Timing:
    """An anonymizer on pictures of one size.

    pixels: of a picture, on average.
    regions: of a picture, on average.
    seconds: of the processor, a picture. Waiting for others does not count.
    memory_mb: the most that the process has had until then, MB of 10^6 bytes.
    """

    pixels: float
    regions: float
    seconds: float
    memory_mb: float


@dataclass(frozen=True, slots=True)
class Line:
    """Seconds a picture as a straight line over its size.

    start: seconds of a picture without pixels; may come out below 0.
    per_megapixel: seconds.
    gap: largest distance of a measurement from the line, as a share of the measurement.
    """

    start: float
    per_megapixel: float
    gap: float

    def seconds(self, pixels: float) -> float:
        """Of a picture; never below 0."""
        return max(0.0, self.start + self.per_megapixel * pixels / MEGAPIXEL)


def time_sizes(
    anonymizer: Any, images: Sequence[RGB], regions: Sequence[Sequence[Region]], scales: Sequence[float]
) -> list[Timing]:
    """The same pictures at several sizes, the smallest first, so that each size's memory can be seen.

    regions: of each picture, clipped to it. scales: of both sides, > 0.
    Raises `DataError` where no picture has a region: copying costs the same for all anonymizers.
    """
    if not any(regions):
        raise DataError("cost: none of the pictures has a region; there is nothing to hide, and nothing to measure.")
    found = []
    for scale in sorted(scales):
        pairs = [scaled(image, own, scale) for image, own in zip(images, regions, strict=True)]
        spent = []
        for _ in range(REPEATS):
            rngs = [generator(0, "cost", number) for number in range(len(pairs))]
            before = time.process_time()
            hide([image for image, _ in pairs], [own for _, own in pairs], anonymizer, rngs)
            spent.append(time.process_time() - before)
            if spent[0] > LONG:
                break
        pixels = float(np.mean([image.shape[0] * image.shape[1] for image, _ in pairs]))
        people = float(np.mean([len(own) for _, own in pairs]))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
        found.append(Timing(pixels, people, min(spent) / len(pairs), memory))
    return found


def scaled(image: RGB, regions: Sequence[Region], scale: float) -> tuple[RGB, list[Region]]:
    """A picture and its regions, larger or smaller; a region that no pixel is left of is left out."""
    height, width = (max(1, round(scale * side)) for side in image.shape[:2])
    down, across = height / image.shape[0], width / image.shape[1]
    moved = []
    for region in regions:
        x0, y0, x1, y1 = region.box
        mask = region.mask
        if mask is not None:
            pixels = cv2.resize(mask.unpack().astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
            if not pixels.any():
                continue
            mask = Mask.pack(pixels.astype(bool))
        points = region.keypoints
        own = replace(
            region,
            box=(x0 * across, y0 * down, x1 * across, y1 * down),
            mask=mask,
            keypoints=None if points is None else tuple((x * across, y * down, seen) for x, y, seen in points),
        )
        clipped = clip_region(own, width, height)
        moved += [clipped] if clipped is not None else []
    return resize(image, (height, width)), moved


def fit_line(timings: Sequence[Timing]) -> Line:
    """The line of least squares through seconds over pixels. Raises `DataError` for fewer than two sizes."""
    if len({timing.pixels for timing in timings}) < 2:
        raise DataError("cost: a line needs pictures of two sizes at least.")
    x = np.array([timing.pixels for timing in timings]) / MEGAPIXEL
    y = np.array([timing.seconds for timing in timings])
    slope, start = np.polyfit(x, y, 1)
    gap = float(np.max(np.abs(start + slope * x - y) / np.maximum(y, 1e-9)))
    return Line(float(start), float(slope), gap)
