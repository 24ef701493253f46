"""Halls under ceiling lights, as in an airport: tiles, glass, counters, signs, seats and luggage, drawn in metres.

Source for what such a place shows: Karanam et al. 2019, "A Systematic Evaluation and Benchmark for Person
Re-Identification" (six indoor surveillance cameras of an airport).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from anonbench.rendered import palette, street
from anonbench.rendered.brush import WIDTH_M, Brush, any_colour, grain, metal
from anonbench.rendered.geometry import Array, F
from anonbench.rendered.palette import linear

WALLS = [
    (196, 194, 188),
    (172, 176, 180),
    (150, 142, 130),
    (118, 122, 128),
    (208, 204, 194),
    (92, 96, 104),
]
TILES = [(182, 178, 168), (150, 148, 144), (124, 122, 118), (196, 192, 184), (104, 106, 110)]
CARPETS = [(72, 76, 92), (98, 80, 76), (84, 88, 88), (58, 66, 84), (112, 100, 86)]
SIGNS = [(208, 172, 40), (38, 66, 128), (34, 36, 40), (196, 198, 200), (40, 104, 80)]


# ------------------------------------------------------------------------------------------ floors and walls
def floor(rng: np.random.Generator, x: Array, behind: Array, scale: float) -> Array:
    """The floor below a wall: (rows, columns, 3).

    x: (rows, columns) metres to the right.
    behind: (rows, 1) metres behind the people.
    scale: pixels per metre.
    """
    kind = rng.choice(["tiles", "terrazzo", "carpet", "boards"], p=[0.46, 0.22, 0.2, 0.12])
    colours = CARPETS if kind == "carpet" else TILES
    ground = np.broadcast_to(linear(colours[rng.integers(len(colours))]) * rng.uniform(0.7, 1.1), (*x.shape, 3)).copy()
    tones = rng.uniform(0.94, 1.05, (97, 89)).astype(F)
    if kind in ("tiles", "boards"):
        wide = rng.uniform(0.3, 0.9)
        long = wide if kind == "tiles" else 4 * wide
        row, column = np.floor(behind / wide), np.floor(x / long)
        ground *= tones[row.astype(int) % 97, column.astype(int) % 89][..., None]
        if kind == "tiles" and rng.random() < 0.3:
            ground[(row + column) % 2 == 0] *= rng.uniform(0.6, 0.85)
        ground[((x / long) % 1 < 0.02) | ((behind / wide) % 1 < 0.035)] *= rng.choice([0.78, 1.15])
    elif kind == "terrazzo":
        ground *= np.clip(1 + 0.12 * grain(rng, x.shape, scale), 0.6, 1.4)[..., None]
    else:
        period = rng.uniform(0.25, 0.8)
        figure = (np.sin(2 * np.pi * x / period) * np.sin(2 * np.pi * behind / period)) > rng.uniform(0.2, 0.7)
        ground[figure] *= rng.choice([0.72, 1.3])
    if rng.random() < 0.35:  # a painted or tactile line, or the edge of another floor
        at, thick = rng.uniform(-0.5, 4), rng.uniform(0.08, 0.35)
        ground[np.broadcast_to(np.abs(behind - at) < thick, x.shape)] = linear(SIGNS[rng.choice([0, 2, 3])]) * 0.8
    return ground


def wall(rng: np.random.Generator, rows: int, columns: int, scale: float) -> Array:
    """The far side of a hall, `rows` rows high.

    scale: pixels per metre at its distance.
    """
    image = np.empty((rows, columns, 3), F)
    image[:] = linear(WALLS[rng.integers(len(WALLS))]) * rng.uniform(0.6, 1.05)
    brush = Brush(image, np.zeros((rows, columns), np.uint8), 0, rows - 1, scale)
    kinds = [_glass, _panels, _check_in, _shop, _deep_hall]
    kinds[rng.choice(len(kinds), p=[0.26, 0.22, 0.18, 0.16, 0.18])](rng, brush, columns / scale, rows / scale)
    _hang_signs(rng, brush, columns / scale)
    if rng.random() < 0.7:  # skirting
        brush.box(0, 0, columns / scale, 0.12, metal(rng))
    return image


def _glass(rng: np.random.Generator, brush: Brush, wide: float, high: float) -> None:
    """A curtain wall: daylight, dusk or a lit room behind glass between mullions."""
    outside = linear([(186, 198, 208), (98, 110, 126), (44, 48, 58), (150, 146, 136)][rng.integers(4)])
    brush.box(0, 0, wide, high + 0.1, outside * rng.uniform(0.7, 1.1))
    horizon = rng.uniform(0.5, 1.2)
    brush.box(0, 0, wide, horizon, outside * rng.uniform(0.35, 0.75))
    for _ in range(rng.integers(3, 9)):  # what stands outside
        x, size = rng.uniform(0, wide), rng.uniform(0.3, 1.8)
        brush.box(x, horizon - 0.2, x + size, horizon + size * rng.uniform(0.1, 0.5), outside * rng.uniform(0.4, 1.2))
    for _ in range(rng.integers(2, 6)):  # reflections of the hall
        x, lean = rng.uniform(0, wide), rng.uniform(0.2, 0.8)
        pane = [(x, 0.0), (x + lean, high), (x + lean + 0.4, high), (x + 0.4, 0.0)]
        brush.polygon(pane, outside * rng.uniform(0.9, 1.25))
    frame, gap = metal(rng), rng.uniform(0.8, 1.6)
    for x in np.arange(rng.uniform(0, gap), wide, gap):
        brush.box(x - 0.04, 0, x + 0.04, high + 0.1, frame)
    for y in (0.06, rng.uniform(0.9, 1.1), rng.uniform(2.2, 2.6)):
        brush.box(0, y - 0.03, wide, y + 0.03, frame)


def _panels(rng: np.random.Generator, brush: Brush, wide: float, high: float) -> None:
    """Cladding with joints, a coloured band, doors and advertisements that glow."""
    for x in np.arange(0, wide, gap := rng.uniform(0.7, 1.5)):
        tone = brush.image[0, 0] * rng.uniform(0.94, 1.04)
        brush.box(x, 0, x + gap - 0.02, high + 0.1, tone)
    if rng.random() < 0.5:
        low = rng.uniform(0.8, 1.3)
        brush.box(0, low, wide, low + rng.uniform(0.1, 0.3), any_colour(rng))
    x = rng.uniform(0, 1.5)
    while x < wide:
        across = rng.uniform(0.8, 1.6)
        if rng.random() < 0.4:
            tone = any_colour(rng) * 0.5
            brush.box(x, 0, x + across * 0.6, 2.1, tone)
            brush.box(x + 0.1, 1.0, x + across * 0.6 - 0.1, 1.9, tone * 1.4)
        else:
            _poster(rng, brush, x, 0.6, across, 1.5)
        x += across + rng.uniform(0.4, 2.2)


def _poster(rng: np.random.Generator, brush: Brush, x: float, y: float, wide: float, high: float) -> None:
    """An advertisement lit from behind."""
    tone = linear(np.array(palette.TOPS[rng.integers(len(palette.TOPS))]) * 0.7 + 60)
    brush.box(x - 0.05, y - 0.05, x + wide + 0.05, y + high + 0.05, linear((50, 52, 54)))
    brush.box(x, y, x + wide, y + high, tone)
    for _ in range(rng.integers(2, 6)):
        at = (x + rng.uniform(0.2, 0.8) * wide, y + rng.uniform(0.2, 0.8) * high)
        brush.ellipse(at, (rng.uniform(0.1, 0.3) * wide, rng.uniform(0.05, 0.25) * high), any_colour(rng) + 0.05)


def _check_in(rng: np.random.Generator, brush: Brush, wide: float, high: float) -> None:
    """A row of counters below lit numbers."""
    back, front, name = linear(WALLS[rng.integers(len(WALLS))]), any_colour(rng), linear(SIGNS[rng.integers(3)])
    brush.box(0, 0, wide, high + 0.1, back * rng.uniform(0.4, 0.8))
    gap, left = rng.uniform(1.6, 2.4), rng.uniform(-1, 0.5)
    for x in np.arange(left, wide, gap):
        brush.box(x + 0.1, 1.75, x + gap - 0.25, 2.25, linear((30, 32, 36)))
        for k in range(4):
            if rng.random() < 0.8:
                bar = x + 0.2 + 0.3 * k
                brush.box(bar, 1.85 + 0.1 * (k % 2), bar + 0.24, 1.95 + 0.1 * (k % 2), name * 1.2 + 0.1)
        brush.box(x, 0, x + gap * 0.75, 1.08, front * rng.uniform(0.8, 1.1))
        brush.box(x - 0.04, 1.04, x + gap * 0.75 + 0.04, 1.12, linear((190, 188, 182)))


def _shop(rng: np.random.Generator, brush: Brush, wide: float, high: float) -> None:
    """Open shop fronts: bright shelves of goods, a fascia."""
    left = rng.uniform(-1, 0)
    while left < wide:
        across = rng.uniform(1.8, 3.6)
        inside = linear((206, 198, 182)) * rng.uniform(0.7, 1.1)
        brush.box(left, 0, left + across, 2.4, inside)
        for y in np.arange(0.2, 2.0, 0.42):
            brush.box(left + 0.1, y - 0.04, left + across - 0.1, y, inside * 0.5)
            for x in np.arange(left + 0.15, left + across - 0.3, 0.2):
                if rng.random() < 0.75:
                    brush.box(x, y, x + rng.uniform(0.08, 0.18), y + rng.uniform(0.1, 0.32), any_colour(rng))
        brush.box(left, 2.1, left + across, max(2.5, high + 0.1), linear(SIGNS[rng.integers(len(SIGNS))]) * 0.8)
        brush.box(left - 0.12, 0, left + 0.12, high + 0.1, linear((70, 72, 76)))
        left += across


def _deep_hall(rng: np.random.Generator, brush: Brush, wide: float, high: float) -> None:
    """The rest of the hall: a far floor, lamps in rows, pillars that get smaller."""
    tone = linear(WALLS[rng.integers(len(WALLS))])
    ceiling, edge = tone * rng.uniform(0.35, 0.7), rng.uniform(1.2, 1.7)
    brush.box(0, 0, wide, edge, tone * rng.uniform(0.5, 0.9))
    brush.box(0, edge, wide, high + 0.1, ceiling)
    vanishing = rng.uniform(0.2, 0.8) * wide
    for far in (0.25, 0.45, 0.7, 1.0):
        y = edge + far * 1.3
        for k in range(-6, 7):
            x, half = vanishing + k * far * 1.1, 0.32 * far
            brush.box(x - half, y - 0.035 * far, x + half, y + 0.035 * far, linear((246, 248, 244)) * 1.3)
    for _ in range(rng.integers(2, 6)):
        x, size = rng.uniform(0, wide), rng.uniform(0.1, 0.4)
        brush.cylinder(x - size / 2, x + size / 2, 0.3, high + 0.1, tone * 0.9, strips=4)
    for _ in range(rng.integers(6, 16)):  # far people and things
        x, size = rng.uniform(0, wide), rng.uniform(0.12, 0.3)
        brush.box(x, 0.35, x + size * 0.5, 0.35 + size * 2.2, any_colour(rng) * 0.8)


def _hang_signs(rng: np.random.Generator, brush: Brush, wide: float) -> None:
    """Wayfinding signs and screens below the ceiling."""
    for _ in range(rng.integers(0, 4)):
        x, y, across = rng.uniform(0, wide), rng.uniform(1.7, 2.2), rng.uniform(0.7, 1.8)
        tone = linear(SIGNS[rng.integers(len(SIGNS))])
        ink = linear((30, 30, 32)) if tone.mean() > 0.25 else linear((220, 220, 214))
        brush.box(x, y, x + across, y + 0.34, tone)
        for left in np.arange(x + 0.08, x + across - 0.2, 0.22):
            if rng.random() < 0.75:
                brush.box(left, y + 0.09, left + rng.uniform(0.06, 0.18), y + 0.25, ink)


def lamps(rng: np.random.Generator, image: Array, scale: float, standing: float) -> None:
    """Pools of light under the ceiling's lamps over the whole place, in place.

    standing: row on which people stand.
    """
    rows, columns = image.shape[:2]
    x = np.arange(columns, dtype=F)[None] / F(scale)
    y = (np.arange(rows, dtype=F)[:, None] - F(standing)) / F(scale)
    gap, left, strength = rng.uniform(1.4, 3.0), rng.uniform(0, 1.5), rng.uniform(0.05, 0.3)
    lit = np.ones((rows, columns), F)
    for at in np.arange(left, WIDTH_M, gap):
        middle = rng.uniform(-1.2, 0.3)
        lit += F(strength) * np.exp(-(((x - F(at)) / F(0.5)) ** 2) - ((y - F(middle)) / F(0.35)) ** 2)
    image *= lit[..., None]


# ------------------------------------------------------------------------------------------ things
def pillar(brush: Brush, rng: np.random.Generator) -> None:
    """A round pillar with a steel foot."""
    half = rng.uniform(0.16, 0.32)
    brush.cylinder(-half, half, -0.03, 3.6, linear(WALLS[rng.integers(len(WALLS))]), strips=10)
    brush.cylinder(-half * 1.03, half * 1.03, -0.04, rng.uniform(0.1, 1.0), metal(rng), strips=10)


def sign(brush: Brush, rng: np.random.Generator) -> None:
    """A panel on a stand, at the height of a chest."""
    post, y, half = metal(rng), rng.uniform(0.85, 1.05), rng.uniform(0.14, 0.22)
    brush.box(-0.02, 0, 0.02, y, post)
    brush.ellipse((0, 0.01), (0.18, 0.04), post * 0.7)
    brush.box(-half, y, half, y + 0.36, linear(SIGNS[rng.integers(len(SIGNS))]))
    brush.box(-half * 0.7, y + 0.08, half * 0.5, y + 0.14, linear((60, 60, 62)))


def kiosk(brush: Brush, rng: np.random.Generator) -> None:
    """A machine with a lit screen."""
    half, body = rng.uniform(0.22, 0.34), linear(WALLS[rng.integers(len(WALLS))])
    brush.cylinder(-half, half, -0.03, 1.6, body * 0.8, strips=3)
    brush.box(-half * 0.8, 1.0, half * 0.8, 1.45, linear((96, 140, 190)) * rng.uniform(0.6, 1.3))
    brush.box(-half * 0.6, 0.8, half * 0.6, 0.88, linear((40, 42, 46)))


def seats(brush: Brush, rng: np.random.Generator) -> None:
    """A row of seats on a beam."""
    pad = linear([(40, 42, 48), (52, 70, 104), (110, 52, 46), (120, 112, 100)][rng.integers(4)])
    steel, count = metal(rng), int(rng.integers(3, 6))
    left = -0.29 * count
    brush.line((left, 0.36), (-left, 0.36), 0.06, steel)
    for k in (0.15, 0.85):
        brush.line((left * (1 - 2 * k), 0.0), (left * (1 - 2 * k), 0.36), 0.05, steel)
    for k in range(count):
        x = left + 0.58 * k
        brush.box(x + 0.03, 0.46, x + 0.53, 0.86, pad)
        brush.box(x + 0.02, 0.38, x + 0.54, 0.48, pad * 1.4 + 0.01)
        brush.line((x, 0.4), (x, 0.62), 0.03, steel * 1.2)


def counter(brush: Brush, rng: np.random.Generator) -> None:
    """A desk with a screen on it."""
    front = any_colour(rng)
    brush.box(-0.9, 0, 0.9, 1.02, front)
    brush.box(-0.9, 0, 0.9, 0.12, front * 0.4)
    brush.box(-0.95, 1.0, 0.95, 1.07, linear((196, 192, 184)))
    brush.box(0.2, 1.1, 0.62, 1.4, linear((30, 32, 36)))


def stanchions(brush: Brush, rng: np.random.Generator) -> None:
    """Posts with a belt between them, where people queue."""
    gap, belt, post = rng.uniform(1.1, 1.6), linear(SIGNS[rng.integers(3)]), metal(rng)
    for k in (-1, 0, 1, 2):
        x = (k - 0.5) * gap
        brush.ellipse((x, 0.01), (0.16, 0.04), post * 0.8)
        brush.cylinder(x - 0.03, x + 0.03, 0, 0.97, post, strips=3)
    for k in (-1, 0, 1):
        x = (k - 0.5) * gap
        sag = [(x, 0.92), (x + gap / 2, 0.88), (x + gap, 0.92), (x + gap, 0.87), (x + gap / 2, 0.83), (x, 0.87)]
        brush.polygon(sag, belt)


def case(brush: Brush, rng: np.random.Generator) -> None:
    """A trolley case with its handle pulled out: mostly dark, at times bright."""
    colour = any_colour(rng) if rng.random() < 0.4 else linear(palette.BAGS[rng.integers(len(palette.BAGS))]) * 0.7
    high, half = rng.uniform(0.5, 0.72), rng.uniform(0.17, 0.24)
    steel = linear((120, 122, 126))
    for x in (-half * 0.55, half * 0.55):
        brush.line((x, high), (x, 0.98), 0.016, steel)
    brush.line((-half * 0.6, 0.98), (half * 0.6, 0.98), 0.035, linear((34, 34, 36)))
    for x in (-half * 0.8, half * 0.8):
        brush.ellipse((x, 0.03), (0.03, 0.03), linear((26, 26, 28)))
    brush.cylinder(-half, half, 0.05, high, colour, strips=5)
    for y in (0.25, 0.5, 0.75):
        brush.line((-half, high * y), (half, high * y), 0.01, colour * 0.6)
    brush.line((-half * 0.4, high - 0.03), (half * 0.4, high - 0.03), 0.03, colour * 0.4)


def trolley(brush: Brush, rng: np.random.Generator) -> None:
    """A luggage cart with cases on it."""
    steel = linear((150, 152, 154)) * rng.uniform(0.6, 1.0)
    flip = rng.choice([-1.0, 1.0])
    low = 0.16
    for k in range(rng.integers(1, 4)):
        half, high, colour = rng.uniform(0.24, 0.36), rng.uniform(0.2, 0.32), any_colour(rng)
        middle = -0.05 * flip + rng.uniform(-0.04, 0.04)
        brush.box(middle - half, low, middle + half, low + high, colour * (1.0 - 0.1 * k))
        brush.line((middle - half, low + high / 2), (middle + half, low + high / 2), 0.015, colour * 0.5)
        low += high
    brush.line((-0.45, 0.14), (0.45, 0.14), 0.05, steel)
    brush.line((0.42 * flip, 0.14), (0.5 * flip, 1.0), 0.035, steel)
    brush.line((0.42 * flip, 1.0), (0.58 * flip, 1.0), 0.05, linear((40, 40, 42)))
    for x in (-0.36, 0.36):
        brush.ellipse((x, 0.07), (0.07, 0.07), linear((30, 30, 32)))


FURNITURE: dict[str, Callable[[Brush, np.random.Generator], None]] = {
    "pillar": pillar,
    "sign": sign,
    "kiosk": kiosk,
    "seats": seats,
    "counter": counter,
    "stanchions": stanchions,
    "trolley": trolley,
    "case": case,
    "bin": street.dust_bin,
    "plant": street.plant,
    "passer_by": street.passer_by,
}
