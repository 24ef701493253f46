"""Mistakes of a detector, made on purpose: what do faces that are missed give away, and what do false boxes cost?

    missed:      {method: zero, missed: 0.2, …}         each region stays as it was with this probability
    false_boxes: {method: zero, false_boxes: 1, …}      so many boxes more in each picture, where nothing was found

Both are keys of a variant's entry. What is drawn for a picture follows from its path alone. A region that is missed at
.1 is missed at .2, too, so that shares are doses of one thing. Such copies are for measuring, never for a release.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from anonbench.anonymizers._control import meet
from anonbench.data.regions import Kind, Region
from anonbench.data.seeding import generator

TRIES = 100  # places tried for a box: where a tenth of all places is free, 3 of 100,000 boxes find none
Size = tuple[int, int, Kind]
"""Width and height in pixels, and what is of this size."""


def not_missed(regions: Sequence[Region], share: float, path: str) -> list[Region]:
    """The regions that are left to be hidden, in the order given.

    regions: of one picture, with boxes in whole pixels.
    share: probability that a region is missed, 0..1.
    path: of the picture.

    >>> regions = [Region((x, 0, x + 5, 5)) for x in range(0, 1000, 5)]
    >>> len(not_missed(regions, 0.2, "query/a.jpg"))
    156
    """
    drawn = generator(0, "missed", path).random(len(regions))
    in_order = sorted(range(len(regions)), key=lambda n: (regions[n].pixels, str(regions[n].mask)))
    kept = {n for n, number in zip(in_order, drawn, strict=True) if number >= share}
    return [region for n, region in enumerate(regions) if n in kept]


def sizes_of(regions: Iterable[Region]) -> list[Size]:
    """The sizes of regions, sorted, each as often as it is there."""
    boxes = [(region.pixels, region.kind) for region in regions]
    return sorted((x1 - x0, y1 - y0, kind) for (x0, y0, x1, y1), kind in boxes)


def false_boxes(
    regions: Sequence[Region], sizes: Sequence[Size], count: int, width: int, height: int, path: str
) -> list[Region]:
    """Boxes at random places that touch none of a picture's regions, nor one another.

    regions: what was found in the picture, with boxes in whole pixels.
    sizes: of what was found in all pictures; each box has one of them.
    count: how many boxes. There are fewer where no place was found in `TRIES` tries, and none without sizes.
    width, height, path: of the picture.
    """
    rng = generator(0, "false_boxes", path)
    taken, made = [region.pixels for region in regions], []
    for _ in range(count if sizes else 0):
        w, h, kind = sizes[int(rng.integers(len(sizes)))]
        corners = rng.random((TRIES, 2))
        for across, down in corners if w <= width and h <= height else ():
            x, y = int(across * (width - w + 1)), int(down * (height - h + 1))
            box = (x, y, x + w, y + h)
            if not any(meet(box, other) for other in taken):
                taken.append(box)
                made.append(Region(box, kind))
                break
    return made
