"""Draw the change of average precision by the face of the query."""

from __future__ import annotations

from anonbench.core.command import Input, Output, command
from anonbench.data.results import read_frame
from anonbench.report.style import write_figure
from anonbench.studies.reid_faces.face_groups import CONTRAST, SLOPE
from anonbench.studies.reid_faces.figures_faces import draw_faces_cost, read_face_groups


@command("study")
def figure_faces(
    faces: Input, dataset: str, variant: str, label: str, output: Output, png: Output, threads: int = 1
) -> None:
    """Draw the change of average precision by the face of the query, a panel a model.

    faces: of `faces` (CSV).
    dataset: that is shown.
    variant: that its faces are hidden by.
    label: which data the numbers depend on, in words.
    output: the figure (SVG).
    png: the same (PNG).
    """
    groups = read_face_groups(read_frame(faces), str(faces), dataset, variant, leave_out=(CONTRAST, SLOPE))
    write_figure(draw_faces_cost(groups, variant, label), output, png)
