"""Measure what an anonymizer costs a picture, at three sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import pandas as pd
import torch

from anonbench.anonymizers import ANONYMIZERS
from anonbench.anonymizers._cost import fit_line, time_sizes
from anonbench.core.command import Count, Input, Output, Spec, command
from anonbench.core.registry import load_plugins
from anonbench.data.images import read_image
from anonbench.data.pictures import read_manifest
from anonbench.data.regions import clip_region, read_regions_of
from anonbench.data.results import write_frame
from anonbench.stages._copies import demand_weights
from anonbench.stages.anonymize import ENTRY_KEYS

SCALES = (0.5, 1.0, 2.0)  # of both sides of the dataset's pictures


@command(
    "anonymize",
    plugin="anonbench.anonymizers:ANONYMIZERS",
    needs={"spec": ("method", "box_scale")},
)
def anonymizer_cost(
    manifest: Input,
    detections: Input,
    root: Input,
    spec: Spec,
    output: Output,
    weights: Input | None = None,
    large_weights: Input | None = None,
    pictures: Count = 4,
    threads: int = 1,
    plugins: Sequence[str] = (),
) -> None:
    """Measure what an anonymizer costs a picture: processor seconds and memory at half, once and twice its size.

    The pictures with most regions of the training set are hidden in memory. Decoding and writing are left out: they are
    the same for all anonymizers.

    manifest: the pictures (CSV of `index`).
    detections: their regions (CSV of `detect` or `bodies`).
    root: folder that their paths are relative to.
    spec: config entry of the variant.
    output: a row a size: pixels, regions, seconds, memory_mb (CSV).
    weights: file of weights, for a learned anonymizer.
    large_weights: a second one, for large regions.
    pictures: that are measured.
    """
    load_plugins(plugins)
    listed = read_manifest(manifest)
    found = read_regions_of(detections, manifest, [picture.path for picture in listed])
    training = [picture for picture in listed if picture.split == "train"]
    chosen = sorted(training, key=lambda picture: (-len(found[picture.path]), picture.path))[:pictures]
    scale = float(spec["box_scale"])
    clipped = [[clip_region(r, p.width, p.height, scale) for r in found[p.path]] for p in chosen]
    regions = [[region for region in own if region is not None] for own in clipped]
    files = {"weights": weights, "large_weights": large_weights}
    entry = {**spec, **{key: str(path) for key, path in files.items() if path}}
    anonymizer = ANONYMIZERS.create(entry, ignore=ENTRY_KEYS)
    demand_weights(anonymizer, entry["method"])
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    images = [read_image(Path(root) / picture.path) for picture in chosen]
    timings = time_sizes(anonymizer, images, regions, SCALES)
    line = fit_line(timings)
    write_frame(output, pd.DataFrame([asdict(timing) for timing in timings]))
    print(
        f"anonymizer_cost: {line.start:.4f} s and {line.per_megapixel:.4f} s a megapixel, within {100 * line.gap:.0f} %"
    )
