"""Things that stand in a street, drawn flat in metres: poles, bins, bicycles, railings, plants, cars, passers-by.

The same drawings furnish the background and, nearer to the camera, hide parts of people.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from anonbench.rendering import palette
from anonbench.rendering.geometry import Array, F
from anonbench.rendering.palette import linear

Point = tuple[float, float]


@dataclass
class Brush:
    """Draws shapes given in metres onto a linear RGB image and marks what they cover.

    image: (height, width, 3) float32. cover: (height, width) uint8. column, row: the pixel of the origin (where the
    thing stands). scale: pixels per metre. light: factor on all colours.
    """

    image: Array
    cover: np.ndarray
    column: float
    row: float
    scale: float
    light: float = 1.0

    def _pixel(self, point: Point) -> tuple[int, int]:
        return round(self.column + point[0] * self.scale), round(self.row - point[1] * self.scale)

    def _width(self, metres: float) -> int:
        return max(1, round(metres * self.scale))

    def _paint(self, draw: Callable[[np.ndarray, tuple], object], colour: Array) -> None:
        draw(self.image, tuple(float(v) * self.light for v in colour))
        draw(self.cover, (1.0, 1.0, 1.0))

    def polygon(self, points: Sequence[Point], colour: Array) -> None:
        """A filled polygon."""
        corners = np.array([self._pixel(p) for p in points], np.int32)
        self._paint(lambda image, paint: cv2.fillPoly(image, [corners], paint), colour)

    def line(self, start: Point, end: Point, width_m: float, colour: Array) -> None:
        """A stroke."""
        a, b, width = self._pixel(start), self._pixel(end), self._width(width_m)
        self._paint(lambda image, paint: cv2.line(image, a, b, paint, width), colour)

    def ellipse(self, centre: Point, radii: Point, colour: Array, width_m: float | None = None) -> None:
        """A filled ellipse, or its outline."""
        axes = (max(1, round(radii[0] * self.scale)), max(1, round(radii[1] * self.scale)))
        thickness = -1 if width_m is None else self._width(width_m)
        at = self._pixel(centre)
        self._paint(lambda image, paint: cv2.ellipse(image, at, axes, 0, 0, 360, paint, thickness), colour)

    def cylinder(self, left: float, right: float, bottom: float, top: float, colour: Array, strips: int = 6) -> None:
        """An upright box that is lit like a cylinder: bright on one side, dark at the other edge."""
        for i in range(strips):
            x0, x1 = (left + (right - left) * (i + k) / strips for k in (0, 1))
            tone = 0.45 + 0.65 * math.sin(math.pi * (0.2 + 0.75 * (1 - i / strips)))
            self.polygon([(x0, bottom), (x1, bottom), (x1, top), (x0, top)], colour * F(tone))


def _metal(rng: np.random.Generator) -> Array:
    return linear([(78, 80, 84), (48, 50, 54), (110, 112, 112), (60, 74, 66), (96, 88, 60)][rng.integers(5)])


def _any(rng: np.random.Generator) -> Array:
    return linear(palette.TOPS[rng.integers(len(palette.TOPS))])


def pole(brush: Brush, rng: np.random.Generator) -> None:
    """A lamp post or sign post."""
    half = rng.uniform(0.03, 0.08)
    brush.cylinder(-half, half, -0.05, 3.6, _metal(rng))
    brush.cylinder(-half * 1.6, half * 1.6, -0.05, 0.25, _metal(rng))
    if rng.random() < 0.5:
        y, size = rng.uniform(1.5, 2.4), rng.uniform(0.15, 0.3)
        brush.polygon([(-size, y), (size, y), (size, y + size), (-size, y + size)], _any(rng))


def bollard(brush: Brush, rng: np.random.Generator) -> None:
    """A row of short posts."""
    gap, height, colour = rng.uniform(0.5, 0.9), rng.uniform(0.6, 0.95), _metal(rng)
    for k in (-1, 0, 1):
        brush.cylinder(k * gap - 0.06, k * gap + 0.06, -0.03, height, colour)
        brush.ellipse((k * gap, height), (0.06, 0.03), colour * 1.3)


def dust_bin(brush: Brush, rng: np.random.Generator) -> None:
    """A street bin."""
    half, height, colour = rng.uniform(0.2, 0.32), rng.uniform(0.7, 1.0), _metal(rng)
    brush.cylinder(-half, half, -0.03, height, colour)
    brush.ellipse((0, height), (half, 0.07), colour * 0.5)
    brush.polygon(
        [(-half, height * 0.55), (half, height * 0.55), (half, height * 0.7), (-half, height * 0.7)], _any(rng)
    )


def railing(brush: Brush, rng: np.random.Generator) -> None:
    """A fence of bars."""
    height, gap, colour = rng.uniform(0.75, 1.05), rng.uniform(0.11, 0.2), _metal(rng)
    for x in np.arange(-2.2, 2.2, gap):
        brush.line((x, -0.02), (x, height), 0.022, colour)
    brush.line((-2.3, height), (2.3, height), 0.045, colour * 1.2)
    brush.line((-2.3, 0.12), (2.3, 0.12), 0.03, colour * 0.8)


def bicycle(brush: Brush, rng: np.random.Generator) -> None:
    """A parked bicycle seen from the side."""
    wheel, frame, flip = linear((34, 34, 36)), _any(rng), rng.choice([-1, 1])
    for x in (-0.52, 0.52):
        brush.ellipse((x, 0.33), (0.33, 0.33), wheel, 0.035)
        brush.line((x - 0.3, 0.33), (x + 0.3, 0.33), 0.008, wheel * 2)
        brush.line((x, 0.03), (x, 0.63), 0.008, wheel * 2)
    saddle, crank, bars = (-0.2 * flip, 0.85), (-0.05 * flip, 0.3), (0.38 * flip, 0.95)
    rear, front, head = (-0.52 * flip, 0.33), (0.52 * flip, 0.33), (0.36 * flip, 0.78)
    for a, b in (
        (saddle, crank),
        (crank, head),
        (saddle, rear),
        (rear, crank),
        (head, front),
        ((-0.17 * flip, 0.75), head),
    ):
        brush.line(a, b, 0.035, frame)
    brush.line(head, bars, 0.03, wheel)
    brush.line((bars[0] - 0.1, bars[1]), (bars[0] + 0.1, bars[1]), 0.03, wheel)
    brush.line((saddle[0] - 0.12, saddle[1] + 0.02), (saddle[0] + 0.12, saddle[1] + 0.02), 0.06, wheel)
    if rng.random() < 0.6:
        basket = bars[0] + 0.12 * flip
        brush.polygon(
            [(basket - 0.15, 0.72), (basket + 0.15, 0.72), (basket + 0.18, 0.95), (basket - 0.18, 0.95)], _metal(rng)
        )


def plant(brush: Brush, rng: np.random.Generator) -> None:
    """A tub with a shrub."""
    brush.cylinder(-0.25, 0.25, -0.03, 0.42, linear((130, 112, 96)) * rng.uniform(0.5, 1.2))
    top = rng.uniform(0.5, 1.1)
    for _ in range(260):
        x, y = rng.normal(0, 0.17), 0.42 + top * rng.beta(1.6, 1.8)
        colour = linear((58, 82, 44)) * rng.uniform(0.35, 1.6)
        brush.ellipse((x, y), (rng.uniform(0.015, 0.04), rng.uniform(0.01, 0.04)), colour)


def car(brush: Brush, rng: np.random.Generator) -> None:
    """A parked car seen from the side."""
    colour = linear([(150, 152, 156), (40, 42, 46), (200, 200, 198), (96, 36, 38), (50, 66, 98)][rng.integers(5)])
    brush.polygon([(-2.1, 0.25), (2.1, 0.25), (2.15, 0.7), (1.3, 0.88), (-1.9, 0.92), (-2.15, 0.7)], colour)
    brush.polygon([(-1.6, 0.88), (1.3, 0.86), (0.6, 1.4), (-1.2, 1.42)], colour * 0.85)
    for a, b, c, d in ((-1.45, -0.3, -0.35, -1.1), (-0.2, 1.05, 0.5, -0.2)):
        brush.polygon([(a, 0.93), (b, 0.93), (c, 1.34), (d, 1.34)], linear((58, 66, 74)))
    brush.polygon([(-2.1, 0.25), (2.1, 0.25), (2.1, 0.38), (-2.1, 0.38)], colour * 0.4)
    brush.line((-2.0, 0.78), (1.9, 0.76), 0.03, colour * 1.35)
    for x in (-1.3, 1.35):
        brush.ellipse((x, 0.31), (0.33, 0.33), linear((26, 26, 28)))
        brush.ellipse((x, 0.31), (0.19, 0.19), linear((120, 122, 124)))


def suitcase(brush: Brush, rng: np.random.Generator) -> None:
    """A trolley case or a pile of bags."""
    colour, height = _any(rng), rng.uniform(0.45, 0.7)
    half = height * 0.33
    brush.cylinder(-half, half, 0.03, height, colour, strips=4)
    for y in (0.3, 0.6):
        brush.line((-half, height * y), (half, height * y), 0.012, colour * 0.5)
    brush.line((-half * 0.5, height), (-half * 0.5, height + 0.35), 0.015, linear((60, 60, 62)))
    brush.line((half * 0.5, height), (half * 0.5, height + 0.35), 0.015, linear((60, 60, 62)))
    brush.line((-half * 0.5, height + 0.35), (half * 0.5, height + 0.35), 0.03, linear((40, 40, 42)))
    if rng.random() < 0.5:
        brush.ellipse((half + 0.2, 0.16), (0.22, 0.17), _any(rng))


def bench(brush: Brush, rng: np.random.Generator) -> None:
    """A bench."""
    wood = linear((128, 98, 68)) * rng.uniform(0.6, 1.1)
    for y in (0.43, 0.6, 0.72, 0.84):
        brush.line((-0.8, y), (0.8, y), 0.07, wood)
    for x in (-0.7, 0.7):
        brush.line((x, -0.02), (x, 0.85), 0.06, linear((40, 40, 42)))


def passer_by(brush: Brush, rng: np.random.Generator) -> None:
    """Someone far away, seen from behind: a silhouette, without a face."""
    top, lower, hair = (
        _any(rng),
        linear(palette.LOWERS[rng.integers(len(palette.LOWERS))]),
        linear(palette.HAIR[rng.integers(4)]),
    )
    stride, height = rng.uniform(0.02, 0.2), rng.uniform(0.92, 1.06)
    for side in (-1, 1):
        foot = side * (0.08 + stride)
        brush.polygon(
            [(side * 0.03, 0.9), (side * 0.17, 0.92), (foot + 0.05, 0.02), (foot - 0.06, 0.02)],
            lower * (1 if side > 0 else 0.8),
        )
        brush.line((side * 0.22, 1.36 * height), (side * 0.27, 0.9), 0.09, top * 0.85)
    brush.polygon(
        [
            (-0.18, 0.86),
            (0.18, 0.86),
            (0.22, 1.4 * height),
            (0.1, 1.47 * height),
            (-0.1, 1.47 * height),
            (-0.22, 1.4 * height),
        ],
        top,
    )
    brush.ellipse((0, 1.61 * height), (0.085, 0.125), hair)


def tree(brush: Brush, rng: np.random.Generator) -> None:
    """A trunk and leaves above."""
    half = rng.uniform(0.1, 0.2)
    brush.cylinder(-half, half, -0.05, 2.4, linear((84, 72, 60)))
    green = linear([(62, 88, 46), (92, 104, 56), (50, 74, 48)][rng.integers(3)])
    for _ in range(220):
        at = (rng.normal(0, 0.7), 2.6 + rng.normal(0, 0.4))
        brush.ellipse(at, (rng.uniform(0.04, 0.14), rng.uniform(0.04, 0.1)), green * rng.uniform(0.3, 1.7))


FURNITURE: dict[str, Callable[[Brush, np.random.Generator], None]] = {
    "pole": pole,
    "bollard": bollard,
    "bin": dust_bin,
    "railing": railing,
    "bicycle": bicycle,
    "plant": plant,
    "car": car,
    "suitcase": suitcase,
    "bench": bench,
    "passer_by": passer_by,
    "tree": tree,
}
