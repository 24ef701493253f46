"""CUHK03 with the new protocol (767 identities for training, 700 for test), as extracted images.

The official release keeps its images inside one MATLAB file; `_cuhk03_mat.unpack` extracts them first.
"""

from __future__ import annotations

import zlib
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np
import scipy.io
from numpy.typing import NDArray

from anonbench.core.errors import DataError
from anonbench.datasets import DATASETS, PersonImage
from anonbench.datasets._listing import (
    DatasetInfo,
    DatasetListing,
    SplitCounts,
    adapter,
    check_choice,
    check_published,
    check_twins,
    complete,
    describe,
    is_hidden,
    is_image,
    is_text,
    list_files,
    some,
)

INFO = DatasetInfo(
    title="CUHK03, 767/700 protocol",
    format="cuhk03",
    layout="""\
  images_detected/1_001_1_01.png               (camera pair, person, view, image; any image suffix)
  cuhk03_new_protocol_config_detected.mat
  images_labeled/, cuhk03_new_protocol_config_labeled.mat   (for boxes: labeled)""",
    citation=(
        "Li et al., DeepReID: Deep Filter Pairing Neural Network for Person Re-identification, CVPR 2014; "
        "protocol: Zhong et al., Re-ranking Person Re-identification with k-reciprocal Encoding, CVPR 2017"
    ),
    licence=(
        "For non-commercial research, by request with a signed agreement; images must not be passed on, and only "
        "the examples that the authors name may be printed."
    ),
    request_from=(
        "The images come from their authors on request: https://www.ee.cuhk.edu.hk/~xgwang/CUHK_identification.html\n"
        "The protocol files are in the folder evaluation/data/CUHK03 of "
        "https://github.com/zhunzhong07/person-re-ranking"
    ),
)
BOXES = ("detected", "labeled")
PROTOCOL_KEYS = ("filelist", "labels", "camId", "train_idx", "query_idx", "gallery_idx")
PUBLISHED = {
    "detected": {
        "train": SplitCounts(images=7_365, identities=767),
        "query": SplitCounts(images=1_400, identities=700),
        "gallery": SplitCounts(images=5_332, identities=700),
    },
    "labeled": {
        "train": SplitCounts(images=7_368, identities=767),
        "query": SplitCounts(images=1_400, identities=700),
        "gallery": SplitCounts(images=5_328, identities=700),
    },
}


@DATASETS.register("cuhk03")
@adapter(INFO)
def read(root: Path, *, boxes: str = "detected", expect: str = "published") -> DatasetListing:
    """List extracted CUHK03 images by the protocol file beside them.

    boxes: "detected" (by a pedestrian detector) or "labeled" (drawn by hand); names the folder and protocol file.
    expect: "published" checks the numbers of images and identities; "any" is for subsets.

    The folder may be called `images_{boxes}` or, as the protocol's own MATLAB script names it, `cuhk03_{boxes}`.
    Identity, camera and split come from the protocol file, images are found by the stem of their name.

    Raises `DataError` for a wrong layout, missing or doubled images, a malformed protocol file, or wrong counts.
    """
    check_choice(INFO, "boxes", boxes, BOXES)
    files = list_files(root, INFO)
    folder = _image_folder(root, boxes, files)
    protocol = read_protocol(find_protocol(root, boxes))
    present = [path for path in files if path.startswith(f"{folder}/") and is_image(path) and not is_hidden(path)]
    check_twins(root, present)
    path_of_stem = {str(PurePosixPath(path).with_suffix("")): path for path in present}

    missing = [r.path for r in protocol if f"{folder}/{PurePosixPath(r.path).stem}" not in path_of_stem]
    if missing:
        raise DataError(
            f"{root / folder}: {len(missing)} of the {len(protocol)} images that {protocol_name(boxes)} lists are "
            f"missing: {some(missing)}. Extract them again."
        )
    images = [
        PersonImage(path_of_stem[f"{folder}/{PurePosixPath(r.path).stem}"], r.pid, r.camid, r.split) for r in protocol
    ]

    def reason(path: str) -> str:
        return f"not in the protocol's file list ({boxes} boxes)"

    def sidecar(path: str) -> bool:
        return is_text(path) or PurePosixPath(path).name in map(protocol_name, BOXES)

    listing = complete(root, INFO, images, files, reason, sidecar)
    check_published(root, INFO, listing, PUBLISHED[boxes], expect)
    return listing


def protocol_name(boxes: str) -> str:
    """The file name under which the protocol's authors publish it."""
    return f"cuhk03_new_protocol_config_{boxes}.mat"


def find_protocol(root: Path, boxes: str) -> Path:
    """The protocol file in `root`. Raises `DataError` with its source when it is missing."""
    path = root / protocol_name(boxes)
    if not path.is_file():
        raise DataError(
            f"{path}: missing. It says which images are for training, query and gallery. Get it from the folder "
            f"evaluation/data/CUHK03 of https://github.com/zhunzhong07/person-re-ranking and put it there."
        )
    return path


def read_protocol(path: Path) -> list[PersonImage]:
    """The records of a protocol file in its own order; `path` of each is the bare file name in its file list.

    Raises `DataError` when the file is no such protocol or contradicts itself.
    """
    try:
        content = scipy.io.loadmat(path, variable_names=PROTOCOL_KEYS)
    except (OSError, ValueError, TypeError, NotImplementedError, zlib.error, scipy.io.matlab.MatReadError) as error:
        raise DataError(f"{path}: not a readable MATLAB file ({error}). Fetch it again.") from error
    absent = [key for key in PROTOCOL_KEYS if key not in content]
    if absent:
        raise DataError(f"{path}: has no {' and no '.join(absent)}. Expected {', '.join(PROTOCOL_KEYS)}.")

    names = [str(np.ravel(cell)[0]) for cell in content["filelist"].ravel()]
    labels, cameras = content["labels"].ravel(), content["camId"].ravel()
    if not len(names) == len(labels) == len(cameras):
        raise DataError(
            f"{path}: filelist, labels and camId have {len(names)}, {len(labels)} and {len(cameras)} entries; "
            f"expected as many of each."
        )
    doubled = [name for name, count in Counter(names).items() if count > 1]
    if doubled:
        raise DataError(f"{path}: filelist has {some(doubled)} twice; expected every name once.")

    split_of: dict[int, str] = {}
    for split in ("train", "query", "gallery"):
        for index in _indices(path, content[f"{split}_idx"], f"{split}_idx", len(names)):
            if index in split_of:
                raise DataError(f"{path}: {names[index]} is both in {split_of[index]} and in {split}.")
            split_of[index] = split
    return [PersonImage(names[i], int(labels[i]), int(cameras[i]), split_of[i]) for i in sorted(split_of)]


def _indices(path: Path, column: NDArray[np.integer], key: str, length: int) -> list[int]:
    """Zero-based indices from a MATLAB column of one-based ones."""
    indices = [int(index) - 1 for index in column.ravel()]
    outside = [index + 1 for index in indices if not 0 <= index < length]
    if outside:
        raise DataError(f"{path}: {key} has the index {outside[0]}; expected 1..{length}.")
    return indices


def _image_folder(root: Path, boxes: str, files: list[str]) -> str:
    candidates = [f"images_{boxes}", f"cuhk03_{boxes}"]
    found = [folder for folder in candidates if (root / folder).is_dir()]
    if len(found) == 2:
        raise DataError(f"{root}: has both {found[0]}/ and {found[1]}/. Keep one of them.")
    if found:
        return found[0]
    packed = [path for path in files if PurePosixPath(path).name == "cuhk-03.mat"]
    if packed:
        raise DataError(
            f"{root}: the images are still inside {packed[0]}. Extract them into another folder: "
            f"anonbench unpack --root {root} --output <folder> --boxes {boxes}"
        )
    raise DataError(f"{root}: has no folder {candidates[0]}/. {describe(INFO)}")
