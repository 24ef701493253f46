"""Draw what ways of hiding cost against the risk that they leave (Study 4)."""

from __future__ import annotations

from anonbench.core.command import Input, Output, Spec, command
from anonbench.data.results import read_frame
from anonbench.report.style import write_figure
from anonbench.studies.privacy.figures_tradeoff import COLUMNS, draw_tradeoff


@command("study")
def figure_tradeoff(table: Input, curves: Spec, label: str, output: Output, png: Output, threads: int = 1) -> None:
    """Draw what ways of hiding cost against the risk that they leave.

    table: of the kind `tradeoff` (CSV).
    curves: name -> list of variants, doses of one method that a line joins.
    label: which data is shown, in words.
    output: the figure (SVG).
    png: the same (PNG).
    """
    write_figure(draw_tradeoff(read_frame(table, COLUMNS), curves, label), output, png)
