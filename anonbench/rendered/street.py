"""Streets: paving and house fronts, and the things before them, drawn flat in metres.

The same things are drawn in the background and, nearer to the camera, hide parts of people.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from anonbench.rendered import palette
from anonbench.rendered.brush import WIDTH_M, Brush, any_colour, grain, metal
from anonbench.rendered.geometry import Array, F, noise
from anonbench.rendered.palette import linear

WALLS = [
    (150, 148, 142),
    (128, 118, 108),
    (176, 166, 150),
    (98, 102, 106),
    (140, 146, 130),
    (186, 182, 176),
    (116, 92, 80),
    (80, 78, 80),
]
FLOORS = [(128, 126, 122), (148, 142, 134), (92, 92, 94), (108, 112, 96), (164, 160, 154), (120, 104, 94)]


# ------------------------------------------------------------------------------------------ ground and fronts
def floor(rng: np.random.Generator, x: Array, behind: Array, scale: float) -> Array:
    """The ground below a wall: (rows, columns, 3).

    x: (rows, columns) metres to the right.
    behind: (rows, 1) metres behind the people.
    scale: pixels per metre.
    """
    rows, columns = x.shape
    colour = linear(FLOORS[rng.integers(len(FLOORS))]) * rng.uniform(0.6, 1.15)
    ground = np.broadcast_to(colour, (rows, columns, 3)).copy()
    kind = rng.choice(["slabs", "setts", "asphalt", "grass", "crossing"], p=[0.34, 0.18, 0.26, 0.1, 0.12])
    if kind in ("slabs", "setts"):
        size = rng.uniform(0.4, 0.9) if kind == "slabs" else rng.uniform(0.12, 0.22)
        row = np.floor(behind / size)
        shift = (row % 2) * 0.5 * (kind == "setts" or rng.random() < 0.4)
        column = np.floor(x / size + shift)
        tones = rng.uniform(0.86, 1.12, (97, 89)).astype(F)
        ground *= tones[row.astype(int) % 97, column.astype(int) % 89][..., None]
        joint = (((x / size + shift) % 1) < 0.05) | (((behind / size) % 1) < 0.07)
        ground[joint] *= 0.72
    elif kind == "grass":
        patchy = np.clip(1 + 0.3 * grain(rng, (rows, columns), scale), 0.3, 2)
        ground[:] = linear((88, 100, 62)) * patchy[..., None]
    elif kind == "crossing":
        stripes = ((x + 0.2 * behind) / 0.9) % 1 < 0.5
        ground[stripes & (behind > rng.uniform(-3, 0))] = linear((184, 184, 178))
    if rng.random() < 0.45:  # kerb or painted line
        at, thick = rng.uniform(-0.5, 4), rng.uniform(0.1, 0.25)
        ground[np.broadcast_to(np.abs(behind - at) < thick, x.shape)] *= rng.choice([0.55, 1.45])
    return ground


def wall(rng: np.random.Generator, rows: int, columns: int, scale: float) -> Array:
    """A street front of `rows` rows.

    scale: pixels per metre at its distance.
    """
    colour = linear(WALLS[rng.integers(len(WALLS))]) * rng.uniform(0.55, 1.15)
    image = np.broadcast_to(colour, (rows, columns, 3)).copy()
    y = (rows - 1 - np.arange(rows, dtype=F)[:, None]) / scale  # metres above the ground
    x = np.arange(columns, dtype=F)[None] / scale
    x, y = np.broadcast_arrays(x, y)
    kind = rng.choice(["brick", "panels", "plaster", "hedge", "shutters", "open"], p=[0.24, 0.18, 0.2, 0.12, 0.1, 0.16])
    if kind == "brick":
        high, wide = rng.uniform(0.07, 0.12), rng.uniform(0.22, 0.36)
        row = np.floor(y / high)
        column = np.floor(x / wide + (row % 2) / 2)
        tones = rng.uniform(0.82, 1.18, (101, 103)).astype(F)
        image *= tones[row.astype(int) % 101, column.astype(int) % 103][..., None]
        image[((y / high) % 1 < 0.14) | ((x / wide + (row % 2) / 2) % 1 < 0.05)] *= rng.choice([0.7, 1.3])
    elif kind == "panels":
        image[(x / rng.uniform(0.6, 1.6)) % 1 < 0.03] *= 0.55
        image[(y / rng.uniform(0.8, 1.6)) % 1 < 0.03] *= 0.6
    elif kind == "shutters":
        image *= (0.8 + 0.25 * np.abs(((y / 0.09) % 1) - 0.5) * 2)[..., None]
    elif kind == "hedge":
        leaves = grain(rng, (rows, columns), scale)
        image[:] = linear((70, 86, 52)) * np.clip(1 + 0.42 * leaves, 0.12, 2.4)[..., None]
    elif kind == "open":  # a square or a street: bright haze, far buildings
        image[:] = linear((196, 202, 208)) * rng.uniform(0.6, 1.0)
        left = 0.0
        while left < WIDTH_M * 2.5:
            wide, high = rng.uniform(0.4, 1.6), rng.uniform(0.8, 3.0)
            tone = linear(WALLS[rng.integers(len(WALLS))]) * rng.uniform(0.5, 0.9)
            image[(y < high) & (x >= left) & (x < left + wide)] = tone
            image[(y < high) & (x >= left) & (x < left + wide) & ((y / 0.3) % 1 > 0.5) & ((x / 0.25) % 1 > 0.5)] *= 0.7
            left += wide
    if kind != "hedge":
        _openings(rng, image, scale, share=0.35 if kind == "open" else 1.0)
    image *= (0.82 + 0.18 * np.clip(y / 0.5, 0, 1))[..., None]  # dirt near the ground
    return image


def _openings(rng: np.random.Generator, wall: Array, scale: float, share: float) -> None:
    """Windows, doors, shop fronts, posters and signs, in place."""
    rows = wall.shape[0]
    cover = np.zeros(wall.shape[:2], np.uint8)
    position = rng.uniform(-1, 0.5)
    while position * scale < wall.shape[1]:
        brush = Brush(wall, cover, position * scale, rows - 1, scale)
        kind = rng.choice(["door", "window", "shop", "poster", "pipe", "gap"], p=[0.16, 0.22, 0.2, 0.16, 0.08, 0.18])
        wide = rng.uniform(0.7, 2.4)
        if kind != "gap" and rng.random() < share:
            _opening(rng, brush, str(kind), wide)
        position += wide * rng.uniform(0.9, 1.3)


def _opening(rng: np.random.Generator, brush: Brush, kind: str, wide: float) -> None:
    box = brush.box
    glass = linear((66, 74, 82)) * rng.uniform(0.3, 1.6)
    frame = linear(WALLS[rng.integers(len(WALLS))]) * rng.uniform(0.3, 1.3)
    tint = linear(np.array(palette.TOPS[rng.integers(len(palette.TOPS))]) * 0.8 + 30)
    if kind == "door":
        box(0, 0, 1.0, 2.15, frame)
        box(0.08, 0.0, 0.92, 2.05, tint * 0.8)
        box(0.2, 1.1, 0.8, 1.9, glass)
    elif kind == "window":
        sill = rng.uniform(0.5, 1.1)
        box(0, sill, wide * 0.8, sill + 1.3, frame)
        for k in range(2):
            left = 0.06 + k * wide * 0.4
            box(left, sill + 0.07, left + wide * 0.34, sill + 1.22, glass)
            brush.line((left + 0.05, sill + 0.3), (left + wide * 0.25, sill + 1.1), 0.05, glass * 1.5 + 0.03)
    elif kind == "shop":
        box(0, 0.25, wide, 2.2, frame)
        box(0.06, 0.4, wide - 0.06, 2.1, glass)
        for _ in range(rng.integers(4, 14)):
            x, y, size = rng.uniform(0.1, wide - 0.2), rng.uniform(0.45, 1.7), rng.uniform(0.05, 0.35)
            goods = linear(np.array(palette.TOPS[rng.integers(len(palette.TOPS))])) * rng.uniform(0.4, 1.1)
            box(x, y, min(wide - 0.08, x + size), y + size * rng.uniform(0.5, 1.6), goods)
        box(0, 2.2, wide, 2.6, tint)
        for x in np.arange(0.15, wide - 0.2, 0.14):
            if rng.random() < 0.8:
                box(x, 2.32, x + 0.09, 2.5, tint * 0.3 + 0.35)
    elif kind == "poster":
        low = rng.uniform(0.7, 1.3)
        box(0, low, wide * 0.5, low + wide * 0.65, tint)
        box(wide * 0.05, low + wide * 0.3, wide * 0.45, low + wide * 0.58, frame * 1.2)
        for k in range(3):
            box(
                wide * 0.06,
                low + wide * (0.05 + 0.07 * k),
                wide * rng.uniform(0.2, 0.44),
                low + wide * (0.085 + 0.07 * k),
                glass,
            )
    elif kind == "pipe":
        brush.cylinder(0, 0.12, 0, 4, frame)


def cast_shadows(rng: np.random.Generator, image: Array, scale: float, standing: float) -> None:
    """Broad shade of buildings or the dapple of trees over the whole place, in place."""
    shape = image.shape[:2]
    kind = rng.choice(["none", "edge", "dapple"], p=[0.45, 0.3, 0.25])
    if kind == "edge":
        x = np.arange(shape[1], dtype=F)[None] / scale
        y = np.arange(shape[0], dtype=F)[:, None] / scale
        side = (x - WIDTH_M * rng.uniform(0.3, 0.7)) + (y - standing / scale) * rng.uniform(-1.5, 1.5)
        image *= (1 - 0.42 / (1 + np.exp(-side * rng.choice([-1, 1]) * 18)))[..., None]
    elif kind == "dapple":
        spots = noise(rng, shape, (14, 30)) + 0.6 * noise(rng, shape, (30, 66))
        image *= (1 - 0.4 * np.clip(spots * 2 + 0.5, 0, 1))[..., None]


# ------------------------------------------------------------------------------------------ things
def pole(brush: Brush, rng: np.random.Generator) -> None:
    """A lamp post or sign post."""
    half = rng.uniform(0.03, 0.08)
    brush.cylinder(-half, half, -0.05, 3.6, metal(rng))
    brush.cylinder(-half * 1.6, half * 1.6, -0.05, 0.25, metal(rng))
    if rng.random() < 0.5:
        y, size = rng.uniform(1.5, 2.4), rng.uniform(0.15, 0.3)
        brush.polygon([(-size, y), (size, y), (size, y + size), (-size, y + size)], any_colour(rng))


def bollard(brush: Brush, rng: np.random.Generator) -> None:
    """A row of short posts."""
    gap, height, colour = rng.uniform(0.5, 0.9), rng.uniform(0.6, 0.95), metal(rng)
    for k in (-1, 0, 1):
        brush.cylinder(k * gap - 0.06, k * gap + 0.06, -0.03, height, colour)
        brush.ellipse((k * gap, height), (0.06, 0.03), colour * 1.3)


def dust_bin(brush: Brush, rng: np.random.Generator) -> None:
    """A street bin."""
    half, height, colour = rng.uniform(0.2, 0.32), rng.uniform(0.7, 1.0), metal(rng)
    brush.cylinder(-half, half, -0.03, height, colour)
    brush.ellipse((0, height), (half, 0.07), colour * 0.5)
    brush.polygon(
        [(-half, height * 0.55), (half, height * 0.55), (half, height * 0.7), (-half, height * 0.7)], any_colour(rng)
    )


def railing(brush: Brush, rng: np.random.Generator) -> None:
    """A fence of bars."""
    height, gap, colour = rng.uniform(0.75, 1.05), rng.uniform(0.11, 0.2), metal(rng)
    for x in np.arange(-2.2, 2.2, gap):
        brush.line((x, -0.02), (x, height), 0.022, colour)
    brush.line((-2.3, height), (2.3, height), 0.045, colour * 1.2)
    brush.line((-2.3, 0.12), (2.3, 0.12), 0.03, colour * 0.8)


def bicycle(brush: Brush, rng: np.random.Generator) -> None:
    """A parked bicycle seen from the side."""
    frame, flip = any_colour(rng), rng.choice([-1, 1])
    bicycle_side(brush, frame, flip)
    if rng.random() < 0.6:
        basket = 0.5 * flip
        brush.polygon(
            [(basket - 0.15, 0.72), (basket + 0.15, 0.72), (basket + 0.18, 0.95), (basket - 0.18, 0.95)], metal(rng)
        )


def bicycle_side(brush: Brush, frame: Array, flip: int) -> None:
    """A bicycle of a frame's colour seen from the side.

    flip: 1 when it points to the right, -1 to the left.
    """
    wheel = linear((34, 34, 36))
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
    colour, height = any_colour(rng), rng.uniform(0.45, 0.7)
    half = height * 0.33
    brush.cylinder(-half, half, 0.03, height, colour, strips=4)
    for y in (0.3, 0.6):
        brush.line((-half, height * y), (half, height * y), 0.012, colour * 0.5)
    brush.line((-half * 0.5, height), (-half * 0.5, height + 0.35), 0.015, linear((60, 60, 62)))
    brush.line((half * 0.5, height), (half * 0.5, height + 0.35), 0.015, linear((60, 60, 62)))
    brush.line((-half * 0.5, height + 0.35), (half * 0.5, height + 0.35), 0.03, linear((40, 40, 42)))
    if rng.random() < 0.5:
        brush.ellipse((half + 0.2, 0.16), (0.22, 0.17), any_colour(rng))


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
        any_colour(rng),
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
