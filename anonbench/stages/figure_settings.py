"""Draw mAP and rank-1 of every model in the three settings."""

from __future__ import annotations

from anonbench.core.command import Input, Output, Rows, command
from anonbench.data.results import read_metrics
from anonbench.report.style import write_figure
from anonbench.studies.reid_faces.cases import read_cases
from anonbench.studies.reid_faces.figures_settings import draw_settings


@command("study")
def figure_settings(
    metrics: list[Input], cases: Rows, label: str, output: Output, png: Output, threads: int = 1
) -> None:
    """Draw mAP and rank-1 of every model in the three settings.

    metrics: metrics files, every run of the three settings of every case.
    cases: `[{dataset, model, variant}]`, in the order to show.
    label: which data the numbers depend on, in words.
    output: the figure (SVG).
    png: the same (PNG).
    """
    write_figure(draw_settings([read_metrics(path) for path in metrics], read_cases(cases), label), output, png)
