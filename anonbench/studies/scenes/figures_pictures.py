"""Pictures of scenes side by side: what methods make of people, and what networks find (Figure 2, appendix B).

Source: Hukkelås and Lindseth 2023, Figure 2. Deviation: people are shown enlarged. In pictures of streets most are
a few pixels high at the size of print.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from anonbench.core.errors import ConfigError, DataError
from anonbench.core.fields import build
from anonbench.data.images import RGB, read_image
from anonbench.data.instances import PERSON, InstanceFile
from anonbench.data.masks import Mask
from anonbench.data.pictures import Picture
from anonbench.report.grid import GAP, GROUP_LINE, LINE, NARROWEST, PRINT_WIDTH, Column, arrange, draw_captions
from anonbench.report.style import MARGIN, OKABE_ITO, house_style, open_page

HEIGHTS = (1.92, 1.6, 1.28, 0.96, 0.8, 0.64)  # inches of a picture; the largest that fits
ROOM = 0.4  # of a person's longer side that is shown around it, on each side
LEAST_PX = 32  # of the side of a detail
PEOPLE, OTHERS = "orange", "sky blue"
TINT = 0.45  # of a mask's colour in what it covers


@dataclass(frozen=True, slots=True)
class Detail:
    """A square part of a picture.

    path: of the picture.
    box: x0, y0, x1, y1 in whole pixels, half-open, inside the picture.
    """

    path: str
    box: tuple[int, int, int, int]


def read_columns(entries: Sequence[Mapping[str, Any]], files: Sequence[Path], what: str) -> list[Column]:
    """The columns `{variant, title, group}`; group may be left out.

    files: one of each column, called `what` in the message. Raises `ConfigError` for more or fewer.
    """
    if len(entries) != len(files):
        raise ConfigError(f"{len(entries)} columns and {len(files)} {what}; expected one for every column.")
    return [build(Column, entry, f"variants[{number}]") for number, entry in enumerate(entries)]


def large_people(pictures: Sequence[Picture], instances: InstanceFile, count: int) -> list[Detail]:
    """Squares around the largest person of those pictures in which that person is largest.

    Crowds and ignored people are nobody: no method hides them. Raises `DataError` where there is no person.
    """
    largest = []
    for picture in pictures:
        people = [i for i in instances.of(picture.path) if i.category == PERSON and not (i.crowd or i.ignore)]
        if people:
            person = max(people, key=lambda i: (i.area, -i.number))
            largest.append((person.area / (picture.width * picture.height), picture, person))
    if not largest:
        raise DataError(f"{instances.path}: no person in {len(pictures)} pictures; there is nobody to show.")
    largest.sort(key=lambda found: (-found[0], found[1].path))
    return [Detail(p.path, square_around(i.box, p.width, p.height)) for _, p, i in largest[:count]]


def square_around(box: tuple[float, float, float, float], width: int, height: int) -> tuple[int, int, int, int]:
    """A square around a box, inside a picture of that size; cut where the picture is smaller.

    >>> square_around((10, 20, 30, 70), 200, 100)
    (0, 0, 90, 90)
    """
    x0, y0, x1, y1 = box
    side = max(LEAST_PX, round((1 + 2 * ROOM) * max(x1 - x0, y1 - y0)))
    across, down = min(side, width), min(side, height)
    left = int(np.clip(round((x0 + x1) / 2 - across / 2), 0, width - across))
    top = int(np.clip(round((y0 + y1) / 2 - down / 2), 0, height - down))
    return left, top, left + across, top + down


def cut(root: Path, detail: Detail) -> RGB:
    """(h, w, 3) uint8. Raises `DataError` where a copy's picture is missing or has another size."""
    x0, y0, x1, y1 = detail.box
    image = read_image(root / detail.path)
    if image.shape[0] < y1 or image.shape[1] < x1:
        raise DataError(f"{root / detail.path}: {image.shape[1]} x {image.shape[0]} pixels; its original is larger.")
    return image[y0:y1, x0:x1]


def busiest(pictures: Sequence[Picture], instances: InstanceFile, count: int) -> list[Picture]:
    """The pictures with most people, by path where they have as many."""
    people = {p.path: sum(i.category == PERSON for i in instances.of(p.path)) for p in pictures}
    return sorted(pictures, key=lambda p: (-people[p.path], p.path))[:count]


def painted(image: RGB, results: Sequence[Mapping[str, Any]], least_score: float) -> RGB:
    """A picture with what a network finds in it, people in one colour and all else in another.

    results: of one picture, in the form of `tasks.instances.predictions`: masks are filled, and boxes drawn where there
        are none.
    least_score: of what is shown, 0..1.
    """
    shown = image.astype(np.float64)
    for result in sorted(results, key=lambda r: float(r["score"])):
        if result["score"] < least_score:
            continue
        where = _pixels(result, image.shape[:2])
        colour = _rgb(OKABE_ITO[PEOPLE if result["category"] == PERSON else OTHERS])
        shown[where] = (1 - TINT) * shown[where] + TINT * colour
    return np.clip(shown.round(), 0, 255).astype(np.uint8)


@house_style()
def draw_pictures(
    columns: Sequence[Column], rows: Sequence[Sequence[RGB]], title: str, notes: str, warning: str = ""
) -> Figure:
    """A grid of pictures, each as large as fits into its place.

    rows: of each row a picture a column, (H, W, 3) uint8 of any size.
    notes: what is shown, and of which data.
    warning: a line in red, such as that the people are real.
    """
    shapes = [image.shape[:2] for row in rows for image in row]
    proportion = max(height / width for height, width in shapes)
    layout = arrange(columns, len(rows), (round(1000 * proportion), 1000), PRINT_WIDTH - 2 * MARGIN, HEIGHTS)
    above = 0.04 + LINE * max(map(len, layout.captions)) + (GROUP_LINE if any(c.group for c in columns) else 0)
    width = max(NARROWEST, layout.right + 2 * MARGIN)
    body = above + len(rows) * (layout.height + GAP) + MARGIN
    page, top = open_page(title, notes, width, body, warning)
    start = (width - layout.right) / 2
    draw_captions(page, columns, layout, start, top, top + above)
    for number, row in enumerate(rows):
        y = top + above + number * (layout.height + GAP)
        for left, image in zip(layout.lefts, row, strict=True):
            page.fitted(image, start + left, y, layout.width, layout.height)
    return page.figure


def _pixels(result: Mapping[str, Any], shape: tuple[int, ...]) -> np.ndarray:
    """(H, W) bool of a mask, or of a box's outline two pixels wide."""
    if "segmentation" in result:
        height, width = result["segmentation"]["size"]
        return Mask(height, width, result["segmentation"]["counts"]).unpack()
    where = np.zeros(shape, bool)
    x, y, width, height = (round(value) for value in result["bbox"])
    where[max(y, 0) : y + height, max(x, 0) : x + width] = True
    where[max(y + 2, 0) : max(y + height - 2, 0), max(x + 2, 0) : max(x + width - 2, 0)] = False
    return where


def _rgb(colour: str) -> np.ndarray:
    """`#E69F00` -> (3,) 0..255."""
    return np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)], np.float64)
