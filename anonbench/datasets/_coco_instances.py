"""COCO's annotation files: instances of all classes, keypoints of people."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anonbench.core.errors import DataError
from anonbench.core.progress import ProgressBar
from anonbench.data.instances import Instance, Scene, Vocabulary
from anonbench.data.pictures import Picture
from anonbench.data.regions import Keypoints
from anonbench.data.tables import raise_all
from anonbench.datasets._instances import area_of, box_of
from anonbench.datasets._json_lists import JsonLists
from anonbench.datasets._run_lengths import mask_of

INSTANCES, KEYPOINTS = "instances", "person_keypoints"  # kinds of annotation files


def file_of(root: Path, kind: str, split: str) -> Path:
    """An annotation file; kind: `INSTANCES` or `KEYPOINTS`."""
    return root / "annotations" / f"{kind}_{split}2017.json"


class _Image(NamedTuple):
    """A picture that a file lists; width and height are None where it does not say."""

    number: int
    width: int | None
    height: int | None


@dataclass
class _Annotations:
    """What a split's files say, with the places of annotations instead of the annotations.

    images: by the name of the file.
    categories: number -> name.
    places: number of a picture -> where its annotations are.
    numbers: of the annotations, as the file has them.
    points: number of an annotation -> its keypoints (17, 3); None where there is no file of keypoints.
    names: of the keypoints.
    """

    lists: JsonLists
    images: dict[str, _Image] = field(default_factory=dict)
    categories: dict[int, str] = field(default_factory=dict)
    places: dict[int, list[int]] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)
    points: dict[int, NDArray[np.float32]] | None = None
    names: tuple[str, ...] = ()


def read_instances(root: Path, pictures: Sequence[Picture], threads: int) -> tuple[Vocabulary, Iterable[Scene]]:
    """The instances of all classes, crowds included, and the keypoints of people where their file is there.

    - Classes keep COCO's order; its numbers have gaps.
    - `area` is COCO's, or the pixels of the mask where it has none. A box is COCO's too, and may have no width.
    - Of a person of whom no keypoint is visible or hidden all are 0. Classes that have no keypoints have None.
    - Numbers are those of COCO where no two of the dataset agree and each is 1 or more. Otherwise all are given anew.
    - Pictures that the manifest does not have are passed over and counted.

    Raises `DataError` for files that are missing, cut off or contradict each other, and for annotations of unknown
    pictures or classes, without a mask, with one of another size, or with numbers that are none.
    """
    splits = sorted({picture.split for picture in pictures})
    annotations = {split: _read_annotations(root, split) for split in splits}
    _demand_agreement(annotations)
    raise_all([fault for p in pictures if (fault := _fault_of(annotations[p.split], p))])
    first = annotations[splits[0]]
    classes = tuple(first.categories[number] for number in sorted(first.categories))
    numbers = [number for split in splits for number in annotations[split].numbers]
    renumber = len(set(numbers)) < len(numbers) or min(numbers, default=1) < 1
    _say(annotations, pictures, renumber)
    return Vocabulary(classes, first.names), _scenes(annotations, pictures, renumber)


def _read_annotations(root: Path, split: str) -> _Annotations:
    file = file_of(root, INSTANCES, split)
    if not file.is_file():
        raise DataError(f"{file}: missing; expected COCO's annotations of {split}2017. Unpack them again.")
    found = _Annotations(JsonLists(file))
    for key, place, row in found.lists.rows("images", "categories", "annotations"):
        where = found.lists.where(place)
        if key == "images":
            name = _name(row, where)
            if name in found.images:
                raise DataError(f"{where}: {name} is listed a second time; expected each picture once.")
            found.images[name] = _Image(_whole(row, "id", where), row.get("width"), row.get("height"))
        elif key == "categories":
            found.categories[_whole(row, "id", where)] = str(row.get("name"))
        else:
            found.places.setdefault(_whole(row, "image_id", where), []).append(place)
            found.numbers.append(_whole(row, "id", where))
    if not found.categories or len(set(found.categories.values())) < len(found.categories):
        raise DataError(
            f"{file}: has the classes {list(found.categories.values())!r:.80}; expected at least one, each once."
        )
    pictures = {image.number for image in found.images.values()}
    if len(pictures) < len(found.images):
        raise DataError(
            f"{file}: {len(found.images) - len(pictures)} pictures have the number of another, so whose annotations "
            f"are whose cannot be said. Unpack the annotations again."
        )
    unknown = sorted(found.places.keys() - pictures)
    if unknown:
        raise DataError(
            f"{found.lists.where(found.places[unknown[0]][0])}: an annotation of picture {unknown[0]}, which `images` "
            f"does not list ({len(unknown)} such pictures). Is the file complete? Unpack the annotations again."
        )
    if (points := file_of(root, KEYPOINTS, split)).is_file():
        _read_keypoints(points, found)
    return found


def _read_keypoints(file: Path, found: _Annotations) -> None:
    lists, points, known = JsonLists(file), {}, set(found.numbers)
    if len(known) < len(found.numbers):
        raise DataError(
            f"{found.lists.path}: {len(found.numbers) - len(known)} annotations have the number of another, so whose "
            f"keypoints {file.name} has cannot be said. Number them anew in both, or remove the file."
        )
    for key, place, row in lists.rows("categories", "annotations"):
        where = lists.where(place)
        if key == "categories":
            found.names = found.names or _names(row, where)
        else:
            number = _whole(row, "id", where)
            if number not in known:
                raise DataError(
                    f"{where}: annotation {number} is not in {found.lists.path}. Do both come from the same release?"
                )
            values = np.array(_numbers(row, "keypoints", where), np.float32).reshape(-1, 3)
            points[number] = values * values[:, 2:].any()
    wrong = [number for number, values in points.items() if len(values) != len(found.names)]
    if not found.names or wrong:
        raise DataError(
            f"{file}: {'annotation ' + str(wrong[0]) if wrong else 'it'} has other keypoints than its categories name "
            f"({len(found.names)}); expected x, y and visibility of each."
        )
    found.points = points


def _demand_agreement(annotations: Mapping[str, _Annotations]) -> None:
    """Raise `DataError` where the splits have other classes, or keypoints in one of them alone."""
    first = next(iter(annotations.values()))
    for other in annotations.values():
        for what, ours, theirs in (
            ("classes", first.categories, other.categories),
            ("keypoints", first.names, other.names),
        ):
            if ours != theirs:
                raise DataError(
                    f"{other.lists.path}: has other {what} than {first.lists.path}: {len(theirs)} and {len(ours)}; "
                    f"expected the same in both. Do both come from the same release?"
                )


def _say(annotations: Mapping[str, _Annotations], pictures: Sequence[Picture], renumber: bool) -> None:
    if renumber:
        print("index-instances: annotations are numbered anew: some share a number, or have one below 1")
    listed = Counter(picture.split for picture in pictures)
    for split, found in annotations.items():
        if more := len(found.images) - listed[split]:
            print(f"index-instances: {more} annotated pictures of {split} are not in the manifest and are passed over")


def _scenes(annotations: Mapping[str, _Annotations], pictures: Sequence[Picture], renumber: bool) -> Iterator[Scene]:
    number = 0
    with ProgressBar(len(pictures), "index-instances", "images") as bar:
        for picture in pictures:
            found = annotations[picture.split]
            instances = []
            for place in found.places.get(found.images[PurePosixPath(picture.path).name].number, []):
                number += 1
                row = found.lists.at(place)
                instances.append(_instance(row, found, picture, place, number if renumber else row["id"]))
            bar.update()
            yield picture.path, instances, None


def _fault_of(found: _Annotations, picture: Picture) -> str | None:
    """Why the annotations are not those of a picture; None where they are."""
    leave_out = "leave the picture out (`leave_out` in the dataset's config entry)"
    image = found.images.get(PurePosixPath(picture.path).name)
    if image is None:
        return f"{found.lists.path}: does not list {picture.path}. Unpack the annotations again, or {leave_out}."
    if None in image or image[1:] == (picture.width, picture.height):
        return None
    return (
        f"{found.lists.path}: {picture.path} is annotated as {image.width} x {image.height} pixels; the picture has "
        f"{picture.width} x {picture.height}, upright. Restore it, or {leave_out}."
    )


def _instance(row: Mapping[str, Any], found: _Annotations, picture: Picture, place: int, number: int) -> Instance:
    where = f"{found.lists.where(place)}: annotation {row['id']} of {picture.path}"
    category = found.categories.get(_whole(row, "category_id", where))
    if category is None:
        raise DataError(f"{where} has the class {row['category_id']}; expected one of {sorted(found.categories)}.")
    mask = mask_of(row.get("segmentation"), picture, where)
    box = box_of(mask)
    if "bbox" in row:
        x, y, width, height = _numbers(row, "bbox", where, 4)
        box = (x, y, x + width, y + height)
    area = _numbers({"area": [row["area"]]}, "area", where, 1)[0] if "area" in row else area_of(mask)
    points = None if found.points is None else found.points.get(row["id"])
    return Instance(
        number, category, box, mask, area, bool(row.get("iscrowd")), bool(row.get("ignore")), _keypoints(points)
    )


def _keypoints(points: NDArray[np.float32] | None) -> Keypoints | None:
    return None if points is None else tuple((float(x), float(y), float(seen)) for x, y, seen in points)


def names_with_keypoints(root: Path, split: str) -> set[str]:
    """The names of the pictures of a split in which a person has a visible or hidden keypoint."""
    names: dict[int, str] = {}
    seen: set[int] = set()
    lists = JsonLists(file_of(root, KEYPOINTS, split))
    for key, place, row in lists.rows("images", "annotations"):
        if key == "images":
            names[_whole(row, "id", lists.where(place))] = _name(row, lists.where(place))
        elif any(_numbers(row, "keypoints", lists.where(place))[2::3]):
            seen.add(_whole(row, "image_id", lists.where(place)))
    return {name for number, name in names.items() if number in seen}


# --- fields ---


def _whole(row: Mapping[str, Any], key: str, where: str) -> int:
    value = row.get(key)
    if type(value) is not int:
        raise DataError(f"{where}: '{key}' is {value!r:.40}; expected a whole number. Is this COCO's form?")
    return value


def _name(row: Mapping[str, Any], where: str) -> str:
    value = row.get("file_name")
    if not isinstance(value, str) or not value:
        raise DataError(f"{where}: 'file_name' is {value!r:.40}; expected the name of a picture.")
    return PurePosixPath(value).name


def _names(row: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """The names of a category's keypoints; () where it has none."""
    names = row.get("keypoints", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{where}: 'keypoints' is {names!r:.60}; expected a list of names.")
    return tuple(names)


def _numbers(row: Mapping[str, Any], key: str, where: str, count: int | None = None) -> list[float]:
    """The numbers of a field, [] where it is missing; `DataError` unless they are finite, and as many as they must."""
    values = row.get(key, [])
    right = isinstance(values, list) and all(type(v) in (int, float) and math.isfinite(v) for v in values)
    if not right or len(values) not in ((len(values) // 3 * 3,) if count is None else (count,)):
        what = "x, y and visibility of each" if count is None else f"{count} finite numbers"
        raise DataError(f"{where}: '{key}' is {values!r:.60}; expected {what}.")
    return values
