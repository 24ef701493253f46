"""Draw the differences to original → original with their intervals."""

from __future__ import annotations

from typing import Literal

from anonbench.core.command import Input, Output, command
from anonbench.data.results import read_frame
from anonbench.report.style import write_figure
from anonbench.studies.reid_faces.figures_settings import draw_differences, read_differences


@command("study")
def figure_differences(
    cells: Input,
    metric: Literal["map", "rank1"],
    label: str,
    output: Output,
    png: Output,
    margin: float | None = None,
    threads: int = 1,
) -> None:
    """Draw the differences of every model on every dataset to original → original with their intervals.

    cells: of `cells` (CSV).
    metric: which one to show.
    label: which data the numbers depend on, in words.
    output: the figure (SVG).
    png: the same (PNG).
    margin: of equivalence, percent points. Left out: the one in the table of cells, if it has one.
    """
    table = read_frame(cells)
    if margin is None and "margin" in table.columns and table["margin"].nunique() == 1:
        margin = float(table["margin"].iloc[0])
    differences = read_differences(table, str(cells), metric)
    write_figure(draw_differences(differences, margin, label, metric, "bootstrap over identities"), output, png)
