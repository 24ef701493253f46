"""A small dataset of scenes, as the stages find it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from anonbench.data.images import sha256
from anonbench.data.instances import COCO_KEYPOINTS, Instance, Vocabulary, write_instances
from anonbench.data.masks import Mask
from anonbench.data.pictures import Picture, write_manifest, write_sidecars
from anonbench.data.regions import Box, Region, write_regions

HEIGHT, WIDTH = 48, 64
FIRST, SECOND = "val/a.png", "val/b.png"
PATHS = ("train/c.png", FIRST, SECOND)


def instance(number: int, box: Box, category: str = "person", **more: object) -> Instance:
    """Somebody, or something, that fills a box."""
    pixels = np.zeros((HEIGHT, WIDTH), bool)
    x0, y0, x1, y1 = box
    pixels[y0:y1, x0:x1] = True
    return Instance(number, category, box, Mask.pack(pixels), float(pixels.sum()), **more)  # type: ignore[arg-type]


@dataclass
class Scenes:
    """Three pictures of noise: one with two people, a rider and a group, one with an ignored person, one empty."""

    folder: Path
    keypoints: tuple[str, ...] = COCO_KEYPOINTS
    instances: dict[str, list[Instance]] = field(
        default_factory=lambda: {
            "train/c.png": [],
            FIRST: [
                instance(1, (4, 4, 16, 40)), instance(2, (20, 4, 32, 40)), instance(3, (50, 0, 64, 30), "rider"),
                instance(4, (34, 6, 46, 20), crowd=True),
            ],
            SECOND: [instance(5, (10, 10, 20, 40), ignore=True), instance(6, (40, 10, 52, 44))],
        }
    )  # fmt: skip

    def __post_init__(self) -> None:
        pictures = []
        for number, path in enumerate(PATHS):
            pixels = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(self.root / path)
            digest = sha256((self.root / path).read_bytes())
            pictures.append(Picture(path, path.partition("/")[0], WIDTH, HEIGHT, digest))
        write_manifest(self.manifest, pictures)
        write_sidecars(self.sidecars, [])
        vocabulary = Vocabulary(("person", "rider", "car"), self.keypoints)
        write_instances(self.file, vocabulary, sorted(self.instances.items()))

    @property
    def root(self) -> Path:
        return self.folder / "raw"

    @property
    def manifest(self) -> Path:
        return self.folder / "original.csv"

    @property
    def sidecars(self) -> Path:
        return self.folder / "sidecars.csv"

    @property
    def file(self) -> Path:
        return self.folder / "scenes.jsonl"

    def write_faces(self, file: Path) -> None:
        """What a detector finds: a face of the first person, one of the group, and one on a wall."""
        faces = [Region((6, 5, 14, 14), score=0.9), Region((37, 7, 43, 14), score=0.8), Region((60, 40, 64, 46))]
        write_regions(file, {path: faces if path == FIRST else [] for path in PATHS})
