"""Join what several detectors found."""

from __future__ import annotations

from anonbench.core.command import Input, Output, command
from anonbench.data.pictures import read_manifest
from anonbench.data.regions import read_regions_of, write_regions
from anonbench.detectors.union import join


@command("detect")
def unite(manifest: Input, detections: list[Input], output: Output) -> None:
    """Join what several detectors found: every region of each, those that are alike once.

    manifest: the images (CSV of `index`).
    detections: the members' regions (CSV of `detect` or of `unite`).
    output: all of them (CSV).

    Raises `DataError` for a member that does not list the same images.
    """
    images = [image.path for image in read_manifest(manifest)]
    members = {str(file): read_regions_of(file, manifest, images) for file in detections}
    joined = {path: join({file: found[path] for file, found in members.items()}) for path in images}
    write_regions(output, joined)
    counts = [sum(map(len, found.values())) for found in members.values()]
    regions, pictures = sum(map(len, joined.values())), sum(map(bool, joined.values()))
    each = ", ".join(f"{file.stem} {count}" for file, count in zip(detections, counts, strict=True))
    print(f"unite: {regions} regions in {pictures} of {len(images)} images ({each}; {sum(counts) - regions} alike)")
