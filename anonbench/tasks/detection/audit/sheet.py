"""Contact sheets: many pictures with the detector's boxes, large enough to judge, with the numbers of their rows."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from anonbench.data.images import RGB
from anonbench.data.regions import Region
from anonbench.tasks.detection.audit.suspects import HEAD, is_crop

ROW_PX, CROP_PX, HEAD_PX = 240, 132, 260  # height of a picture; widths of the whole crop and of its enlarged head
SCENE_PX = (800, 480)  # width and height of a picture that is no crop
CROP_GRID, SCENE_GRID = (6, 6), (3, 3)  # columns, rows
GAP, CAPTION_PX, TITLE_PX = 10, 22, 34
PAPER, INK, ALARM, BOX, DEFAULT = (255, 255, 255), (34, 34, 34), (190, 0, 0), (255, 230, 0), (160, 160, 160)
HEAD_SHARE = HEAD[3] + 0.05  # of a crop's height that is enlarged


@dataclass(frozen=True)
class Cell:
    """A picture on a sheet.

    caption: such as "17 · camera 3".
    """

    caption: str
    image: RGB
    boxes: Sequence[Region]


def are_crops(sizes: Sequence[tuple[int, int]]) -> bool:
    """Whether most pictures of these sizes (width, height) are crops of one person."""
    return 2 * sum(is_crop(*size) for size in sizes) >= len(sizes)


def per_sheet(crops: bool) -> int:
    """How many pictures a sheet holds: of crops of one person, or of scenes."""
    return math.prod(CROP_GRID if crops else SCENE_GRID)


def draw_sheet(cells: Sequence[Cell], title: str, warning: str, crops: bool) -> RGB:
    """A sheet of at most `per_sheet` pictures, (h, w, 3) uint8.

    crops: shown as crops of one person, the upper part enlarged beside the whole, or as scenes; the same for all sheets
    of a list. Boxes are drawn around, not over, their pixels; default ones (no find) in grey.
    warning: printed in red behind the title, "" for none.
    Raises `ValueError` for more pictures than a sheet holds.
    """
    if len(cells) > per_sheet(crops):
        raise ValueError(f"{len(cells)} pictures for one sheet; expected at most {per_sheet(crops)}")
    columns, rows = CROP_GRID if crops else SCENE_GRID
    rows = min(rows, math.ceil(len(cells) / columns))
    width, height = (CROP_PX + HEAD_PX + GAP, ROW_PX) if crops else SCENE_PX
    step_x, step_y = width + 2 * GAP, height + CAPTION_PX + GAP
    sheet = Image.new("RGB", (GAP + columns * step_x, TITLE_PX + rows * step_y + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, 8), title, INK, ImageFont.load_default(18))
    if warning:
        draw.text((GAP + draw.textlength(f"{title}    ", ImageFont.load_default(18)), 8), warning, ALARM,
                  ImageFont.load_default(18))  # fmt: skip
    for number, cell in enumerate(cells):
        left, top = GAP + number % columns * step_x, TITLE_PX + number // columns * step_y
        draw.text((left, top), cell.caption, INK, ImageFont.load_default(14))
        whole = _shown(cell.image, cell.boxes, (CROP_PX if crops else width, height))
        sheet.paste(whole, (left, top + CAPTION_PX))
        if crops:
            upper = cell.image[: max(1, round(HEAD_SHARE * len(cell.image)))]
            sheet.paste(_shown(upper, cell.boxes, (HEAD_PX, height)), (left + CROP_PX + GAP, top + CAPTION_PX))
    return np.asarray(sheet)


def encode_sheet(sheet: RGB) -> bytes:
    """PNG, packed quickly: noise hardly gets smaller, and takes four times as long at the usual level."""
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _shown(image: RGB, boxes: Sequence[Region], room: tuple[int, int]) -> Image.Image:
    """A picture as large as fits, with its boxes."""
    scale = min(room[0] / image.shape[1], room[1] / image.shape[0])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    picture = Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(picture)
    for box in sorted(boxes, key=lambda b: b.score):
        x0, y0, x1, y1 = (round(v * scale) for v in (box.x0, box.y0, box.x1, box.y1))
        draw.rectangle((x0 - 3, y0 - 3, x1 + 2, y1 + 2), outline=(0, 0, 0))
        draw.rectangle((x0 - 2, y0 - 2, x1 + 1, y1 + 1), outline=DEFAULT if box.is_default else BOX)
        draw.rectangle((x0 - 1, y0 - 1, x1, y1), outline=(0, 0, 0))
    return picture
