"""Show what a model brings up for a few queries, before and after anonymizing."""

from __future__ import annotations

from anonbench.core.command import Count, Input, Output, Spec, command
from anonbench.core.errors import ConfigError
from anonbench.report.style import write_figure
from anonbench.studies.reid_faces.figures_ranked import draw_ranked
from anonbench.studies.reid_faces.ranked_lists import RankedSetting, ranked_queries


@command("study")
def figure_ranked(
    features: list[Input],
    queries: list[Input],
    roots: list[Input],
    settings: list[str],
    evaluation: Spec,
    model: str,
    ranks: Count,
    label: str,
    output: Output,
    png: Output,
    warning: str = "",
    threads: int = 1,
) -> None:
    """Show the first gallery images for three queries in two settings, correct and wrong ones framed.

    The queries are chosen by rule: the largest loss of average precision from the first setting to the second, the
    median change, and the largest gain. At ties the first path.

    features: of one run in both settings (.npz of `embed`), `original → original` first.
    queries: results of every query of that run in both (CSV of `evaluate`).
    roots: folders with the images of both tested variants.
    settings: what to call both.
    evaluation: `evaluation:` of the model, so that the lists are those that were scored.
    model: its name.
    ranks: gallery images to show.
    label: which data the numbers depend on, in words.
    warning: a line in red on the figure; "" where the people are drawn.
    output: the figure (SVG).
    png: the same (PNG).
    """
    counts = [len(several) for several in (settings, features, queries, roots)]
    if counts != [2] * 4:
        raise ConfigError(
            "figure_ranked shows two settings; expected two each of settings, features, queries and roots, got "
            f"{', '.join(map(str, counts))}."
        )
    before, after = (RankedSetting(*parts) for parts in zip(settings, features, queries, roots, strict=True))
    write_figure(draw_ranked(ranked_queries(before, after, evaluation, ranks), model, label, warning), output, png)
