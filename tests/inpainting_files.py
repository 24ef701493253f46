"""Small pictures of people, their regions, and new generators to fill them with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from anonbench.data.images import RGB, encode_image
from anonbench.data.masks import Bits, Mask
from anonbench.data.pictures import Picture, write_manifest
from anonbench.data.regions import Region, write_regions
from anonbench.training.inpainter import Inpainter, InpainterSettings, Styles, save_inpainter

SMALL = InpainterSettings("body", (24, 16), levels=2, width=4, z=5, style=6)


def disc(cy: int, cx: int, radius: int, height: int, width: int) -> Bits:
    rows, columns = np.mgrid[0:height, 0:width]
    return np.asarray((rows - cy) ** 2 + (columns - cx) ** 2 <= radius**2)


def body(pixels: Bits) -> Region:
    """The region of a mask, with key points down its middle."""
    ys, xs = np.nonzero(pixels)
    box = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
    points = tuple((float(xs.mean()), float(y), 2.0) for y in np.linspace(box[1], box[3], 17))
    return Region(box, "body", 1.0, "annotated", Mask.pack(pixels), points)


def scene(number: int, height: int = 60, width: int = 80) -> tuple[RGB, list[Region]]:
    """Two discs of one colour each on a striped ground: red above, blue below, shades drawn by the number."""
    rng = np.random.default_rng(number)
    image = np.full((height, width, 3), 120, np.uint8)
    image[::4] = 150
    regions = []
    for centre, colour in ((20, (210, 40, 40)), (58, (40, 40, 210))):
        pixels = disc(int(rng.integers(22, 38)), centre, int(rng.integers(9, 16)), height, width)
        image[pixels] = np.clip(np.array(colour) + rng.integers(-40, 41, 3), 0, 255).astype(np.uint8)
        regions.append(body(pixels))
    return image, regions


def write_scenes(folder: Path, count: int = 12) -> tuple[Path, Path, Path]:
    """Manifest, root and regions of so many scenes, the last quarter in split val."""
    root, pictures, regions = folder / "pictures", [], {}
    root.mkdir(parents=True)
    for number in range(count):
        image, found = scene(number)
        data = encode_image(image, ".png", 100)
        (root / f"{number:02d}.png").write_bytes(data)
        split = "train" if number < 3 * count // 4 else "val"
        pictures.append(Picture(f"{number:02d}.png", split, image.shape[1], image.shape[0], "0" * 64))
        regions[f"{number:02d}.png"] = found
    write_manifest(folder / "manifest.csv", pictures)
    write_regions(folder / "bodies.csv", regions)
    return folder / "manifest.csv", root, folder / "bodies.csv"


def write_new(path: Path, settings: InpainterSettings = SMALL, seed: int = 0) -> str:
    """The file of a generator that has learnt nothing."""
    torch.manual_seed(seed)
    network = Inpainter(settings)
    centres = network.mapping(torch.randn(4, settings.z)).detach()
    save_inpainter(path, network, Styles(centres.mean(dim=0), centres), {})
    return str(path)
