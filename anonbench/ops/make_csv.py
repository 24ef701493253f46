r"""Write the CSV that the format `folder` reads, from the names of the files. Pictures are neither opened nor changed.

    anonbench make-csv /data/mine --pattern '(?P<pid>\d{4})_c(?P<camid>\d)_\d+\.jpg'

Who is in train, and who in query and gallery, is drawn by person, unless the names say it
(`(?P<split>train|query|gallery)`) or one role is given for all.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from anonbench.core.errors import ConfigError, DataError, nearest
from anonbench.data.seeding import generator
from anonbench.data.tables import MOST, write_csv
from anonbench.datasets import DATASETS, JUNK_PID, SPLITS, PersonImage
from anonbench.datasets._listing import is_hidden, is_image, list_files, unusable_files
from anonbench.datasets.folder import COLUMNS, INFO, INTEGER

GROUPS = ("pid", "camid", "split")
EACH = "each"  # a camera for each image of a person
UNSETTLED = ""  # the split of an image that is to be drawn


@dataclass(frozen=True, slots=True)
class Named:
    """What the names of a folder's files say.

    images: those that match, sorted by path.
    unmatched: image files whose name does not match.
    unusable: files that no job could read or name.
    numbered: columns whose texts are no numbers and have become some.
    """

    images: tuple[PersonImage, ...]
    unmatched: tuple[str, ...]
    unusable: tuple[str, ...]
    numbered: tuple[str, ...]


def make_csv(
    folder: Path, pattern: str, output: Path | None, camid: str | None, split: str | None, test: float, seed: int,
    queries: int,
) -> list[str]:  # fmt: skip
    """Write the CSV; returns lines on what was found and left out. The arguments are those of the command.

    Raises `ConfigError` for a pattern or option that cannot be used, `DataError` when no name matches, a name cannot be
    read, or the CSV is already there.
    """
    target = output or folder / "images.csv"
    if target.exists() or target.is_symlink():
        raise DataError(f"{target}: already there. Remove it, or name another with --output; nothing is overwritten.")
    named = read_names(folder, _compiled(pattern, camid, split), camid, split)
    drawn = any(image.split == UNSETTLED for image in named.images)
    images = draw_splits(named.images, test, seed, queries) if drawn else named.images
    write_csv(target, COLUMNS, [(i.path, i.pid, i.camid, i.split) for i in images])
    lines = [f"{target}: {len(images)} images of {len({i.pid for i in images if i.pid > JUNK_PID})} people"]
    for role in SPLITS:
        people = {i.pid for i in images if i.split == role and i.pid > JUNK_PID}
        lines.append(f"  {role}: {sum(i.split == role for i in images)} images of {len(people)} people")
    if drawn:
        lines.append(f"  people drawn for train and test with --test {test:g} --seed {seed}")
    for column in named.numbered:
        lines.append(f"  {column}: its texts are no numbers, so they were numbered from 1 in their sorted order")
    for what, left in (("names that do not match", named.unmatched), ("files that cannot be used", named.unusable)):
        if left:
            lines.append(f"  left out, {what}: {len(left)}, the first: {left[0]}")
    return [*lines, *_checked(folder, target)]


def _checked(folder: Path, target: Path) -> list[str]:
    """Whether the format `folder` takes it, and what comes next."""
    if not target.resolve().is_relative_to(folder.resolve()):
        return [f"  The format `folder` reads it from below {folder}: move it there."]
    name = target.resolve().relative_to(folder.resolve()).as_posix()
    try:
        DATASETS.get("folder")(folder, csv=name)
    except DataError as error:
        return [f"  Not yet a dataset: {error}"]
    spec = "" if name == "images.csv" else f' --spec \'{{"csv": "{name}"}}\''
    return [f"  Next: anonbench check dataset folder --root {folder}{spec}"]


def _compiled(pattern: str, camid: str | None, split: str | None) -> re.Pattern[str]:
    """The pattern. Raises `ConfigError` where it is none, or it and the options say too little or the same twice."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        where = "" if error.pos is None else f", character {error.pos + 1}"
        raise ConfigError(f"--pattern '{pattern}' is no regular expression ({error.msg}{where})") from error
    groups = set(compiled.groupindex)
    if "pid" not in groups:
        close = f" It has the groups {', '.join(sorted(groups))}." if groups else ""
        raise ConfigError(
            rf"--pattern '{pattern}' says nobody's identity; expected a group such as (?P<pid>\d+).{close}"
        )
    if "camid" in groups and camid is not None:
        raise ConfigError("the pattern has a group camid, and --camid is given; expected one of them")
    if "camid" not in groups and camid is None:
        raise ConfigError(
            "the pattern has no group camid, and a query is only compared with images of other cameras. Add "
            rf"(?P<camid>\d+), or --camid {EACH}: each image of a person counts as one of another camera"
        )
    if camid not in (None, EACH) and not str(camid).isdecimal():
        raise ConfigError(f"--camid is '{camid}'; expected a whole number from 0 on, or {EACH}")
    if split is not None and split not in SPLITS:
        raise ConfigError(f"--split is '{split}': {nearest(split, SPLITS)}")
    if "split" in groups and split is not None:
        raise ConfigError("the pattern has a group split, and --split is given; expected one of them")
    return compiled


def read_names(folder: Path, pattern: re.Pattern[str], camid: str | None = None, split: str | None = None) -> Named:
    """What the names of the images below a folder say; a split of `UNSETTLED` is to be drawn.

    pattern: for the whole path below the folder where it has a slash, else for the file's name.
    """
    paths = [path for path in list_files(folder, INFO) if is_image(path) and not is_hidden(path)]
    named = (lambda path: path) if "/" in pattern.pattern else (lambda path: PurePosixPath(path).name)
    found = {path: match for path in paths if path == path.strip() and (match := pattern.fullmatch(named(path)))}
    if not found:
        first = f"the first of {len(paths)} is {paths[0]}" if paths else "there is no image"
        raise DataError(f"{folder}: no image's name matches '{pattern.pattern}' as a whole; {first}.")
    texts = {path: {key: match[key] for key in pattern.groupindex if key in GROUPS} for path, match in found.items()}
    for path, groups in texts.items():
        for key, text in groups.items():
            if not text:
                raise DataError(
                    f"{folder / path}: its name matches, but the group {key} is empty. Correct the pattern."
                )
        if (role := groups.get("split", SPLITS[0])) not in SPLITS:
            raise DataError(f"{folder / path}: the group split is '{role}'; expected {', '.join(SPLITS)}.")
    numbers = {key: _numbers({g[key] for g in texts.values()}) for key in ("pid", "camid") if key in pattern.groupindex}
    for key, (known, _) in numbers.items():
        low = min(known.values())
        if low < (JUNK_PID if key == "pid" else 0) or max(known.values()) >= MOST:
            raise DataError(f"{folder}: {key} runs from {low} to {max(known.values())}; expected 0 to {MOST - 1}.")
    seen: dict[int, int] = defaultdict(int)
    images = []
    for path, groups in texts.items():
        pid = numbers["pid"][0][groups["pid"]]
        camera = seen[pid] if camid == EACH else numbers["camid"][0][groups["camid"]] if camid is None else int(camid)
        seen[pid] += 1
        images.append(PersonImage(path, pid, camera, groups.get("split", split or UNSETTLED)))
    unusable = [image.path for image in unusable_files(folder)] + [path for path in paths if path != path.strip()]
    return Named(
        tuple(images),
        tuple(path for path in paths if path not in found and path == path.strip()),
        tuple(sorted(unusable)),
        tuple(key for key, (_, made) in numbers.items() if made),
    )


def _numbers(texts: Collection[str]) -> tuple[dict[str, int], bool]:
    """Each text's number, and whether they were made: `0007` is 7, but where one is no number all are counted off."""
    if all(INTEGER.fullmatch(text) for text in texts):
        return {text: int(text) for text in texts}, False
    return {text: number for number, text in enumerate(sorted(texts), start=1)}, True


def draw_splits(images: Sequence[PersonImage], test: float, seed: int, queries: int) -> tuple[PersonImage, ...]:
    """Divide people between train and test, and the images of test between query and gallery.

    test: share of the people to test on, 0..1.
    queries: images of each person and camera that become queries, as far as each keeps a match under another camera.

    Only a person seen by two cameras can be a query. So people are drawn for test among those first.
    Raises `DataError` where fewer than two people can be told apart.
    """
    if not 0 < test < 1:
        raise ConfigError(f"--test is {test:g}; expected a share of the people between 0 and 1, such as 0.5")
    by_person: dict[int, list[PersonImage]] = defaultdict(list)
    for image in images:
        by_person[image.pid].append(image)
    people = [pid for pid in sorted(by_person) if pid != JUNK_PID]
    if len(people) < 2:
        raise DataError(f"the names tell {len(people)} people apart; expected two at least, to train and to test on.")
    order = [people[n] for n in generator(seed, "make-csv", "people").permutation(len(people))]
    order.sort(key=lambda pid: len({image.camid for image in by_person[pid]}) < 2)
    tested = set(order[: min(max(1, round(test * len(people))), len(people) - 1)])
    roles: dict[str, str] = {}
    for pid, held in by_person.items():
        chosen = _queries(held, queries, generator(seed, "make-csv", pid)) if pid in tested else set()
        outside = "gallery" if pid in tested or pid == JUNK_PID else "train"
        roles |= {image.path: "query" if image.path in chosen else outside for image in held}
    return tuple(replace(image, split=roles[image.path]) for image in images)


def _queries(images: Sequence[PersonImage], count: int, rng: np.random.Generator) -> set[str]:
    """Paths of a person's images that become queries: each has a match under another camera in what is left."""
    left: Mapping[str, PersonImage] = {image.path: image for image in images}
    chosen: list[PersonImage] = []
    taken: dict[int, int] = defaultdict(int)
    for number in rng.permutation(len(images)):
        image = images[number]
        rest = {path: other for path, other in left.items() if path != image.path}
        cameras = {other.camid for other in rest.values()}
        if taken[image.camid] < count and all(cameras - {query.camid} for query in (*chosen, image)):
            chosen.append(image)
            taken[image.camid] += 1
            left = rest
    return {image.path for image in chosen}
