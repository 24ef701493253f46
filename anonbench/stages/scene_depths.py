"""Draw what anonymized training pictures cost networks of several depths (Figure 8 of Study 3)."""

from __future__ import annotations

from anonbench.core.command import Input, Output, Rows, command
from anonbench.data.results import read_metrics, write_frame
from anonbench.report.style import write_figure
from anonbench.studies.scenes.figures_curves import Depths, draw_depths, relative_drops


@command("study", needs={"lines": ("title", "dataset", "models", "variant", "metric")})
def scene_depths(
    scores: list[Input], lines: Rows, label: str, output: Output, png: Output, numbers: Output, threads: int = 1
) -> None:
    """Draw the relative drop over the depth of the network's backbone, a line an experiment (Study 3's Figure 8).

    scores: files of `evaluate-instances` of every network, trained on original pictures and on the lines' variants.
    lines: `[{title, dataset, models: {"50": name, "101": name}, variant, metric}]`.
    label: which data is shown, in words.
    output: the figure (SVG).
    png: the same (PNG).
    numbers: a row a line and depth, in percent (CSV).
    """
    read = [Depths.read(line, f"lines[{number}]") for number, line in enumerate(lines)]
    drops = relative_drops([read_metrics(path) for path in scores], read)
    write_figure(draw_depths(drops, read, label), output, png)
    write_frame(numbers, drops)
    print(drops.to_string(index=False))
