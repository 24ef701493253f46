"""Draw the same people as every method leaves them (Figure 2 of Study 3)."""

from __future__ import annotations

from pathlib import Path

from anonbench.core.command import Count, Input, Output, Rows, command
from anonbench.data.instances import InstanceFile
from anonbench.data.pictures import read_manifest
from anonbench.report.style import write_figure
from anonbench.studies.scenes.figures_pictures import cut, draw_pictures, large_people, read_columns

SPLIT = "train"  # what networks see


@command("study", needs={"variants": ("variant", "title")})
def scene_methods(
    manifest: Input,
    instances: Input,
    roots: list[Input],
    variants: Rows,
    pictures: Count,
    label: str,
    output: Output,
    png: Output,
    warning: str = "",
    threads: int = 1,
) -> None:
    """Draw the same people as every method leaves them: a row a picture, a column a variant (Study 3's Figure 2).

    Shown is the surrounding of the largest person of those training pictures in which that person is largest.

    manifest: the original pictures (CSV of `index`).
    instances: who stands where (JSON lines of `index-instances`).
    roots: folders of the variants' pictures, in the order of the columns.
    variants: `[{variant, title, group}]`: name, caption, and a heading over several columns (may be left out).
    pictures: rows.
    label: which data is shown, in words.
    warning: a line in red on the figure; "" where the people are drawn.
    output: the figure (SVG).
    png: the same (PNG).
    """
    columns = read_columns(variants, roots, "image folders")
    listed = [picture for picture in read_manifest(manifest) if picture.split == SPLIT]
    details = large_people(listed, InstanceFile(instances), pictures)
    rows = [[cut(Path(root), detail) for root in roots] for detail in details]
    notes = f"The largest people of the training pictures, each as the methods leave it.\nData: {label}."
    write_figure(draw_pictures(columns, rows, "What is hidden", notes, warning), output, png)
