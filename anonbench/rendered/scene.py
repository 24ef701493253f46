"""Places: a few backdrops for each camera, drawn once, and the cut-outs behind people.

The backdrop of a camera is a nuisance for re-identification, as in life: it says where a picture was taken, not who is
on it. A backdrop is a wall on a floor seen at the camera's pitch, with things at several distances. Walls, floors and
things depend on the setting: `street.py`, `indoor.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from anonbench.rendered import indoor, street
from anonbench.rendered.brush import WIDTH_M, Brush, grain
from anonbench.rendered.camera import Camera
from anonbench.rendered.geometry import Array, F, Mask

ABOVE_M, BELOW_M = 2.35, 0.75  # a backdrop around the line on which people stand
OVERSAMPLING = 2
NEAR_M = 2.0  # large things stand at least this far behind the people
REFLECTED_M = 0.7  # how far a reflection reaches down a floor


@dataclass(frozen=True)
class Place:
    """What the backdrops of a setting are made of.

    floor(rng, x, behind, scale), wall(rng, rows, columns, scale): see `street.py`.
    things: all drawings by name.
    shares: how often a thing stands in the background.
    background_only: things that would hide too much of a person.
    stand_ins: what stands nearer than `NEAR_M` instead of a large thing.
    finish(rng, image, scale, standing): light over the whole place.
    gloss: least and largest reflectivity of the floor.
    luggage: the thing that some people (luggage_share of them) pull along.
    """

    floor: Callable[[np.random.Generator, Array, Array, float], Array]
    wall: Callable[[np.random.Generator, int, int, float], Array]
    things: dict[str, Callable[[Brush, np.random.Generator], None]]
    shares: dict[str, float]
    background_only: frozenset[str]
    stand_ins: dict[str, str]
    finish: Callable[[np.random.Generator, Array, float, float], None]
    gloss: tuple[float, float] = (0.0, 0.0)
    luggage: str = ""
    luggage_share: float = 0.0

    @property
    def occluders(self) -> list[str]:
        """Names of the things that may stand before a person."""
        return sorted(set(self.things) - self.background_only)


PLACES = {
    "street": Place(
        floor=street.floor,
        wall=street.wall,
        things=street.FURNITURE,
        shares={
            "pole": 0.10, "bollard": 0.06, "bin": 0.09, "railing": 0.07, "bicycle": 0.17, "plant": 0.10, "car": 0.12,
            "bench": 0.06, "passer_by": 0.15, "tree": 0.08,
        },
        background_only=frozenset({"tree", "car", "passer_by", "bench"}),
        stand_ins={"car": "bicycle"},
        finish=street.cast_shadows,
    ),
    "indoor": Place(
        floor=indoor.floor,
        wall=indoor.wall,
        things=indoor.FURNITURE,
        shares={
            "pillar": 0.09, "sign": 0.07, "kiosk": 0.08, "seats": 0.15, "counter": 0.06, "stanchions": 0.10,
            "trolley": 0.09, "case": 0.12, "bin": 0.05, "plant": 0.04, "passer_by": 0.15,
        },
        background_only=frozenset({"pillar", "kiosk", "seats", "counter", "passer_by"}),
        stand_ins={"counter": "case", "seats": "case", "pillar": "stanchions"},
        finish=indoor.lamps,
        gloss=(0.10, 0.55),
        luggage="case",
        luggage_share=0.35,
    ),
}  # fmt: skip


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
    place = PLACES[camera.setting]
    gloss = float(rng.uniform(*place.gloss)) if place.gloss[1] else 0.0
    image = np.empty((rows, columns, 3), F)
    behind = ((standing - wall_row) / fine - np.arange(rows - wall_row, dtype=F)[:, None] / fine) / sin_pitch
    widening = 1 + np.clip(behind / camera.distance_m, -0.6, None)
    x = (np.arange(columns, dtype=F)[None] / fine - WIDTH_M / 2) * widening
    shade = 0.80 + 0.20 * np.linspace(0, 1, rows - wall_row, dtype=F)[:, None, None]
    image[wall_row:] = place.floor(rng, x, behind, fine) * shade
    if wall_row > 2:
        image[:wall_row] = place.wall(rng, wall_row, columns, fine * _shrink(depth, camera))
        _reflect(image, np.ones(image.shape[:2], bool), wall_row, fine, gloss)
    _furnish(rng, image, camera, fine, standing, depth, sin_pitch, gloss)
    image *= 1 + 0.05 * grain(rng, (rows, columns), fine)[..., None]
    place.finish(rng, image, fine, standing)
    blurred = cv2.GaussianBlur(image, (0, 0), fine * rng.uniform(0.004, 0.012))
    small = cv2.resize(blurred, (columns // OVERSAMPLING, rows // OVERSAMPLING), interpolation=cv2.INTER_AREA)
    pixels = (np.sqrt(np.clip(small / 1.5, 0, 1)) * 255 + 0.5).astype(np.uint8)
    return Backdrop(pixels, scale, standing / OVERSAMPLING)


def _shrink(depth: float, camera: Camera) -> float:
    """Size of things `depth` metres behind a person relative to the person's."""
    return 1 / (1 + max(-0.6, depth / camera.distance_m))


def _furnish(
    rng: np.random.Generator, image: Array, camera: Camera, scale: float, standing: float, depth: float,
    sin_pitch: float, gloss: float,
) -> None:  # fmt: skip
    """Stand things between the wall and the people, far ones first, in place."""
    place = PLACES[camera.setting]
    names, shares = list(place.shares), np.array(list(place.shares.values()))
    cover = np.zeros(image.shape[:2], np.uint8)
    for behind in sorted(rng.uniform(0.25, max(0.6, depth), rng.integers(7, 14)), reverse=True):
        shrink = _shrink(float(behind), camera)
        at = (rng.uniform(0, image.shape[1]), standing - behind * sin_pitch * scale)
        light = rng.uniform(0.65, 1.05)
        shadow_size = (max(1, round(0.45 * scale * shrink)), max(1, round(0.12 * scale * shrink)))
        darken(image, at, shadow_size, 0.45)
        name = str(rng.choice(names, p=shares / shares.sum()))
        if behind < NEAR_M:
            name = place.stand_ins.get(name, name)
        cover[:] = 0
        place.things[name](Brush(image, cover, at[0], at[1], scale * shrink, light), rng)
        _reflect(image, cover > 0, round(at[1]), scale * shrink, gloss)


def _reflect(image: Array, cover: Mask, row: int, scale: float, gloss: float) -> None:
    """Mirror what is above `row` (where `cover` is true) in the floor before it, fading away, in place."""
    reach = min(row, image.shape[0] - row, round(REFLECTED_M * scale))
    if not gloss or reach < 1:
        return
    fade = gloss * (1 - np.arange(reach, dtype=F) / reach)[:, None] * cover[row - reach : row][::-1]
    mirrored = image[row - reach : row][::-1]
    image[row : row + reach] += fade[..., None] * (mirrored - image[row : row + reach])


def darken(image: Array, at: tuple[float, float], radii: tuple[int, int], strength: float) -> None:
    """A soft contact shadow, in place."""
    reach_x, reach_y = 2 * radii[0], 2 * radii[1]
    x0, x1 = max(0, int(at[0]) - reach_x), min(image.shape[1], int(at[0]) + reach_x)
    y0, y1 = max(0, int(at[1]) - reach_y), min(image.shape[0], int(at[1]) + reach_y)
    if x0 < x1 and y0 < y1:
        dx = (np.arange(x0, x1, dtype=F)[None] - F(at[0])) / radii[0]
        dy = (np.arange(y0, y1, dtype=F)[:, None] - F(at[1])) / radii[1]
        image[y0:y1, x0:x1] *= (1 - strength * np.exp(-(dx * dx + dy * dy)))[..., None]
