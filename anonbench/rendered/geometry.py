"""Surfaces as dense point grids: smooth profiles, noise, rotations, and the two shapes that bodies are made of.

Frame of the rest pose: x to the person's left (image right when they face the camera), y up, z forwards, in metres.
The feet are at y = 0 and the person is 1.75 m tall (the figure is scaled to its height at the end).
Colours are linear RGB, 0..1. Everything is float32.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

F = np.float32
Array = NDArray[np.floating]  # float32 wherever there are many values
Mask = NDArray[np.bool_]


# ---------------------------------------------------------------------------------------------- scalar functions
def smoothstep(start: ArrayLike, end: ArrayLike, x: ArrayLike) -> Array:
    """Rise smoothly from 0 at `start` to 1 at `end` (falls when start > end)."""
    first = np.asarray(start, F)
    width = np.asarray(end, F) - first
    t = np.clip((np.asarray(x, F) - first) / np.where(np.abs(width) < 1e-9, F(1e-9), width), 0, 1).astype(F)
    return t * t * (3 - 2 * t)


def bump(x: ArrayLike, centre: ArrayLike, width: ArrayLike) -> Array:
    """A Gaussian bell of height 1; `width` is the distance at which it has fallen to 1/e."""
    t = (np.asarray(x, F) - np.asarray(centre, F)) / np.asarray(width, F)
    return np.exp(-t * t)


def profile(x: Array, knots: Sequence[float], values: ArrayLike) -> Array:
    """A smooth curve near the given (knot, value) pairs, evaluated at x: linear interpolation, then rounded corners."""
    grid = np.linspace(knots[0], knots[-1], 257)
    kernel = np.hanning(25)
    padded = np.pad(np.interp(grid, knots, np.asarray(values, float)), 12, "edge")
    return np.interp(x, grid, np.convolve(padded, kernel / kernel.sum(), "valid")).astype(F)


def noise(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[int, int], wrap: bool = False) -> Array:
    """Smooth noise of unit variance at the cells' corners: (rows, columns) with about `cells` independent values.

    The draw depends on `cells` alone, so the same thing looks the same at every resolution.
    wrap: make the last column meet the first (surfaces that close).
    """
    coarse = rng.standard_normal((max(2, cells[0]), max(2, cells[1]))).astype(F)
    if wrap:
        coarse[:, -1] = coarse[:, 0]
    return cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC).astype(F)


# ---------------------------------------------------------------------------------------------- rotations
def rotation_x(angle: float) -> Array:
    """Rotate about the x axis (radians); a positive angle tips the top of the person towards the camera."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]], F)


def rotation_y(angle: float) -> Array:
    """Rotate about the vertical (radians)."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], F)


def rotation_z(angle: float) -> Array:
    """Rotate in the image plane (radians)."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], F)


# ---------------------------------------------------------------------------------------------- point clouds
@dataclass(frozen=True)
class Skinning:
    """Which two bones move each point, and how much the second one counts (linear blend skinning).

    first, second: (n,) int8 bone numbers.
    weight: (n,) float32 in 0..1, the share of `second`.
    """

    first: NDArray[np.int8]
    second: NDArray[np.int8]
    weight: Array


@dataclass(frozen=True)
class PointCloud:
    """Points of a surface in the rest pose: (n, 3) positions, normals and albedo, (n,) gloss and body part."""

    points: Array
    normals: Array
    albedo: Array
    gloss: Array
    part: NDArray[np.uint8]
    skinning: Skinning

    @staticmethod
    def join(clouds: Sequence[PointCloud]) -> PointCloud:
        """One cloud of several, sorted so that the points of one pair of bones lie together."""
        first = np.concatenate([c.skinning.first for c in clouds])
        second = np.concatenate([c.skinning.second for c in clouds])
        order = np.argsort(first.astype(np.int16) * 64 + second, kind="stable")

        def gather(name: str) -> NDArray:
            return np.concatenate([getattr(c, name) for c in clouds])[order]

        weight = np.concatenate([c.skinning.weight for c in clouds])[order]
        skinning = Skinning(first[order], second[order], weight)
        return PointCloud(
            points=gather("points"),
            normals=gather("normals"),
            albedo=gather("albedo"),
            gloss=gather("gloss"),
            part=gather("part"),
            skinning=skinning,
        )

    @cached_property
    def segments(self) -> list[tuple[slice, int, int]]:
        """Runs of points that share a pair of bones: (points, first bone, second bone)."""
        code = self.skinning.first.astype(np.int16) * 64 + self.skinning.second
        edges = [0, *(np.nonzero(np.diff(code))[0] + 1).tolist(), len(code)]
        return [
            (slice(a, b), int(self.skinning.first[a]), int(self.skinning.second[a]))
            for a, b in itertools.pairwise(edges)
        ]


def grid_normals(grid: Array, outward_from: ArrayLike) -> Array:
    """Unit normals of a (rows, columns, 3) grid that closes in its columns.

    They point away from `outward_from` for most of the grid; a majority, so that dents keep their direction.
    """
    along = np.empty_like(grid)
    along[1:-1], along[0], along[-1] = grid[2:] - grid[:-2], grid[1] - grid[0], grid[-1] - grid[-2]
    around = np.empty_like(grid)
    around[:, 1:-1] = grid[:, 2:] - grid[:, :-2]
    around[:, 0], around[:, -1] = grid[:, 1] - grid[:, -1], grid[:, 0] - grid[:, -2]
    (ax, ay, az), (bx, by, bz) = np.moveaxis(along, 2, 0), np.moveaxis(around, 2, 0)
    normals = np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=2)
    normals *= (1 / np.sqrt(np.einsum("...k,...k", normals, normals) + F(1e-20)))[..., None]
    sample = np.s_[::3, ::3]
    outwards = ((grid - np.asarray(outward_from, F))[sample] * normals[sample]).sum(axis=2) > 0
    return normals if outwards.mean() > 0.5 else -normals


@dataclass(frozen=True)
class Lathe:
    """A closed surface around a vertical axis: one ellipse-like ring for each height.

    grid: (rows, columns, 3) points.
    height: (rows, 1) metres.
    angle: (1, columns) radians, 0 in front, pi/2 at the person's left.
    normals: (rows, columns, 3).
    """

    grid: Array
    height: Array
    angle: Array
    normals: Array


def turn(
    heights: tuple[float, float],
    half_width: Array | float,
    half_depth: Array | float,
    density: float,
    *,
    centre_x: ArrayLike = 0.0,
    centre_z: ArrayLike = 0.0,
    exponent: float = 2.0,
    relief: Array | float = 0.0,
    rows: int | None = None,
) -> Lathe:
    """Turn a surface of revolution on super-ellipses |x/a|^e + |z/b|^e = 1.

    heights: bottom and top in metres.
    half_width, half_depth, centre_x, centre_z: a number or one value a row.
    density: points per metre along and around.
    relief: metres added outwards, broadcastable to (rows, columns).
    """
    rows = rows or lathe_rows(heights, density)
    columns = lathe_columns(float(np.max(half_width)), float(np.max(half_depth)), density)
    y = np.linspace(*heights, rows, dtype=F)[:, None]
    angle = np.linspace(-np.pi, np.pi, columns, endpoint=False, dtype=F)[None]
    a, b = (np.broadcast_to(np.asarray(v, F), (rows,))[:, None] for v in (half_width, half_depth))
    s, c = np.sin(angle), np.cos(angle)
    if exponent == 2.0:
        x, z = (a * s).astype(F), (b * c).astype(F)
    else:
        radius = (np.abs(s / a) ** exponent + np.abs(c / b) ** exponent) ** F(-1 / exponent)
        x, z = (radius * s).astype(F), (radius * c).astype(F)
    out = 1 + np.asarray(relief, F) / np.maximum(np.hypot(x, z), F(1e-3))
    cx, cz = (np.broadcast_to(np.asarray(v, F), (rows,))[:, None] for v in (centre_x, centre_z))
    grid = np.stack([x * out + cx, np.broadcast_to(y, x.shape), z * out + cz], axis=2).astype(F)
    axis = np.stack([cx, y, cz], axis=2)
    return Lathe(grid, y, angle, grid_normals(grid, axis))


def lathe_rows(heights: tuple[float, float], density: float) -> int:
    """Rows of a lathe between two heights at a density (points per metre)."""
    return max(6, round(abs(heights[1] - heights[0]) * density))


def lathe_columns(half_width: float, half_depth: float, density: float) -> int:
    """Columns of a lathe: the circumference of its widest ring at a density (points per metre)."""
    return max(10, round(6.7 * math.hypot(half_width, half_depth) / math.sqrt(2) * density))


def rounded_box(
    centre: ArrayLike, radii: ArrayLike, rotation: Array, density: float, squareness: float = 0.0
) -> tuple[Array, Array]:
    """The surface |x/a|^p + |y/b|^p + |z/c|^p = 1 with p = 2 / (1 - squareness): an ellipsoid at 0, nearly a box at .8.

    Returns (rows, columns, 3) grids of points and unit normals, sampled evenly in direction.
    """
    r = np.asarray(radii, F)
    around = max(12, round(2 * math.pi * math.hypot(r[0], r[2]) / 1.2 * density))
    along = max(8, round(math.pi * math.hypot(max(r[0], r[2]), r[1]) / 1.2 * density))
    latitude = np.linspace(-np.pi / 2 + 0.02, np.pi / 2 - 0.02, along, dtype=F)[:, None]
    longitude = np.linspace(0, 2 * np.pi, around, endpoint=False, dtype=F)[None]
    level = np.broadcast_to(np.sin(latitude), (along, around))
    unit = np.stack([np.cos(latitude) * np.sin(longitude), level, np.cos(latitude) * np.cos(longitude)], axis=2)
    if squareness > 0:
        power = F(2 / (1 - squareness))
        unit = unit / ((np.abs(unit) ** power).sum(axis=2, keepdims=True)) ** (1 / power)
        facing = np.sign(unit) * np.abs(unit) ** (power - 1) / r
    else:
        facing = unit / r
    normals = facing / (np.linalg.norm(facing, axis=2, keepdims=True) + F(1e-9))
    return ((unit * r) @ rotation.T + np.asarray(centre, F)).astype(F), (normals @ rotation.T).astype(F)
