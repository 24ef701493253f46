"""Airport (ALERT) in its native layout: lists of paths, persons and cameras, and no split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

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
from anonbench.datasets._split_file import find_split_file, read_split_file
from anonbench.errors import ConfigError, DataError
from anonbench.records import DISTRACTOR_PID, ImageRecord
from anonbench.registry import DATASETS

INFO = DatasetInfo(
    title="Airport (ALERT)",
    format="airport",
    layout="""\
  filepath.txt          (a line an image: its path below this folder, with backslashes or slashes)
  personID.txt          (the same lines: its person; 0 and 1320011 or more are nobody who is looked for)
  camID.txt             (the same lines: its camera)
  <camera>/<person>/<image>   (the images, where filepath.txt says)
  splits.csv, splits.json     (optional: your split, named by split_file)""",
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
FIRST_DISTRACTOR = 1_320_011
PUBLISHED_IMAGES, PUBLISHED_PEOPLE = 39_902, 9_651


@DATASETS.register("airport")
@adapter(INFO)
def read(root: Path, *, seed: int = 0, split_file: str | None = None, expect: str = "published") -> DatasetListing:
    """List a folder in Airport's layout.

    seed: draws the split where no file has it, whole number >= 0.
    split_file: CSV with the columns path and split, or torchreid's JSON (its first split counts), relative to `root`.
        Images that it leaves out are dropped.
    expect: "published" checks the numbers of images and persons; "any" is for subsets and rendered people.

    No public code ships a split, and that of Study 1 (3,493 / 2,420 / 1,003 images of 770 people, Table II) cannot be
    had; ours is therefore not comparable with its Table VI. The sorted numbers of the people whom at least two cameras
    see are shuffled with `numpy.random.default_rng(seed)`; the first half is for training. For each of the others, in
    that order, one camera is drawn: its images are queries, those by other cameras gallery. Whoever is seen by a
    single camera stands in the gallery, and so do the persons 0 and 1320011 or more, as distractors (pid 0): nobody
    looks for them. (light-reid's reader leaves these numbers out, fast-reid's begins people at 11001; no publication
    that we know of defines them.)

    Raises `DataError` for a wrong layout, lists of unequal length, missing images, a bad split file or wrong counts;
    `ConfigError` for a bad option.
    """
    check_choice(INFO, "expect", expect, EXPECT)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigError(f"dataset format 'airport': option 'seed' is {seed!r}; expected a whole number >= 0.")
    files = list_files(root, INFO)
    records = _read_lists(root, set(files))
    if expect == "published":
        _check_published(root, records)
    file = find_split_file(root, split_file)
    roles = read_split_file(file, (r.path for r in records))[0] if file else drawn_split(records, seed)
    images = [ImageRecord(r.path, r.pid, r.camid, roles[r.path]) for r in records if r.path in roles]

    def reason(path: str) -> str:
        return f"not in {file.name}" if file and path in {r.path for r in records} else "not listed in filepath.txt"

    return complete(root, INFO, images, files, reason, is_text)


def drawn_split(records: Iterable[ImageRecord], seed: int) -> dict[str, str]:
    """Path -> role, as `read` describes it."""
    by_person: dict[int, list[ImageRecord]] = {}
    for record in records:
        by_person.setdefault(record.pid, []).append(record)
    cameras = {pid: sorted({r.camid for r in images}) for pid, images in by_person.items()}
    seen_twice = sorted(pid for pid, seen in cameras.items() if len(seen) > 1 and pid != DISTRACTOR_PID)
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


def _read_lists(root: Path, files: set[str]) -> list[ImageRecord]:
    """Every listed image, in the lists' order, with the split still empty."""
    columns = {name: _lines(root, name) for name in LISTS}
    lengths = {name: len(lines) for name, lines in columns.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(f"{root}: the lists have different numbers of lines ({found}); expected one an image.")
    records: list[ImageRecord] = []
    seen: set[str] = set()
    missing: list[str] = []
    for line, (text, person, camera) in enumerate(zip(*columns.values(), strict=True), 1):
        path = text.strip().replace("\\", "/").removeprefix("./")
        if path in seen:
            raise DataError(f"{root / LISTS[0]}:{line}: {path} is listed a second time; expected one line an image.")
        seen.add(path)
        if path not in files:
            missing.append(path)
        number = _integer(root, LISTS[1], line, person)
        pid = DISTRACTOR_PID if number == 0 or number >= FIRST_DISTRACTOR else number
        records.append(ImageRecord(path, pid, _integer(root, LISTS[2], line, camera), ""))
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
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({error}). Extract it again.") from error


def _integer(root: Path, name: str, line: int, text: str) -> int:
    if not text.strip().isdecimal():
        raise DataError(f"{root / name}:{line}: {text.strip() or 'empty'}; expected a whole number >= 0.")
    return int(text)


def _check_published(root: Path, records: list[ImageRecord]) -> None:
    people: Mapping[int, None] = dict.fromkeys(r.pid for r in records if r.pid != DISTRACTOR_PID)
    if (len(records), len(people)) != (PUBLISHED_IMAGES, PUBLISHED_PEOPLE):
        raise DataError(
            f"{root}: not the published {INFO.title}: found {len(records):,} images of {len(people):,} identities; "
            f"expected {PUBLISHED_IMAGES:,} images of {PUBLISHED_PEOPLE:,} identities. Is the copy complete? If it is "
            f"a subset or rendered on purpose, write `expect: any` in the dataset's config entry."
        )
