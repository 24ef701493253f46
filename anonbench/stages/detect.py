"""Find the faces of every image of a manifest."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.errors import ConfigError, DataError
from anonbench.core.parallel import parallel_map
from anonbench.core.registry import load_plugins
from anonbench.core.shards import open_shards, shard_key
from anonbench.data.images import read_image
from anonbench.data.pictures import Picture, read_manifest
from anonbench.data.regions import Region, fault_of, region_as_json, region_from_json, write_regions
from anonbench.detectors import DETECTORS

# Keys of a detector's config entry that are not parameters of the detector.
ENTRY_KEYS = ("default_box", "gpu")


@command("detect", gpu=True, plugin="anonbench.detectors:DETECTORS", needs={"spec": ("method",)})
def detect(
    manifest: Input,
    root: Input,
    spec: Spec,
    output: Output,
    weights: Input | None = None,
    boxes: Input | None = None,
    device: str | None = None,
    threads: int = 1,
    plugins: Sequence[str] = (),
    resume_dir: Path | None = None,
    code: str = "",
) -> None:
    """Find the faces of every image of a manifest.

    A box of which less than a pixel lies inside its picture hides nothing. One that a detector finds is left out and
    counted; one that somebody has written stops the run, since its corners are then in other units than pixels.

    With `default_box: [x0, y0, x1, y1]` in the entry an image in which no face is found gets that box (pixels of the
    original image), with the source `default`.

    manifest: the images (CSV of `index`).
    root: folder that their paths are relative to.
    spec: config entry of the detector, `{method: centerface, **parameters}`.
    output: every face box with its score (CSV). Images without a face are listed as such.
    weights: file of weights, where the entry names one.
    boxes: CSV of boxes, where the entry names one.
    device: cuda, or auto where there is a GPU: takes a free one for this job. cpu hides all. Left out: the detector's
        own choice.
    resume_dir: where the boxes found so far are kept, so that a killed run goes on. Removed on success, and used for
        the same entry, images and code only.

    Source of the default box: Dietlmeier et al. 2020, section III-A, for VIPeR: "false positives do not pose a
    problem".
    """
    images = read_manifest(manifest)
    load_plugins(plugins)
    spec = {**spec, **{key: str(file) for key, file in (("weights", weights), ("boxes", boxes)) if file}}
    plugin = DETECTORS.create(spec, ignore=ENTRY_KEYS)
    key = shard_key(plugin, root, spec, [(i.path, i.sha256) for i in images], code)
    with open_shards(resume_dir, key, "detect") as shards:
        found = {path: list(map(region_from_json, regions)) for path, regions in shards.finished.items()}

        def keep(path: str, regions: list[Region]) -> None:
            found[path] = regions
            shards.add(path, list(map(region_as_json, regions)))

        def keep_all(paths: Sequence[str], several: list[list[Region]]) -> None:
            for path, regions in zip(paths, several, strict=True):
                keep(path, regions)

        # A batch of which a part is missing is done again as a whole: alone, an image may get other last digits.
        batches = [b for b in _batches([i.path for i in images], _batch_size(plugin)) if not found.keys() >= set(b)]
        parallel_map(open_detector, (root, spec, list(plugins)), batches, threads, "detect", receive=keep_all, size=len)
        left_out = _leave_out_what_hides_nothing(images, found)
        write_regions(output, found)
    faces = [sum(not region.is_default for region in regions) for regions in found.values()]
    print(f"detect: {sum(map(bool, faces))} of {len(images)} images with a face, {sum(faces)} faces")
    if left_out:
        print(f"detect: {len(left_out)} boxes left out that hide nothing, the first: {left_out[0]}")


def _leave_out_what_hides_nothing(images: Sequence[Picture], found: dict[str, list[Region]]) -> list[str]:
    """Take such regions out of `found`; what was wrong with each. Raises `DataError` for one that was written."""
    left_out = []
    for image in images:
        for region in found[image.path]:
            fault = fault_of(region, image.width, image.height)
            if fault is None:
                continue
            box = ", ".join(f"{corner:g}" for corner in region.box)
            if region.source != "found":
                raise DataError(
                    f"{image.path}: box {box}: {fault}, so that it would hide nothing. Boxes are x0, y0, x1, y1 in "
                    f"pixels; corners between 0 and 1 must be multiplied by the picture's width and height first."
                )
            left_out.append(f"{image.path}: box {box}: {fault}")
        found[image.path] = [r for r in found[image.path] if fault_of(r, image.width, image.height) is None]
    return left_out


def open_detector(
    root: Path, entry: Mapping[str, Any], plugins: list[str]
) -> Callable[[Sequence[str]], list[list[Region]]]:
    """A function that finds the faces of images, given by their paths below `root`."""
    load_plugins(plugins)
    plugin = DETECTORS.create(entry, ignore=ENTRY_KEYS)
    find = plugin.open(root)
    default = read_default_box(entry)

    def detect_all(paths: Sequence[str]) -> list[list[Region]]:
        images = [read_image(root / path) for path in paths]
        if len(images) > 1:
            found = plugin.detect_batch(images)
        else:
            found = [find(image, path) for image, path in zip(images, paths, strict=True)]
        return [regions or default for regions in found]

    return detect_all


def _batch_size(plugin: Any) -> int:
    """How many images the detector takes at once."""
    return int(plugin.batch) if hasattr(plugin, "detect_batch") else 1


def _batches(paths: list[str], size: int) -> list[list[str]]:
    return [paths[first : first + size] for first in range(0, len(paths), size)]


def read_default_box(entry: Mapping[str, Any]) -> list[Region]:
    """The region for images without a face, as a list; empty where the entry names none.

    Raises `ConfigError` when `default_box` is not four finite numbers x0 < x1, y0 < y1.
    """
    corners = entry.get("default_box")
    if corners is None:
        return []
    numbers = isinstance(corners, list | tuple) and len(corners) == 4 and all(type(v) in (int, float) for v in corners)
    if not numbers or not all(map(math.isfinite, corners)) or not (corners[0] < corners[2] and corners[1] < corners[3]):
        raise ConfigError(f"default_box is {corners!r}; expected [x0, y0, x1, y1] in pixels with x0 < x1 and y0 < y1")
    x0, y0, x1, y1 = map(float, corners)
    return [Region((x0, y0, x1, y1), score=0.0, source="default")]
