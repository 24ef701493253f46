"""Places: a few backdrops for each camera, drawn once, and the cut-outs that stand behind people.

The backdrop of a camera is a nuisance for re-identification, as in life: it says where a picture was taken, not who
is on it. A backdrop is a street front (wall, windows, doors, signs) on a floor seen at the camera's pitch, furnished
with the things of `street.py` at several distances.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from anonbench.rendering import palette
from anonbench.rendering.camera import Camera
from anonbench.rendering.geometry import Array, F, noise
from anonbench.rendering.palette import linear
from anonbench.rendering.street import FURNITURE, Brush

WIDTH_M, ABOVE_M, BELOW_M = 7.0, 2.35, 0.75  # a backdrop around the line on which people stand
OVERSAMPLING = 2

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


@dataclass(frozen=True)
class Backdrop:
    """A drawn place: (rows, columns, 3) uint8, the square root of linear RGB / 1.5; its scale and standing line."""

    pixels: NDArray[np.uint8]
    scale: float  # pixels per metre
    standing_row: float

    def cut(self, rng: np.random.Generator, size: tuple[int, int], scale: float, foot_row: float) -> Array:
        """A random part of the place, seen at `scale` pixels per metre with people's feet on `foot_row`.

        size: (height, width) in pixels. Returns linear RGB (height, width, 3) under light of level 1.
        """
        height, width = size
        zoom = self.scale / scale * rng.uniform(0.85, 1.2)
        span_x, span_y = width * zoom, height * zoom
        left = rng.uniform(0, max(1.0, self.pixels.shape[1] - span_x))
        top = self.standing_row - foot_row * zoom + rng.normal(0, 0.05) * self.scale
        top = float(np.clip(top, 0, max(0.0, self.pixels.shape[0] - span_y)))
        mirrored = rng.random() < 0.15
        matrix = np.array([[zoom, 0, left], [0, zoom, top]], F)
        if mirrored:
            matrix[0] = [-zoom, 0, left + span_x]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cut = cv2.warpAffine(self.pixels, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT)
        return (cut.astype(F) / 255) ** 2 * F(1.5)


def draw_backdrop(rng: np.random.Generator, camera: Camera, scale: float) -> Backdrop:
    """One place of a camera at `scale` pixels per metre."""
    fine = scale * OVERSAMPLING
    rows, columns = round((ABOVE_M + BELOW_M) * fine), round(WIDTH_M * fine)
    standing = ABOVE_M * fine
    sin_pitch = max(0.05, math.sin(camera.pitch))
    depth = float(rng.uniform(1.5, 9.0))
    wall_row = round(float(np.clip(standing - depth * sin_pitch * fine, 0.12 * rows, 0.93 * rows)))
    depth = (standing - wall_row) / (sin_pitch * fine)
    image = np.empty((rows, columns, 3), F)
    image[wall_row:] = _floor(rng, rows - wall_row, columns, fine, (standing - wall_row) / fine, sin_pitch, camera)
    if wall_row > 2:
        image[:wall_row] = _wall(rng, wall_row, columns, fine * _shrink(depth, camera))
    _furnish(rng, image, camera, fine, standing, depth, sin_pitch)
    image *= 1 + 0.05 * _grain(rng, (rows, columns), fine)[..., None]
    _cast_shadows(rng, image, fine, standing)
    blurred = cv2.GaussianBlur(image, (0, 0), fine * rng.uniform(0.004, 0.012))
    small = cv2.resize(blurred, (columns // OVERSAMPLING, rows // OVERSAMPLING), interpolation=cv2.INTER_AREA)
    pixels = (np.sqrt(np.clip(small / 1.5, 0, 1)) * 255 + 0.5).astype(np.uint8)
    return Backdrop(pixels, scale, standing / OVERSAMPLING)


def _shrink(depth: float, camera: Camera) -> float:
    """Size of things `depth` metres behind a person relative to the person's."""
    return 1 / (1 + max(-0.6, depth / camera.distance_m))


def _grain(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> Array:
    """Dirt: noise at cells of 1 m, 25 cm, 6 cm and 2 cm."""
    total = np.zeros(shape, F)
    for cell, strength in ((1.0, 1.2), (0.25, 0.8), (0.06, 0.7), (0.02, 0.7)):
        cells = (max(3, round(shape[0] / scale / cell)), max(3, round(shape[1] / scale / cell)))
        total += strength * noise(rng, shape, cells)
    return total


def _floor(
    rng: np.random.Generator, rows: int, columns: int, scale: float, start_m: float, sin_pitch: float, camera: Camera
) -> Array:
    """The ground below a wall: (rows, columns, 3). start_m: height of its first row above the standing line."""
    up = start_m - np.arange(rows, dtype=F)[:, None] / scale
    behind = up / sin_pitch
    x = (np.arange(columns, dtype=F)[None] / scale - WIDTH_M / 2) * (
        1 + np.clip(behind / camera.distance_m, -0.6, None)
    )
    colour = linear(FLOORS[rng.integers(len(FLOORS))]) * rng.uniform(0.6, 1.15)
    floor = np.broadcast_to(colour, (rows, columns, 3)).copy()
    kind = rng.choice(["slabs", "setts", "asphalt", "grass", "crossing"], p=[0.34, 0.18, 0.26, 0.1, 0.12])
    if kind in ("slabs", "setts"):
        size = rng.uniform(0.4, 0.9) if kind == "slabs" else rng.uniform(0.12, 0.22)
        row = np.floor(behind / size)
        shift = (row % 2) * 0.5 * (kind == "setts" or rng.random() < 0.4)
        column = np.floor(x / size + shift)
        tones = rng.uniform(0.86, 1.12, (97, 89)).astype(F)
        floor *= tones[row.astype(int) % 97, column.astype(int) % 89][..., None]
        joint = (((x / size + shift) % 1) < 0.05) | (((behind / size) % 1) < 0.07)
        floor[joint] *= 0.72
    elif kind == "grass":
        patchy = np.clip(1 + 0.3 * _grain(rng, (rows, columns), scale), 0.3, 2)
        floor[:] = linear((88, 100, 62)) * patchy[..., None]
    elif kind == "crossing":
        stripes = ((x + 0.2 * behind) / 0.9) % 1 < 0.5
        floor[stripes & (behind > rng.uniform(-3, 0))] = linear((184, 184, 178))
    if rng.random() < 0.45:  # kerb or painted line
        at, thick = rng.uniform(-0.5, 4), rng.uniform(0.1, 0.25)
        floor[np.broadcast_to(np.abs(behind - at) < thick, x.shape)] *= rng.choice([0.55, 1.45])
    return floor * (0.80 + 0.20 * np.linspace(0, 1, rows, dtype=F)[:, None, None])


def _wall(rng: np.random.Generator, rows: int, columns: int, scale: float) -> Array:
    """A street front of `rows` rows; scale: pixels per metre at its distance."""
    colour = linear(WALLS[rng.integers(len(WALLS))]) * rng.uniform(0.55, 1.15)
    wall = np.broadcast_to(colour, (rows, columns, 3)).copy()
    y = (rows - 1 - np.arange(rows, dtype=F)[:, None]) / scale  # metres above the ground
    x = np.arange(columns, dtype=F)[None] / scale
    x, y = np.broadcast_arrays(x, y)
    kind = rng.choice(["brick", "panels", "plaster", "hedge", "shutters", "open"], p=[0.24, 0.18, 0.2, 0.12, 0.1, 0.16])
    if kind == "brick":
        high, wide = rng.uniform(0.07, 0.12), rng.uniform(0.22, 0.36)
        row = np.floor(y / high)
        column = np.floor(x / wide + (row % 2) / 2)
        tones = rng.uniform(0.82, 1.18, (101, 103)).astype(F)
        wall *= tones[row.astype(int) % 101, column.astype(int) % 103][..., None]
        wall[((y / high) % 1 < 0.14) | ((x / wide + (row % 2) / 2) % 1 < 0.05)] *= rng.choice([0.7, 1.3])
    elif kind == "panels":
        wall[(x / rng.uniform(0.6, 1.6)) % 1 < 0.03] *= 0.55
        wall[(y / rng.uniform(0.8, 1.6)) % 1 < 0.03] *= 0.6
    elif kind == "shutters":
        wall *= (0.8 + 0.25 * np.abs(((y / 0.09) % 1) - 0.5) * 2)[..., None]
    elif kind == "hedge":
        leaves = _grain(rng, (rows, columns), scale)
        wall[:] = linear((70, 86, 52)) * np.clip(1 + 0.42 * leaves, 0.12, 2.4)[..., None]
    elif kind == "open":  # a square or a street: bright haze, far buildings
        wall[:] = linear((196, 202, 208)) * rng.uniform(0.6, 1.0)
        left = 0.0
        while left < WIDTH_M * 2.5:
            wide, high = rng.uniform(0.4, 1.6), rng.uniform(0.8, 3.0)
            tone = linear(WALLS[rng.integers(len(WALLS))]) * rng.uniform(0.5, 0.9)
            wall[(y < high) & (x >= left) & (x < left + wide)] = tone
            wall[(y < high) & (x >= left) & (x < left + wide) & ((y / 0.3) % 1 > 0.5) & ((x / 0.25) % 1 > 0.5)] *= 0.7
            left += wide
    if kind != "hedge":
        _openings(rng, wall, scale, share=0.35 if kind == "open" else 1.0)
    wall *= (0.82 + 0.18 * np.clip(y / 0.5, 0, 1))[..., None]  # dirt near the ground
    return wall


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
    def box(left: float, bottom: float, right: float, top: float, colour: Array) -> None:
        brush.polygon([(left, bottom), (right, bottom), (right, top), (left, top)], colour)

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


def _furnish(
    rng: np.random.Generator,
    image: Array,
    camera: Camera,
    scale: float,
    standing: float,
    depth: float,
    sin_pitch: float,
) -> None:
    """Stand things between the wall and the people, far ones first, in place."""
    names = ["pole", "bollard", "bin", "railing", "bicycle", "plant", "car", "bench", "passer_by", "tree"]
    shares = np.array([0.10, 0.06, 0.09, 0.07, 0.17, 0.10, 0.12, 0.06, 0.15, 0.08])
    cover = np.zeros(image.shape[:2], np.uint8)
    for behind in sorted(rng.uniform(0.25, max(0.6, depth), rng.integers(7, 14)), reverse=True):
        shrink = _shrink(float(behind), camera)
        at = (rng.uniform(0, image.shape[1]), standing - behind * sin_pitch * scale)
        light = rng.uniform(0.65, 1.05)
        shadow_size = (max(1, round(0.45 * scale * shrink)), max(1, round(0.12 * scale * shrink)))
        _darken(image, at, shadow_size, 0.45)
        name = str(rng.choice(names, p=shares / shares.sum()))
        if name == "car" and behind < 2:
            name = "bicycle"
        FURNITURE[name](Brush(image, cover, at[0], at[1], scale * shrink, light), rng)


def _darken(image: Array, at: tuple[float, float], radii: tuple[int, int], strength: float) -> None:
    """A soft contact shadow, in place."""
    reach_x, reach_y = 2 * radii[0], 2 * radii[1]
    x0, x1 = max(0, int(at[0]) - reach_x), min(image.shape[1], int(at[0]) + reach_x)
    y0, y1 = max(0, int(at[1]) - reach_y), min(image.shape[0], int(at[1]) + reach_y)
    if x0 < x1 and y0 < y1:
        dx = (np.arange(x0, x1, dtype=F)[None] - F(at[0])) / radii[0]
        dy = (np.arange(y0, y1, dtype=F)[:, None] - F(at[1])) / radii[1]
        image[y0:y1, x0:x1] *= (1 - strength * np.exp(-(dx * dx + dy * dy)))[..., None]


def _cast_shadows(rng: np.random.Generator, image: Array, scale: float, standing: float) -> None:
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
