"""Tiny scene datasets in the three native layouts, all of the same drawn truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from anonbench.data.instances import COCO_KEYPOINTS
from anonbench.data.masks import Mask
from anonbench.datasets import bdd100k, cityscapes

WIDTH, HEIGHT = 40, 24
COCO_IDS = {"person": 1, "bicycle": 2, "car": 3, "toothbrush": 90}  # with gaps, as COCO has them


@dataclass(frozen=True)
class Thing:
    """x0, y0, x1, y1 of a rectangle, the class, and whether it is a crowd or not scored."""

    box: tuple[int, int, int, int]
    category: str = "person"
    crowd: bool = False
    ignore: bool = False

    @property
    def pixels(self) -> np.ndarray:
        found = np.zeros((HEIGHT, WIDTH), bool)
        x0, y0, x1, y1 = self.box
        found[y0:y1, x0:x1] = True
        return found


THINGS = (
    Thing((2, 3, 8, 20)),
    Thing((10, 0, 16, 24)),
    Thing((18, 5, 39, 15), "car"),
    Thing((30, 16, 40, 24), crowd=True),
)
PICTURES = [("train", 1, THINGS), ("train", 2, ()), ("train", 3, THINGS[:1]), ("val", 4, THINGS[1:]), ("val", 5, ())]
"""Split, number and things of each picture; no two things of a picture overlap."""


def write_picture(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def write_labels(path: Path, labels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(path)


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


# --- COCO ---


def polygon(box: Sequence[float]) -> list[float]:
    x0, y0, x1, y1 = box
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def coco_annotation(number: int, image: int, thing: Thing, **changes: Any) -> dict[str, Any]:
    """As COCO writes it: polygons for one, run lengths for a crowd."""
    x0, y0, x1, y1 = thing.box
    flat = thing.pixels.ravel(order="F")
    runs = np.diff(np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1], [True]]))).tolist()
    counts = [0, *runs] if flat[0] else runs
    row = {
        "id": number,
        "image_id": image,
        "category_id": COCO_IDS[thing.category],
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": float((x1 - x0) * (y1 - y0)),
        "iscrowd": int(thing.crowd),
        "segmentation": {"size": [HEIGHT, WIDTH], "counts": counts} if thing.crowd else [polygon(thing.box)],
    }
    return {key: value for key, value in (row | changes).items() if value is not None}


def coco_file(
    split: str, annotations: Sequence[dict[str, Any]] | None = None, keypoints: bool = False
) -> dict[str, Any]:
    """The content of an annotation file; the number of an annotation is ten times that of its picture, and on."""
    rows = [
        coco_annotation(10 * number + n, number, thing)
        for where, number, things in PICTURES
        if where == split
        for n, thing in enumerate(things)
    ]
    if keypoints:
        rows = [row | _points(row) for row in rows if row["category_id"] == COCO_IDS["person"]]
    images = [
        {"id": number, "file_name": f"{number:012d}.jpg", "width": WIDTH, "height": HEIGHT}
        for where, number, _ in PICTURES
        if where == split
    ]
    categories = [{"id": number, "name": name} for name, number in COCO_IDS.items()]
    if keypoints:
        categories = [{"id": 1, "name": "person", "keypoints": list(COCO_KEYPOINTS), "skeleton": [[1, 2]]}]
    return {
        "info": {"year": 2017},
        "images": images,
        "annotations": rows if annotations is None else list(annotations),
        "categories": categories,
    }


def _points(row: dict[str, Any]) -> dict[str, Any]:
    """All points of a person visible or hidden in turn; of a crowd none."""
    x, y, *_ = row["bbox"]
    seen = [0 if row["iscrowd"] else 1 + n % 2 for n in range(17)]
    points = [value for n in range(17) for value in ((x + n / 4, y + n / 4, seen[n]) if seen[n] else (0, 0, 0))]
    return {"keypoints": points, "num_keypoints": sum(s > 0 for s in seen)}


def write_coco(root: Path) -> None:
    for split, number, _ in PICTURES:
        write_picture(root / f"{split}2017/{number:012d}.jpg", number)
    for split in ("train", "val"):
        write_json(root / f"annotations/instances_{split}2017.json", coco_file(split))
        write_json(root / f"annotations/person_keypoints_{split}2017.json", coco_file(split, keypoints=True))
    write_picture(root / "test2017/000000000009.jpg")
    write_picture(root / "stray.jpg")
    (root / "val2017.zip").write_bytes(b"PK")


# --- Cityscapes ---


def cityscapes_ids(things: Sequence[Thing], frame: int = 3) -> np.ndarray:
    """(H, W) uint16: sky and a void frame around, instances from number 0 on in each class, groups as their class."""
    ids = np.full((HEIGHT, WIDTH), 23, np.uint16)
    ids[:1] = frame
    number_of = {name: number for number, name in cityscapes.CLASSES.items()} | {"caravan": 29, "trailer": 30}
    seen: dict[str, int] = {}
    for thing in things:
        value = number_of[thing.category]
        if not thing.crowd:
            value = value * 1000 + seen.get(thing.category, 0)
            seen[thing.category] = seen.get(thing.category, 0) + 1
        ids[thing.pixels] = value
    return ids


def write_cityscapes(root: Path) -> None:
    for split, number, things in PICTURES:
        frame = f"{split}/ulm/ulm_000000_{number:06d}"
        write_picture(root / f"leftImg8bit/{frame}_leftImg8bit.png", number)
        ids = cityscapes_ids(things)
        write_labels(root / f"gtFine/{frame}_gtFine_instanceIds.png", ids)
        write_labels(
            root / f"gtFine/{frame}_gtFine_labelIds.png", np.where(ids < 1000, ids, ids // 1000).astype(np.uint8)
        )
        write_picture(root / f"gtFine/{frame}_gtFine_color.png")
        write_json(
            root / f"gtFine/{frame}_gtFine_polygons.json", {"imgHeight": HEIGHT, "imgWidth": WIDTH, "objects": []}
        )
    write_picture(root / "leftImg8bit/test/berlin/berlin_000000_000001_leftImg8bit.png")
    (root / "license.txt").write_text("Cityscapes\n")


# --- BDD100K ---


def bdd100k_bitmask(things: Sequence[Thing]) -> np.ndarray:
    """(H, W, 4) uint8; the first thing is occluded and truncated, and the numbers of instances need two bytes."""
    number_of = {name: number for number, name in bdd100k.CLASSES.items()}
    channels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    for n, thing in enumerate(things):
        instance = 250 + 10 * n
        attributes = (12 if n == 0 else 0) + 2 * thing.crowd + thing.ignore
        channels[thing.pixels] = number_of[thing.category], attributes, instance >> 8, instance & 255
    return channels


def bdd100k_frame(number: int, things: Sequence[Thing]) -> dict[str, Any]:
    """A frame of the files of run lengths."""
    labels = []
    for n, thing in enumerate(things):
        rle = {"size": [HEIGHT, WIDTH], "counts": Mask.pack(thing.pixels).counts}
        attributes = {"crowd": thing.crowd, "ignored": thing.ignore, "occluded": False}
        name = "pedestrian" if thing.category == "person" else thing.category
        labels.append({"id": str(n), "category": name, "attributes": attributes, "rle": rle})
    return {"name": f"0000000d-{number}.jpg", "labels": labels}


def write_bdd100k(root: Path, form: str = "bitmasks") -> None:
    for split, number, things in PICTURES:
        write_picture(root / f"images/10k/{split}/0000000d-{number}.jpg", number)
        if form == "bitmasks":
            write_labels(root / f"labels/ins_seg/bitmasks/{split}/0000000d-{number}.png", bdd100k_bitmask(things))
        write_picture(root / f"labels/ins_seg/colormaps/{split}/0000000d-{number}.png")
    for split in ("train", "val"):
        frames = [bdd100k_frame(number, things) for where, number, things in PICTURES if where == split]
        name = "rles/ins_seg" if form == "rles" else "polygons/ins_seg"
        write_json(root / f"labels/ins_seg/{name}_{split}.json", frames if split == "val" else {"frames": frames})
    write_picture(root / "images/10k/test/0000000d-9.jpg")
    write_picture(root / "images/100k/train/0000000e-1.jpg")
