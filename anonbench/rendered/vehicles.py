"""Cars, buses, trucks, motorcycles and bicycles, drawn flat in metres, from the side or from an end.

What a brush covers is the mask of the vehicle. Things seen from the side point to the right; a mirrored brush turns
them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from anonbench.rendered import street
from anonbench.rendered.brush import Brush, any_colour, metal
from anonbench.rendered.geometry import Array
from anonbench.rendered.palette import linear

PAINTS = (
    (150, 152, 156), (40, 42, 46), (200, 200, 198), (96, 36, 38), (50, 66, 98), (120, 124, 128), (158, 60, 44),
    (70, 92, 84),
)  # fmt: skip
LIVERIES = ((206, 168, 58), (170, 48, 44), (70, 108, 148), (214, 212, 204), (84, 128, 86), (90, 94, 104))
GLASS, TYRE, RIM = linear((58, 66, 74)), linear((26, 26, 28)), linear((120, 122, 124))
TAIL_LIGHT, HEAD_LIGHT = linear((188, 34, 30)), linear((236, 232, 210))


@dataclass(frozen=True)
class Vehicle:
    """How a class of vehicle looks from one direction.

    category: its class, as COCO calls it.
    half_width_m, height_m: it is drawn within these.
    saddle_m: height of the seat of one that people ride; 0 where nobody is seen.
    """

    category: str
    draw: Callable[[Brush, np.random.Generator], None]
    half_width_m: float
    height_m: float
    saddle_m: float = 0.0


def _wheels(brush: Brush, places: tuple[float, ...], radius: float) -> None:
    for x in places:
        brush.ellipse((x, radius), (radius, radius), TYRE)
        brush.ellipse((x, radius), (radius * 0.55, radius * 0.55), RIM)


def _paint(rng: np.random.Generator, colours: tuple[tuple[int, int, int], ...]) -> Array:
    return linear(colours[rng.integers(len(colours))]) * rng.uniform(0.7, 1.1)


def car_side(brush: Brush, rng: np.random.Generator) -> None:
    """A car seen from the side; one of three shapes."""
    colour, roof, tail = _paint(rng, PAINTS), rng.uniform(1.36, 1.62), rng.choice([-1.9, -1.55, -1.25])
    brush.polygon([(-2.1, 0.22), (2.1, 0.22), (2.15, 0.7), (1.3, 0.92), (-2.0, 0.98), (-2.15, 0.7)], colour)
    brush.polygon([(tail, 0.92), (1.3, 0.9), (0.55, roof), (tail + 0.4, roof)], colour * 0.85)
    for left, right in ((tail + 0.12, -0.42), (-0.3, 1.08)):
        inner = (max(left, tail + 0.44), min(right, 0.5))
        brush.polygon([(left, 0.95), (right, 0.95), (inner[1], roof - 0.07), (inner[0], roof - 0.07)], GLASS)
    brush.polygon([(-2.1, 0.22), (2.1, 0.22), (2.1, 0.38), (-2.1, 0.38)], colour * 0.4)
    brush.line((-2.0, 0.8), (1.9, 0.78), 0.03, colour * 1.35)
    brush.box(1.95, 0.58, 2.14, 0.7, HEAD_LIGHT)
    brush.box(-2.14, 0.6, -1.98, 0.8, TAIL_LIGHT)
    _wheels(brush, (-1.32, 1.36), 0.33)


def car_end(brush: Brush, rng: np.random.Generator) -> None:
    """A car seen from before or behind."""
    colour, behind, roof = _paint(rng, PAINTS), rng.random() < 0.6, rng.uniform(1.38, 1.66)
    for side in (-1, 1):
        brush.box(min(side * 0.82, side * 0.56), 0.0, max(side * 0.82, side * 0.56), 0.4, TYRE)
    brush.polygon([(-0.88, 0.22), (0.88, 0.22), (0.92, 0.62), (0.84, 0.95), (-0.84, 0.95), (-0.92, 0.62)], colour)
    brush.polygon([(-0.82, 0.93), (0.82, 0.93), (0.64, roof), (-0.64, roof)], colour * 0.85)
    brush.polygon([(-0.72, 0.97), (0.72, 0.97), (0.57, roof - 0.08), (-0.57, roof - 0.08)], GLASS)
    brush.box(-0.88, 0.22, 0.88, 0.38, colour * 0.4)
    for side in (-1, 1):
        outer, inner = side * 0.84, side * 0.54
        left, right = min(outer, inner), max(outer, inner)
        brush.box(left, 0.66, right, 0.84, TAIL_LIGHT if behind else HEAD_LIGHT)
    brush.box(-0.26, 0.45, 0.26, 0.56, linear((210, 210, 204)))


def bus_side(brush: Brush, rng: np.random.Generator) -> None:
    """A city bus seen from the side."""
    colour = _paint(rng, LIVERIES)
    brush.box(-5.4, 0.32, 5.4, 3.05, colour)
    brush.box(-5.3, 3.0, 5.2, 3.15, colour * 0.7)
    brush.box(-5.4, 0.32, 5.4, 0.55, colour * 0.4)
    brush.box(-5.2, 1.45, 5.3, 2.6, GLASS)
    for x in np.arange(-4.0, 5.0, 1.3):
        brush.box(x - 0.05, 1.45, x + 0.05, 2.6, colour * 0.8)
    for x in (4.3, 0.2):
        brush.box(x - 0.55, 0.4, x + 0.55, 2.5, GLASS * 1.4)
        brush.line((x, 0.4), (x, 2.5), 0.06, colour * 0.6)
    _wheels(brush, (-3.2, 2.9), 0.48)


def bus_end(brush: Brush, rng: np.random.Generator) -> None:
    """A city bus seen from before or behind."""
    colour, behind = _paint(rng, LIVERIES), rng.random() < 0.5
    for side in (-1, 1):
        brush.box(side * 1.0 - 0.2, 0.0, side * 1.0 + 0.2, 0.5, TYRE)
        brush.box(side * 1.38 - 0.08, 1.7, side * 1.38 + 0.08, 2.2, TYRE)
    brush.box(-1.26, 0.3, 1.26, 3.1, colour)
    brush.box(-1.26, 0.3, 1.26, 0.5, colour * 0.4)
    brush.box(-1.14, 1.25, 1.14, 2.55, GLASS)
    brush.box(-0.8, 2.68, 0.8, 2.95, linear((34, 32, 26)) if behind else linear((230, 176, 60)))
    for side in (-1, 1):
        brush.box(side * 1.0 - 0.18, 0.65, side * 1.0 + 0.18, 0.9, TAIL_LIGHT if behind else HEAD_LIGHT)


def truck_side(brush: Brush, rng: np.random.Generator) -> None:
    """A truck with a box, seen from the side."""
    cargo, cab = _paint(rng, LIVERIES), _paint(rng, PAINTS)
    brush.box(-3.5, 0.55, 3.4, 0.85, TYRE * 1.5)
    brush.box(-3.6, 0.85, 1.5, 3.35, cargo)
    brush.line((-3.5, 2.0), (1.4, 2.0), 0.25, cargo * 0.55)
    brush.box(-3.6, 0.85, 1.5, 0.98, cargo * 0.4)
    brush.polygon([(1.7, 0.5), (3.6, 0.5), (3.6, 1.5), (3.25, 2.7), (1.7, 2.8)], cab)
    brush.polygon([(2.3, 1.6), (3.48, 1.6), (3.16, 2.5), (2.3, 2.5)], GLASS)
    brush.box(3.4, 0.6, 3.62, 0.8, HEAD_LIGHT)
    _wheels(brush, (-2.6, -1.5, 2.6), 0.48)


def truck_end(brush: Brush, rng: np.random.Generator) -> None:
    """A truck seen from before or behind."""
    cargo, behind = _paint(rng, LIVERIES), rng.random() < 0.6
    for side in (-1, 1):
        brush.box(side * 0.95 - 0.22, 0.0, side * 0.95 + 0.22, 0.6, TYRE)
    brush.box(-1.2, 0.85, 1.2, 3.35, cargo)
    if behind:
        brush.line((0, 0.9), (0, 3.3), 0.05, cargo * 0.4)
        for side in (-1, 1):
            brush.line((side * 0.5, 0.9), (side * 0.5, 3.3), 0.04, cargo * 0.65)
        brush.box(-1.1, 0.5, 1.1, 0.85, TYRE * 2)
        lights = TAIL_LIGHT
    else:
        cab = _paint(rng, PAINTS)
        brush.box(-1.12, 0.45, 1.12, 2.75, cab)
        brush.box(-1.0, 1.6, 1.0, 2.5, GLASS)
        brush.box(-0.7, 0.7, 0.7, 1.2, cab * 0.5)
        lights = HEAD_LIGHT
    for side in (-1, 1):
        brush.box(side * 0.92 - 0.16, 0.56, side * 0.92 + 0.16, 0.76, lights)


def bicycle_side(brush: Brush, rng: np.random.Generator) -> None:
    """A bicycle seen from the side."""
    street.bicycle_side(brush, any_colour(rng), 1)


def bicycle_end(brush: Brush, rng: np.random.Generator) -> None:
    """A bicycle seen from before."""
    frame = any_colour(rng)
    brush.ellipse((0, 0.34), (0.045, 0.34), TYRE)
    brush.line((0, 0.34), (0, 0.98), 0.05, frame)
    brush.line((-0.1, 0.28), (0.1, 0.28), 0.05, RIM)
    brush.line((-0.29, 1.0), (0.29, 1.0), 0.04, TYRE)
    brush.ellipse((0, 0.86), (0.06, 0.06), HEAD_LIGHT)


def motorcycle_side(brush: Brush, rng: np.random.Generator) -> None:
    """A motorcycle seen from the side."""
    paint = _paint(rng, LIVERIES)
    for x in (-0.66, 0.7):
        brush.ellipse((x, 0.31), (0.3, 0.3), TYRE)
        brush.ellipse((x, 0.31), (0.15, 0.15), RIM)
    brush.polygon([(-0.5, 0.3), (0.35, 0.25), (0.42, 0.6), (-0.3, 0.62)], metal(rng))
    brush.polygon([(-0.85, 0.72), (0.0, 0.62), (0.1, 0.82), (-0.8, 0.86)], TYRE * 1.4)
    brush.polygon([(-0.05, 0.6), (0.5, 0.62), (0.42, 0.98), (0.05, 0.9)], paint)
    brush.polygon([(-0.95, 0.6), (-0.5, 0.55), (-0.5, 0.74), (-0.92, 0.76)], paint * 0.8)
    brush.line((0.7, 0.31), (0.4, 1.02), 0.07, RIM)
    brush.line((0.22, 1.06), (0.42, 1.02), 0.05, TYRE)
    brush.ellipse((0.55, 0.86), (0.1, 0.1), HEAD_LIGHT)
    brush.line((-0.9, 0.32), (0.0, 0.28), 0.08, RIM * 1.3)


def motorcycle_end(brush: Brush, rng: np.random.Generator) -> None:
    """A motorcycle seen from before."""
    paint = _paint(rng, LIVERIES)
    brush.ellipse((0, 0.32), (0.085, 0.32), TYRE)
    brush.polygon([(-0.2, 0.5), (0.2, 0.5), (0.24, 0.8), (0.14, 1.0), (-0.14, 1.0), (-0.24, 0.8)], paint)
    brush.ellipse((0, 0.86), (0.1, 0.1), HEAD_LIGHT)
    brush.line((-0.38, 1.04), (0.38, 1.04), 0.05, TYRE)


SIDE, END = "side", "end"
VEHICLES: dict[tuple[str, str], Vehicle] = {
    ("bicycle", SIDE): Vehicle("bicycle", bicycle_side, 0.95, 1.1, saddle_m=0.95),
    ("bicycle", END): Vehicle("bicycle", bicycle_end, 0.4, 1.1, saddle_m=0.95),
    ("motorcycle", SIDE): Vehicle("motorcycle", motorcycle_side, 1.1, 1.2, saddle_m=0.86),
    ("motorcycle", END): Vehicle("motorcycle", motorcycle_end, 0.5, 1.2, saddle_m=0.86),
    ("car", SIDE): Vehicle("car", car_side, 2.3, 1.75),
    ("car", END): Vehicle("car", car_end, 1.0, 1.75),
    ("bus", SIDE): Vehicle("bus", bus_side, 5.5, 3.25),
    ("bus", END): Vehicle("bus", bus_end, 1.55, 3.25),
    ("truck", SIDE): Vehicle("truck", truck_side, 3.75, 3.45),
    ("truck", END): Vehicle("truck", truck_end, 1.3, 3.45),
}
