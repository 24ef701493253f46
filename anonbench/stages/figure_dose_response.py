"""Draw mAP of one model over the strength of its anonymizers."""

from __future__ import annotations

from anonbench.core.command import Input, Output, Rows, command
from anonbench.data.results import read_metrics
from anonbench.report.style import write_figure
from anonbench.studies.reid_faces.figures_dose import draw_dose_response, read_families


@command("study")
def figure_dose_response(
    metrics: list[Input],
    dataset: str,
    model: str,
    families: Rows,
    label: str,
    output: Output,
    png: Output,
    threads: int = 1,
) -> None:
    """Draw mAP of one model over the strength of its anonymizers, a panel a family.

    metrics: metrics files, every run of original → original, of the model trained on originals and tested on every
        variant of the families, and, where there are any, of the model trained on the variant.
    dataset: of the model.
    model: its name.
    families: `[{title, axis, values: {variant: parameter}, more_hides}]`. more_hides (true by default): a larger
        parameter hides more. The axis runs so that hiding increases to the right.
    label: which data the numbers depend on, in words.
    output: the figure (SVG).
    png: the same (PNG).
    """
    results, drawn = [read_metrics(path) for path in metrics], read_families(families)
    write_figure(draw_dose_response(results, dataset, model, drawn, label), output, png)
