"""Masks as COCO writes them: polygons, run lengths, compressed run lengths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pycocotools import mask as rle

from anonbench.core.errors import DataError
from anonbench.data.masks import Mask
from anonbench.data.pictures import Picture
from anonbench.datasets._instances import from_rle

LEAST = 6  # numbers of a polygon: three corners. pycocotools would read four as a box
FARTHEST = 10  # sides of the picture; pycocotools walks along every edge, for ever along one to a corner at 10^20


def mask_of(segmentation: Any, picture: Picture, where: str) -> Mask:
    """The mask of a segmentation, its parts together; what lies outside the picture is left out.

    segmentation: a list of polygons `[x, y, x, y, …]`, or `{"size": [height, width], "counts": …}` with a list of run
        lengths or COCO's compressed text.
    where: the file and the annotation, for messages.

    Raises `DataError` for another form, a size that is not the picture's, or numbers that are none.
    """
    if isinstance(segmentation, dict):
        return _from_runs(segmentation, picture, where)
    if not isinstance(segmentation, list) or not segmentation:
        raise DataError(f"{where} has the segmentation {segmentation!r:.40}; expected polygons or run lengths.")
    polygons = [_polygon(polygon, picture, where) for polygon in segmentation]
    whole = [polygon for polygon in polygons if len(polygon) >= LEAST]
    if not whole:
        raise DataError(f"{where} has no polygon of three corners or more; expected one, or run lengths.")
    parts = rle.frPyObjects(whole, picture.height, picture.width)
    return from_rle(rle.merge(parts))


def _polygon(polygon: Any, picture: Picture, where: str) -> list[float]:
    if not isinstance(polygon, list) or len(polygon) % 2 or not all(map(_is_number, polygon)):
        raise DataError(f"{where} has the polygon {polygon!r:.60}; expected x and y of each corner, finite numbers.")
    limit = FARTHEST * max(picture.width, picture.height)
    far = [value for value in polygon if abs(value) > limit]
    if far:
        raise DataError(f"{where} has a corner at {far[0]}; expected pixels of a picture of {picture.width} x "
                        f"{picture.height}.")  # fmt: skip
    return polygon


def _from_runs(segmentation: dict[str, Any], picture: Picture, where: str) -> Mask:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if size != [picture.height, picture.width]:
        raise DataError(
            f"{where} has run lengths of the size {size}; expected height and width of {picture.path}, "
            f"[{picture.height}, {picture.width}]. Do both come from the same release, and is neither scaled?"
        )
    try:
        mask = Mask(size[0], size[1], counts) if isinstance(counts, str) else _from_counts(counts, picture)
        mask.unpack()
    except ValueError as error:
        raise DataError(f"{where}: {error}. Unpack the annotations again.") from None
    return mask


def _from_counts(counts: Any, picture: Picture) -> Mask:
    runs = counts if isinstance(counts, Sequence) else None
    if runs is None or not all(type(run) is int and run >= 0 for run in runs):
        raise ValueError(f"its run lengths are {counts!r:.40}; expected whole numbers >= 0, or COCO's text")
    if sum(runs) != picture.height * picture.width:
        raise ValueError(f"its run lengths sum to {sum(runs)}; expected {picture.height} x {picture.width} pixels")
    return from_rle(
        rle.frPyObjects({"size": [picture.height, picture.width], "counts": runs}, picture.height, picture.width)
    )


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
