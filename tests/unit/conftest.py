"""A small dataset with detections, as the stages find them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from dataset_writers import write_image

from anonbench.data.regions import Region, write_regions
from anonbench.stages.index import index

HEIGHT, WIDTH = 48, 24


@dataclass(frozen=True)
class Dataset:
    """A dataset in the `folder` format: every third image shows two faces, every third one, the rest none."""

    root: Path
    results: Path
    paths: list[str]
    boxes: dict[str, list[Region]]

    @property
    def manifest(self) -> Path:
        return self.results / "original.csv"

    @property
    def sidecars(self) -> Path:
        return self.results / "sidecars.csv"

    @property
    def detections(self) -> Path:
        return self.results / "detections.csv"


def tree_hash(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder by its relative path."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture
def hashes() -> Callable[[Path], dict[str, str]]:
    return tree_hash


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Dataset]:
    """Writes a dataset of images of one format and runs the index on it."""

    def make(suffix: str = ".png", count: int = 9) -> Dataset:
        root, results = tmp_path / "raw", tmp_path / "results"
        splits = ("train", "query", "gallery")
        paths = [f"cam{n % 2}/{splits[n % 3]}_{n:03d}{suffix}" for n in range(count)]
        rows = [f"{p},{1 + n % 2 if n % 3 == 0 else 3},{n % 2},{splits[n % 3]}" for n, p in enumerate(paths)]
        for n, path in enumerate(paths):
            write_image(root / path, n, WIDTH, HEIGHT)
        (root / "images.csv").write_text("\n".join(["path,pid,camid,split", *rows]) + "\n")
        (root / "notes").mkdir()
        (root / "notes/readme.txt").write_text("mine\n")
        write_image(root / f"cam0/not_listed{suffix}", 999, WIDTH, HEIGHT)
        dataset = Dataset(root, results, sorted(paths), {})
        entry = {"format": "folder", "root": str(root)}
        index(root, entry, dataset.manifest, results / "dropped.csv", dataset.sidecars, results / "splits.csv")
        faces = [
            [Region((5.2, 4, 13, 16.5), score=0.9), Region((14, 30, 40, 60), score=0.4)],
            [Region((-3, -2, 9, 8), score=0.8)],
            [],
        ]
        dataset.boxes.update({p: faces[n % 3] for n, p in enumerate(dataset.paths)})
        write_regions(dataset.detections, dataset.boxes)
        return dataset

    return make
