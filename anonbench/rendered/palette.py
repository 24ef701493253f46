"""Colours: skin, hair, cloth and streets, as 8-bit sRGB triples, and their linear light."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from anonbench.rendered.geometry import Array, F

# From lightest to darkest; the index is the "skin tone index" of the ground truth.
SKIN = [
    (232, 198, 174),
    (224, 182, 154),
    (212, 165, 134),
    (196, 147, 112),
    (166, 117, 84),
    (132, 90, 64),
    (104, 70, 51),
]
SKIN_SHARES = (0.16, 0.18, 0.17, 0.15, 0.13, 0.11, 0.10)

HAIR = [
    (24, 20, 18),
    (40, 29, 23),
    (60, 43, 32),
    (88, 63, 44),
    (128, 98, 64),
    (170, 138, 92),
    (112, 62, 40),
    (122, 118, 114),
    (188, 184, 180),
]
HAIR_SHARES = (0.26, 0.22, 0.17, 0.11, 0.06, 0.05, 0.03, 0.06, 0.04)
DARK_HAIR = 3  # with the three darkest skin tones hair is drawn from the first colours only

# What people wear in a street: mostly dark, grey, beige and navy. Few strong colours, none pure.
TOPS = [
    (30, 30, 34),
    (46, 48, 54),
    (86, 88, 94),
    (140, 142, 146),
    (206, 204, 198),
    (222, 220, 216),
    (44, 52, 78),
    (62, 84, 122),
    (120, 142, 168),
    (126, 46, 50),
    (152, 74, 62),
    (104, 88, 68),
    (170, 150, 122),
    (72, 88, 66),
    (52, 70, 62),
    (188, 160, 90),
    (150, 116, 130),
    (92, 70, 92),
    (92, 122, 124),
    (196, 172, 160),
]
TOP_SHARES = (
    0.10,
    0.07,
    0.08,
    0.09,
    0.09,
    0.09,
    0.06,
    0.06,
    0.06,
    0.05,
    0.03,
    0.04,
    0.05,
    0.03,
    0.03,
    0.02,
    0.02,
    0.01,
    0.01,
    0.01,
)
LOWERS = [
    (30, 30, 34),
    (40, 44, 56),
    (52, 64, 92),
    (84, 100, 130),
    (64, 64, 68),
    (108, 104, 98),
    (154, 138, 112),
    (88, 74, 58),
    (50, 56, 48),
    (186, 184, 178),
]
LOWER_SHARES = (0.24, 0.16, 0.19, 0.10, 0.08, 0.06, 0.06, 0.04, 0.04, 0.03)
SHOES = [(28, 28, 30), (208, 206, 202), (78, 60, 46), (120, 118, 116), (96, 44, 46), (58, 66, 92)]
SHOE_SHARES = (0.4, 0.25, 0.15, 0.1, 0.05, 0.05)
BAGS = [
    (28, 28, 32),
    (58, 60, 66),
    (52, 60, 88),
    (96, 72, 52),
    (120, 50, 52),
    (150, 130, 104),
    (76, 92, 76),
    (112, 112, 116),
]


def linear(colour: ArrayLike) -> Array:
    """8-bit sRGB to linear light, 0..1 (a plain power of 2.2, the inverse of what `camera.py` applies)."""
    return (np.asarray(colour, F) / 255) ** F(2.2)


def pick(rng: np.random.Generator, colours: list[tuple[int, int, int]], shares: ArrayLike | None = None) -> int:
    """Draw the index of a colour."""
    weights = None if shares is None else np.asarray(shares, float) / np.sum(shares)
    return int(rng.choice(len(colours), p=weights))
