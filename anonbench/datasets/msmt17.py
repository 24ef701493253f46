"""MSMT17 in its two versions, which are told apart and never mixed."""

from __future__ import annotations

from pathlib import Path

from anonbench.core.errors import DataError
from anonbench.data.text import read_user_text
from anonbench.datasets import DATASETS, PersonImage
from anonbench.datasets._listing import (
    DatasetInfo,
    DatasetListing,
    SplitCounts,
    adapter,
    check_choice,
    check_published,
    complete,
    describe,
    list_files,
    some,
)

INFO = DatasetInfo(
    title="MSMT17",
    format="msmt17",
    layout="""\
  train/0000/0000_000_01_0303morning_0015_0.jpg   (person, number, camera, time, frame, box; version 2: mask_train_v2/)
  test/0000/0000_000_14_0303morning_0036_0.jpg    (version 2: mask_test_v2/)
  list_train.txt, list_val.txt, list_query.txt, list_gallery.txt   (lines: <path below train or test> <person>)""",
    citation="Wei et al., Person Transfer GAN to Bridge Domain Gap for Person Re-Identification, CVPR 2018",
    licence=(
        "By request, for research, with a signed agreement. People on a campus, filmed without a record of individual "
        "consent; in version 2 the owners themselves hid the faces: do not publish faces from version 1."
    ),
    request_from="It comes from its authors on request: https://www.pkuvmc.com/dataset.html",
)
VERSIONS = {"V1": ("train", "test"), "V2": ("mask_train_v2", "mask_test_v2")}
CHOICES = ("auto", *VERSIONS)
LISTS = {"list_train.txt": "train", "list_val.txt": "train", "list_query.txt": "query", "list_gallery.txt": "gallery"}
# Persons are numbered from 0 in training and again in test.
FIRST_TRAIN_PID, FIRST_TEST_PID = 1, 10_001
PUBLISHED = {
    "train": SplitCounts(images=32_621, identities=1_041),
    "query": SplitCounts(images=11_659, identities=3_060),
    "gallery": SplitCounts(images=82_161, identities=3_060),
}


@DATASETS.register("msmt17")
@adapter(INFO)
def read(root: Path, *, version: str = "auto", expect: str = "published") -> DatasetListing:
    """List a folder in MSMT17's layout.

    version: "V1" (faces visible), "V2" (faces hidden by the owners), or "auto": the one whose folders are there.
    expect: "published" checks the numbers of images and identities; "any" is for subsets and rendered people.

    Training takes list_train and list_val together, 32,621 images, as the data is counted in publications (torchreid
    trains on the 30,248 of list_train alone). pid is the list's number + 1 in training and + 10001 in test, since both
    halves count from 0; the camera is the third field of the name.

    Raises `DataError` for a wrong layout, both versions in one folder, a malformed list, missing images or wrong
    counts.
    """
    check_choice(INFO, "version", version, CHOICES)
    files = list_files(root, INFO)
    folders = VERSIONS[_version(root, version, files)]
    present = set(files)
    images: dict[str, PersonImage] = {}
    for name, split in LISTS.items():
        for line, image in enumerate(_listed(root, name, folders[split != "train"], split), 1):
            if image.path in images:
                raise DataError(f"{root / name}:{line}: {image.path} is listed a second time; expected it once.")
            images[image.path] = image
    missing = [path for path in images if path not in present]
    if missing:
        raise DataError(
            f"{root}: {len(missing)} of {len(images)} listed images are missing: {some(missing)}. Extract them again."
        )
    listing = complete(root, INFO, images.values(), files, lambda path: "not in the lists of this version")
    check_published(root, INFO, listing, PUBLISHED, expect)
    return listing


def _version(root: Path, wanted: str, files: list[str]) -> str:
    tops = {path.partition("/")[0] for path in files if "/" in path}
    found = [version for version, folders in VERSIONS.items() if tops & set(folders)]
    if wanted != "auto":
        if wanted not in found:
            raise DataError(f"{root}: no folder {' or '.join(VERSIONS[wanted])} of version {wanted}. {describe(INFO)}")
        return wanted
    if len(found) != 1:
        if not found:
            raise DataError(f"{root}: no folder of either version. {describe(INFO)}")
        raise DataError(
            f"{root}: holds folders of both versions, {' and '.join(found)}. They show the same people with and "
            f"without faces: keep them apart, or say which one with `version: V1` or `version: V2`."
        )
    return found[0]


def _listed(root: Path, name: str, folder: str, split: str) -> list[PersonImage]:
    path = root / name
    if not path.is_file():
        raise DataError(f"{path}: missing. {describe(INFO)}")
    lines = read_user_text(path, "Extract it again.").splitlines()
    records = []
    for number, line in enumerate(lines, 1):
        image, _, person = line.strip().rpartition(" ")
        fields = image.rpartition("/")[2].split("_")
        if not person.isdecimal() or len(fields) < 3 or not fields[2].isdecimal():
            raise DataError(
                f"{path}:{number}: {line.strip() or 'empty'}; expected <path> <person> such as "
                f"0000/0000_000_01_0303morning_0015_0.jpg 0"
            )
        first = FIRST_TRAIN_PID if split == "train" else FIRST_TEST_PID
        records.append(PersonImage(f"{folder}/{image}", int(person) + first, int(fields[2]), split))
    return records
