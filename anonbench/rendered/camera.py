"""Cameras: where each one looks from, its light, and what it does to colours and edges.

Re-identification is hard because cameras differ. These differ in viewpoint, light, white balance, exposure, contrast,
blur, noise and compression. Every crop varies a little around its camera.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from anonbench.data.seeding import generator
from anonbench.rendered.geometry import Array, F
from anonbench.rendered.shading import Light, light_from
from anonbench.rendered.spec import Shares

VIEWS = ("front", "three_quarter", "profile", "back")
VIEW_SHARES = (0.30, 0.25, 0.20, 0.25)  # over all cameras; each camera leans towards some
# Largest |yaw| of the head relative to the camera that still counts as the view, degrees.
VIEW_LIMITS_DEG = (24.0, 63.0, 109.0, 180.0)
# Body yaw drawn for a view, degrees; narrower than the limits, since the head turns on top of it.
YAW_RANGES_DEG = ((0.0, 18.0), (30.0, 57.0), (72.0, 102.0), (122.0, 180.0))
REFERENCE_HEIGHT_PX = 128  # blur and noise grain are stated for crops of this height


def view_of(yaw: float) -> str:
    """The view for a yaw in radians, 0 facing the camera."""
    away = abs(math.degrees(math.remainder(yaw, 2 * math.pi)))
    return next(view for view, limit in zip(VIEWS, VIEW_LIMITS_DEG, strict=True) if away <= limit + 1e-6)


@dataclass(frozen=True)
class Camera:
    """One camera. Angles in radians, blur in pixels of a 128-pixel-high crop, gains as factors on linear RGB."""

    number: int  # 1..cameras
    setting: str  # what it looks at, one of `spec.SETTINGS`
    pitch: float  # how far it looks down
    distance_m: float
    view_shares: Shares
    white_balance: tuple[float, float, float]
    exposure: float
    gamma: float
    contrast: float
    lift: float
    saturation: float
    blur_px: float
    noise: float
    jpeg_quality: int
    light_azimuth: float
    light_elevation: float
    key: float
    sky: float
    ground: float
    warmth: float
    occluders: tuple[str, ...] = field(default=())

    def draw_view(self, rng: np.random.Generator) -> str:
        """A view, as often as this camera sees it."""
        return str(rng.choice(VIEWS, p=np.array(self.view_shares) / sum(self.view_shares)))

    def draw_light(self, rng: np.random.Generator) -> Light:
        """The light of one moment: the camera's own, a little moved, brighter or duller."""
        ranges = RANGES[self.setting]
        cloudy = rng.uniform(*ranges.moment)
        return light_from(
            self.light_azimuth + rng.normal(0, 0.25),
            float(np.clip(self.light_elevation + rng.normal(0, 0.12), *ranges.elevation_limits)),
            self.key * cloudy,
            self.sky * (1 + 0.25 * (1 - cloudy)) * rng.uniform(0.9, 1.1),
            self.ground * rng.uniform(0.9, 1.1),
            self.warmth + rng.normal(0, 0.015),
        )

    def develop(self, light: Array, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Linear RGB (height, width, 3) to the sRGB image that the camera delivers, before compression."""
        scale = math.sqrt(light.shape[0] / REFERENCE_HEIGHT_PX)  # larger crops come from better cameras
        x = light * np.array(self.white_balance, F) * F(self.exposure * rng.uniform(0.88, 1.14))
        x = x / (1 + 0.55 * np.clip(x - 0.4, 0, None))  # highlights roll off
        sigma = self.blur_px * rng.uniform(0.7, 1.2) * scale
        if sigma > 0.15:
            x = np.asarray(cv2.GaussianBlur(x, (0, 0), sigma), F)
        x = self._smear(x, rng, scale)
        x = np.clip(x, 0, 1.0) ** F(self.gamma)
        x = (x - F(0.45)) * F(self.contrast) + F(0.45 + self.lift)
        grey = cv2.cvtColor(np.ascontiguousarray(x, F), cv2.COLOR_RGB2GRAY)[..., None]
        x = grey + (x - grey) * F(self.saturation)
        grain = rng.standard_normal(x.shape, F)
        if scale > 1:  # grain is as coarse as the pixels of the small crop
            grain = cv2.GaussianBlur(grain, (0, 0), 0.3 * scale)
        x = x + grain * F(self.noise) * (0.6 + 0.4 * (1 - x))
        return (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)

    @staticmethod
    def _smear(x: Array, rng: np.random.Generator, scale: float) -> Array:
        """Motion blur of at most 1.5 pixels (of a 128-pixel crop), mostly sideways, in one crop of four."""
        moving, length, slope = rng.random() < 0.25, rng.uniform(0.5, 1.5) * scale, rng.normal(0, 0.25)
        if not moving or length < 0.5:
            return x
        shifted = []
        for step in (-0.5, 0.0, 0.5):
            matrix = np.array([[1, 0, step * length], [0, 1, step * length * slope]], F)
            size = (x.shape[1], x.shape[0])
            shifted.append(cv2.warpAffine(x, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
        return (0.25 * shifted[0] + 0.5 * shifted[1] + 0.25 * shifted[2]).astype(F)


Range = tuple[float, float]


@dataclass(frozen=True)
class Ranges:
    """From where to where the cameras of a setting are spread. Units as in `Camera`.

    temperature, tint: white balance, 0 neutral.
    moment: factor on the key light from crop to crop.
    favourites: the things that stand in a camera's way, for one camera after another.
    """

    pitch: Range
    distance_m: Range
    temperature: Range
    tint: Range
    exposure: Range
    gamma: Range
    contrast: Range
    saturation: Range
    lift: Range
    blur_px: Range
    noise: Range
    jpeg_quality: Range
    light_azimuth: Range
    light_elevation: Range
    elevation_limits: Range
    key: Range
    sky: Range
    ground: Range
    moment: Range
    favourites: tuple[tuple[str, ...], ...]


STREET = Ranges(
    pitch=(0.03, 0.30),
    distance_m=(5.0, 12.0),
    temperature=(-0.15, 0.15),
    tint=(-0.05, 0.05),
    exposure=(1.05, 1.6),
    gamma=(0.42, 0.50),
    contrast=(0.88, 1.14),
    saturation=(0.62, 1.05),
    lift=(-0.02, 0.05),
    blur_px=(0.1, 0.62),
    noise=(0.008, 0.022),
    jpeg_quality=(74, 94),
    light_azimuth=(-1.25, 1.25),
    light_elevation=(0.5, 1.1),
    elevation_limits=(0.3, 1.3),
    key=(0.45, 1.25),
    sky=(0.5, 0.8),
    ground=(0.26, 0.42),
    moment=(0.45, 1.15),
    favourites=(
        ("pole", "bicycle"),
        ("railing", "bin"),
        ("bicycle", "plant"),
        ("suitcase", "bollard"),
        ("plant", "pole"),
        ("bin", "railing"),
    ),
)
# Ceiling lights: from above, from many lamps at once (much sky, little key), the same at any hour; light floors throw
# some of it back. Tubes are warm or cool or greenish. Surveillance cameras hang higher and deliver worse pictures.
INDOOR = Ranges(
    pitch=(0.20, 0.52),
    distance_m=(5.0, 11.0),
    temperature=(-0.13, 0.20),
    tint=(-0.02, 0.07),
    exposure=(1.05, 1.45),
    gamma=(0.43, 0.50),
    contrast=(0.85, 1.08),
    saturation=(0.50, 0.90),
    lift=(-0.01, 0.06),
    blur_px=(0.25, 0.75),
    noise=(0.010, 0.026),
    jpeg_quality=(68, 90),
    light_azimuth=(-0.9, 0.9),
    light_elevation=(1.05, 1.35),
    elevation_limits=(0.95, 1.4),
    key=(0.30, 0.60),
    sky=(0.65, 0.95),
    ground=(0.38, 0.58),
    moment=(0.85, 1.08),
    favourites=(
        ("stanchions", "case"),
        ("sign", "bin"),
        ("trolley", "stanchions"),
        ("case", "sign"),
        ("bin", "trolley"),
        ("plant", "case"),
    ),
)
RANGES = {"street": STREET, "indoor": INDOOR}


def make_cameras(
    seed: int, count: int, setting: str = "street", view_shares: tuple[Shares, ...] | None = None
) -> list[Camera]:
    """`count` cameras that differ on purpose: the main settings are spread evenly over their ranges, then shuffled.

    setting: one of `spec.SETTINGS`.
    view_shares: one row for all cameras or a row for each. None: see `VIEW_SHARES`.
    """
    rng, ranges = generator(seed, "cameras", count), RANGES[setting]

    def spread(limits: Range) -> list[float]:
        (low, high), steps = limits, (np.arange(count) + rng.uniform(0.3, 0.7, count)) / count
        return [float(v) for v in rng.permutation(low + (high - low) * steps)]

    pitch, distance = spread(ranges.pitch), spread(ranges.distance_m)
    temperature, tint = spread(ranges.temperature), spread(ranges.tint)
    exposure, gamma, contrast = spread(ranges.exposure), spread(ranges.gamma), spread(ranges.contrast)
    saturation, lift = spread(ranges.saturation), spread(ranges.lift)
    blur, noise, quality = spread(ranges.blur_px), spread(ranges.noise), spread(ranges.jpeg_quality)
    azimuth, elevation = spread(ranges.light_azimuth), spread(ranges.light_elevation)
    key, sky, ground = spread(ranges.key), spread(ranges.sky), spread(ranges.ground)
    leaning = rng.permutation(np.tile([0, 3, 1, 2], count // 4 + 1)[:count])
    return [
        Camera(
            number=i + 1,
            setting=setting,
            pitch=pitch[i],
            distance_m=distance[i],
            view_shares=view_shares[i % len(view_shares)] if view_shares else _leaning_shares(int(leaning[i])),
            white_balance=(1 + temperature[i], 1 + tint[i], 1 - temperature[i]),
            exposure=exposure[i],
            gamma=gamma[i],
            contrast=contrast[i],
            lift=lift[i],
            saturation=saturation[i],
            blur_px=blur[i],
            noise=noise[i],
            jpeg_quality=round(quality[i]),
            light_azimuth=azimuth[i],
            light_elevation=elevation[i],
            key=key[i],
            sky=sky[i],
            ground=ground[i],
            warmth=temperature[(i + 1) % count] * 0.4,
            occluders=ranges.favourites[i % len(ranges.favourites)],
        )
        for i in range(count)
    ]


def _leaning_shares(favourite: int) -> Shares:
    """`VIEW_SHARES` with one view seen more often than the others."""
    shares = np.array(VIEW_SHARES)
    shares[favourite] *= 1.7
    front, three_quarter, profile, back = (float(v) for v in shares / shares.sum())
    return front, three_quarter, profile, back
