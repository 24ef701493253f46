"""Streets in perspective: ground, house fronts and sky as a camera at some height sees them, without anybody in them.

Everything stands on one floor: what is `scale` pixels per metre large has its feet at `View.foot_row(scale)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from anonbench.rendered import street
from anonbench.rendered.brush import grain
from anonbench.rendered.geometry import Array, F, Mask
from anonbench.rendered.palette import linear

STUFF = ("sky", "building", "road", "sidewalk", "vegetation", "pole", "fence", "static")
"""What pixels show that belong to no instance, as Cityscapes calls it."""
SKY, BUILDING, ROAD, SIDEWALK = range(4)
SIDE_SCALE = 14.0  # pixels per metre at which the fronts along a street are drawn before they are seen in perspective
SIDE_LENGTH_M = 70.0
FLOOR_FADES_M = 16.0  # patterns of the ground blur into one tone at this distance: they would flicker
FLOOR_M = 3.1  # height of a floor of a house
SHADE_LEVEL = 0.62  # of the fronts along a street, which the light grazes


@dataclass(frozen=True)
class View:
    """Where a camera stands and what kind of street it sees.

    shape: height and width of the picture in pixels.
    horizon: its row.
    focal_px: of the lens; things at a distance of d metres are focal_px / d pixels per metre large.
    height_m: of the camera above the ground.
    front_m: distance of the house front that ends the view.
    front_high_m: height of the houses.
    road_m: half the width of a road that leads away from the camera; 0 for a square without one.
    side_m: half the distance between the house fronts along it.
    """

    shape: tuple[int, int]
    horizon: float
    focal_px: float
    height_m: float
    front_m: float
    front_high_m: float
    road_m: float = 0.0
    side_m: float = 0.0

    def foot_row(self, scale: float) -> float:
        """The row of the ground where things are `scale` pixels per metre large."""
        return self.horizon + self.height_m * scale

    def column(self, aside_m: float, scale: float) -> float:
        """The column of what stands `aside_m` metres to the right of the camera."""
        return self.shape[1] / 2 + aside_m * scale


def draw_place(rng: np.random.Generator, view: View) -> tuple[Array, NDArray[np.uint8]]:
    """An empty street: linear RGB (height, width, 3) under light of level 1, and the index in `STUFF` of each pixel."""
    height, width = view.shape
    image = np.empty((height, width, 3), F)
    stuff = np.full((height, width), SKY, np.uint8)
    _paint_sky(rng, image)
    _paint_front(rng, image, stuff, view)
    if view.side_m:
        _paint_sides(rng, image, stuff, view)
    _paint_ground(rng, image, stuff, view)
    below = stuff != SKY
    texture = 1 + F(0.05) * grain(rng, (height, width), width / 7)
    image[below] *= texture[below][:, None]
    shade = np.ones((height, width, 1), F)
    street.cast_shadows(rng, shade, width / 7, view.foot_row(view.focal_px / 8))
    image *= np.sqrt(shade)  # half as strong as around a single person: they would look like camouflage
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.5), F), stuff


def _paint_sky(rng: np.random.Generator, image: Array) -> None:
    high = linear([(128, 158, 196), (176, 182, 190), (150, 166, 186)][rng.integers(3)]) * rng.uniform(0.8, 1.1)
    low = linear((206, 212, 216)) * rng.uniform(0.8, 1.05)
    share = np.linspace(0, 1.6, image.shape[0], dtype=F).clip(0, 1)[:, None, None]
    image[:] = high + (low - high) * share


def _paint_front(rng: np.random.Generator, image: Array, stuff: NDArray[np.uint8], view: View) -> None:
    """The house front across the view."""
    scale = view.focal_px / view.front_m
    foot = min(image.shape[0], round(view.foot_row(scale)))
    rows = min(foot, round(view.front_high_m * scale))
    if rows > 2:
        front = street.wall(rng, rows, image.shape[1], scale)
        _paint_upper_floors(rng, front, scale)
        image[foot - rows : foot] = front
        stuff[foot - rows : foot] = BUILDING


def _paint_upper_floors(rng: np.random.Generator, front: Array, scale: float) -> None:
    """Rows of windows above the ground floor, in place."""
    rows, columns = front.shape[:2]
    gap, wide, tall = rng.uniform(1.7, 3.0), rng.uniform(0.8, 1.3), rng.uniform(1.2, 1.8)
    glass = linear((66, 74, 82)) * rng.uniform(0.4, 1.6)
    x = np.arange(columns, dtype=F)[None] / F(scale)
    y = (rows - 1 - np.arange(rows, dtype=F)[:, None]) / F(scale)
    level = (y - F(0.5)) % F(FLOOR_M)
    inside = (x % F(gap) < wide) & (level > 0.6) & (level < 0.6 + tall) & (y > FLOOR_M + 0.3)
    front[inside] = glass
    front[(np.abs(y - FLOOR_M) < 0.12) & (x >= 0)] *= F(0.75)


def _paint_sides(rng: np.random.Generator, image: Array, stuff: NDArray[np.uint8], view: View) -> None:
    """The house fronts along the street, left and right, in perspective."""
    height, width = view.shape
    length = min(view.front_m, SIDE_LENGTH_M)
    away = np.arange(width, dtype=F)[None] + F(0.5 - width / 2)
    distance = F(view.focal_px * view.side_m) / np.maximum(np.abs(away), F(1e-3))
    rows = np.arange(height, dtype=F)[:, None] + F(0.5)
    up = F(view.height_m) - (rows - F(view.horizon)) * distance / F(view.focal_px)
    for side in (-1, 1):
        high = view.front_high_m * float(rng.uniform(0.7, 1.3))
        texture = street.wall(rng, round(high * SIDE_SCALE), round(length * SIDE_SCALE), SIDE_SCALE)
        _paint_upper_floors(rng, texture, SIDE_SCALE)
        shown = (np.sign(away) == side) & (distance < length) & (up >= 0) & (up < high)
        along = np.ascontiguousarray(np.broadcast_to(distance * F(SIDE_SCALE), up.shape))
        across = F(texture.shape[0]) - up * F(SIDE_SCALE)
        seen = cv2.remap(texture, along, across, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        image[shown] = seen[shown] * F(SHADE_LEVEL * rng.uniform(0.8, 1.3))
        stuff[shown] = BUILDING


def _paint_ground(rng: np.random.Generator, image: Array, stuff: NDArray[np.uint8], view: View) -> None:
    """Paving, and a road with its kerbs and markings, in place."""
    height, width = view.shape
    first = min(height, max(0, round(view.foot_row(view.focal_px / view.front_m))))
    rows = np.arange(first, height, dtype=F)[:, None] + F(0.5)
    if not len(rows):
        return
    distance = F(view.focal_px * view.height_m) / np.maximum(rows - F(view.horizon), F(0.5))
    x = (np.arange(width, dtype=F)[None] + F(0.5 - width / 2)) * distance / F(view.focal_px)
    free = stuff[first:] != BUILDING
    ground = street.floor(rng, x, distance, width / 7)
    far = np.clip(distance / FLOOR_FADES_M, 0, 1)[..., None] * F(0.9)
    ground += far * (ground.mean(axis=(0, 1)) - ground)
    kind = np.full(x.shape, SIDEWALK, np.uint8)
    if view.road_m:
        _paint_road(rng, ground, kind, x, distance, view)
    image[first:][free] = ground[free]
    stuff[first:][free] = kind[free]


def _paint_road(
    rng: np.random.Generator, ground: Array, kind: NDArray[np.uint8], x: Array, distance: Array, view: View
) -> None:
    asphalt = linear([(92, 92, 94), (76, 78, 82), (112, 110, 108)][rng.integers(3)]) * rng.uniform(0.7, 1.1)
    road: Mask = np.abs(x) < view.road_m
    ground[road] = asphalt
    kind[road] = ROAD
    white = linear((196, 196, 190)) * rng.uniform(0.7, 1.0)
    dashed = (distance / 3) % 2 < 1
    if rng.random() < 0.7:
        ground[(np.abs(x) < 0.08) & dashed] = white
    ground[np.abs(np.abs(x) - view.road_m) < 0.12] = linear((150, 148, 142)) * rng.uniform(0.6, 1.2)
    if rng.random() < 0.35:  # a crossing for people
        at = rng.uniform(6, 16)
        ground[road & (np.abs(distance - at) < 1.6) & ((x / 0.5) % 2 < 1)] = white
