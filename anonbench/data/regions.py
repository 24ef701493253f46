"""Regions: the parts of a picture that are found, hidden and scored; the file that lists them; how much two overlap.

A box is `x0, y0, x1, y1` in pixels of the original picture, half-open (see `data.images`).

The file of regions has one row a region, and one with region = -1 for a picture without any:

    path,region,x0,y0,x1,y1,score,kind,source[,mask][,keypoints]

`mask` (`Mask`'s text) and `keypoints` (`x y visibility` of each, separated by semicolons) are there when some region of
the file has one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

import numpy as np
from numpy.typing import NDArray

from anonbench.core.errors import DataError
from anonbench.data.masks import Bits, Mask
from anonbench.data.tables import checked_choice, checked_number, checked_path, read_csv, write_csv

Floats = NDArray[np.float64]
Kind = Literal["face", "body"]
Source = Literal["found", "default", "annotated"]
Box = tuple[int, int, int, int]
"""`x0, y0, x1, y1` in whole pixels, half-open, inside the picture and not empty."""
Keypoints = tuple[tuple[float, float, float], ...]

REGION_COLUMNS = ("path", "region", "x0", "y0", "x1", "y1", "score", "kind", "source")
OPTIONAL = ("mask", "keypoints")


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a picture.

    box: x0, y0, x1, y1 in pixels of the original picture, half-open. Detectors may return fractional or outlying
        corners; `clip_region` makes them whole pixels inside the picture.
    kind: face or body.
    score: confidence, 0..1; 1 for annotated regions, 0 for default ones.
    source: found (a detector saw it), annotated (somebody says so) or default (nothing was found, and this is hidden
        to be on the safe side: it is no find, and nothing counts it as one).
    mask: the pixels that belong to it; None for all of the box.
    keypoints: x, y in pixels and visibility (COCO's: 0 unknown, 1 hidden, 2 visible) of each.
    """

    box: tuple[float, float, float, float]
    kind: Kind = "face"
    score: float = 1.0
    source: Source = "found"
    mask: Mask | None = None
    keypoints: Keypoints | None = None

    def __iter__(self) -> NoReturn:
        """Anonymizers were once given the bare box: those that unpack it learn what to write."""
        raise TypeError("a Region is no tuple of corners; write `x0, y0, x1, y1 = region.pixels`")

    @property
    def x0(self) -> float:
        return self.box[0]

    @property
    def y0(self) -> float:
        return self.box[1]

    @property
    def x1(self) -> float:
        return self.box[2]

    @property
    def y1(self) -> float:
        return self.box[3]

    @property
    def width(self) -> float:
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    @property
    def is_default(self) -> bool:
        """Whether nothing was found here."""
        return self.source == "default"

    @property
    def pixels(self) -> Box:
        """The box in whole pixels, as `clip_region` has made it. Raises ValueError for a fractional corner.

        >>> x0, y0, x1, y1 = Region((4, 2, 9, 8)).pixels
        """
        x0, y0, x1, y1 = self.box
        whole = (int(x0), int(y0), int(x1), int(y1))
        if whole != self.box:
            raise ValueError(f"box {self.box} has fractional corners; use regions.clip_region first")
        return whole


def clip_region(region: Region, width: int, height: int, scale: float = 1.0) -> Region | None:
    """The region with its box enlarged about the centre by `scale` and rounded outwards to pixels inside the picture.

    The last row and column of the picture can be covered. None when nothing is inside.

    >>> clip_region(Region((60, 4, 70, 14)), width=64, height=128).pixels
    (60, 4, 64, 14)
    """
    cx, cy = (region.x0 + region.x1) / 2, (region.y0 + region.y1) / 2
    half_w, half_h = (region.x1 - region.x0) / 2 * scale, (region.y1 - region.y0) / 2 * scale
    x0, y0 = max(0, math.floor(cx - half_w)), max(0, math.floor(cy - half_h))
    x1, y1 = min(width, math.ceil(cx + half_w)), min(height, math.ceil(cy + half_h))
    return replace(region, box=(x0, y0, x1, y1)) if x0 < x1 and y0 < y1 else None


def covered(regions: Iterable[Region], height: int, width: int) -> Bits:
    """(height, width) bool: the pixels that some region covers. Boxes are in whole pixels inside the picture."""
    pixels = np.zeros((height, width), dtype=bool)
    for region in regions:
        x0, y0, x1, y1 = region.pixels
        pixels[y0:y1, x0:x1] |= True if region.mask is None else region.mask.unpack()[y0:y1, x0:x1]
    return pixels


def fault_of(region: Region, width: int, height: int) -> str | None:
    """Why a region hides nothing of a picture of this size, None where it does.

    A box counts from one pixel a side on, its part outside the picture left out.

    >>> fault_of(Region((0.2, 0.1, 0.4, 0.3)), width=64, height=128)
    'less than a pixel of it lies inside the picture of 64 x 128 pixels'
    """
    if any(not math.isfinite(corner) for corner in region.box):
        return "its corners are not all numbers"
    inside_w = min(region.x1, width) - max(region.x0, 0)
    inside_h = min(region.y1, height) - max(region.y0, 0)
    if inside_w >= 1 and inside_h >= 1:
        return None
    return f"less than a pixel of it lies inside the picture of {width} x {height} pixels"


# --- overlap ---


def corners(regions: Iterable[Region]) -> Floats:
    """(n, 4) x0, y0, x1, y1: the boxes as an array, for what computes on many at once."""
    boxes = [region.box for region in regions]
    return np.array(boxes, np.float64).reshape(len(boxes), 4)


def intersection_over_union(common: Floats, area_a: Floats, area_b: Floats) -> Floats:
    """The area that two boxes have in common over the area that they cover together, 0..1; 0 for empty boxes."""
    union = area_a + area_b - common
    return np.divide(common, union, out=np.zeros_like(union), where=union > 0)


def overlaps(a: Floats, b: Floats, closed: bool = False) -> Floats:
    """Intersection over union of every box of a (n, 4) with every box of b (m, 4): (n, m), 0..1.

    closed: x1 and y1 are the last column and row instead of the ones after them.

    >>> overlaps(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2]]))
    array([[0.33333333]])
    """
    more = 1.0 if closed else 0.0
    corner = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2]) + more  # (n, m, 2)
    common = corner.clip(min=0).prod(axis=2)
    area_a, area_b = ((boxes[:, 2:] - boxes[:, :2] + more).prod(axis=1) for boxes in (a, b))
    return intersection_over_union(common, area_a[:, None], area_b[None])


# --- the file ---


def write_regions(path: Path, regions: Mapping[str, Sequence[Region]]) -> None:
    """Write the regions of every picture: boxes to 3 decimals, scores to 4, keypoints to 2."""
    every = [region for found in regions.values() for region in found]
    more = tuple(column for column in OPTIONAL if any(getattr(region, column) is not None for region in every))
    rows: list[list[object]] = []
    for picture in sorted(regions):
        for number, region in enumerate(regions[picture]):
            box = (f"{v:.3f}" for v in region.box)
            row: list[object] = [picture, number, *box, f"{region.score:.4f}", region.kind, region.source]
            rows.append(row + [_text_of(region, column) for column in more])
        if not regions[picture]:
            rows.append([picture, -1, *[None] * (len(REGION_COLUMNS) - 2 + len(more))])
    write_csv(path, (*REGION_COLUMNS, *more), rows)


def read_regions(path: Path) -> dict[str, list[Region]]:
    """The regions of every picture of the manifest, an empty list where there is none.

    Raises `DataError` with file and line for what is malformed.
    """
    regions: dict[str, list[Region]] = {}
    for line, row in read_csv(path, REGION_COLUMNS, OPTIONAL):
        where = f"{path}:{line}"
        found = regions.setdefault(checked_path(row["path"], where), [])
        number = checked_number(int, row, "region", where, at_least=-1)
        if number == -1:
            continue
        if number != len(found):
            raise DataError(f"{where}: region number {number} of {row['path']}; expected {len(found)}.")
        x0, y0, x1, y1 = (checked_number(float, row, c, where) for c in ("x0", "y0", "x1", "y1"))
        if not (x0 < x1 and y0 < y1):
            raise DataError(f"{where}: box {x0}, {y0}, {x1}, {y1} is empty; expected x0 < x1 and y0 < y1.")
        found.append(
            Region(
                (x0, y0, x1, y1),
                checked_choice(row, "kind", get_args(Kind), where),
                checked_number(float, row, "score", where, at_least=0),
                checked_choice(row, "source", get_args(Source), where),
                *_shape_of(row, where),
            )
        )
    return regions


def read_regions_of(path: Path, manifest: Path, pictures: Collection[str]) -> dict[str, list[Region]]:
    """The same for the pictures of a manifest. Raises `DataError` unless the file lists these and no others."""
    regions = read_regions(path)
    different = sorted(regions.keys() ^ set(pictures))
    if different:
        what = "is not in the manifest" if different[0] in regions else "is not in it"
        raise DataError(f"{path}: does not belong to {manifest}: {different[0]} {what}. Run the detection again.")
    return regions


def region_as_json(region: Region) -> list[Any]:
    """What JSON can hold of a region, without rounding."""
    mask = None if region.mask is None else str(region.mask)
    return [list(region.box), region.kind, region.score, region.source, mask, region.keypoints]


def region_from_json(values: Sequence[Any]) -> Region:
    """The region that `region_as_json` gave."""
    box, kind, score, source, mask, points = values
    x0, y0, x1, y1 = box
    keypoints = None if points is None else tuple((x, y, v) for x, y, v in points)
    return Region((x0, y0, x1, y1), kind, score, source, None if mask is None else Mask.parse(mask), keypoints)


def _text_of(region: Region, column: str) -> str | None:
    if column == "mask":
        return None if region.mask is None else str(region.mask)
    if region.keypoints is None:
        return None
    return ";".join(f"{x:.2f} {y:.2f} {v:g}" for x, y, v in region.keypoints)


def _shape_of(row: Mapping[str, str], where: str) -> tuple[Mask | None, Keypoints | None]:
    mask, text = row.get("mask"), row.get("keypoints")
    try:
        shape = Mask.parse(mask) if mask else None
    except ValueError as error:
        raise DataError(f"{where}: column mask: {error}.") from error
    if not text:
        return shape, None
    points = []
    for point in text.split(";"):
        try:
            x, y, v = map(float, point.split())
        except ValueError:
            raise DataError(f"{where}: column keypoints has '{point}'; expected x, y and visibility.") from None
        if not all(map(math.isfinite, (x, y, v))):
            raise DataError(f"{where}: column keypoints has '{point}'; expected finite numbers.")
        points.append((x, y, v))
    return shape, tuple(points)
