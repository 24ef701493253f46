"""How many images a dataset has: counted, drawn by its settings, or as the paper prints it."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PUBLISHED_SIZES = Path(__file__).parents[3] / "config" / "published" / "table2.csv"
MANIFEST, TABLE_2, RENDERED, UNKNOWN = "manifest", "Table II", "rendering settings", "unknown"
TABLE_2_TRAIN = "Table II for training alone"


@dataclass(frozen=True)
class DatasetSize:
    """Images of a dataset.

    train, test: numbers of images; test = query + gallery. pixels: mean of an image, None when unknown.
    source: MANIFEST, RENDERED, TABLE_2 or TABLE_2_TRAIN.
    """

    train: int
    test: int
    pixels: float | None
    source: str

    @property
    def images(self) -> int:
        return self.train + self.test


def entry_of(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The config entry of a dataset, or of pictures for face detectors: no name stands for both."""
    entry: Mapping[str, Any] = config["datasets"].get(name) or config["face_images"][name]
    return entry


def dataset_size(
    name: str, entry: Mapping[str, Any], results: Path, published: Path = PUBLISHED_SIZES
) -> DatasetSize | None:
    """How many images a dataset has: counted in its manifest, drawn by its settings, or as Table II prints them.

    entry: the dataset's config entry. results: the folder of results, where the manifest may be.
    Table II swaps CUHK03's query and gallery, which does not matter: only their sum is used. It counts a part of
    Airport that cannot be had; without a split file all images that are not for training stand in the test set.
    None when nothing tells.
    """
    manifest = results / "manifests" / name / "original.csv"
    if manifest.is_file():
        return _size_of_manifest(manifest)
    if "validation" in entry.get("render", {}):  # pictures for face detectors, of which those for testing are looked at
        from anonbench.stages.render_faces import read_crowd

        crowd, validation = read_crowd(entry["render"])
        return DatasetSize(0, validation, float(crowd.height_px * crowd.width_px), RENDERED)
    if "render" in entry:
        return _size_of_rendering(entry["render"])
    if "published_as" in entry and published.is_file():
        from anonbench.datasets.airport import PUBLISHED_IMAGES

        with published.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["data"] == entry["published_as"]:
                    train, test = int(row["train_images"]), int(row["query_images"]) + int(row["gallery_images"])
                    if entry["format"] == "airport" and not entry.get("split_file"):
                        return DatasetSize(train, PUBLISHED_IMAGES - train, None, TABLE_2_TRAIN)
                    return DatasetSize(train, test, None, TABLE_2)
    return None


def _size_of_manifest(path: Path) -> DatasetSize:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    train = sum(row["split"] == "train" for row in rows)
    pixels = statistics.fmean(int(row["width"]) * int(row["height"]) for row in rows)
    return DatasetSize(train, len(rows) - train, pixels, MANIFEST)


def _size_of_rendering(settings: Mapping[str, Any]) -> DatasetSize:
    """A rendered dataset, of which people numbered below `train_identities` are the training half."""
    from anonbench.rendered.plan import plan_crops
    from anonbench.stages.render import read_spec

    spec = read_spec(settings)
    crops = plan_crops(spec)
    train = sum(crop.person is not None and crop.person < spec.train_identities for crop in crops)
    return DatasetSize(train, len(crops) - train, float(spec.height_px * spec.width_px), RENDERED)
