"""What remains of an original in the part of a copy that is hidden: pixels that are equal, and likeness.

Two numbers of one hidden part, both 0 where the copy shows nothing of it:

- `equal`: the share of its pixels that are those of the original (each channel within `NEAR` levels), beyond the share
  that would be so by chance: (share - chance) / (1 - chance). Chance is the share with the pixels of the original in
  another order. A black box has as many black pixels in any order, so its `equal` is exactly 0.
- `likeness`: the normalised cross-correlation of copy and original in grey, of what others do not tell. Taken away from
  both by least squares are the smooth surface that meets the pixels around (`poisson_inpaint`), which anybody sees, and
  the mean of the same part in other originals: all faces have the eyes above the mouth. So neither a box of one colour
  nor a filling from the surroundings nor somebody else's face counts as like the original.

Seen on 45 drawn faces of 8 to 30 px, as PNG and JPEG: a black box, the mean colour and a filling have a likeness of .4
at most, somebody else's face of .52, once above .5. The paper's blur (an eighth of the width) has .5 to .95. Every
second row as it was has an `equal` of .46 to .50, honest methods .1 at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from anonbench.anonymizers.poisson_inpaint import PoissonInpaint
from anonbench.data.differences import changed_pixels
from anonbench.data.images import RGB
from anonbench.data.masks import Bits
from anonbench.data.regions import Box

NEAR = 2
"""Levels within which a pixel counts as equal: less than JPEG at the quality of photographs changes most pixels."""
ORDERS = 4  # of the original's pixels, to know the share that is equal by chance
LEAST_PIXELS = 36  # of a hidden part that says anything: 6 x 6
EQUAL_BOUND = 0.15
"""`equal` from which on a part counts as not hidden."""
LIKENESS_BOUND = 0.5
"""`likeness` from which on a part counts as showing the original, where it is higher than to all `OTHERS` too: a
quarter (its square) of what others do not tell about the original can be read from the copy, by the simplest means."""
OTHERS = 20
"""Other originals that each part is compared with."""
CHANGED = 16  # levels, as in `data.differences`
GAP = 5  # px between changed pixels that are one hidden part
FLAT = 0.25  # square of the levels by which pixels differ from their mean where only rounding does that
WINDOW = 24  # rows and columns to which parts of different size are brought, to be compared with others

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Remains:
    """What remains in one hidden part.

    box: around it.
    pixels: of it.
    equal: beyond chance, at most 1; below 0 where fewer are equal than by chance.
    original, copy: (WINDOW, WINDOW) of mean 0, what the surroundings do not tell.
    """

    box: Box
    pixels: int
    equal: float
    original: Floats
    copy: Floats

    @property
    def is_shown(self) -> bool:
        """Whether too many of its pixels are the original's."""
        return self.pixels >= LEAST_PIXELS and self.equal >= EQUAL_BOUND


@dataclass(frozen=True, slots=True)
class Likeness:
    """How like its original a part is.

    value: -1..1.
    to_others: the highest to another original, -1..1.
    """

    value: float
    to_others: float

    @property
    def shows(self) -> bool:
        return self.value >= LIKENESS_BOUND and self.value > self.to_others


def likenesses(parts: Sequence[Remains]) -> list[Likeness]:
    """The likeness of every part, others being those of the list, as far from it as possible: neighbours in a dataset
    often show the same person."""
    found = []
    for number, part in enumerate(parts):
        step = max(1.0, len(parts) / (OTHERS + 1))
        places = {(number + round(step * k)) % len(parts) for k in range(1, OTHERS + 1)} - {number}
        others = [parts[place].original for place in sorted(places)]
        total = np.sum(others, axis=0) if others else np.zeros((WINDOW, WINDOW))
        copy = _without(part.copy, total)
        to_others = [correlation(copy, _without(other, total - other)) for other in others]
        own = correlation(copy, _without(part.original, total))
        found.append(Likeness(own if part.pixels >= LEAST_PIXELS else 0.0, max(to_others, default=0.0)))
    return found


def hidden_parts(before: RGB, after: RGB) -> list[Bits]:
    """Where a copy was changed, (H, W) bool for each part: what to compare where nobody says what is hidden.

    Changed pixels less than `GAP` apart are one part, holes in it included. Parts of less than `LEAST_PIXELS` pixels
    are JPEG's noise. What was hidden in coarser stripes than that needs the regions.
    """
    changed = changed_pixels(before, after, CHANGED).astype(np.uint8)
    padded = cv2.copyMakeBorder(changed, GAP, GAP, GAP, GAP, cv2.BORDER_CONSTANT, value=0)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (GAP, GAP))
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    parts = []
    for outline in outlines:
        filled = cv2.drawContours(np.zeros_like(closed), [outline], -1, 1, cv2.FILLED)[GAP:-GAP, GAP:-GAP].astype(bool)
        if (changed.astype(bool) & filled).sum() >= LEAST_PIXELS:
            parts.append(filled)
    return sorted(parts, key=_box_of)


def remains(before: RGB, after: RGB, hidden: Bits, rng: np.random.Generator) -> Remains:
    """Compare a copy with its original where it hides something.

    before, after: (H, W, 3) uint8 of the same size.
    hidden: (H, W) bool, with at least one pixel.
    rng: of the orders by which chance is told.
    """
    x0, y0, x1, y1 = box = _box_of(hidden)
    own, other = before[hidden], after[hidden]
    there = _share(own, other)
    chance = float(np.mean([_share(rng.permutation(own), other) for _ in range(ORDERS)]))
    equal = (there - chance) / (1 - chance) if chance < 1 else 0.0
    cut, inside = (slice(y0, y1), slice(x0, x1)), hidden[y0:y1, x0:x1]
    around = PoissonInpaint().fill(after, [box])[cut].mean(axis=2)
    original, copy = (_window(_detail(picture[cut].mean(axis=2), around, inside)) for picture in (before, after))
    return Remains(box, len(own), equal, original, copy)


def correlation(a: Floats, b: Floats) -> float:
    """Normalised cross-correlation, -1..1, of two arrays of mean 0; 0 where one of them is flat."""
    flat = a.size * FLAT
    if min((a**2).sum(), (b**2).sum()) <= flat:
        return 0.0
    return float((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()))


def _detail(grey: Floats, around: Floats, inside: Bits) -> Floats:
    """Grey of a box minus its least-squares fit by a constant and the surface, inside; 0 elsewhere."""
    left = np.zeros(grey.shape)
    surface = around[inside] - around[inside].mean()
    left[inside] = _without(grey[inside] - grey[inside].mean(), surface)
    return left


def _without(values: Floats, what: Floats) -> Floats:
    """Values minus their least-squares fit by `what`, both of mean 0; as they are where that is flat."""
    spread = float((what**2).sum())
    return values - what * (float((values * what).sum()) / spread) if spread > what.size * FLAT else values


def _window(detail: Floats) -> Floats:
    scaled = cv2.resize(detail, (WINDOW, WINDOW), interpolation=cv2.INTER_AREA)
    return np.asarray(scaled - scaled.mean())


def _share(a: RGB, b: RGB) -> float:
    """The share of pixels, (n, 3) each, whose channels are all within `NEAR` levels."""
    return float((np.abs(a.astype(np.int16) - b) <= NEAR).all(axis=1).mean())


def _box_of(hidden: Bits) -> Box:
    rows, columns = np.flatnonzero(hidden.any(axis=1)), np.flatnonzero(hidden.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
