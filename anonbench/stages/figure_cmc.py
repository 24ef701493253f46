"""Draw CMC curves."""

from __future__ import annotations

from anonbench.core.command import Count, Input, Output, Rows, command
from anonbench.data.results import read_metrics
from anonbench.report.style import write_figure
from anonbench.studies.reid_faces.cases import read_cases
from anonbench.studies.reid_faces.figures_cmc import draw_cmc


@command("study")
def figure_cmc(
    metrics: list[Input], cases: Rows, ranks: Count, label: str, output: Output, png: Output, threads: int = 1
) -> None:
    """Draw CMC curves, a panel a case, the three settings as lines.

    metrics: metrics files, every run of the three settings of every case.
    cases: `[{dataset, model, variant}]`, those of one dataset, one for each model.
    ranks: length of the curves.
    label: which data the numbers depend on, in words.
    output: the figure (SVG).
    png: the same (PNG).
    """
    write_figure(draw_cmc([read_metrics(path) for path in metrics], read_cases(cases), ranks, label), output, png)
