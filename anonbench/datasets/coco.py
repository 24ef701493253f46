"""COCO 2017 in its native layout: pictures; their annotations are read by `_coco_instances`."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from anonbench.data.pictures import DroppedImage, ListedPicture
from anonbench.datasets import DATASETS, SCENE_SPLITS
from anonbench.datasets._coco_instances import names_with_keypoints, read_instances
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
    without,
)

INFO = DatasetInfo(
    title="COCO 2017",
    format="coco",
    layout="""\
  train2017/000000000009.jpg, val2017/000000000139.jpg
  annotations/instances_train2017.json, instances_val2017.json
  annotations/person_keypoints_train2017.json, person_keypoints_val2017.json   (optional)""",
    citation="Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014",
    licence=(
        "Annotations: CC BY 4.0. Pictures: those of their owners on Flickr, under licences of their own, which the "
        "annotation files name. People who were not asked: do not publish faces from it."
    ),
    request_from="It comes from its authors: https://cocodataset.org (2017 train and val images and annotations)",
)
PUBLISHED = {"train": SplitCounts(118_287), "val": SplitCounts(5_000)}
NO_KEYPOINTS = "picture without a person who has a keypoint (people_only)"


@DATASETS.register("coco")
@adapter(INFO, instances=read_instances)
def read(root: Path, *, expect: str = "published", people_only: bool = False) -> DatasetListing:
    """List a folder in COCO's layout.

    expect: "published" checks the numbers of pictures, before any is left out. "any" is for subsets and rendered
        scenes.
    people_only: leaves training pictures out in which no person has a visible or hidden keypoint, as detectron2 does
        where it trains a network of keypoints. Validation pictures stay.

    The annotation files are sidecars. Test and unlabelled pictures are dropped.

    Raises `DataError` for a wrong layout, two files for one picture, wrong counts, or with `people_only` a file of
    keypoints that cannot be read.
    """
    files = list_files(root, INFO)
    folders = {f"{split}2017": split for split in SCENE_SPLITS}
    images = [
        ListedPicture(path, folders[folder])
        for path in files
        if (folder := path.rpartition("/")[0]) in folders and is_image(path) and not is_hidden(path)
    ]
    check_twins(root, (image.path for image in images))
    listing = complete_scenes(root, INFO, images, files, _reason)
    check_published(root, INFO, listing, PUBLISHED, expect)
    if not people_only:
        return listing
    kept = names_with_keypoints(root, "train")
    return without(
        str(root),
        listing,
        [
            DroppedImage(image.path, NO_KEYPOINTS)
            for image in listing.images
            if image.split == "train" and PurePosixPath(image.path).name not in kept
        ],
    )


def _reason(path: str) -> str:
    if path.startswith(("test2017/", "unlabeled2017/")):
        return "picture without annotations"
    return "outside train2017 and val2017"
