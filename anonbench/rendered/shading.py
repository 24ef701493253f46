"""Light on a posed figure: a key light with shadows, light from sky and ground, occlusion in creases, highlights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from anonbench.rendered.geometry import Array, F, Mask
from anonbench.rendered.parts import SKIN_PARTS

BLINN_EXPONENT = 18
# Crease shading: radius (m), strength per metre of depth difference, largest darkening.
CREASES = ((0.012, 26.0, 0.30), (0.03, 9.0, 0.32), (0.09, 2.6, 0.35))


@dataclass(frozen=True)
class Light:
    """Illumination in camera space. Colours are linear RGB (3,).

    direction: unit vector towards the key light.
    """

    direction: Array
    key: Array
    sky: Array
    ground: Array

    @property
    def level(self) -> float:
        """Mean brightness on an upright wall, for the background."""
        return float(0.45 * self.key.mean() + 0.6 * self.sky.mean())


def light_from(azimuth: float, elevation: float, key: float, sky: float, ground: float, warmth: float) -> Light:
    """A light by angles in radians (azimuth 0: from behind the camera) and intensities."""
    direction = np.array(
        [math.sin(azimuth) * math.cos(elevation), math.sin(elevation), math.cos(azimuth) * math.cos(elevation)], F
    )
    return Light(
        direction,
        np.array([1 + warmth, 1, 1 - warmth], F) * F(key),
        np.array([0.93, 0.98, 1.07], F) * F(sky),
        np.array([1.04, 1, 0.94], F) * F(ground),
    )


@dataclass(frozen=True)
class Surface:
    """What the raster sees: for each of n covered pixels its point, normal, albedo (n, 3), gloss and part (n,).

    covered: (height, width) bool, with n true pixels in row order.
    scale: pixels per metre.
    """

    covered: Mask
    points: Array
    normals: Array
    albedo: Array
    gloss: Array
    part: NDArray[np.uint8]
    scale: float

    def spread(self, values: Array) -> Array:
        """Per-pixel values (n,) as an image (height, width), zero elsewhere."""
        image = np.zeros(self.covered.shape, F)
        image[self.covered] = values
        return image


def shade(surface: Surface, blockers: Array, light: Light) -> Array:
    """Linear RGB of the covered pixels (n, 3)."""
    normals = surface.normals
    lit = _lit_share(surface, blockers, light.direction)
    creases = _crease_light(surface)
    wrap = np.where(np.isin(surface.part, SKIN_PARTS), F(0.28), F(0.12))  # skin and cloth scatter past the edge
    diffuse = np.clip((normals @ light.direction + wrap) / (1 + wrap), 0, 1) * lit
    upward = (0.5 + 0.5 * normals[:, 1])[:, None]
    ambient = light.ground * (1 - upward) + light.sky * upward
    halfway = light.direction + np.array([0, 0, 1], F)
    halfway /= np.linalg.norm(halfway)
    highlight = np.clip(normals @ halfway, 0, 1) ** BLINN_EXPONENT * surface.gloss * F(2.2) * lit
    colour = surface.albedo * (light.key * diffuse[:, None] + ambient * creases[:, None])
    return (colour + highlight[:, None] * light.key) * (0.55 + 0.45 * creases)[:, None]


def _lit_share(surface: Surface, blockers: Array, towards: Array) -> Array:
    """Share of the key light that reaches each pixel (n,): a shadow map, softened in the image."""
    right = np.cross(np.array([0, 1, 0], F), towards)
    right /= np.linalg.norm(right) + F(1e-6)
    up = np.cross(towards, right)
    cell = F(4.2 / surface.scale)
    u, v, w = blockers @ right, blockers @ up, blockers @ towards
    u0, v0 = u.min(), v.min()
    columns, rows = ((u - u0) / cell).astype(np.int32), ((v - v0) / cell).astype(np.int32)
    width, height = int(columns.max()) + 1, int(rows.max()) + 1
    nearest = np.full(width * height, -9, F)
    order = np.argsort(((w - w.min()) / (np.ptp(w) + F(1e-6)) * 65534).astype(np.uint16), kind="stable")
    nearest[(rows * width + columns)[order]] = w[order]
    shadow_map = nearest.reshape(height, width)
    origin = surface.points + surface.normals * F(0.006)
    x = np.clip(((origin @ right - u0) / cell).astype(np.int32), 0, width - 1)
    y = np.clip(((origin @ up - v0) / cell).astype(np.int32), 0, height - 1)
    free = (shadow_map[y, x] < origin @ towards + F(0.02)).astype(F)
    kernel = max(3, int(0.024 * surface.scale) | 1)
    share = cv2.blur(surface.spread(free), (kernel, kernel))
    weight = cv2.blur(surface.covered.astype(F), (kernel, kernel))
    return (share / np.maximum(weight, F(1e-3)))[surface.covered]


def _crease_light(surface: Surface) -> Array:
    """Ambient light left in creases (n,): less where the neighbourhood is nearer to the camera than the pixel."""
    height, width = surface.covered.shape
    depth, weight = surface.spread(surface.points[:, 2]), surface.covered.astype(F)
    half = (max(1, width // 2), max(1, height // 2))
    half_depth, half_weight = (cv2.resize(v, half, interpolation=cv2.INTER_AREA) for v in (depth, weight))
    left = np.ones((height, width), F)
    for radius, strength, most in CREASES:
        fine = radius < 0.02
        sigma = max(0.8, radius * surface.scale) / (1 if fine else 2)
        z, w = (depth, weight) if fine else (half_depth, half_weight)
        around = cv2.GaussianBlur(z, (0, 0), sigma) / np.maximum(cv2.GaussianBlur(w, (0, 0), sigma), F(1e-3))
        if not fine:
            around = np.asarray(cv2.resize(around, (width, height), interpolation=cv2.INTER_LINEAR), F)
        left *= 1 - np.clip((around - depth) * F(strength), 0, F(most))
    return left[surface.covered]
