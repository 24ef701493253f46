"""Pictures of the same people under several anonymizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from anonbench.images import RGB


def sample_sheet(
    rows: Mapping[str, Sequence[RGB]], output: Path, file_format: str = "png", height_inches: float = 1.4
) -> None:
    """Write a picture with one labelled row of images a variant, columns showing the same crops.

    rows: variant name -> images (height, width, 3) uint8 RGB, equally many in each row.
    """
    names = list(rows)
    columns = len(rows[names[0]])
    height, width = rows[names[0]][0].shape[:2]
    figure = Figure(figsize=(0.7 + columns * height_inches * width / height, len(names) * height_inches), dpi=130)
    axes = figure.subplots(len(names), columns, squeeze=False, gridspec_kw={"wspace": 0.04, "hspace": 0.04})
    for row, name in zip(axes, names, strict=True):
        for axis, image in zip(row, rows[name], strict=True):
            axis.imshow(image, interpolation="nearest", aspect="auto")
            axis.set(xticks=[], yticks=[])
            for side in axis.spines.values():
                side.set_visible(False)
        row[0].set_ylabel(name, fontsize=10)
    with matplotlib.rc_context({"svg.hashsalt": "anonbench"}):
        figure.savefig(output, format=file_format, bbox_inches="tight", pad_inches=0.05, metadata={"Software": None})
