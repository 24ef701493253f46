"""Cityscapes in its native layout: pictures, and instance ids of every pixel."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from anonbench.core.errors import DataError
from anonbench.core.parallel import parallel_map
from anonbench.data.images import GREY_16
from anonbench.data.instances import Scene, Vocabulary
from anonbench.data.pictures import ListedPicture, Picture
from anonbench.datasets import DATASETS, SCENE_SPLITS
from anonbench.datasets._instances import PERSON_AND_VEHICLES, mask_instance, numbered, packed, read_labels
from anonbench.datasets._listing import (
    DatasetInfo,
    DatasetListing,
    SplitCounts,
    adapter,
    check_published,
    check_twins,
    complete_scenes,
    is_hidden,
    is_image,
    list_files,
)

INFO = DatasetInfo(
    title="Cityscapes",
    format="cityscapes",
    layout="""\
  leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png   (and val/; test/ is not used)
  gtFine/train/aachen/aachen_000000_000019_gtFine_instanceIds.png   (16 bits)
  gtFine/train/aachen/aachen_000000_000019_gtFine_polygons.json, …_labelIds.png   (copied, not read)""",
    citation="Cordts et al., The Cityscapes Dataset for Semantic Urban Scene Understanding, CVPR 2016",
    licence=(
        "For non-commercial research after registration; it must not be passed on. People in the streets of fifty "
        "cities, filmed without a record of individual consent; for publications its owners offer a blurred version."
    ),
    request_from="Register for it at its authors': https://www.cityscapes-dataset.com (leftImg8bit and gtFine)",
    categories=PERSON_AND_VEHICLES,
)
PUBLISHED = {"train": SplitCounts(2_975), "val": SplitCounts(500)}
PICTURE = re.compile(r"leftImg8bit/(?P<split>train|val)/(?P<city>[^/]+)/(?P<frame>[^/]+)_leftImg8bit\.png")
LABELS = re.compile(r"gtFine/(train|val)/[^/]+/[^/]+_gtFine_(instanceIds|labelIds|labelTrainIds)\.png")

CLASSES = dict(zip((24, 25, 26, 27, 28, 31, 32, 33), PERSON_AND_VEHICLES, strict=True))
"""Cityscapes' ids of the classes that its evaluation of instances scores."""
UNSCORED = (29, 30)  # caravan, trailer: instances that the evaluation knows and does not score
VOID = (0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, *UNSCORED)  # `ignoreInEval`; the last two for groups of them
LAST = 33
IN_A_CLASS = 1000  # an instance is id * 1000 + its number; a group, and what has no instances, is the id


def read_instances(root: Path, pictures: Sequence[Picture], threads: int) -> tuple[Vocabulary, Iterable[Scene]]:
    """The instances of the eight classes, groups as crowds, and the void pixels; from `instanceIds`.

    - A group is all pixels of a class that nobody took apart: one crowd a class and picture.
    - Caravans and trailers are left out and not void, as in Cityscapes' evaluation: it finds void by ids of classes,
      which the pixels of instances do not have. A detection of a car there is wrong. Groups of them are void.
    - `area` is the number of pixels.

    Raises `DataError` for a file that is missing, of 8 bits, of another size, or with an id that Cityscapes has not.
    Source: evalInstanceLevelSemanticLabeling.py, json2instanceImg.py and labels.py of cityscapesScripts.
    """
    scenes = parallel_map(_open, (root,), pictures, threads, "index-instances")
    return Vocabulary(PERSON_AND_VEHICLES), numbered(scenes)


def _open(root: Path) -> Callable[[Picture], Scene]:
    def read(picture: Picture) -> Scene:
        file = root / labels_of(picture.path)
        ids = np.asfortranarray(read_labels(file, picture, GREY_16, "grey of 16 bits"))  # (H, W)
        present = np.flatnonzero(np.bincount(ids.ravel("K")))
        instances = []
        for value in map(int, present):
            number = value // IN_A_CLASS or value
            if number > LAST or (value >= IN_A_CLASS and number not in (*CLASSES, *UNSCORED)):
                raise DataError(
                    f"{file}: has pixels of {value}; expected an id from 0 to {LAST}, or {IN_A_CLASS} times one that "
                    f"has instances, plus a number. Make it again from the polygons, with ids and not trainIds."
                )
            if number in CLASSES:
                instances.append(mask_instance(CLASSES[number], packed(ids == value), crowd=value < IN_A_CLASS))
        void = np.isin(ids, VOID)
        return picture.path, instances, packed(void) if void.any() else None

    return read


def labels_of(path: str) -> str:
    """The instance ids of a picture.

    >>> labels_of("leftImg8bit/val/ulm/ulm_000000_000019_leftImg8bit.png")
    'gtFine/val/ulm/ulm_000000_000019_gtFine_instanceIds.png'
    """
    folder, _, name = path.partition("/")[2].rpartition("/")
    return f"gtFine/{folder}/{name.removesuffix('_leftImg8bit.png')}_gtFine_instanceIds.png"


@DATASETS.register("cityscapes")
@adapter(INFO, instances=read_instances)
def read(root: Path, *, expect: str = "published") -> DatasetListing:
    """List a folder in Cityscapes' layout.

    expect: "published" checks the numbers of pictures. "any" is for subsets and rendered scenes.

    Instance ids, label ids and polygons are sidecars. The test pictures, whose labels are not given out, the coarse
    annotations and the coloured labels are dropped.

    Raises `DataError` for a wrong layout, a foreign name in `leftImg8bit/train` or `val`, two files for one picture, or
    wrong counts.
    """
    files = list_files(root, INFO)
    pictures = [path for path in files if _is_picture(path)]
    check_twins(root, pictures)
    images = [_listed(root, path) for path in pictures]
    listing = complete_scenes(root, INFO, images, files, _reason, lambda path: LABELS.fullmatch(path) is not None)
    check_published(root, INFO, listing, PUBLISHED, expect)
    return listing


def _is_picture(path: str) -> bool:
    return (
        path.startswith(tuple(f"leftImg8bit/{split}/" for split in SCENE_SPLITS))
        and is_image(path)
        and not is_hidden(path)
    )


def _listed(root: Path, path: str) -> ListedPicture:
    found = PICTURE.fullmatch(path)
    if found is None:
        raise DataError(
            f"{root / path}: not a Cityscapes name; expected leftImg8bit/<split>/<city>/<frame>_leftImg8bit.png such "
            f"as aachen_000000_000019_leftImg8bit.png. Rename the file or move it out."
        )
    return ListedPicture(path, found["split"])


def _reason(path: str) -> str:
    if path.startswith("leftImg8bit/test/"):
        return "test picture: its labels are not given out"
    if path.startswith(("gtFine/", "gtCoarse/")):
        return "picture of labels that no reader needs"
    return "outside leftImg8bit/train and leftImg8bit/val"
