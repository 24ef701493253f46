"""Take pictures that another tool has anonymized as a variant of a dataset.

    anonbench accept-copy --manifest original.csv --root data/raw/mine --files theirs --spec '{"method": "files"}' \\
        --sidecars sidecars.csv --output copy --output-manifest copy.csv --report differences.csv
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from anonbench.core import checks
from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.errors import DataError
from anonbench.core.fields import build
from anonbench.core.files import atomic_folder
from anonbench.core.parallel import parallel_map
from anonbench.data.differences import COLUMNS, Change, changes
from anonbench.data.extras import extras, say_extras
from anonbench.data.images import decode_image, read_bytes, sha256
from anonbench.data.instances import InstanceFile
from anonbench.data.left_out import left_out_of
from anonbench.data.people import count_people, say_people
from anonbench.data.pictures import Picture, read_manifest, read_sidecars, write_manifest
from anonbench.data.regions import Region, read_regions_of
from anonbench.data.tables import write_csv
from anonbench.stages._copies import Sidecars, read_indexed

LABEL = "accept-copy"
SIZES = ("same", "any")
# Keys of a variant's config entry that say where the pictures are, and not what is asked of them.
ENTRY_KEYS = ("method", "root", "detector")


@dataclass(frozen=True)
class Demands:
    """What is asked of the pictures of another tool: keys of a variant's config entry.

    tolerance: grey levels by which a pixel may differ without counting as changed, 0..255. A tool that encodes anew
        changes nearly all by a few; with a lossless one 0 counts everything.
    sizes: `same`: every picture has the size of its original. `any`: others are taken too, and are not compared.
    """

    tolerance: int = 16
    sizes: str = "same"

    def __post_init__(self) -> None:
        checks.integer("tolerance", self.tolerance, 0)
        checks.number("tolerance", self.tolerance, 0, 255)
        checks.choice("sizes", self.sizes, SIZES)

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Demands:
        """Raises `ConfigError` for a key that is none, and a value that nobody could follow."""
        keys = {key: value for key, value in entry.items() if key not in ENTRY_KEYS}
        return build(cls, keys, "variant of files", also=ENTRY_KEYS)


@dataclass(frozen=True)
class Accepted:
    """A picture that was taken.

    sha256, width, height: of its file.
    changes: of each region, then of what is outside; None for a picture of another size.
    extras: what the file holds besides the picture (`data.extras`).
    """

    sha256: str
    width: int
    height: int
    changes: Sequence[Change] | None
    extras: frozenset[str]


@command("anonymize", needs={"spec": ("method",)})
def accept_copy(
    manifest: Input,
    root: Input,
    files: Input,
    spec: Spec,
    sidecars: Input,
    output: Output,
    output_manifest: Output,
    report: Output,
    detections: Input | None = None,
    dropped: Input | None = None,
    instances: Input | None = None,
    threads: int = 1,
) -> None:
    """Take pictures that another tool has anonymized as a variant of a dataset.

    Names and sizes are checked, every picture is decoded and compared with its original, and its file is copied byte
    for byte. Their folder is only read. Where nothing changed in a region, whoever is there is still to be seen.

    manifest: the original images (CSV of `index`).
    root: folder that their paths are relative to; only read.
    files: folder with a picture of the same path for each.
    spec: config entry of the variant, `{method: files, tolerance, sizes}`.
    sidecars: list of the text and protocol files below `root` that the copy needs too (CSV of `index`).
    output: new folder for the copy.
    output_manifest: its manifest (CSV).
    report: of every region, and of what is outside, how much changed (CSV, `data.differences`).
    detections: regions that should be hidden (CSV of `detect` or `bodies`); left out: changes are counted alone.
    dropped: list of the images that are left out (CSV of `index`), where some are on request.
    instances: of a scene dataset, who stands where. With detections, the copy's manifest counts the people of each
        picture, and those are hidden in whose region something changed.
    """
    images, demands = read_manifest(manifest), Demands.of(spec)
    paths = [image.path for image in images]
    regions = read_regions_of(detections, manifest, paths) if detections else {path: [] for path in paths}
    _demand_names(files, paths, manifest)
    beside = Sidecars(root, read_sidecars(sidecars), left_out_of(dropped) if dropped else [])
    with atomic_folder(output) as folder:
        for parent in sorted({Path(path).parent for path in (*paths, *beside.files)}):
            (folder / parent).mkdir(parents=True, exist_ok=True)
        beside.write(folder)
        jobs = [(image, regions[image.path]) for image in images]
        whole = demands.sizes == "any" and instances is None
        taken = parallel_map(open_comparison, (root, files, folder, demands.tolerance, whole), jobs, threads, LABEL)
        copies = [
            dataclasses.replace(image, width=found.width, height=found.height, sha256=found.sha256)
            for image, found in zip(images, taken, strict=True)
        ]
        if instances and detections:
            copies = _counted(copies, taken, InstanceFile(instances))
        _write_report(report, paths, taken)
        write_manifest(output_manifest, copies)
    _say(images, taken, detections is not None)
    for line in [*say_people(copies), *say_extras({p: t.extras for p, t in zip(paths, taken, strict=True)})]:
        print(f"{LABEL}: {line}")
    beside.say(LABEL)


def open_comparison(
    root: Path, files: Path, folder: Path, tolerance: int, any_size: bool
) -> Callable[[tuple[Picture, list[Region]]], Accepted]:
    """A function that copies one picture below `files` to `folder` and compares it with its original below `root`."""

    def accept(job: tuple[Picture, list[Region]]) -> Accepted:
        image, regions = job
        before = decode_image(read_indexed(root, image), root / image.path)
        name = files / image.path
        data = read_bytes(name)
        after = decode_image(data, name)
        height, width = after.shape[:2]
        if after.shape != before.shape and not any_size:
            raise DataError(
                f"{name}: {width} x {height} pixels; expected {image.width} x {image.height}, those of the original. "
                f"Regions and annotations would not fit. Let the tool keep sizes; for pictures of single people "
                f"`sizes: any` takes them as they are, without comparing them."
            )
        (folder / image.path).write_bytes(data)
        compared = changes(before, after, regions, tolerance) if after.shape == before.shape else None
        return Accepted(sha256(data), width, height, compared, extras(data, name))

    return accept


def _demand_names(files: Path, paths: Sequence[str], manifest: Path) -> None:
    """Raise `DataError` unless there is a file for each picture; name those that nobody asked for."""
    there = {file.relative_to(files).as_posix() for file in files.rglob("*") if file.is_file()}
    missing = [path for path in paths if path not in there]
    if missing:
        stem = PurePosixPath(missing[0]).with_suffix("")
        alike = next((name for name in sorted(there) if PurePosixPath(name).with_suffix("") == stem), None)
        hint = (
            f" There is {alike}: give it the original's name; readers look at a file's first bytes."
            if alike
            else " Expected the same paths, relative to the folder, as the dataset has."
        )
        raise DataError(
            f"{files}: {len(missing)} of {len(paths)} pictures of {manifest} are missing, the first: {missing[0]}."
            f"{hint}"
        )
    more = sorted(there.difference(paths))
    if more:
        named = ", ".join(more[:3]) + (", …" if more[3:] else "")
        print(f"{LABEL}: {len(more)} further files are not of the dataset and are not copied: {named}")


def _counted(copies: Sequence[Picture], taken: Sequence[Accepted], scenes: InstanceFile) -> list[Picture]:
    """The rows of the copy's manifest, with the people of each picture counted."""
    counted = []
    for copy, found in zip(copies, taken, strict=True):
        hidden = [change.region for change in found.changes or () if change.region and not change.visible]
        labels = count_people(scenes.of(copy.path), hidden).labels
        counted.append(dataclasses.replace(copy, labels={**copy.labels, **labels}))
    return counted


def _write_report(report: Path, paths: Sequence[str], taken: Sequence[Accepted]) -> None:
    rows = [
        change.row(path, -1 if change.region is None else number)
        for path, found in zip(paths, taken, strict=True)
        for number, change in enumerate(found.changes or ())
    ]
    write_csv(report, COLUMNS, rows)


def _say(images: Sequence[Picture], taken: Sequence[Accepted], with_regions: bool) -> None:
    """What was taken, and all that a reader would not expect."""
    pairs = list(zip(images, taken, strict=True))
    same = [image.path for image, found in pairs if found.sha256 == image.sha256]
    print(f"{LABEL}: {len(pairs)} pictures taken, {len(same)} of them are the original's bytes")
    if resized := [image.path for image, found in pairs if found.changes is None]:
        print(f"{LABEL}: {len(resized)} of another size are not compared, the first: {resized[0]}")
    compared = [(image.path, change) for image, found in pairs for change in found.changes or ()]
    parts = (("inside", True), ("outside", False)) if with_regions else (("in all", False),)
    for words, inside in parts:
        own = [change for _, change in compared if (change.region is not None) is inside]
        pixels, changed = sum(change.pixels for change in own), sum(change.changed for change in own)
        share = f"{changed / pixels:.2%}" if pixels else "–"
        print(f"{LABEL}: {share} of the pixels changed {words}" + (" the regions" if with_regions else ""))
    visible = [path for path, change in compared if change.visible]
    if visible:
        regions = sum(change.region is not None for _, change in compared)
        print(
            f"{LABEL}: in {len(visible)} of {regions} regions next to nothing changed, the first in {visible[0]}: who "
            f"is there can be seen. The report lists them (visible = 1)."
        )
