"""The brush that draws flat things in metres, and the dirt and colours that all settings share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from anonbench.rendered import palette
from anonbench.rendered.geometry import Array, F, noise
from anonbench.rendered.palette import linear

WIDTH_M = 7.0  # how much of a place a backdrop shows
Point = tuple[float, float]


@dataclass
class Brush:
    """Draws shapes given in metres onto a linear RGB image and marks what they cover.

    image: (height, width, 3) float32.
    cover: (height, width) uint8.
    column, row: the pixel of the origin (where the thing stands).
    scale: pixels per metre.
    light: factor on all colours.
    mirrored: left and right change places.
    """

    image: Array
    cover: np.ndarray
    column: float
    row: float
    scale: float
    light: float = 1.0
    mirrored: bool = False

    def _pixel(self, point: Point) -> tuple[int, int]:
        aside = -point[0] if self.mirrored else point[0]
        return round(self.column + aside * self.scale), round(self.row - point[1] * self.scale)

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

    def box(self, left: float, bottom: float, right: float, top: float, colour: Array) -> None:
        """A filled rectangle."""
        self.polygon([(left, bottom), (right, bottom), (right, top), (left, top)], colour)


def metal(rng: np.random.Generator) -> Array:
    """The paint of poles, bins and rails (linear RGB)."""
    return linear([(78, 80, 84), (48, 50, 54), (110, 112, 112), (60, 74, 66), (96, 88, 60)][rng.integers(5)])


def any_colour(rng: np.random.Generator) -> Array:
    """A colour that clothes have too (linear RGB)."""
    return linear(palette.TOPS[rng.integers(len(palette.TOPS))])


def grain(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> Array:
    """Dirt: noise at cells of 1 m, 25 cm, 6 cm and 2 cm."""
    total = np.zeros(shape, F)
    for cell, strength in ((1.0, 1.2), (0.25, 0.8), (0.06, 0.7), (0.02, 0.7)):
        cells = (max(3, round(shape[0] / scale / cell)), max(3, round(shape[1] / scale / cell)))
        total += strength * noise(rng, shape, cells)
    return total
