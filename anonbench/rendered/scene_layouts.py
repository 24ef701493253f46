"""Rendered street scenes as folders that look like COCO 2017, Cityscapes or BDD100K as their owners ship them.

    render_scenes(SceneSpec(layout="cityscapes", train=20, val=5), Path("data/rendered/mine"), workers=2)

    coco        train2017/*.jpg
                annotations/{instances,person_keypoints}_train2017.json
    cityscapes  leftImg8bit/train/<city>/*_leftImg8bit.png
                gtFine/train/<city>/*_gtFine_{instanceIds.png,labelIds.png,polygons.json}
    bdd100k     images/10k/train/*.jpg
                labels/ins_seg/bitmasks/train/*.png

Beside them lies `ground_truth/` with what the layouts do not say of every picture: faces and keypoints.

Sources: COCO's data format page; `labels.py` and `json2instanceImg.py` of cityscapesScripts; BDD100K's page on
bitmasks. Deviations: all of COCO's masks are run lengths, which its tools read too (a polygon cannot hold a mask with
holes and parts exactly); only the classes that are drawn are listed; Cityscapes' polygons are the outlines of the
largest visible parts, so its PNGs are the exact truth.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anonbench.core.files import atomic_folder
from anonbench.core.parallel import parallel_map
from anonbench.data.annotations import FILE as TRUTH
from anonbench.data.images import encode_image
from anonbench.data.masks import Mask
from anonbench.data.tables import write_csv
from anonbench.rendered.crowd import CrowdFace
from anonbench.rendered.geometry import Mask as Bits
from anonbench.rendered.street_scene import (
    PERSON,
    RIDER,
    SPLITS,
    SceneInstance,
    ScenePicture,
    SceneSpec,
    SceneStudio,
)
from anonbench.rendered.street_view import STUFF
from anonbench.rendered.truth import COCO_KEYPOINTS, Keypoint
from anonbench.rendered.wider import FACE_COLUMNS, face_rows

CHUNK = 8  # pictures that a process gets at once
KEYPOINTS = "ground_truth/keypoints.csv"
README = "ground_truth/README.txt"
KEYPOINT_COLUMNS = (
    "path", "category", "x0", "y0", "x1", "y1",
    *(f"{name}_{value}" for name in COCO_KEYPOINTS for value in ("x", "y", "v")),
)  # fmt: skip
Row = dict[str, Any]
Polygon = list[list[int]]  # [[x, y], …] through the centres of pixels


@dataclass(frozen=True)
class Written:
    """A picture that has been written.

    path: below the dataset's folder.
    rows: what the layout's common file of annotations says of it.
    """

    path: str
    rows: tuple[Row, ...]
    faces: tuple[CrowdFace, ...]
    people: tuple[SceneInstance, ...]


class Layout(ABC):
    """How one of the datasets arranges its files."""

    def __init__(self, spec: SceneSpec) -> None:
        self.spec = spec

    @abstractmethod
    def path(self, split: str, number: int) -> str:
        """Of picture `number` of a split, below the dataset's folder."""

    @abstractmethod
    def annotate(self, folder: Path, split: str, number: int, picture: ScenePicture) -> tuple[Row, ...]:
        """Write the annotation files that belong to one picture; returns what belongs into a common one."""

    def finish(self, folder: Path, written: dict[str, Sequence[Written]]) -> None:  # noqa: B027 - only COCO has one
        """Write the common files."""


class CocoLayout(Layout):
    """COCO 2017. Who rides is a person, as COCO's annotators did it."""

    CATEGORIES: ClassVar[dict[str, int]] = {PERSON: 1, "bicycle": 2, "car": 3, "motorcycle": 4, "bus": 6, "truck": 8}
    SKELETON = (
        (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9), (8, 10), (9, 11),
        (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
    )  # fmt: skip

    def path(self, split: str, number: int) -> str:
        return f"{split}2017/{self._id(split, number):012d}.jpg"

    def annotate(self, folder: Path, split: str, number: int, picture: ScenePicture) -> tuple[Row, ...]:
        return tuple(self._row(thing, self._id(split, number)) for thing in picture.instances)

    def finish(self, folder: Path, written: dict[str, Sequence[Written]]) -> None:
        (folder / "annotations").mkdir()
        first = 1
        for split, pictures in written.items():
            rows = [row for picture in pictures for row in picture.rows]
            rows = [{**row, "id": first + place} for place, row in enumerate(rows)]
            first += len(rows)
            head = {
                "info": {"description": "rendered by anonbench: shows nobody", "version": "1.0", "year": 2017},
                "licenses": [{"id": 1, "name": "rendered", "url": ""}],
                "images": [
                    {"id": self._id(split, number), "file_name": Path(picture.path).name, "license": 1,
                     "height": self.spec.height_px, "width": self.spec.width_px}
                    for number, picture in enumerate(pictures)
                ],
            }  # fmt: skip
            categories: list[Row] = [
                {"supercategory": "person" if name == PERSON else "vehicle", "id": number, "name": name}
                for name, number in self.CATEGORIES.items()
            ]
            person = {**categories[0], "keypoints": list(COCO_KEYPOINTS), "skeleton": [list(b) for b in self.SKELETON]}
            without = [{k: v for k, v in row.items() if k not in ("keypoints", "num_keypoints")} for row in rows]
            people = [row for row in rows if row["category_id"] == person["id"]]
            for name, listed, known in (
                ("instances", without, categories),
                ("person_keypoints", people, [person]),
            ):
                content = {**head, "annotations": listed, "categories": known}
                (folder / f"annotations/{name}_{split}2017.json").write_text(json.dumps(content), encoding="utf-8")

    def _id(self, split: str, number: int) -> int:
        """Of a picture; unlike Cityscapes, COCO numbers the pictures of all splits in one."""
        return 1 + number + (0 if split == "train" else self.spec.train)

    def _row(self, thing: SceneInstance, image: int) -> Row:
        x0, y0, x1, y1 = thing.box
        packed = Mask.pack(thing.mask)
        row: Row = {
            "image_id": image,
            "category_id": self.CATEGORIES[PERSON if thing.category == RIDER else thing.category],
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "area": int(thing.mask.sum()),
            "iscrowd": int(thing.crowd),
            "segmentation": {"size": [packed.height, packed.width], "counts": packed.counts},
        }
        if thing.category in (PERSON, RIDER):
            points = [_pixel(p) for p in thing.keypoints] or [[0, 0, 0]] * 17
            row["keypoints"] = [value for point in points for value in point]
            row["num_keypoints"] = sum(point[2] > 0 for point in points)
        return row


class CityscapesLayout(Layout):
    """Cityscapes: fine annotations, one city a split."""

    LABELS: ClassVar[dict[str, int]] = {
        PERSON: 24, RIDER: 25, "car": 26, "truck": 27, "bus": 28, "motorcycle": 32, "bicycle": 33, "sky": 23,
        "building": 11, "road": 7, "sidewalk": 8, "vegetation": 21, "pole": 17, "fence": 13, "static": 4,
    }  # fmt: skip
    CITIES: ClassVar[dict[str, str]] = {"train": "drawnburg", "val": "drawnstadt"}

    def path(self, split: str, number: int) -> str:
        return f"leftImg8bit/{split}/{self.CITIES[split]}/{self._name(split, number)}_leftImg8bit.png"

    def annotate(self, folder: Path, split: str, number: int, picture: ScenePicture) -> tuple[Row, ...]:
        ids = np.array([self.LABELS[name] for name in STUFF], np.uint16)[picture.stuff]
        labels = ids.astype(np.uint8)
        objects: list[Row] = [
            {"label": name, "polygon": polygon}
            for place, name in enumerate(STUFF)
            for polygon in _outlines(picture.stuff == place)
        ]
        counts: dict[str, int] = {}
        for thing in picture.instances:
            label = self.LABELS[thing.category]
            labels[thing.mask] = label
            ids[thing.mask] = label
            if not thing.crowd:
                count = counts.get(thing.category, 0)
                counts[thing.category] = count + 1
                ids[thing.mask] = label * 1000 + count
            name = f"{thing.category}group" if thing.crowd else thing.category
            largest = max(_outlines(thing.mask), key=_polygon_area)
            objects.append({"label": name, "polygon": largest})
        start = folder / "gtFine" / split / self.CITIES[split] / f"{self._name(split, number)}_gtFine_"
        start.parent.mkdir(parents=True, exist_ok=True)
        content = {"imgHeight": labels.shape[0], "imgWidth": labels.shape[1], "objects": objects}
        Path(f"{start}polygons.json").write_text(json.dumps(content), encoding="utf-8")
        for name, pixels in (("instanceIds", ids), ("labelIds", labels)):
            Path(f"{start}{name}.png").write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        return ()

    def _name(self, split: str, number: int) -> str:
        return f"{self.CITIES[split]}_{number:06d}_000019"


class Bdd100kLayout(Layout):
    """BDD100K, instance segmentation: 10k pictures with bitmasks."""

    CATEGORIES: ClassVar[dict[str, int]] = {
        PERSON: 1, RIDER: 2, "car": 3, "truck": 4, "bus": 5, "motorcycle": 7, "bicycle": 8
    }  # fmt: skip

    def path(self, split: str, number: int) -> str:
        return f"images/10k/{split}/{self._name(split, number)}.jpg"

    def annotate(self, folder: Path, split: str, number: int, picture: ScenePicture) -> tuple[Row, ...]:
        bits = np.zeros((*picture.stuff.shape, 4), np.uint8)
        for count, thing in enumerate(picture.instances, 1):
            flags = thing.truncated << 3 | thing.occluded << 2 | thing.crowd << 1
            bits[thing.mask] = (self.CATEGORIES[thing.category], flags, count >> 8, count & 255)
        target = folder / "labels/ins_seg/bitmasks" / split / f"{self._name(split, number)}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(bits).save(target)
        return ()

    def _name(self, split: str, number: int) -> str:
        return f"{number:08x}-{SPLITS.index(split):08x}"


LAYOUTS: dict[str, type[Layout]] = {"coco": CocoLayout, "cityscapes": CityscapesLayout, "bdd100k": Bdd100kLayout}


def render_scenes(spec: SceneSpec, output: Path, workers: int) -> None:
    """Draw the pictures of a spec into the new folder `output`, which appears when it is complete.

    Its bytes depend on the spec, not on the number of workers. Raises `DataError` when `output` exists with content or
    cannot be written.
    """
    layout = LAYOUTS[spec.layout](spec)
    with atomic_folder(output) as folder:
        written: dict[str, Sequence[Written]] = {
            split: parallel_map(
                open_studio, (spec, split, folder), range(spec.images(split)), workers, f"render {split}", CHUNK
            )
            for split in SPLITS
        }
        layout.finish(folder, written)
        everything = [picture for pictures in written.values() for picture in pictures]
        everything.sort(key=lambda picture: picture.path)
        write_csv(folder / TRUTH, FACE_COLUMNS, [row for p in everything for row in face_rows(p.path, p.faces)])
        write_csv(folder / KEYPOINTS, KEYPOINT_COLUMNS, _keypoint_rows(everything))
        (folder / README).write_text(_readme(spec), encoding="utf-8")


def open_studio(spec: SceneSpec, split: str, folder: Path) -> Callable[[int], Written]:
    """A function that draws picture `number` of a split, and writes it and its own annotation files below `folder`."""
    studio, layout = SceneStudio(spec, split), LAYOUTS[spec.layout](spec)

    def draw(number: int) -> Written:
        picture, path = studio.draw(number), layout.path(split, number)
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encode_image(picture.image, target.suffix, picture.jpeg_quality))
        rows = layout.annotate(folder, split, number, picture)
        people = tuple(thing for thing in picture.instances if thing.keypoints)
        return Written(path, rows, picture.faces, people)

    return draw


def _outlines(mask: Bits) -> list[Polygon]:
    """The outer outlines of a mask's parts as polygons; holes are filled."""
    outlines = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    polygons: list[Polygon] = []
    for outline in outlines:
        points: Polygon = outline[:, 0].tolist()
        polygons.append(points if len(points) > 2 else _corners(outline[:, 0]))
    return polygons


def _corners(points: NDArray[Any]) -> Polygon:
    """The four corners around a part that is a line or a single pixel."""
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]


def _polygon_area(polygon: Polygon) -> float:
    return float(cv2.contourArea(np.array(polygon, np.int32)))


def _pixel(point: Keypoint) -> list[float]:
    """x, y, v as COCO writes them: the middle of the first pixel is 0, and 0.5 for the renderer."""
    return [round(point.x - 0.5, 2), round(point.y - 0.5, 2), point.visibility]


def _keypoint_rows(pictures: Iterable[Written]) -> Iterable[list[object]]:
    for picture in pictures:
        for thing in picture.people:
            points = [v for p in thing.keypoints for v in (f"{p.x:.2f}", f"{p.y:.2f}", p.visibility)]
            yield [picture.path, thing.category, *thing.box, *points]


def _readme(spec: SceneSpec) -> str:
    settings = "\n".join(f"  {name}: {value}" for name, value in asdict(spec).items())
    return f"""These {spec.train} + {spec.val} street scenes are rendered by anonbench. They show nobody.

They check that a pipeline works; they are not evidence about real people.

annotations.csv  one row a face: x0, y0, x1, y1 of what shows of it (pixels, half-open; empty in a picture without
                 faces); visible (0: too little shows to be found); fraction (visible over frontal face area); view of
                 the head; skin_tone (0 lightest); occluded (1: something hides more than 5 % of it).
keypoints.csv    one row a person outside crowds: box of the visible pixels, COCO's 17 keypoints: x, y in pixels,
                 v = 0 outside the picture, 1 hidden, 2 visible.

Settings:
{settings}
"""
