"""Instances: who and what stands where in the pictures of a scene dataset, in one form for every dataset's layout.

A file of instances is JSON lines. The first line says what there is, then one line a picture, sorted by path:

    {"categories": ["person", "car"], "keypoints": ["nose", …]}
    {"path": "val2017/000000000139.jpg", "instances": [{"category": "person", "box": [x0, y0, x1, y1], …}, …]}

A line ends with `"void": mask` where a dataset has pixels in which no class is scored, as Cityscapes has.

    scenes = InstanceFile(Path("results/instances/coco.jsonl"))
    scenes.categories                       # ("person", "car")
    scenes.of("val2017/000000000139.jpg")   # [Instance(...), ...]

Only the place of each line is kept in memory: a job reads the pictures that it needs.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from anonbench.core.errors import DataError
from anonbench.core.files import atomic_file
from anonbench.data.masks import Mask
from anonbench.data.regions import Keypoints

Parsed = TypeVar("Parsed")
DECIMALS = 3  # of corners, areas and points in the file
PERSON = "person"  # what every layout's adapter calls the people who walk or stand

COCO_KEYPOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Instance:
    """A person or a thing in a picture, or a group of them.

    number: of the annotation in its dataset, >= 1; no two of a dataset share one.
    category: name of its class.
    box: x0, y0, x1, y1 in pixels of the picture, half-open, with fractions where the dataset has them.
    mask: its pixels; None where the dataset has none for it.
    area: in square pixels, as the dataset counts it: evaluations go by it.
    crowd: a group that nobody took apart.
    ignore: the dataset does not score it: finding it is neither right nor wrong.
    keypoints: x, y and visibility (COCO's: 0 unknown, 1 hidden, 2 visible) of each; None where it has none. x and y
        count pixels: 0 is the middle of the first one, where boxes count its edge.
    """

    number: int
    category: str
    box: tuple[float, float, float, float]
    mask: Mask | None
    area: float
    crowd: bool = False
    ignore: bool = False
    keypoints: Keypoints | None = None


Scene = tuple[str, Sequence[Instance], Mask | None]
"""The path of a picture, its instances, and the pixels of which a dataset scores no class; None for none."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the instances of a dataset can be.

    categories: names of the classes in the dataset's order; class k of a network is categories[k - 1].
    keypoints: names of the points of a person; () where the dataset has none.
    """

    categories: tuple[str, ...]
    keypoints: tuple[str, ...] = ()

    @property
    def mirrored(self) -> list[int]:
        """Of each keypoint the one that takes its place when a picture is mirrored: left_eye and right_eye."""
        other = {"left": "right", "right": "left"}
        names = {name: number for number, name in enumerate(self.keypoints)}
        swapped = [
            f"{other[side]}_{rest}" if (side := name.partition("_")[0]) in other and (rest := name.partition("_")[2])
            else name
            for name in self.keypoints
        ]  # fmt: skip
        return [names[name] for name in swapped]


def write_instances(
    path: Path, vocabulary: Vocabulary, pictures: Iterable[Scene | tuple[str, Sequence[Instance]]]
) -> dict[str, int]:
    """Write a file of instances; pictures may come one by one, sorted by path. Returns instances by category.

    pictures: the path and the instances of each; a third element is its void (`InstanceFile.void`).
    Raises ValueError for a picture out of order or a class that the vocabulary does not have.
    """
    counts = dict.fromkeys(vocabulary.categories, 0)
    last = ""
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        header = {"categories": vocabulary.categories, "keypoints": vocabulary.keypoints}
        file.write(json.dumps(header, ensure_ascii=False) + "\n")
        for picture, instances, *more in pictures:
            if last and picture <= last:
                raise ValueError(f"{picture} comes after {last}; expected pictures sorted by path, each once")
            last = picture
            for instance in instances:
                if instance.category not in counts:
                    raise ValueError(f"{picture}: '{instance.category}' is no category of {list(counts)}")
                counts[instance.category] += 1
            row: dict[str, Any] = {"path": picture, "instances": [_as_json(instance) for instance in instances]}
            if more and more[0] is not None:
                row["void"] = str(more[0])
            file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
    return counts


class InstanceFile:
    """A file of instances, read a picture at a time.

    Raises `DataError` where the file is missing, damaged, or does not have what is asked for.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self._header = json.loads(file.readline())
                self.vocabulary = Vocabulary(tuple(self._header["categories"]), tuple(self._header["keypoints"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path}: no file of instances ({error}). Make it again: anonbench index-instances"
            ) from None

    @property
    def categories(self) -> tuple[str, ...]:
        return self.vocabulary.categories

    @property
    def paths(self) -> list[str]:
        """The pictures, sorted."""
        return list(self._places)

    def of(self, picture: str) -> list[Instance]:
        """The instances of a picture, in the file's order; [] for one without. `DataError` for one not in the file."""
        return self._read(picture, lambda row: [_from_json(instance) for instance in row["instances"]])

    def void(self, picture: str) -> Mask | None:
        """The pixels of a picture that its dataset scores for no class; None for none. `DataError` as `of`."""
        return self._read(picture, lambda row: Mask.parse(row["void"]) if "void" in row else None)

    def _read(self, picture: str, parse: Callable[[dict[str, Any]], Parsed]) -> Parsed:
        if picture not in self._places:
            raise DataError(f"{self.path}: does not list {picture}. Make it again: anonbench index-instances")
        with self.path.open("rb") as file:
            file.seek(self._places[picture])
            line = file.readline()
        try:
            return parse(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{self.path}: the line of {picture} cannot be read ({error}). Make the file again."
            ) from None

    @cached_property
    def _places(self) -> dict[str, int]:
        """Where the line of each picture begins. The path comes first in a line, so that nothing else is parsed."""
        places: dict[str, int] = {}
        start = b'{"path":'
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            at = content.find(b"\n") + 1
            while at < len(content):
                end = content.find(b',"instances":', at)
                if content[at : at + len(start)] != start or end < 0:
                    raise DataError(
                        f"{self.path}: byte {at} begins no picture. Make it again: anonbench index-instances"
                    )
                places[json.loads(content[at + len(start) : end])] = at
                line_end = content.find(b"\n", at)
                at = len(content) if line_end < 0 else line_end + 1
        return places


def _as_json(instance: Instance) -> dict[str, Any]:
    row: dict[str, Any] = {
        "number": instance.number,
        "category": instance.category,
        "box": [round(corner, DECIMALS) for corner in instance.box],
        "area": round(instance.area, DECIMALS),
        "mask": None if instance.mask is None else str(instance.mask),
    }
    if instance.crowd:
        row["crowd"] = True
    if instance.ignore:
        row["ignore"] = True
    if instance.keypoints is not None:
        row["keypoints"] = [[round(x, DECIMALS), round(y, DECIMALS), int(seen)] for x, y, seen in instance.keypoints]
    return row


def _from_json(row: dict[str, Any]) -> Instance:
    x0, y0, x1, y1 = row["box"]
    points = row.get("keypoints")
    return Instance(
        number=row["number"],
        category=row["category"],
        box=(x0, y0, x1, y1),
        mask=None if row["mask"] is None else Mask.parse(row["mask"]),
        area=row["area"],
        crowd=row.get("crowd", False),
        ignore=row.get("ignore", False),
        keypoints=None if points is None else tuple((x, y, seen) for x, y, seen in points),
    )
