"""Control variants: what a copy costs a model when no face is hidden in it.

A variant of JPEGs is re-encoded where something is hidden, and a box is a box wherever it lies. To tell the cost of
hiding *faces* from these, an entry names a control beside its method:

    none:   {method: zero, control: none, …}     the same pictures re-encoded, nothing hidden
    beside: {method: zero, control: beside, …}   the same boxes, each moved off the face

Both leave every face visible: they are for measuring, never for a release.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from anonbench.data.regions import Box, Region

CONTROLS = ("none", "beside")


def beside(regions: Sequence[Region], width: int, height: int) -> list[Region]:
    """Every region's box moved to where it touches none of the regions; those that fit nowhere are left out.

    regions: with boxes in whole pixels.
    width, height: of the picture.
    A box keeps its size. The nearest place to the right is taken, else to the left, below, above: of a pedestrian's
    face, background at the same height. Masks and keypoints are dropped, since they describe the face.

    >>> [region.pixels for region in beside([Region((20, 4, 34, 22))], width=64, height=128)]
    [(34, 4, 48, 22)]
    >>> beside([Region((0, 0, 60, 120))], width=64, height=128)
    []
    """
    taken = [region.pixels for region in regions]
    moved = []
    for region in regions:
        place = next((p for p in _places(region.pixels, width, height) if not any(meet(p, box) for box in taken)), None)
        if place is not None:
            moved.append(replace(region, box=place, mask=None, keypoints=None))
    return moved


def _places(box: Box, width: int, height: int) -> Iterator[Box]:
    """Where a box may go, a pixel further each time, inside the picture."""
    x0, y0, x1, y1 = box
    w, h = x1 - x0, y1 - y0
    for left in (*range(x1, width - w + 1), *range(x0 - w, -1, -1)):
        yield left, y0, left + w, y1
    for top in (*range(y1, height - h + 1), *range(y0 - h, -1, -1)):
        yield x0, top, x1, top + h


def meet(a: Box, b: Box) -> bool:
    """Whether two boxes have a pixel in common."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
