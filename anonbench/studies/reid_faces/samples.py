"""Pictures of the same people under several anonymizers: Study 1's Figures 1 and 2.

Source: Dietlmeier et al. 2020, Fig. 1 (originals over anonymized crops) and Fig. 2 (one crop under each technique).
Deviation: the head is shown enlarged too, since a face of 10 pixels cannot be judged at the size of a printed crop.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.images import RGB
from anonbench.data.pictures import Picture
from anonbench.data.regions import Region, read_regions
from anonbench.report.style import (
    ALARM,
    FAINT,
    LINE_HEIGHT,
    MARGIN,
    SMALL_SIZE,
    TEXT_SIZE,
    Page,
    house_style,
    open_page,
    text_width,
    wrap,
)
from anonbench.tasks.reid.people import read_people

BEFORE_AFTER, TECHNIQUES = "People before and after", "Ways of hiding a face"
HEAD_SIZE = 2.3  # side of the enlarged square over the longer side of the face box
GAP = 0.06  # inches between pictures
NARROWEST = 5.5  # inches; a page for a single person still holds its title
NARROWEST_COLUMN = 0.9  # inches; a narrow crop still has a head that can be seen
CROP_HEIGHT = 1.92  # inches; at 200 dots an inch a crop of 128 rows is shown at three dots a pixel


@dataclass(frozen=True, slots=True)
class SampleFace:
    """An image to show: its path in the dataset and the face box for which it was chosen."""

    path: str
    box: Region


def best_faces(images: Iterable[Picture], faces: Mapping[str, Sequence[Region]], count: int) -> list[SampleFace]:
    """The images of `count` identities with the largest confidently detected faces, largest first.

    Size is the box's area times the square of its score; each identity gives its best image. Junk and distractors are
    nobody, and a default box stands for a face that was not found.
    """
    best: dict[int, tuple[float, str, Region]] = {}
    for image in images:
        pid = image.labels["pid"]
        if pid <= 0:
            continue
        for box in faces.get(image.path, []):
            size = (box.x1 - box.x0) * (box.y1 - box.y0) * box.score**2
            if not box.is_default and size > 0 and (pid not in best or (size, image.path) > best[pid][:2]):
                best[pid] = (size, image.path, box)
    ordered = sorted(best.values(), key=lambda entry: entry[:2], reverse=True)
    return [SampleFace(path, box) for _, path, box in ordered[:count]]


def choose_faces(manifest: Path, detections: Path, count: int) -> list[SampleFace]:
    """The images of a dataset to show (see `best_faces`); none where no face was found (`draw_no_face`)."""
    faces = best_faces(read_people(manifest), read_regions(detections), count)
    if len(faces) < count:
        print(f"{detections}: {count} people were to be shown; {len(faces)} have a detected face")
    return faces


@house_style()
def draw_no_face(title: str, detections: Path) -> Figure:
    """The page in place of pictures where no face was found: it says so, and where to look."""
    notes = (
        f"Nothing to show: no identity has a detected face in {detections}. Is the detector's threshold too high, are "
        f"its weights for such images, are the faces very small? `anonbench audit` draws a sample of the images to "
        f"look at."
    )
    page, _ = open_page(title, notes, NARROWEST, MARGIN)
    return page.figure


def folders(variants: Sequence[str], roots: Sequence[Path]) -> dict[str, Path]:
    """Variant -> its image folder."""
    if len(variants) != len(roots):
        raise ConfigError(f"{len(variants)} variants and {len(roots)} image folders; expected one for each.")
    return dict(zip(variants, roots, strict=True))


def head(image: RGB, box: Region) -> RGB:
    """The square around a face box with the head in it, moved inside the image (H, W, 3): (side, side, 3)."""
    height, width = image.shape[:2]
    side = math.ceil(HEAD_SIZE * max(box.x1 - box.x0, box.y1 - box.y0))
    side = max(1, min(side, height, width))
    left = min(max(0, round((box.x0 + box.x1 - side) / 2)), width - side)
    top = min(max(0, round((box.y0 + box.y1 - side) / 2)), height - side)
    return image[top : top + side, left : left + side]


def upper_half(image: RGB) -> RGB:
    """The upper half of an image (H, W, 3)."""
    return image[: (len(image) + 1) // 2]


@house_style()
def draw_variants(rows: Mapping[str, Sequence[RGB]], warning: str = "") -> Figure:
    """One labelled row of images a variant, columns showing the same crops; no title, for a page with its own text.

    rows: variant name -> images (H, W, 3) uint8 RGB, equally many in each row.
    warning: a line above, such as that the people are real.
    """
    width, height = _cell(next(iter(rows.values())), 1.28)
    columns = len(next(iter(rows.values())))
    left = MARGIN + max(text_width(name, TEXT_SIZE) for name in rows) + 0.12
    page_width = left + columns * (width + GAP) - GAP + MARGIN
    warned, step = wrap(warning, page_width - 2 * MARGIN, TEXT_SIZE), TEXT_SIZE * LINE_HEIGHT / 72
    body = MARGIN + step * len(warned)
    page = Page(page_width, body + MARGIN + len(rows) * (height + GAP) - GAP)
    for number, line in enumerate(warned):
        page.text(MARGIN, MARGIN / 2 + step * number, line, color=ALARM, fontweight="bold")
    for number, (name, images) in enumerate(rows.items()):
        top = body + number * (height + GAP)
        page.text(left - 0.12, top + height / 2, name, ha="right", va="center")
        for column, image in enumerate(images):
            page.image(image, left + column * (width + GAP), top, width, height)
    return page.figure


@house_style()
def draw_before_after(
    originals: Sequence[RGB],
    anonymized: Sequence[RGB],
    boxes: Sequence[Region],
    variant: str,
    label: str,
    warning: str = "",
) -> Figure:
    """Study 1's Fig. 1: a row of original crops over the same crops anonymized; below, their heads enlarged.

    originals, anonymized: equally many (H, W, 3) uint8 RGB, of any sizes.
    boxes: the face box in each.
    variant: name of the anonymized row.
    label: what the data is, in words.
    warning: a line in red, such as that the people are real.
    """
    width = max(NARROWEST_COLUMN, _cell(originals, CROP_HEIGHT)[0])
    names = ("original", variant)
    left = MARGIN + max(text_width(n, TEXT_SIZE) for n in names) + 0.12
    notes = (
        f"One crop of each of {len(originals)} people, original and under '{variant}'; below, the head of each, "
        f"enlarged.\nData: {label}."
    )
    page_width = max(NARROWEST, left + len(originals) * (width + GAP) - GAP + MARGIN)
    page, top = open_page(BEFORE_AFTER, notes, page_width, 2 * (CROP_HEIGHT + width) + 3 * GAP + 0.1 + MARGIN, warning)
    for enlarged in (False, True):
        height = width if enlarged else CROP_HEIGHT
        for name, images in zip(names, (originals, anonymized), strict=True):
            page.text(left - 0.12, top + height / 2, name, ha="right", va="center")
            for column, (image, box) in enumerate(zip(images, boxes, strict=True)):
                x = left + column * (width + GAP)
                if enlarged:
                    page.image(head(image, box), x, top, width, width)
                else:
                    page.fitted(image, x, top, width, CROP_HEIGHT)
            top += height + GAP
        top += 0.1
    return page.figure


@house_style()
def draw_techniques(
    images: Mapping[str, RGB], box: Region, label: str, details: Mapping[str, str] | None = None, warning: str = ""
) -> Figure:
    """Study 1's Fig. 2: one crop under each technique, three a row, each with the head enlarged beside it.

    images: variant name -> the crop (H, W, 3) uint8 RGB, all of one size, in the order to show.
    box: the face box.
    details: variant name -> a line on its settings.
    label: what the data is, in words.
    warning: a line in red, such as that the people are real.
    """
    width, _ = _cell(list(images.values()), CROP_HEIGHT)
    columns, zoom = 3, 1.4
    cell = width + GAP + zoom + 0.3
    caption = TEXT_SIZE * 1.5 / 72
    row_height = caption + CROP_HEIGHT + 0.16
    face = f"{box.x1 - box.x0:.0f} × {box.y1 - box.y0:.0f}"
    height, breadth = next(iter(images.values())).shape[:2]
    notes = (
        f"One crop of {breadth} × {height} pixels under each technique, its head enlarged beside it (the face box has "
        f"{face} pixels).\nData: {label}."
    )
    page_width = 2 * MARGIN + columns * cell - 0.3
    page, body = open_page(
        TECHNIQUES,
        notes,
        page_width,
        math.ceil(len(images) / columns) * row_height + MARGIN - 0.16,
        warning,
    )
    for number, (name, image) in enumerate(images.items()):
        left, top = MARGIN + number % columns * cell, body + number // columns * row_height
        page.text(left, top, name, fontweight="bold")
        page.image(image, left, top + caption, width, CROP_HEIGHT)
        page.image(head(image, box), left + width + GAP, top + caption, zoom, zoom)
        for line, text in enumerate(wrap((details or {}).get(name, ""), zoom, SMALL_SIZE)):
            y = top + caption + zoom + 0.06 + line * SMALL_SIZE * 1.3 / 72
            page.text(left + width + GAP, y, text, SMALL_SIZE, color=FAINT)
    return page.figure


def _cell(images: Sequence[RGB], height: float) -> tuple[float, float]:
    """Width and height in inches of the widest of some images, all shown at one height."""
    if not images:
        raise DataError("there is no image to show; expected at least one.")
    return max(height * image.shape[1] / image.shape[0] for image in images), height
