"""Show the same crops under every variant."""

from __future__ import annotations

from anonbench.core.command import Count, Input, Output, command
from anonbench.core.files import write_bytes
from anonbench.data.images import read_image
from anonbench.report.style import render
from anonbench.studies.reid_faces.samples import choose_faces, draw_no_face, draw_variants, folders, upper_half


@command("study")
def samples(
    manifest: Input,
    detections: Input,
    roots: list[Input],
    variants: list[str],
    output: Output,
    people: Count = 6,
    warning: str = "",
    threads: int = 1,
) -> None:
    """Show images with a confidently detected face, one row a variant.

    Images are taken from different identities, largest face first. Only the upper half of each is shown: whole, a
    person's face would be a few pixels of the page.

    manifest: of the originals (CSV of `index`).
    detections: faces in them (CSV of `detect`).
    roots: image folders of the variants.
    variants: their names, in the same order.
    output: the picture (PNG).
    people: images to show.
    warning: a line in red on the picture; "" where the people are drawn.
    """
    paths = [face.path for face in choose_faces(manifest, detections, people)]
    if not paths:
        write_bytes(output, render(draw_no_face("Faces under every variant", detections), output.suffix.lstrip(".")))
        return
    shown = folders(variants, roots)
    rows = {name: [upper_half(read_image(root / path)) for path in paths] for name, root in shown.items()}
    write_bytes(output, render(draw_variants(rows, warning), output.suffix.lstrip(".")))
