"""Draw Study 1's Figure 2: ways of hiding a face."""

from __future__ import annotations

from anonbench.core.command import Input, Output, Spec, command
from anonbench.data.images import read_image
from anonbench.report.style import write_figure
from anonbench.studies.reid_faces.samples import TECHNIQUES, choose_faces, draw_no_face, draw_techniques, folders


@command("study")
def figure2(
    manifest: Input,
    detections: Input,
    roots: list[Input],
    variants: list[str],
    details: Spec,
    label: str,
    output: Output,
    png: Output,
    warning: str = "",
    threads: int = 1,
) -> None:
    """Draw the crop with the largest face under each variant (Study 1's Figure 2).

    manifest: of the originals (CSV of `index`).
    detections: faces in them (CSV of `detect`).
    roots: image folders of the variants.
    variants: their names, in the same order, which is that of the figure.
    details: `{variant: a line on its settings}`, for some or none.
    label: which data is shown, in words.
    warning: a line in red on the figure; "" where the people are drawn.
    output: the figure (SVG).
    png: the same (PNG).
    """
    faces = choose_faces(manifest, detections, 1)
    if not faces:
        write_figure(draw_no_face(TECHNIQUES, detections), output, png)
        return
    (face,) = faces
    images = {name: read_image(root / face.path) for name, root in folders(variants, roots).items()}
    write_figure(draw_techniques(images, face.box, label, details, warning), output, png)
