"""Draw how large people are in several datasets (Figure 7 of Study 3)."""

from __future__ import annotations

from anonbench.core.command import Input, Output, command
from anonbench.core.errors import ConfigError
from anonbench.data.results import write_frame
from anonbench.report.style import write_figure
from anonbench.studies.scenes.figures_curves import draw_sizes, sides, size_table


@command("study")
def scene_sizes(
    instances: list[Input],
    manifests: list[Input],
    names: list[str],
    label: str,
    output: Output,
    png: Output,
    numbers: Output,
    threads: int = 1,
) -> None:
    """Draw a cumulative histogram of the size of people, a line a dataset (Study 3's Figure 7).

    The size is the mean of the box's width and height as shares of the picture's, of people in training pictures.

    instances: who stands where (JSON lines of `index-instances`), of each dataset.
    manifests: of each dataset (CSV of `index`), in the same order.
    names: of the datasets, in the same order.
    label: which data is shown, in words.
    output: the figure (SVG).
    png: the same (PNG).
    numbers: a row a dataset: people, median size, share of boxes below 1 % of the area (CSV).
    """
    if not len(instances) == len(manifests) == len(names):
        raise ConfigError(
            f"scene sizes: {len(instances)} files of instances, {len(manifests)} manifests, {len(names)} names; "
            f"expected one of each for every dataset."
        )
    found = {name: sides(people, listed) for name, people, listed in zip(names, instances, manifests, strict=True)}
    table = size_table(found)
    write_figure(draw_sizes(found, label), output, png)
    write_frame(numbers, table)
    print(table.to_string(index=False))
