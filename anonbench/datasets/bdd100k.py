"""BDD100K's instance segmentation in its native layout: pictures, and bitmasks or run lengths."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from anonbench.core.errors import DataError
from anonbench.core.parallel import parallel_map
from anonbench.data.instances import Instance, Scene, Vocabulary
from anonbench.data.pictures import ListedPicture, Picture
from anonbench.datasets import DATASETS, SCENE_SPLITS
from anonbench.datasets._instances import PERSON_AND_VEHICLES, mask_instance, numbered, packed, read_labels
from anonbench.datasets._json_lists import JsonLists, as_object
from anonbench.datasets._listing import (
    DatasetInfo,
    DatasetListing,
    SplitCounts,
    adapter,
    check_published,
    check_twins,
    complete_scenes,
    describe,
    is_hidden,
    is_image,
    list_files,
)
from anonbench.datasets._run_lengths import mask_of

INFO = DatasetInfo(
    title="BDD100K (instance segmentation)",
    format="bdd100k",
    layout="""\
  images/10k/train/0004a4c0-d4dff0ad.jpg   (and val/; test/ is not used)
  labels/ins_seg/bitmasks/train/0004a4c0-d4dff0ad.png   (RGBA), or where there is no folder bitmasks:
  labels/ins_seg/rles/ins_seg_train.json, ins_seg_val.json""",
    citation="Yu et al., BDD100K: A Diverse Driving Dataset for Heterogeneous Multitask Learning, CVPR 2020",
    licence=(
        "The Regents' licence: free for education, research and not-for-profit purposes. People in streets, filmed "
        "from cars without a record of individual consent: do not publish faces from it."
    ),
    request_from="It comes from its authors: https://bdd-data.berkeley.edu (10K images, instance segmentation labels)",
    categories=PERSON_AND_VEHICLES,
)
PUBLISHED = {"train": SplitCounts(7_000), "val": SplitCounts(1_000)}
PICTURES = "images/10k"
BITMASKS = "labels/ins_seg/bitmasks"
RUN_LENGTHS = "labels/ins_seg/rles"
BITMASK = re.compile(rf"{BITMASKS}/(train|val)/[^/]+\.png")
CLASSES = dict(enumerate(PERSON_AND_VEHICLES, 1))  # BDD100K's category ids; its pedestrian is our person
NAMES = {
    "pedestrian": "person", "motor": "motorcycle", "bike": "bicycle", "caravan": "car", "van": "car",
}  # fmt: skip
IGNORED = {"other person": "person", "other vehicle": "car", "trailer": "truck"}
"""Classes that BDD100K does not score, each counted as an ignored one of another."""
IGNORE, CROWD, ATTRIBUTES = (
    1,
    2,
    16,
)  # bits of a bitmask's second channel; occluded 4 and truncated 8 change nothing here


def read_instances(root: Path, pictures: Sequence[Picture], threads: int) -> tuple[Vocabulary, Iterable[Scene]]:
    """The instances of the eight classes, with crowds and what is ignored; from the bitmasks where there are any.

    `pedestrian` is called person. `area` is the number of pixels. The owners score by bitmasks and advise to use them:
    run lengths of one picture may overlap. Their polygons are Bezier curves and are not read.

    Raises `DataError` for labels that are missing, of another size or form, or have a class that BDD100K has not.
    Source: doc/source/format.rst, common/bitmask.py, label/to_mask.py and configs/ins_seg.toml of bdd100k/bdd100k.
    """
    vocabulary = Vocabulary(PERSON_AND_VEHICLES)
    if (root / BITMASKS).is_dir():
        return vocabulary, numbered(parallel_map(_open_bitmasks, (root,), pictures, threads, "index-instances"))
    files = {split: root / RUN_LENGTHS / f"ins_seg_{split}.json" for split in {p.split for p in pictures}}
    missing = sorted(str(file) for file in files.values() if not file.is_file())
    if missing:
        raise DataError(f"{missing[0]}: missing, and so is the folder {root / BITMASKS}. {describe(INFO)}")
    return vocabulary, numbered(_from_run_lengths(files, pictures))


# --- bitmasks ---


def _open_bitmasks(root: Path) -> Callable[[Picture], Scene]:
    def read(picture: Picture) -> Scene:
        file = root / BITMASKS / picture.split / f"{PurePosixPath(picture.path).stem}.png"
        channels = read_labels(file, picture, ("RGBA",), "red, green, blue and alpha of 8 bits").astype(np.uint32)
        ids = (channels[..., 2] << 8) + channels[..., 3]  # (H, W)
        labels = np.asfortranarray((ids << 16) + (channels[..., 0] << 8) + channels[..., 1])
        present = [int(value) for value in np.unique(labels) if value >> 16]
        numbers = [value >> 16 for value in present]
        twice = sorted({number for number in numbers if numbers.count(number) > 1})
        if twice:
            raise DataError(
                f"{file}: instance {twice[0]} has pixels of several classes or attributes; expected one of each. Was "
                f"the picture scaled or compressed? Unpack the annotations again."
            )
        return picture.path, [_instance(file, value, labels == value) for value in present], None

    return read


def _instance(file: Path, value: int, pixels: Any) -> Instance:
    number, category, attributes = value >> 16, value >> 8 & 255, value & 255
    if category not in CLASSES or attributes >= ATTRIBUTES:
        raise DataError(
            f"{file}: instance {number} has class {category} and attributes {attributes}; expected 1 to {len(CLASSES)} "
            f"and 0 to {ATTRIBUTES - 1}. Is it a bitmask of instance segmentation, and not of another task?"
        )
    return mask_instance(
        CLASSES[category], packed(pixels), crowd=bool(attributes & CROWD), ignore=bool(attributes & IGNORE)
    )


# --- run lengths ---


def _from_run_lengths(files: dict[str, Path], pictures: Sequence[Picture]) -> Iterator[Scene]:
    places: dict[tuple[str, str], int] = {}
    lists = {split: JsonLists(file) for split, file in files.items()}
    for split, frames in lists.items():
        for _, place, frame in frames.rows("", "frames"):
            name = frame.get("name")
            if not isinstance(name, str):
                raise DataError(f"{frames.where(place)}: frame without a name; expected that of a picture.")
            if (split, PurePosixPath(name).name) in places:
                raise DataError(f"{frames.where(place)}: {name} is listed a second time; expected each picture once.")
            places[split, PurePosixPath(name).name] = place
    for picture in pictures:
        frames = lists[picture.split]
        at = places.get((picture.split, PurePosixPath(picture.path).name))
        if at is None:
            raise DataError(
                f"{frames.path}: does not list {picture.path}. Does the file belong to another release? Otherwise "
                f"leave the picture out (`leave_out` in the dataset's config entry)."
            )
        yield picture.path, _labelled_all(frames.at(at).get("labels") or [], picture, frames.where(at)), None


def _labelled_all(labels: Any, picture: Picture, where: str) -> list[Instance]:
    """The instances among the labels of a frame; those of other tasks have no run lengths."""
    if not isinstance(labels, list):
        raise DataError(f"{where}: 'labels' of {picture.path} is {labels!r:.40}; expected a list.")
    return [_labelled(label, picture, where) for label in labels if as_object(label, where).get("rle") is not None]


def _labelled(label: dict[str, Any], picture: Picture, where: str) -> Instance:
    name = label.get("category")
    category, ignored = NAMES.get(str(name), str(name)), False
    if category in IGNORED:
        category, ignored = IGNORED[category], True
    if category not in PERSON_AND_VEHICLES:
        raise DataError(
            f"{where}: a label of {picture.path} has the class {name!r}; expected one of "
            f"{', '.join((*PERSON_AND_VEHICLES, *NAMES, *IGNORED))}."
        )
    attributes = as_object(label.get("attributes") or {}, where)
    return mask_instance(
        category,
        mask_of(label["rle"], picture, f"{where}: a label of {picture.path}"),
        crowd=bool(attributes.get("crowd")),
        ignore=ignored or bool(attributes.get("ignored")),
    )


# --- pictures ---


@DATASETS.register("bdd100k")
@adapter(INFO, instances=read_instances)
def read(root: Path, *, expect: str = "published") -> DatasetListing:
    """List a folder in BDD100K's layout.

    expect: "published" checks the numbers of pictures. "any" is for subsets and rendered scenes.

    Bitmasks and label files are sidecars. The test pictures, whose labels are not given out, the pictures of other
    tasks (`images/100k`) and the coloured labels are dropped.

    Raises `DataError` for a wrong layout, two files for one picture, or wrong counts.
    """
    files = list_files(root, INFO)
    images = [
        ListedPicture(path, path.split("/")[2])
        for path in files
        if path.rpartition("/")[0] in [f"{PICTURES}/{split}" for split in SCENE_SPLITS]
        and is_image(path)
        and not is_hidden(path)
    ]
    check_twins(root, (image.path for image in images))
    listing = complete_scenes(root, INFO, images, files, _reason, lambda path: BITMASK.fullmatch(path) is not None)
    check_published(root, INFO, listing, PUBLISHED, expect)
    return listing


def _reason(path: str) -> str:
    if path.startswith(f"{PICTURES}/test/"):
        return "test picture: its labels are not given out"
    if path.startswith("labels/"):
        return "picture of labels that no reader needs"
    return f"outside {PICTURES}/train and {PICTURES}/val"
