"""How many images a dataset has: counted, listed in its folder, drawn by its settings, or as a paper prints it."""

from __future__ import annotations

import contextlib
import csv
import importlib
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from anonbench.data.entries import SCENE_FORMATS
from anonbench.data.images import UNREADABLE

PUBLISHED = Path(__file__).parents[3] / "config" / "published"
MANIFEST, RENDERED, TABLE_2 = "counted here", "from the rendering settings", "assumed as in Table II"
LISTED = "listed in its folder"
COUNTED = "as its authors count them"
SCENE_PIXELS = {"coco": 640 * 640, "cityscapes": 2048 * 1024, "bdd100k": 1280 * 720}  # COCO's: the most that it can be
SAMPLED = 200  # images of which the size is looked up before a dataset is indexed
TABLE_2_TRAIN = f"{TABLE_2} for training, all others in the test set"


@dataclass(frozen=True)
class DatasetSize:
    """Images of a dataset: for training, and the rest (query and gallery).

    pixels: mean of an image, None: unknown.
    largest: pixels of the largest image, None: unknown.
    """

    train: int
    test: int
    pixels: float | None
    source: str
    largest: float | None = None

    @property
    def images(self) -> int:
        return self.train + self.test


UNKNOWN = DatasetSize(33_000, 94_000, None, "UNKNOWN, counted like MSMT17's 127,000")  # rather too much than too little


def dataset_size(name: str, entry: Mapping[str, Any], results: Path) -> DatasetSize:
    """How many images a dataset (or pictures for face detectors) has; `UNKNOWN` when nothing tells.

    entry: of the config.
    results: the folder of results, where its manifest may be.
    """
    manifest = results / "manifests" / name / "original.csv"
    if manifest.is_file():
        with manifest.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        train = sum(row["split"] == "train" for row in rows)
        pixels = [int(row["width"]) * int(row["height"]) for row in rows]
        return DatasetSize(train, len(rows) - train, statistics.fmean(pixels), MANIFEST, max(pixels))
    if "render" in entry:
        return _of_scenes(entry["render"]) if entry.get("format") in SCENE_FORMATS else _of_rendering(entry["render"])
    if listed := _of_folder(entry):
        return listed
    if entry.get("format") in SCENE_FORMATS and entry.get("expect", "published") == "published":
        return _of_scene_counts(entry["format"])
    for table in PUBLISHED.rglob("table2.csv"):
        with table.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["data"] == entry.get("published_as"):
                    return _of_table_2(row, entry)
    return UNKNOWN


def _of_scene_counts(name: str) -> DatasetSize:
    """Of a dataset of scenes whose published counts are demanded, without a look."""
    counts = importlib.import_module(f"anonbench.datasets.{name}").PUBLISHED
    pixels = float(SCENE_PIXELS[name])
    return DatasetSize(counts["train"].images, counts["val"].images, pixels, COUNTED, pixels)


def _of_folder(entry: Mapping[str, Any]) -> DatasetSize | None:
    """Of a real dataset that is there, as its adapter lists it: the rows of a CSV, the names of files.

    Where the published counts are demanded they are known without a look. None for what cannot be listed: the job
    `index` says why.
    """
    from anonbench.stages.index import list_images

    if entry.get("expect") == "published" or not {"format", "root"} <= entry.keys() or not Path(entry["root"]).is_dir():
        return None
    try:
        images = list_images(Path(entry["root"]), entry).images
    except Exception:  # of somebody's adapter: a missing estimate must not stop a run
        return None
    train = sum(image.split == "train" for image in images)
    pixels = _sampled_pixels([Path(entry["root"], image.path) for image in images])
    mean, largest = (statistics.fmean(pixels), max(pixels)) if pixels else (None, None)
    return DatasetSize(train, len(images) - train, mean, LISTED, largest)


def _sampled_pixels(files: Sequence[Path]) -> list[int]:
    """Pixels of up to `SAMPLED` images, spread evenly, as their headers say; those that cannot be read are left out."""
    pixels = []
    for file in files[:: max(1, len(files) // SAMPLED)]:
        with contextlib.suppress(*UNREADABLE, Image.DecompressionBombError), Image.open(file) as image:
            pixels.append(image.width * image.height)
    return pixels


def _of_rendering(settings: Mapping[str, Any]) -> DatasetSize:
    """Of people drawn: those numbered below `train_identities` are for training. Of crowds: those looked at later."""
    if "validation" in settings:
        pixels = float(settings.get("height_px", 384) * settings.get("width_px", 384))
        return DatasetSize(0, settings["validation"], pixels, RENDERED, pixels)
    from anonbench.rendered.plan import plan_crops
    from anonbench.stages.render import read_spec

    spec = read_spec(settings)
    crops = plan_crops(spec)
    train = sum(crop.person is not None and crop.person < spec.train_identities for crop in crops)
    return DatasetSize(train, len(crops) - train, float(spec.height_px * spec.width_px), RENDERED)


def _of_scenes(settings: Mapping[str, Any]) -> DatasetSize:
    from anonbench.stages.render_scenes import read_scene

    spec = read_scene(settings)
    pixels = float(spec.height_px * spec.width_px)
    return DatasetSize(spec.train, spec.val, pixels, RENDERED, pixels)


def _of_table_2(row: Mapping[str, str], entry: Mapping[str, Any]) -> DatasetSize:
    """Study 1's table swaps CUHK03's query and gallery, of which only the sum is used here. It counts a part of Airport
    that cannot be had: without a split file all images that are not for training are in the test set."""
    train, test = int(row["train_images"]), int(row["query_images"]) + int(row["gallery_images"])
    if entry["format"] != "airport" or entry.get("split_file"):
        return DatasetSize(train, test, None, TABLE_2)
    from anonbench.datasets.airport import PUBLISHED_IMAGES

    return DatasetSize(train, PUBLISHED_IMAGES - train, None, TABLE_2_TRAIN)
