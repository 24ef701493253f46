"""Find the faces of every image of a manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from anonbench.images import read_image
from anonbench.parallel import parallel_map
from anonbench.records import Detection
from anonbench.registry import DETECTORS, load_plugins
from anonbench.tables import read_manifest, write_detections


def detect(
    manifest: Path, root: Path, detector: Mapping[str, Any], output: Path, workers: int, plugins: list[str]
) -> None:
    """Write every face box with its score; images without a face are listed as such.

    detector: its config entry, `{method: centerface, **parameters}`.
    """
    paths = [image.path for image in read_manifest(manifest)]
    found = parallel_map(open_detector, (root, dict(detector), plugins), paths, workers, "detect")
    write_detections(output, dict(zip(paths, found, strict=True)))
    faceless = sum(not boxes for boxes in found)
    print(f"detect: {len(paths) - faceless} of {len(paths)} images with a face, {sum(map(len, found))} faces")


def open_detector(root: Path, entry: Mapping[str, Any], plugins: list[str]) -> Callable[[str], list[Detection]]:
    """A function that finds the faces of one image, given by its path below `root`."""
    load_plugins(plugins)
    find = DETECTORS.create(entry).open(root)
    return lambda path: find(read_image(root / path), path)
