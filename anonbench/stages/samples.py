"""Show the same images under every variant."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from anonbench.core.errors import ConfigError, DataError
from anonbench.core.files import write_bytes
from anonbench.data.images import read_image
from anonbench.data.tables import read_detections, read_manifest
from anonbench.report.style import render, write_figure
from anonbench.studies.reid_faces.samples import (
    SampleFace,
    best_faces,
    draw_before_after,
    draw_techniques,
    draw_variants,
    upper_half,
)


def samples(manifest: Path, detections: Path, roots: Mapping[str, Path], count: int, output: Path) -> None:
    """Write a picture of `count` images with a confidently detected face, one row a variant.

    roots: variant name -> its image folder. Images are taken from different identities, largest face first. Only the
    upper half of each is shown: whole, a person's face would be a few pixels of the page.
    """
    paths = [face.path for face in choose_faces(manifest, detections, count)]
    rows = {name: [upper_half(read_image(root / path)) for path in paths] for name, root in roots.items()}
    write_bytes(output, render(draw_variants(rows), output.suffix.lstrip(".")))


def figure1(
    manifest: Path,
    detections: Path,
    roots: Mapping[str, Path],
    count: int,
    label: str,
    svg: Path,
    png: Path,
) -> None:
    """Write Study 1's Figure 1: `count` people's crops over the same crops anonymized, and their heads enlarged.

    roots: image folders of the two variants, `original` first. People are chosen as by `samples`. label: the data, in
    words.
    """
    if len(roots) != 2:
        raise ConfigError(f"figure1 shows two variants, one over the other; got {', '.join(roots) or 'none'}.")
    faces = choose_faces(manifest, detections, count)
    before, after = ([read_image(root / face.path) for face in faces] for root in roots.values())
    figure = draw_before_after(before, after, [face.box for face in faces], list(roots)[1], label)
    write_figure(figure, svg, png)


def figure2(
    manifest: Path,
    detections: Path,
    roots: Mapping[str, Path],
    details: Mapping[str, str],
    label: str,
    svg: Path,
    png: Path,
) -> None:
    """Write Study 1's Figure 2: the crop with the largest face under each variant, in the order of `roots`.

    roots: variant name -> its image folder. details: variant name -> a line on its settings, for some or none.
    label: the data, in words.
    """
    (face,) = choose_faces(manifest, detections, 1)
    images = {name: read_image(root / face.path) for name, root in roots.items()}
    write_figure(draw_techniques(images, face.box, label, details), svg, png)


def choose_faces(manifest: Path, detections: Path, count: int) -> list[SampleFace]:
    """The images to show (see `report.samples.best_faces`); raises `DataError` when no face was found."""
    faces = best_faces(read_manifest(manifest), read_detections(detections), count)
    if not faces:
        raise DataError(
            f"{detections}: no identity has a detected face; there is nothing to show. Lower the threshold."
        )
    return faces
