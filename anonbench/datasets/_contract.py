"""What every dataset format promises, held against a folder in its layout; also whether one's own data fits."""

from __future__ import annotations

import inspect
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

from anonbench.core.contract import BrokenPromiseError, Contract, expect
from anonbench.core.errors import ConfigError, DataError
from anonbench.core.parallel import parallel_map
from anonbench.data.pictures import Picture, describe_images
from anonbench.datasets import DATASETS, DISTRACTOR_PID, JUNK_PID, SCENE_SPLITS, SPLITS, PersonImage
from anonbench.datasets._listing import (
    DatasetInfo,
    DatasetListing,
    is_hidden,
    is_image,
    list_files,
    some,
)


@dataclass(frozen=True)
class DatasetSubject:
    """A dataset format with its options, and a folder in its layout."""

    name: str
    options: Mapping[str, Any]
    root: Path

    @cached_property
    def adapter(self) -> Callable[..., DatasetListing]:
        return DATASETS.get(self.name)

    @property
    def info(self) -> DatasetInfo:
        return self.adapter.info  # type: ignore[attr-defined]

    def read(self) -> DatasetListing:
        return self.adapter(self.root, **self.options)

    @cached_property
    def listing(self) -> DatasetListing:
        return self.read()

    @cached_property
    def described(self) -> list[tuple[Picture, frozenset[str]]]:
        """Every image, and what else its file holds, as `anonbench index` reads them."""
        return parallel_map(describe_images, (self.root,), self.listing.images, 1, "decode")


CONTRACT: Contract[DatasetSubject] = Contract("dataset format")


@CONTRACT.promise("says what it is: title, layout, citation, licence, and where to request the data")
def describes_itself(subject: DatasetSubject) -> str:
    info = getattr(subject.adapter, "info", None)
    expect(isinstance(info, DatasetInfo), "It has no `info`; write @adapter(INFO) above the function.")
    assert isinstance(info, DatasetInfo)
    for field in fields(info):
        value = getattr(info, field.name)
        expect(
            field.type not in (str, "str") or (isinstance(value, str) and value.strip()),
            f"info.{field.name} is {value!r}; expected text, `none` where there is nothing to say.",
        )
    expect(info.format == subject.name, f"info.format is '{info.format}'; expected '{subject.name}'.")
    return info.title


@CONTRACT.promise("refuses options that it does not have")
def refuses_unknown_options(subject: DatasetSubject) -> str:
    try:
        subject.adapter(subject.root, no_such_thing=1)
    except ConfigError:
        pass
    else:
        raise BrokenPromiseError("no_such_thing=1 is accepted; write @adapter(INFO) and keyword-only options.")
    kinds = inspect.signature(subject.adapter).parameters.values()
    options = [p.name for p in kinds if p.kind is p.KEYWORD_ONLY]
    return f"its own: {', '.join(options) or 'none'}"


@CONTRACT.promise("says what belongs there and where it comes from when the folder is missing")
def explains_a_missing_folder(subject: DatasetSubject) -> None:
    missing = subject.root / "no such folder below this one"
    try:
        subject.adapter(missing, **subject.options)
    except DataError as error:
        for part in (str(missing), subject.info.layout, subject.info.request_from):
            expect(part in str(error), f"The message lacks {part!r}; begin with `list_files(root, INFO)`.")
        return
    raise BrokenPromiseError("A missing folder is no DataError; begin with `list_files(root, INFO)`.")


@CONTRACT.promise("writes nothing into the folder")
def only_reads(subject: DatasetSubject) -> None:
    if not subject.root.is_dir():
        subject.read()  # says what is expected there
    before = _state(subject.root)
    expect(isinstance(subject.listing, DatasetListing), "It returns no DatasetListing; end with `complete(...)`.")
    after = _state(subject.root)
    changed = [path for path in {*before, *after} if before.get(path) != after.get(path)]
    expect(not changed, f"After reading, {some(changed)} differ in size or time. Write elsewhere or not at all.")


@CONTRACT.promise("lists the same whatever order the file system gives, each group sorted by path")
def is_sorted(subject: DatasetSubject) -> None:
    listing = subject.listing
    groups = {
        "images": [i.path for i in listing.images],
        "dropped": [d.path for d in listing.dropped],
        "sidecars": list(listing.sidecars),
    }
    for name, paths in groups.items():
        expect(paths == sorted(paths), f"{name} are not sorted; end with `complete(...)`.")
    with _shuffled_folders(seed=1):
        again = subject.read()
    for field in fields(listing):
        expect(
            getattr(again, field.name) == getattr(listing, field.name),
            f"With the folder's entries in another order, {field.name} come out differently: sort before you number "
            f"identities or cameras.",
        )


@CONTRACT.promise("puts every visible file into exactly one group, with a reason where it is dropped")
def groups_every_file(subject: DatasetSubject) -> str:
    listing = subject.listing
    counts = Counter([*(i.path for i in listing.images), *(d.path for d in listing.dropped), *listing.sidecars])
    twice = [path for path, n in counts.items() if n > 1]
    expect(not twice, f"{some(twice)}: listed more than once.")
    files = set(list_files(subject.root, subject.info))
    forgotten, invented = files - set(counts), set(counts) - files
    expect(not forgotten, f"{some(forgotten)}: in no group; hand all files to `complete(...)`.")
    expect(not invented, f"{some(invented)}: listed, but there is no such file below {subject.root}.")
    pictures = [path for path in listing.sidecars if is_image(path) and path not in listing.label_pictures]
    expect(not pictures, f"{some(pictures)}: images as sidecars would show the faces again in anonymized copies.")
    photos = [path for path in listing.label_pictures if not path.lower().endswith(".png")]
    expect(not photos, f"{some(photos)}: pictures of labels are PNG; other formats change the numbers of pixels.")
    silent = [d.path for d in listing.dropped if not d.reason.strip()]
    expect(not silent, f"{some(silent)}: dropped without a reason.")
    return f"{len(listing.images):,} images, {len(listing.dropped):,} dropped, {len(listing.sidecars):,} sidecars"


@CONTRACT.promise("fills all its splits; identities and cameras are whole numbers; nobody is both in train and test")
def has_valid_records(subject: DatasetSubject) -> str | None:
    if not subject.listing.people:
        return _has_valid_scenes(subject.listing)
    images = subject.listing.people
    expect(len(images) == len(subject.listing.images), "Some images have identities and others have none.")
    for image in images:
        expect(image.split in SPLITS, f"{image.path}: split is {image.split!r}; expected one of {', '.join(SPLITS)}.")
        expect(type(image.pid) is int and type(image.camid) is int, f"{image}: pid or camid is no Python int.")
        least = JUNK_PID if image.split == "gallery" else 1
        expect(image.pid >= least and image.camid >= 0, f"{image}: expected pid >= {least} and camid >= 0.")
        expect(not is_hidden(image.path), f"{image.path}: hidden files are no images of the protocol.")
    _check_roles(images, {image.path: image.split for image in images}, "")
    splits: Sequence[Mapping[str, str]] = getattr(subject.listing, "splits", ())  # of a dataset with several
    for number, roles in enumerate(splits):
        _check_roles(images, roles, f"Split {number}: ")
    return f"{len(splits)} ways to split it" if splits else None


def _has_valid_scenes(listing: DatasetListing) -> str:
    for image in listing.images:
        expect(image.split in SCENE_SPLITS, f"{image.path}: split is {image.split!r}; expected train or val.")
        expect(not image.labels, f"{image.path}: has labels {dict(image.labels)}; pictures of scenes have none.")
        expect(not is_hidden(image.path), f"{image.path}: hidden files are no images of the protocol.")
    empty = [split for split in SCENE_SPLITS if all(image.split != split for image in listing.images)]
    expect(not empty, f"No image for {' and '.join(empty)}.")
    return "scenes: nobody has an identity"


@CONTRACT.promise(
    "has queries, where people have identities, with an image of theirs under another camera in the gallery"
)
def has_answerable_queries(subject: DatasetSubject) -> str | None:
    images = subject.listing.people
    if not images:
        return None
    cameras: dict[int, set[int]] = {}
    for image in images:
        if image.split == "gallery":
            cameras.setdefault(image.pid, set()).add(image.camid)
    queries = [i for i in images if i.split == "query"]
    found = sum(bool(cameras.get(q.pid, set()) - {q.camid}) for q in queries)
    expect(found, "There is none: nothing can be measured. Are pid and camid numbered alike in both?")
    return f"{found:,} of {len(queries):,}"


@CONTRACT.promise("lists images that can be read")
def images_decode(subject: DatasetSubject) -> str:
    """Every image, as `anonbench index` does it."""
    found = [picture for picture, _ in subject.described]
    widths, heights = sorted(i.width for i in found), sorted(i.height for i in found)
    copies = len(found) - len({i.sha256 for i in found})
    sizes = f"{widths[0]} to {widths[-1]} pixels wide, {heights[0]} to {heights[-1]} high"
    return f"{sizes}; {copies:,} are copies of another" if copies else sizes


def count_listing(listing: DatasetListing) -> dict[str, dict[str, int]]:
    """For each split its images, and of people the identities, cameras, distractors and junk."""
    counts = {}
    for split in listing.roles:
        counts[split] = {"images": sum(image.split == split for image in listing.images)}
        people = [image for image in listing.people if image.split == split]
        pids = [image.pid for image in people]
        if listing.people:
            counts[split] |= {
                "identities": len(set(pids) - {JUNK_PID, DISTRACTOR_PID}),
                "cameras": len({image.camid for image in people}),
                "distractors": pids.count(DISTRACTOR_PID),
                "junk": pids.count(JUNK_PID),
            }
    return counts


def describe_listing(listing: DatasetListing) -> list[str]:
    """Lines with what a dataset holds: each split's images, identities, cameras, junk, distractors; why files drop."""
    counts = count_listing(listing)
    widths = {"images": 9, "identities": 12, "cameras": 9, "distractors": 13, "junk": 8}
    columns = [column for column in widths if column in counts[listing.roles[0]]]
    lines = [f"{'split':<10}" + "".join(f"{column:>{widths[column]}}" for column in columns)]
    for split, found in counts.items():
        lines.append(f"{split:<10}" + "".join(f"{found[column]:>{widths[column]},}" for column in columns))
    reasons = Counter(d.reason for d in listing.dropped)
    return lines + [f"dropped: {n:,} x {reason}" for reason, n in sorted(reasons.items())]


def _check_roles(images: Sequence[PersonImage], roles: Mapping[str, str], where: str) -> None:
    """One way of dividing the images.

    roles: train, query or gallery, by path.
    """
    expect(set(roles) == {image.path for image in images}, f"{where}it does not name exactly the images.")
    people: dict[str, set[int]] = {split: set() for split in SPLITS}
    for image in images:
        role = roles[image.path]
        expect(role in SPLITS, f"{where}{image.path} is {role!r}; expected one of {', '.join(SPLITS)}.")
        people[role].add(image.pid)
    empty = [split for split in SPLITS if not people[split]]
    expect(not empty, f"{where}No image for {' and '.join(empty)}.")
    both = people["train"] & (people["query"] | people["gallery"])
    expect(not both, f"{where}Identities both in train and in query or gallery: {some(both)}.")
    expect(len(people["train"]) > 1, f"{where}There is 1 identity in train; a classifier needs two.")


def _state(root: Path) -> dict[str, tuple[int, int, int]]:
    """Size and times of every file and folder; the time of change cannot be set back, so it betrays any write."""
    state = {}
    for path in [root, *root.rglob("*")]:
        status = path.lstat()
        state[str(path)] = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return state


class _Entries:
    """What `os.scandir` returns, with the entries in an order of our choice."""

    def __init__(self, entries: list[os.DirEntry[str]]) -> None:
        self.entries = iter(entries)

    def __iter__(self) -> _Entries:
        return self

    def __next__(self) -> os.DirEntry[str]:
        return next(self.entries)

    def __enter__(self) -> _Entries:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.entries = iter(())


@contextmanager
def _shuffled_folders(seed: int) -> Iterator[None]:
    """Inside, the entries of folders come in another order, as they do on another file system."""
    shuffle, scandir, listdir = random.Random(seed), os.scandir, os.listdir

    def entries(path: Any = ".") -> _Entries:
        with scandir(path) as found:
            ordered = sorted(found, key=lambda entry: entry.name)
        return _Entries(shuffle.sample(ordered, len(ordered)))

    def names(path: Any = ".") -> list[str]:
        ordered = sorted(listdir(path))
        return shuffle.sample(ordered, len(ordered))

    with mock.patch("os.scandir", entries), mock.patch("os.listdir", names):
        yield
