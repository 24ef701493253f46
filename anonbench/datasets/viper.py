"""VIPeR in its native layout: 632 people, one image by each of two cameras, ten random divisions in two directions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from anonbench.core.errors import ConfigError, DataError
from anonbench.datasets import DATASETS, PersonImage
from anonbench.datasets._listing import (
    DatasetInfo,
    DatasetListing,
    SplitCounts,
    adapter,
    check_published,
    check_twins,
    complete,
    describe,
    is_hidden,
    is_image,
    list_files,
    some,
)
from anonbench.datasets._split_file import check_complete, find_split_file, read_split_file

INFO = DatasetInfo(
    title="VIPeR",
    format="viper",
    layout="""\
  cam_a/000_45.bmp      (person 000, seen from an angle of 45 degrees)
  cam_b/000_135.bmp
  splits.json           (optional: torchreid's file with the 20 splits)""",
    citation=(
        "Gray and Tao, Viewpoint Invariant Pedestrian Recognition with an Ensemble of Localized Features, ECCV 2008"
    ),
    licence=(
        "For research. Pedestrians filmed outdoors in 2007, without a record of individual consent: do not publish "
        "faces from it, and check what your institution requires."
    ),
    request_from="It comes from its authors at the University of California, Santa Cruz: https://vision.soe.ucsc.edu",
)
CAMERAS = {"cam_a": 1, "cam_b": 2}
NAME = re.compile(r"(?P<person>\d+)_\d+\.[A-Za-z]+")
DIVISIONS = 10
PUBLISHED = {
    "train": SplitCounts(images=632, identities=316),
    "query": SplitCounts(images=316, identities=316),
    "gallery": SplitCounts(images=316, identities=316),
}


@DATASETS.register("viper")
@adapter(INFO)
def read(root: Path, *, seed: int = 0, split_file: str | None = None, expect: str = "published") -> DatasetListing:
    """List a folder in VIPeR's layout, with its 20 splits.

    seed: draws the splits where no file has them, whole number >= 0.
    split_file: file with the splits, relative to `root`; by default `splits.json` where it is there.
    expect: "published" checks the numbers of images and identities; "any" is for subsets and rendered people.

    Division d = 0..9 shuffles the sorted person numbers with `numpy.random.default_rng([seed, d]).permutation`; the
    first half of them is for training. Split 2d looks for the others' images of cam_a among those of cam_b, split
    2d + 1 the other way round. pid is the person's number + 1.

    Source of the protocol: Gray and Tao 2008; the order of the 20 splits is torchreid's, whose own divisions come from
    an unseeded generator.

    Raises `DataError` for a wrong layout or name, people without exactly one image a camera, a bad split file or wrong
    counts; `ConfigError` for a bad seed.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigError(f"dataset format 'viper': option 'seed' is {seed!r}; expected a whole number >= 0.")
    files = list_files(root, INFO)
    present = [path for path in files if _in_protocol(path)]
    check_twins(root, present)
    people = _people(root, present)
    file = find_split_file(root, split_file, "splits.json")
    splits = _written_splits(file, present) if file else drawn_splits(people, seed)
    images = [
        PersonImage(path, person + 1, CAMERAS[camera], splits[0][path])
        for person, seen in people.items()
        for camera, path in seen.items()
    ]
    listing = complete(root, INFO, images, files, lambda path: "outside cam_a and cam_b", splits=splits)
    check_published(root, INFO, listing, PUBLISHED, expect)
    return listing


def drawn_splits(people: Mapping[int, Mapping[str, str]], seed: int) -> list[dict[str, str]]:
    """The 20 splits of people, each a map image path -> role.

    people: person -> camera folder -> path.
    """
    splits = []
    for division in range(DIVISIONS):
        order = np.random.default_rng([seed, division]).permutation(sorted(people)).tolist()
        train = set(order[: len(order) // 2])
        for query_camera in CAMERAS:
            splits.append({
                path: "train" if person in train else "query" if camera == query_camera else "gallery"
                for person, seen in people.items()
                for camera, path in seen.items()
            })  # fmt: skip
    return splits


def _in_protocol(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return folder in CAMERAS and is_image(name) and not is_hidden(name)


def _people(root: Path, paths: list[str]) -> dict[int, dict[str, str]]:
    people: dict[int, dict[str, str]] = {}
    for path in paths:
        camera, _, name = path.rpartition("/")
        match = NAME.fullmatch(name)
        if match is None:
            raise DataError(
                f"{root / path}: not a VIPeR name; expected <person>_<angle>.bmp such as 000_45.bmp. Rename the file "
                f"or move it out of {camera}/."
            )
        seen = people.setdefault(int(match["person"]), {})
        if camera in seen:
            raise DataError(f"{root}: {seen[camera]} and {path} are two images of one person by one camera.")
        seen[camera] = path
    if not people:
        raise DataError(f"{root}: no image in cam_a/ and cam_b/. {describe(INFO)}")
    alone = [f"{person:03d}" for person, seen in people.items() if len(seen) < len(CAMERAS)]
    if alone:
        raise DataError(f"{root}: {some(alone)} have no image by one of the two cameras. Is the copy complete?")
    return dict(sorted(people.items()))


def _written_splits(file: Path, paths: list[str]) -> list[dict[str, str]]:
    splits = read_split_file(file, paths)
    for number, roles in enumerate(splits):
        check_complete(file, number, roles, paths)
    return splits
