"""Airport (ALERT) in its native layout: lists of paths, persons and cameras, and the owners' partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.text import read_user_text
from anonbench.datasets import DATASETS, DISTRACTOR_PID, PersonImage
from anonbench.datasets._listing import (
    EXPECT,
    DatasetInfo,
    DatasetListing,
    adapter,
    check_choice,
    complete,
    describe,
    is_text,
    list_files,
    some,
)
from anonbench.datasets._partition import read_partition
from anonbench.datasets._split_file import find_split_file, read_split_file

INFO = DatasetInfo(
    title="Airport (ALERT)",
    format="airport",
    layout="""\
  filepath.txt          (a line an image: its path below this folder, with backslashes or slashes)
  personID.txt          (the same lines: its person; 0 and 1320011 or more are nobody who is looked for)
  camID.txt             (the same lines: its camera)
  <camera>/<person>/<image>   (the images, where filepath.txt says)
  Partition_airport.mat       (optional: the owners' split, or one of your own, named by split_file)""",
    citation=(
        "Karanam et al., A Systematic Evaluation and Benchmark for Person Re-Identification, TPAMI 2018; Camps et al., "
        "From the Lab to the Real World: Re-Identification in an Airport Camera Network, TCSVT 2017"
    ),
    licence=(
        "By request, for research, under an agreement with ALERT (Northeastern University). Travellers in an airport, "
        "filmed by surveillance cameras without a record of individual consent: do not publish faces from it."
    ),
    request_from="It comes from ALERT on request: https://alert.northeastern.edu/transitioning-technology/alert-datasets",
)
LISTS = ("filepath.txt", "personID.txt", "camID.txt")
PARTITION = "Partition_airport.mat"
FIRST_DISTRACTOR = 1_320_011
PUBLISHED_IMAGES, PUBLISHED_PEOPLE = 39_902, 9_651


@DATASETS.register("airport")
@adapter(INFO)
def read(
    root: Path, *, seed: int = 0, split_file: str | None = None, split_id: int = 0, expect: str = "published"
) -> DatasetListing:
    """List a folder in Airport's layout.

    seed: draws the split where no file has it, whole number >= 0.
    split_file: `Partition_airport.mat`, which comes with the dataset, a CSV with the columns path and split, or
        torchreid's JSON; relative to `root`. Images that it leaves out are dropped. None: drawn from the seed.
    split_id: which split of a file that has several, from 0; in the owners' partition each has another gallery camera,
        and the rounds of its first structure come first.
    expect: "published" checks the numbers of images and persons; "any" is for subsets and rendered people.

    Distractors stand in the gallery with pid 0: person 0 and the numbers from 1320011 on. light-reid leaves these out,
    fast-reid keeps 11001 to 401999, which is the same; no publication that we know of explains the numbers. They look
    like <clip 1..40><1001..> for people matched over cameras, and <clip><camera 32..37><track> for all others. Who
    has a training or query image in a split file keeps the number in all images.

    A drawn split: the sorted numbers of the people whom at least two cameras see are shuffled with
    `numpy.random.default_rng(seed).permutation`; the first half is for training. For each of the others, in shuffled
    order, the same generator's `choice` draws one of the person's sorted cameras: its images are queries, those by
    other cameras gallery. Whoever is seen by a single camera stands in the gallery.

    Study 1's Table II (770 people, 3,493 / 2,420 / 1,003 images) says of no split how it was made; numbers on a drawn
    one are not comparable with its Table VI.

    Raises `DataError` for a wrong layout, lists of unequal length, missing images, a bad split file or wrong counts;
    `ConfigError` for a bad option.
    """
    check_choice(INFO, "expect", expect, EXPECT)
    for key, value in (("seed", seed), ("split_id", split_id)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ConfigError(f"dataset format 'airport': option '{key}' is {value!r}; expected a whole number >= 0.")
    files = list_files(root, INFO)
    records = _read_lists(root, set(files))
    if expect == "published":
        _check_published(root, records)
    file = find_split_file(root, split_file)
    roles = _chosen(file, records, split_id) if file else drawn_split(records, seed)
    images = _with_roles(records, roles)
    listed = {record.path for record in records}

    def reason(path: str) -> str:
        return f"in no part of split {split_id} of {split_file}" if path in listed else "not listed in filepath.txt"

    def sidecar(path: str) -> bool:
        return is_text(path) or path in (PARTITION, split_file)

    return complete(root, INFO, images, files, reason, sidecar)


def drawn_split(records: Sequence[PersonImage], seed: int) -> dict[str, str]:
    """Path -> role, as `read` describes it."""
    by_person: dict[int, list[PersonImage]] = {}
    for record in records:
        by_person.setdefault(record.pid, []).append(record)
    cameras = {pid: sorted({r.camid for r in images}) for pid, images in by_person.items()}
    seen_twice = sorted(pid for pid, seen in cameras.items() if len(seen) > 1 and not is_distractor(pid))
    rng = np.random.default_rng(seed)
    order = rng.permutation(seen_twice).tolist()
    train, test = order[: len(order) // 2], order[len(order) // 2 :]
    query_camera = {pid: int(rng.choice(cameras[pid])) for pid in test}
    training = set(train)
    return {
        r.path: "train" if pid in training else "query" if query_camera.get(pid) == r.camid else "gallery"
        for pid, images in by_person.items()
        for r in images
    }


def is_distractor(person: int) -> bool:
    """Whether a number of `personID.txt` is that of nobody who is looked for."""
    return person == 0 or person >= FIRST_DISTRACTOR


def _with_roles(records: Sequence[PersonImage], roles: Mapping[str, str]) -> list[PersonImage]:
    named = {r.pid for r in records if roles.get(r.path) in ("train", "query")}

    def pid(number: int) -> int:
        return DISTRACTOR_PID if is_distractor(number) and number not in named else number

    return [replace(r, pid=pid(r.pid), split=roles[r.path]) for r in records if r.path in roles]


def _chosen(file: Path, records: Sequence[PersonImage], split_id: int) -> dict[str, str]:
    paths = [record.path for record in records]
    splits = read_partition(file, paths) if file.suffix.lower() == ".mat" else read_split_file(file, paths)
    if split_id >= len(splits):
        raise ConfigError(
            f"dataset format 'airport': option 'split_id' is {split_id}; {file} has {len(splits)}, numbered from 0."
        )
    return splits[split_id]


def _read_lists(root: Path, files: set[str]) -> list[PersonImage]:
    """Every listed image, in the lists' order, numbered as there, with the split still empty."""
    columns = {name: _lines(root, name) for name in LISTS}
    lengths = {name: len(lines) for name, lines in columns.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(f"{root}: the lists have different numbers of lines ({found}); expected one an image.")
    records: list[PersonImage] = []
    seen: set[str] = set()
    missing: list[str] = []
    for line, (text, person, camera) in enumerate(zip(*columns.values(), strict=True), 1):
        path = text.strip().replace("\\", "/").removeprefix("./")
        if not path:
            raise DataError(f"{root / LISTS[0]}:{line}: empty; expected the path of an image.")
        if path in seen:
            raise DataError(f"{root / LISTS[0]}:{line}: {path} is listed a second time; expected one line an image.")
        seen.add(path)
        if path not in files:
            missing.append(path)
        pid, camid = _integer(root, LISTS[1], line, person), _integer(root, LISTS[2], line, camera)
        records.append(PersonImage(path, pid, camid, ""))
    if missing:
        raise DataError(
            f"{root}: {len(missing)} of {len(records)} images that filepath.txt lists are missing: {some(missing)}. "
            f"Extract them again."
        )
    return records


def _lines(root: Path, name: str) -> list[str]:
    path = root / name
    if not path.is_file():
        raise DataError(f"{path}: missing. {describe(INFO)}")
    # Blank lines at the end alone are left out: one between others would move the lists against each other.
    text = read_user_text(path, "Extract it again.").rstrip()
    return text.split("\n") if text else []


def _integer(root: Path, name: str, line: int, text: str) -> int:
    if not text.strip().isdecimal():
        raise DataError(f"{root / name}:{line}: {text.strip() or 'empty'}; expected a whole number >= 0.")
    return int(text)


def _check_published(root: Path, records: Sequence[PersonImage]) -> None:
    """Whether the published 9,651 count person 0 is not said anywhere: both ways are accepted."""
    people = {r.pid for r in records}
    if len(records) != PUBLISHED_IMAGES or PUBLISHED_PEOPLE not in (len(people), len(people - {0})):
        raise DataError(
            f"{root}: not the published {INFO.title}: found {len(records):,} images of {len(people - {0}):,} "
            f"identities; expected {PUBLISHED_IMAGES:,} images of {PUBLISHED_PEOPLE:,} identities. Is the copy "
            f"complete? If it is a subset or rendered on purpose, write `expect: any` in the dataset's config entry."
        )
