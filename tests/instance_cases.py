"""Rectangular people in small pictures, and what a network could have found there."""

from __future__ import annotations

import numpy as np
from pycocotools.mask import encode

from anonbench.data.instances import Instance
from anonbench.data.masks import Mask

SIDE = 64  # of a picture, in pixels


def rectangle(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    pixels = np.zeros((SIDE, SIDE), bool)
    pixels[int(y0) : int(y1), int(x0) : int(x1)] = True
    return pixels


def person(number: int, box, category: str = "person", points=None, **flags) -> Instance:
    pixels = rectangle(*box)
    return Instance(number, category, tuple(map(float, box)), Mask.pack(pixels), float(pixels.sum()),
                    keypoints=points, **flags)  # fmt: skip


def result(box, score: float, category: str = "person", points=None) -> dict:
    x0, y0, x1, y1 = map(float, box)
    pixels = np.asfortranarray(rectangle(*box).astype(np.uint8))
    mask = encode(pixels)
    found = {"category": category, "score": score, "bbox": [x0, y0, x1 - x0, y1 - y0],
             "segmentation": {"size": mask["size"], "counts": mask["counts"].decode()}}  # fmt: skip
    return found if points is None else {**found, "keypoints": [value for point in points for value in point]}
