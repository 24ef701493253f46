"""A sheet of samples for people to look at: the hidden person, what the generator is given, and whom it puts there."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from anonbench.data.images import RGB
from anonbench.tasks.inpainting.crops import CropBatches, Crops
from anonbench.training.framing import GREY
from anonbench.training.generators import to_pixels
from anonbench.training.inpainter import TRUNCATIONS, Inpainter, Styles

PEOPLE = 12  # rows of the sheet
SHOWN_PX = 96  # least height of a crop on it
GAP, LINE = 4, 16  # pixels
HEADINGS = ("hidden", "given", "none", "none", "centre", "centres", "centres")
LEGEND = "hidden | given | without truncation, twice | towards the mean | towards the nearest centres, twice"
WITHHELD = "Samples are not shown: these people are not drawn. Write `real_people: true` into the inpainter's entry."


def sample_sheet(network: Inpainter, styles: Styles, crops: Crops, seed: int, warning: str) -> RGB:
    """(H, W, 3) uint8: a row for each of the first crops, as `LEGEND` says.

    warning: a line in red above it, such as that the people are real; "" for none.
    """
    crops = crops[torch.arange(min(len(crops), PEOPLE))]
    batch = CropBatches(crops, 0.0, torch.device("cpu")).batch(torch.arange(len(crops)), 0)
    columns = [_pixels(batch.originals), _pixels(torch.where(batch.known, batch.originals, GREY / 127.5 - 1))]
    psi = {"none": 1.0, "centre": 0.0, "centres": 0.0}
    for number, truncation in enumerate(HEADINGS[2:]):
        assert truncation in TRUNCATIONS
        draw = torch.randn(len(crops), network.settings.z, generator=torch.Generator().manual_seed(seed + number))
        with torch.no_grad():
            found = styles.truncate(network.mapping(draw), truncation, psi[truncation])
            made = network(batch.originals, batch.own, batch.known, batch.points, found)
        columns.append(_pixels(torch.where(batch.own, made, batch.originals)))
    height, width = network.settings.size
    scale = max(1, -(-SHOWN_PX // height))
    rows = [
        np.concatenate([_framed(column[row], scale) for column in columns], axis=1) for row in range(len(columns[0]))
    ]
    sheet = np.concatenate(rows) if rows else np.zeros((0, len(columns) * (width * scale + GAP), 3), np.uint8)
    lines = [(LEGEND, (0, 0, 0)), *([(warning, (200, 0, 0))] if warning else [])]
    return np.concatenate([_text(lines, sheet.shape[1]), sheet])


def withheld_sheet() -> RGB:
    """What is written in the place of samples that must not be shown."""
    return _text([(WITHHELD, (200, 0, 0))], 8 * len(WITHHELD))


def _pixels(pictures: Tensor) -> list[RGB]:
    return list(to_pixels(pictures).permute(0, 2, 3, 1).numpy())


def _framed(picture: RGB, scale: int) -> RGB:
    large = picture.repeat(scale, axis=0).repeat(scale, axis=1)
    return np.pad(large, ((0, GAP), (0, GAP), (0, 0)), constant_values=255)


def _text(lines: list[tuple[str, tuple[int, int, int]]], width: int) -> RGB:
    sheet = Image.new("RGB", (width, LINE * len(lines)), "white")
    for number, (text, colour) in enumerate(lines):
        ImageDraw.Draw(sheet).text((2, 2 + LINE * number), text, fill=colour)
    return np.asarray(sheet)
