"""Show the same images under every variant of a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from anonbench.errors import DataError
from anonbench.files import atomic_file
from anonbench.images import RGB, read_image
from anonbench.report.samples import sample_sheet
from anonbench.tables import read_detections, read_manifest


def samples(manifest: Path, detections: Path, roots: Mapping[str, Path], count: int, output: Path) -> None:
    """Write a picture of `count` images with a confidently detected face, one row a variant.

    roots: variant name -> its image folder. Images are taken from different identities, largest face first. Only the
    upper half of each is shown: whole, a person's face would be a few pixels of the page.
    """
    faces = read_detections(detections)
    best: dict[int, tuple[float, str]] = {}  # identity -> (face area weighted by score, path)
    for image in read_manifest(manifest):
        if image.pid <= 0:
            continue
        for box in faces.get(image.path, []):
            candidate = ((box.x1 - box.x0) * (box.y1 - box.y0) * box.score**2, image.path)
            best[image.pid] = max(best.get(image.pid, (0.0, "")), candidate)
    if not best:
        raise DataError(
            f"{detections}: no identity has a detected face; there is nothing to show. Lower the threshold."
        )
    paths = [path for _, path in sorted(best.values(), reverse=True)[:count]]
    rows = {name: [upper_half(read_image(root / path)) for path in paths] for name, root in roots.items()}
    with atomic_file(output) as temporary:
        sample_sheet(rows, temporary, file_format=output.suffix.lstrip("."))


def upper_half(image: RGB) -> RGB:
    """The upper half of an image (H, W, 3)."""
    return image[: (len(image) + 1) // 2]
