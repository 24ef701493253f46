"""A dataset of scenes that a tiny network learns in seconds: red people and blue cars, all rectangles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from anonbench.data.images import sha256
from anonbench.data.instances import COCO_KEYPOINTS, Instance, Vocabulary, write_instances
from anonbench.data.masks import Mask
from anonbench.data.pictures import Picture, write_manifest

SIDE = 64
COLOURS = {"person": (230, 80, 60), "car": (60, 90, 230)}
TINY = {
    "backbone": "resnet10", "channels": 32, "first_stride": 8, "anchor_sizes": [12, 22, 40, 64], "proposals": 50,
    "proposal_samples": 64, "box_samples": 32, "hidden": 64, "short_side": SIDE, "long_side": SIDE, "detections": 10,
}  # fmt: skip
"""The smallest network that learns them."""


@dataclass(frozen=True)
class Scenes:
    root: Path
    manifest: Path
    instances: Path
    listed: dict[str, list[Instance]]


def write_scenes(folder: Path, train: int = 24, val: int = 8) -> Scenes:
    """Pictures of one to three rectangles on noise."""
    rng = np.random.default_rng(0)
    rows, listed = [], {}
    for number in range(train + val):
        split = "train" if number < train else "val"
        path = f"{split}/{number:03}.png"
        pixels, listed[path] = _draw(number, rng)
        (folder / split).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / path)
        rows.append(Picture(path, split, SIDE, SIDE, sha256((folder / path).read_bytes())))
    scenes = Scenes(folder, folder / "manifest.csv", folder / "instances.jsonl", listed)
    write_instances(scenes.instances, Vocabulary(tuple(COLOURS), COCO_KEYPOINTS), sorted(listed.items()))
    write_manifest(scenes.manifest, rows)
    return scenes


def _draw(number: int, rng: np.random.Generator) -> tuple[np.ndarray, list[Instance]]:
    pixels = rng.integers(0, 90, (SIDE, SIDE, 3)).astype(np.uint8)
    taken, found = np.zeros((SIDE, SIDE), bool), []
    for _ in range(rng.integers(1, 4)):
        width, height = rng.integers(18, 27, 2)
        x, y = int(rng.integers(0, SIDE - width)), int(rng.integers(0, SIDE - height))
        mask = np.zeros((SIDE, SIDE), bool)
        mask[y : y + height, x : x + width] = True
        if (mask & taken).any():
            continue
        taken |= mask
        category = list(COLOURS)[rng.integers(2)]
        pixels[mask] = COLOURS[category]
        box = (float(x), float(y), float(x + width), float(y + height))
        points = tuple((x + width * (n + 0.5) / 17, y + height * (n + 0.5) / 17, 2) for n in range(17))
        found.append(
            Instance(
                10 * number + len(found) + 1, category, box, Mask.pack(mask), float(width * height),
                keypoints=points if category == "person" else None,
            )
        )  # fmt: skip
    return pixels, found
