"""Draw Study 1's Figure 1: people before and after."""

from __future__ import annotations

from anonbench.core.command import Count, Input, Output, command
from anonbench.core.errors import ConfigError
from anonbench.data.images import read_image
from anonbench.report.style import write_figure
from anonbench.studies.reid_faces.samples import BEFORE_AFTER, choose_faces, draw_before_after, draw_no_face, folders


@command("study")
def figure1(
    manifest: Input,
    detections: Input,
    roots: list[Input],
    variants: list[str],
    people: Count,
    label: str,
    output: Output,
    png: Output,
    warning: str = "",
    threads: int = 1,
) -> None:
    """Draw people's crops over the same crops anonymized, and their heads enlarged (Study 1's Figure 1).

    manifest: of the originals (CSV of `index`).
    detections: faces in them (CSV of `detect`).
    roots: image folders of two variants, originals first.
    variants: their names, in the same order.
    people: crops to show, chosen as by `samples`.
    label: which data is shown, in words.
    warning: a line in red on the figure; "" where the people are drawn.
    output: the figure (SVG).
    png: the same (PNG).
    """
    if len(variants) != 2:
        raise ConfigError(f"figure1 shows two variants, one over the other; got {', '.join(variants) or 'none'}.")
    faces = choose_faces(manifest, detections, people)
    shown = folders(variants, roots)
    if not faces:
        write_figure(draw_no_face(BEFORE_AFTER, detections), output, png)
        return
    before, after = ([read_image(root / face.path) for face in faces] for root in shown.values())
    write_figure(
        draw_before_after(before, after, [face.box for face in faces], variants[1], label, warning), output, png
    )
