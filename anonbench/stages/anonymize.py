"""Write a copy of a dataset in which the regions that were found are hidden."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anonbench.anonymizers import ANONYMIZERS
from anonbench.anonymizers._apply import hide, is_learned
from anonbench.anonymizers._control import CONTROLS, beside
from anonbench.anonymizers._mistakes import false_boxes, not_missed, sizes_of
from anonbench.core import checks
from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.errors import ConfigError, DataError, nearest
from anonbench.core.registry import load_plugins
from anonbench.core.shards import shard_key
from anonbench.data.copies import KEEP, encode_copy
from anonbench.data.extras import UNSEEN, extras
from anonbench.data.images import decode_image, sha256
from anonbench.data.instances import InstanceFile
from anonbench.data.left_out import left_out_of
from anonbench.data.people import count_people, say_people
from anonbench.data.pictures import Picture, read_manifest, read_sidecars
from anonbench.data.regions import Region, clip_region, covered, fault_of, read_regions_of, region_as_json
from anonbench.data.seeding import image_generator
from anonbench.stages._copies import Job, Sidecars, Writer, demand_weights, read_indexed, write_copies

# Keys of a variant's config entry that are not parameters of its anonymizer.
ENTRY_KEYS = (
    "detector", "box_scale", "jpeg_quality", "gpu", "control", "missed", "false_boxes", "inpainter", "large_inpainter",
)  # fmt: skip


@command(
    "anonymize",
    gpu=True,
    plugin="anonbench.anonymizers:ANONYMIZERS",
    needs={"spec": ("method", "box_scale", "jpeg_quality")},
)
def anonymize(
    manifest: Input,
    detections: Input,
    root: Input,
    spec: Spec,
    sidecars: Input,
    output: Output,
    output_manifest: Output,
    weights: Input | None = None,
    large_weights: Input | None = None,
    dropped: Input | None = None,
    instances: Input | None = None,
    device: str | None = None,
    threads: int = 1,
    plugins: Sequence[str] = (),
    resume_dir: Path | None = None,
    code: str = "",
) -> None:
    """Write a copy of a dataset in which what was detected is hidden: same tree, names and formats.

    An image without a region is copied byte for byte, metadata included, unless its file holds what nobody has looked
    at: further pictures, colours below transparent pixels, data after the picture's end. Then it is written anew, as
    are images in which something is hidden (`data.copies`). Images that are not in the manifest are not copied, since
    they might show the faces again.

    manifest: the images (CSV of `index`).
    detections: their regions (CSV of `detect`).
    root: folder that their paths are relative to; only read.
    spec: config entry of the variant, `{method, detector, box_scale, jpeg_quality, **parameters}`; with `control` one
        that hides no face (`anonymizers._control`), with `missed` or `false_boxes` one with mistakes
        (`anonymizers._mistakes`).
    sidecars: list of the text and protocol files below `root` that the copy needs too (CSV of `index`). Of tables the
        columns that a reader needs are copied.
    output: new folder for the copy.
    output_manifest: its manifest (CSV).
    weights: file of weights, for a learned anonymizer.
    large_weights: a second one, for regions that are larger than what the first one makes (`gan_inpaint`).
    dropped: list of the images that are left out (CSV of `index`), where some are on request: rows about them are left
        out of such tables too.
    instances: of a scene dataset, who stands where (file of `index_instances`). The copy's manifest then counts the
        people of each picture: `people`, `hidden` and `visible` (`data.people`).
    device: cuda, or auto where there is a GPU: takes a free one for this job. cpu hides all. Left out: the anonymizer's
        own choice.
    resume_dir: where the images written so far are kept, so that a killed run goes on. Removed on success, and used for
        the same entry, weights, images, regions and code only.
    """
    images = read_manifest(manifest)
    regions = read_regions_of(detections, manifest, [image.path for image in images])
    extra = read_sidecars(sidecars)
    gone = left_out_of(dropped) if dropped else []
    load_plugins(plugins)
    files = {"weights": weights, "large_weights": large_weights}
    entry = {**spec, **{name: str(file) for name, file in files.items() if file}}
    plugin = ANONYMIZERS.create(entry, ignore=ENTRY_KEYS)
    demand_weights(plugin, entry["method"])
    if getattr(plugin, "whole_picture", False):
        raise ConfigError(
            f"anonymizer '{entry['method']}' hides whole pictures alone, and this hides what a detector found; write "
            f"`detector: null` into the variant's entry (on the command line: anonbench anonymize-whole)"
        )
    _demand_values(entry)
    data = [(i.path, i.width, i.height, i.sha256, list(map(region_as_json, regions[i.path]))) for i in images]
    key = shard_key(plugin, root, entry, data, extra, code)
    plans = plan_regions(images, regions, entry)
    jobs = [(image, plan.hidden) for image, plan in zip(images, plans, strict=True)]
    batches = _batches(jobs, int(plugin.batch) if is_learned(plugin) else 1)
    copies = _counted(images, plans, instances, bool(entry.get("control"))) if instances else images
    beside_them = Sidecars(root, extra, gone)
    written = write_copies(
        "anonymize", batches, copies, beside_them, open_anonymizer, (entry, list(plugins)), output, output_manifest,
        threads=threads, resume_dir=resume_dir, key=key,
    )  # fmt: skip
    _say(jobs, written, entry)
    for line in say_people(copies):
        print(f"anonymize: {line}")
    beside_them.say("anonymize")
    beside_them.say_named("anonymize")
    if not entry.get("control") and (cuts := getattr(plugin, "cuts", None)):
        cut = [cuts(region) for _, found in jobs for region in found]
        if any(cut):
            print(f"anonymize: {sum(cut)} of {len(cut)} boxes are too small for the parameters of '{entry['method']}', "
                  f"which are less there")  # fmt: skip
    _say_mistakes(plans, entry)


def _say(jobs: Sequence[Job], written: Mapping[str, str], entry: Any) -> None:
    """What was done, and all that a reader would not expect."""
    changed = [image.path for image, _ in jobs if written[image.path] != image.sha256]
    print(f"anonymize: {len(changed)} of {len(jobs)} images changed, {len(jobs) - len(changed)} copied byte for byte")
    hidden = {image.path for image, found in jobs if found}
    rewritten = [path for path in changed if path not in hidden]
    if rewritten:
        print(
            f"anonymize: {len(rewritten)} images with nothing to hide written anew, without what was not looked at "
            f"({', '.join(UNSEEN)}), the first: {rewritten[0]}"
        )
    left = len(hidden) - (len(changed) - len(rewritten))
    if left and entry.get("control") != "none":
        print(f"anonymize: {left} images came out as they were, though they have something to hide")
    if control := entry.get("control"):
        print(f"anonymize: a control ({control}): every face is as visible as in the original. Never release it.")


def _say_mistakes(plans: Sequence[Plan], entry: Mapping[str, Any]) -> None:
    """What a copy was spoilt by, and boxes without a place."""
    found, kept = sum(len(plan.found) for plan in plans), sum(len(plan.kept) for plan in plans)
    if "missed" in entry:
        print(
            f"anonymize: {found - kept} of {found} regions missed on purpose: they are as visible as in the original. "
            f"Never release it."
        )
    elif found > kept:
        print(f"anonymize: {found - kept} boxes left out, since no place beside the regions is large enough")
    if "false_boxes" in entry:
        put, asked = sum(len(plan.false) for plan in plans), entry["false_boxes"] * len(plans)
        print(f"anonymize: {put} boxes put where nothing was found, {asked - put} had no place")


def _demand_values(entry: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for values of the entry's own keys that no one could follow."""
    quality, control = entry["jpeg_quality"], entry.get("control")
    if quality != KEEP and not (type(quality) is int and 1 <= quality <= 100):
        raise ConfigError(f"jpeg_quality is {quality!r}; expected {KEEP}, or a whole number from 1 to 100")
    try:
        checks.number("box_scale", entry["box_scale"], 0, above=True)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if control is not None and control not in CONTROLS:
        raise ConfigError(f"unknown control '{control}': {nearest(str(control), CONTROLS)}")
    missed, false = entry.get("missed", 0.5), entry.get("false_boxes", 1)
    if type(missed) not in (int, float) or not 0 < missed < 1:
        raise ConfigError(f"missed is {missed!r}; expected a share of the regions, above 0 and below 1")
    if type(false) is not int or false < 1:
        raise ConfigError(f"false_boxes is {false!r}; expected a number of boxes in each picture, 1 or more")
    for key in ("missed", "false_boxes"):
        if control is not None and key in entry:
            raise ConfigError(f"a control hides no face, so that '{key}' says nothing; take one of the two out")


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What is hidden of a picture, in whole pixels.

    found: all its regions; of the control `beside`, too, where they are.
    kept: those that are hidden, where they are hidden.
    false: boxes that are hidden though nothing was found there.
    """

    found: list[Region]
    kept: list[Region]
    false: list[Region]

    @property
    def hidden(self) -> list[Region]:
        return [*self.kept, *self.false]


def plan_regions(
    images: Sequence[Picture], regions: Mapping[str, Sequence[Region]], entry: Mapping[str, Any]
) -> list[Plan]:
    """What a variant hides of every picture.

    images: all those of the dataset.
    regions: what was detected, by path.
    entry: of the variant.
    Raises `DataError` for a region that would hide nothing.
    """
    found = [_inside(image, regions[image.path], entry) for image in images]
    sizes = sizes_of(region for several in found for region in several) if "false_boxes" in entry else []
    plans = []
    for image, several in zip(images, found, strict=True):
        kept = several
        if entry.get("control") == "beside":
            kept = beside(several, image.width, image.height)
        if "missed" in entry:
            kept = not_missed(several, entry["missed"], image.path)
        false = false_boxes(several, sizes, entry.get("false_boxes", 0), image.width, image.height, image.path)
        plans.append(Plan(several, kept, false))
    return plans


def _inside(image: Picture, regions: Sequence[Region], entry: Mapping[str, Any]) -> list[Region]:
    """The regions of a picture in whole pixels.

    Raises `DataError` for one that would hide nothing, which nobody would see later.
    """
    scale, clipped = float(entry["box_scale"]), []
    for region in regions:
        pixels = clip_region(region, image.width, image.height, scale)
        fault = fault_of(region, image.width, image.height)
        if fault is not None or pixels is None:
            raise DataError(
                f"{image.path}: box {', '.join(f'{corner:g}' for corner in region.box)}: "
                f"{fault or f'none of it lies inside the picture at box_scale {scale:g}'}, so that it would hide "
                f"nothing. Correct its row in the detections, or take it out."
            )
        clipped.append(pixels)
    return clipped


def _counted(images: Sequence[Picture], plans: Sequence[Plan], instances: Path, nothing_hidden: bool) -> list[Picture]:
    """The rows of the copy's manifest, with the people of each picture counted."""
    scenes = InstanceFile(instances)
    counted = []
    for image, plan in zip(images, plans, strict=True):
        count = count_people(scenes.of(image.path), [] if nothing_hidden else plan.kept)
        counted.append(dataclasses.replace(image, labels={**image.labels, **count.labels}))
    return counted


def _batches(jobs: Sequence[Job], size: int) -> list[list[Job]]:
    """Pictures with something to hide in batches of `size`, the others by themselves: they need no network."""
    busy, idle = ([job for job in jobs if bool(job[1]) is wanted] for wanted in (True, False))
    return [busy[first : first + size] for first in range(0, len(busy), size)] + [[job] for job in idle]


def open_anonymizer(root: Path, folder: Path, entry: Mapping[str, Any], plugins: list[str]) -> Writer:
    """A function that writes the anonymized copies of some images to `folder` and returns the SHA-256 of each file."""
    load_plugins(plugins)
    anonymizer = ANONYMIZERS.create(entry, ignore=ENTRY_KEYS)
    hides = entry.get("control") != "none"

    def write(batch: Sequence[Job]) -> list[str]:
        files = [read_indexed(root, image) for image, _ in batch]
        names = [root / image.path for image, _ in batch]
        # Pictures to decode: with something to hide, or with more in the file than was looked at.
        busy = [n for n, (_, found) in enumerate(batch) if found or extras(files[n], names[n]) & set(UNSEEN)]
        pictures = [decode_image(files[n], names[n]) for n in busy]
        regions = [batch[n][1] if hides else [] for n in busy]
        rngs = [image_generator(batch[n][0].path) for n in busy]
        for n, pixels, found in zip(busy, hide(pictures, regions, anonymizer, rngs), regions, strict=True):
            hidden = covered(found, *pixels.shape[:2])
            files[n] = encode_copy(pixels, hidden, files[n], names[n], entry["jpeg_quality"])
        for (image, _), data in zip(batch, files, strict=True):
            (folder / image.path).write_bytes(data)
        return [sha256(data) for data in files]

    return write
