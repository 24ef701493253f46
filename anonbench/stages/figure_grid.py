"""Draw the same people under several variants, with PSNR and SSIM of the pictures shown."""

from __future__ import annotations

from anonbench.core.command import Count, Input, Output, Rows, command
from anonbench.report.style import write_figure
from anonbench.studies.reversible.figures_grid import chosen_people, draw_grid, measure, read_columns, read_pictures


@command("study", needs={"variants": ("variant", "title")})
def figure_grid(
    manifests: list[Input],
    roots: list[Input],
    variants: Rows,
    people: Count,
    label: str,
    output: Output,
    png: Output,
    title: str = "The same people under several variants",
    seed: int = 0,
    warning: str = "",
    splits: Input | None = None,
    split: int | None = None,
    threads: int = 1,
) -> None:
    """Draw a grid of pictures: people as rows, variants as columns (Study 2's Figures 6, 7, 8 and 10).

    One query picture of each person is shown, both drawn at random. Grids of one dataset and seed show the same people.
    Below each column is the mean PSNR and SSIM of the pictures shown, against those of the first column.

    manifests: of every variant (CSV of `index` or `anonymize-whole`), raw pictures first.
    roots: their image folders, in the same order.
    variants: `[{variant, title, group}]`, in the same order: name, caption of the column, and a heading over several
        columns side by side (may be left out).
    people: pictures to show in a column.
    label: which data is shown, in words.
    title: of the figure.
    seed: that draws the people, >= 0.
    warning: a line in red on the figure; "" where the people are drawn.
    splits: roles of the images in the further splits of the dataset (CSV of `index`).
    split: which of them to take queries from, from 0 on. Left out: the manifest's own.
    output: the figure (SVG).
    png: the same (PNG).
    """
    columns = read_columns(variants, manifests, roots)
    chosen = chosen_people(manifests[0], splits, split, people, seed)
    paths = [person.path for person in chosen]
    raw, *others = (
        read_pictures(column, manifest, root, paths, manifests[0])
        for column, manifest, root in zip(columns, manifests, roots, strict=True)
    )
    qualities = [measure(raw, pictures) for pictures in others]
    write_figure(draw_grid(columns, chosen, [raw, *others], qualities, label, title, seed, warning), output, png)
