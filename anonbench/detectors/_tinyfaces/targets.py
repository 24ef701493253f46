"""What the maps should say about an image whose faces are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonbench.data.regions import intersection_over_union
from anonbench.detectors._tinyfaces.decode import FIRST_CENTRE
from anonbench.detectors._tinyfaces.network import STRIDE
from anonbench.detectors._tinyfaces.templates import HEIGHTS, NUM_TEMPLATES, WIDTHS

Floats = NDArray[np.float64]
TIE = 1e-6  # overlaps closer than this are equal; one of them is drawn (the authors add noise of this size)
# A template is not used as background if at least this share of its area is in an ignored box, or if its IoU with an
# ignored box exceeds `negative_iou`.
IGNORED_SHARE = 0.5
AREAS = (WIDTHS * HEIGHTS)[:, None, None]


@dataclass(frozen=True)
class TargetSettings:
    """Which templates count as a face.

    positive_iou: least overlap of a template with a face.
    negative_iou: below it a template is background. Between the two it is not learnt from. The template that fits a
        face best is a face if it overlaps more than negative_iou.
    ignore_border: do not learn faces from templates that reach over the image's edge (they still learn background).
    Source: the authors' cnn_get_batch_hardmine.m (.7, .3, and the border rule).
    """

    positive_iou: float = 0.7
    negative_iou: float = 0.3
    ignore_border: bool = True


def heatmap_side(pixels: int) -> int:
    """Cells along a side of the output map (torchvision's geometry).

    >>> heatmap_side(500)
    63
    """
    return -(-pixels // STRIDE)


def assign(
    boxes: Floats,
    ignore: NDArray[np.bool_],
    side: int,
    inside: tuple[float, float, float, float],
    rng: np.random.Generator,
    settings: TargetSettings,
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Labels (25, s, s) int8 (1 face, -1 background, 0 not learnt from) and regression targets (100, s, s) float32.

    boxes: (n, 4) half-open, in pixels of the network's input.
    ignore: (n,) bool.
    side: s, of the map.
    inside: the part of the input that shows an image, x0, y0, x1, y1.
    rng: draws among equally good templates.
    Targets are tx, ty = (face centre - cell) / template size and tw, th = log(face size / template size), zero where
    the label is not 1. A cell belongs to the face that it overlaps most.
    """
    faces, ignored = boxes[~ignore], boxes[ignore]
    best = np.zeros((NUM_TEMPLATES, side, side))  # overlap with the face overlapped most
    owner = np.zeros((NUM_TEMPLATES, side, side), np.int64)
    labels = np.full((NUM_TEMPLATES, side, side), -1, np.int8)
    fitting: list[int] = []  # flat indices of each face's best template
    for number, face in enumerate(faces):
        window, common = _common(face, side)
        iou = _iou(face, common)
        better = iou > best[window]
        best[window][better] = iou[better]
        owner[window][better] = number
        if iou.size and iou.max() > settings.negative_iou:
            fitting.append(_draw_best(window, iou, side, rng))
    labels[best >= settings.negative_iou] = 0
    labels[best >= settings.positive_iou] = 1
    labels.reshape(-1)[fitting] = 1
    for box in ignored:
        window, common = _common(box, side)
        near = (common / AREAS >= IGNORED_SHARE) | (_iou(box, common) >= settings.negative_iou)
        part = labels[window]
        part[near & (part == -1)] = 0
    if settings.ignore_border:
        labels[_over_edge(side, inside) & (labels == 1)] = 0
    return labels, _regression(labels, owner, faces, side)


def _centres(side: int) -> Floats:
    """(s,) centre of each cell in pixels of the input."""
    return np.arange(side, dtype=np.float64) * STRIDE + FIRST_CENTRE


def _extents(side: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Low and high edges of every template in every column (25, s) and row (25, s): x0, x1, y0, y1."""
    centres = _centres(side)
    halves_x, halves_y = WIDTHS[:, None] / 2, HEIGHTS[:, None] / 2
    return centres - halves_x, centres + halves_x, centres - halves_y, centres + halves_y


Window = tuple[slice, slice, slice]


def _common(box: Floats, side: int) -> tuple[Window, Floats]:
    """The part of the map where any template meets the box, and the areas in common there (25, rows, columns)."""
    x0, x1, y0, y1 = _extents(side)
    width = (np.minimum(x1, box[2]) - np.maximum(x0, box[0])).clip(min=0)  # (25, s)
    height = (np.minimum(y1, box[3]) - np.maximum(y0, box[1])).clip(min=0)
    columns, rows = (np.flatnonzero(size.any(axis=0)) for size in (width, height))
    # Templates are centred on cells and the map is connected, so cells that meet a box are neighbours.
    across = slice(columns[0], columns[-1] + 1) if len(columns) else slice(0, 0)
    down = slice(rows[0], rows[-1] + 1) if len(rows) else slice(0, 0)
    return (slice(None), down, across), height[:, down, None] * width[:, None, across]


def _iou(box: Floats, common: Floats) -> Floats:
    """Intersection over union of templates with a box, from the areas in common (25, rows, columns)."""
    area = np.float64((box[2] - box[0]) * (box[3] - box[1]))
    return intersection_over_union(common, AREAS, np.asarray(area))


def _draw_best(window: Window, iou: Floats, side: int, rng: np.random.Generator) -> int:
    """The flat index in (25, s, s) of one of the templates with the greatest overlap."""
    ties = np.flatnonzero(iou >= iou.max() - TIE)
    template, row, column = np.unravel_index(int(rng.choice(ties)), iou.shape)
    place = (int(template), int(row) + window[1].start, int(column) + window[2].start)
    return int(np.ravel_multi_index(place, (NUM_TEMPLATES, side, side)))


def _over_edge(side: int, inside: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    """(25, s, s): whether a template reaches beyond the part of the input that shows an image."""
    x0, x1, y0, y1 = _extents(side)
    columns = (x0 < inside[0]) | (x1 > inside[2])  # (25, s)
    rows = (y0 < inside[1]) | (y1 > inside[3])
    return rows[:, :, None] | columns[:, None, :]


def _regression(labels: NDArray[np.int8], owner: NDArray[np.int64], faces: Floats, side: int) -> NDArray[np.float32]:
    targets = np.zeros((4, NUM_TEMPLATES, side, side), np.float32)
    template, row, column = np.nonzero(labels == 1)
    if len(template):
        own = faces[owner[template, row, column]]  # (m, 4)
        centres = _centres(side)
        widths, heights = WIDTHS[template], HEIGHTS[template]
        targets[:, template, row, column] = (
            ((own[:, 0] + own[:, 2]) / 2 - centres[column]) / widths,
            ((own[:, 1] + own[:, 3]) / 2 - centres[row]) / heights,
            np.log((own[:, 2] - own[:, 0]) / widths),
            np.log((own[:, 3] - own[:, 1]) / heights),
        )
    return targets.reshape(4 * NUM_TEMPLATES, side, side)
