"""Draw maps of raw and protected features of the same pictures, a panel a network."""

from __future__ import annotations

from anonbench.core.command import Count, Input, Output, Rows, Spec, command
from anonbench.data.tables import write_csv
from anonbench.report.style import write_figure
from anonbench.studies.reversible.figures_maps import (
    NUMBER_COLUMNS,
    all_pairs,
    choose_images,
    draw_maps,
    measure,
    number_rows,
    place,
    read_panels,
)


@command("study", needs={"panels": ("title", "protected")})
def figure_maps(
    raw: list[Input],
    protected: list[Input],
    panels: Rows,
    evaluation: Spec,
    label: str,
    output: Output,
    png: Output,
    numbers: Output,
    people: Count = 7,
    images: Count = 16,
    seed: int = 0,
    threads: int = 1,
) -> None:
    """Draw t-SNE maps of raw and protected features, a panel a network (Study 2's Figure 9).

    Every panel shows the same test pictures. The numbers at it are of the features and not of the map: how well people
    are apart, and how far protected pictures are from their raw ones.

    raw: features of the raw pictures by each panel's network (.npz of `embed`).
    protected: features of the protected pictures by the same networks (.npz of `embed`), in the same order.
    panels: `[{title, protected}]`, in the same order: the network, and what its protected pictures are.
    evaluation: `evaluation:` of the model: features are compared by its metric.
    label: which data is shown, in words.
    people: to show, 2 to 7.
    images: of each person to show at most.
    seed: that draws people and maps, >= 0.
    output: the figure (SVG).
    png: the same (PNG).
    numbers: a row a panel (CSV): people, images, silhouette, mean distances.
    """
    shown = read_panels(panels, raw, protected)
    pairs = all_pairs(raw, protected, choose_images(raw[0], people, images, seed), evaluation)
    found = [measure(some) for some in pairs]
    places = [place(some, seed) for some in pairs]
    figure = draw_maps(shown, pairs, found, places, label, seed)
    write_csv(numbers, NUMBER_COLUMNS, number_rows(shown, pairs, found))
    write_figure(figure, output, png)
