"""Draw what networks find in validation pictures that were trained on several variants."""

from __future__ import annotations

from anonbench.core.command import Count, Input, Output, Rows, command
from anonbench.data.images import read_image
from anonbench.data.instances import InstanceFile
from anonbench.data.pictures import read_manifest
from anonbench.report.style import write_figure
from anonbench.studies.scenes.figures_pictures import busiest, draw_pictures, painted, read_columns
from anonbench.tasks.instances.predictions import read_predictions

SPLIT = "val"


@command("study", needs={"variants": ("variant", "title")})
def scene_predictions(
    manifest: Input,
    root: Input,
    instances: Input,
    predictions: list[Input],
    variants: Rows,
    pictures: Count,
    label: str,
    output: Output,
    png: Output,
    least_score: float = 0.5,
    warning: str = "",
    threads: int = 1,
) -> None:
    """Draw what networks find in the validation pictures with most people: a row a picture, a column a training.

    manifest: the pictures that were tested (CSV of `index`).
    root: their folder.
    instances: who stands where (JSON lines of `index-instances`).
    predictions: of each network (JSON of `predict-instances`), in the order of the columns.
    variants: `[{variant, title, group}]`: what each was trained on, caption, a heading over several columns.
    pictures: rows.
    label: which data is shown, in words.
    least_score: of what is shown, 0..1.
    warning: a line in red on the figure; "" where the people are drawn.
    output: the figure (SVG).
    png: the same (PNG).
    """
    columns = read_columns(variants, predictions, "files of predictions")
    listed = [picture for picture in read_manifest(manifest) if picture.split == SPLIT]
    chosen = busiest(listed, InstanceFile(instances), pictures)
    found = [read_predictions(file).results for file in predictions]
    rows = []
    for picture in chosen:
        image = read_image(root / picture.path)
        rows.append([painted(image, results.get(picture.path, ()), least_score) for results in found])
    notes = (
        f"What networks find in original validation pictures, by what they were trained on: people orange, all else "
        f"blue, with a score of {least_score:g} or more.\nData: {label}."
    )
    write_figure(draw_pictures(columns, rows, "What is found", notes, warning), output, png)
