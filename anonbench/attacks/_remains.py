"""What remains of an original in the part of a copy that is hidden: pixels that are equal, and likeness.

Two numbers of one hidden part, both 0 where the copy shows nothing of it:

- `equal`: the share of its pixels that are those of the original (each channel within `NEAR` levels), beyond the share
  that would be so by chance: (share - chance) / (1 - chance). Chance is the share with the pixels of the original in
  another order. A black box has as many black pixels in any order, so its `equal` is exactly 0.
- `likeness`: the normalised cross-correlation of copy and original in grey, of what others do not tell. Taken away from
  both by least squares are the smooth surface that meets the pixels around (`poisson_inpaint`), which anybody sees, and
  the mean of the same part in other originals: all faces have the eyes above the mouth. So neither a box of one colour
  nor a filling from the surroundings nor somebody else's face counts as like the original. It is taken at two scales:
  stripes of one pixel hide less than they seem to.

docs/release.md has what was seen on drawn faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from anonbench.anonymizers.poisson_inpaint import PoissonInpaint
from anonbench.data.images import RGB
from anonbench.data.masks import Bits
from anonbench.data.regions import Box

NEAR = 2
"""Levels within which a pixel counts as equal: less than JPEG at the quality of photographs changes most pixels."""
ORDERS = 4  # of the original's pixels, to know the share that is equal by chance
LEAST_PIXELS = 36  # of a hidden part that says anything: 6 x 6
LIKENESS_BOUND = 0.5
"""`likeness` from which on a part counts as showing the original, where it is higher than to all `OTHERS` too: a
quarter (its square) of what others do not tell about the original can be read from the copy, by the simplest means."""
OTHERS = 20
"""Other originals that each part is compared with."""
CHANGED, MOST_CHANGED = 16, 48  # levels, as in `data.differences`; and what counts in a picture changed all over
TIMES_NOISE = 4
ALL_OVER = 3  # levels that half of a picture's pixels changed by at least
RIM = 4  # px: at quality 60 ripples of more than CHANGED levels reach 2 px beyond a black box, and as far into it
GAP = 5  # px between changed pixels that are one hidden part
FLAT = 0.25  # square of the levels by which pixels differ from their mean where only rounding does that
SCALES = (1, 2)  # px: stripes of one pixel hide less than they seem to, as an average over two shows
WINDOW = 24  # rows and columns to which parts of different size are brought, to be compared with others

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Encoding:
    """What counts in a copy, by how it is stored.

    equal: `equal` from which on a part counts as not hidden.
    levels: of the copy that its likeness must be about: less is the encoder's work.
    """

    equal: float
    levels: float


LOSSLESS = Encoding(equal=0.15, levels=0.5)
LOSSY = Encoding(equal=0.3, levels=2.5)
"""Seen on 74 faces of drawn crops of 64 px in JPEGs of quality 60 and above: boxes of one colour and fillings have an
`equal` of .25 at most, and a likeness that is about 2.2 levels at most."""


@dataclass(frozen=True)
class Remains:
    """What remains in one hidden part.

    box: around it.
    pixels: of it.
    equal: beyond chance, at most 1; below 0 where fewer are equal than by chance.
    original, copy: (scales, WINDOW, WINDOW) of mean 0, what the surroundings do not tell, in levels.
    encoding: of the copy.
    """

    box: Box
    pixels: int
    equal: float
    original: Floats
    copy: Floats
    encoding: Encoding

    @property
    def is_shown(self) -> bool:
        """Whether too many of its pixels are the original's."""
        return self.pixels >= LEAST_PIXELS and self.equal >= self.encoding.equal


@dataclass(frozen=True, slots=True)
class Likeness:
    """How like its original a part is.

    value: -1..1.
    to_others: the highest to another original, -1..1.
    levels: of the copy that it is about (the root of their mean square).
    enough: whether that is more than the encoder's work.
    """

    value: float
    to_others: float
    levels: float
    enough: bool

    @property
    def shows(self) -> bool:
        return self.enough and self.value >= LIKENESS_BOUND and self.value > self.to_others


def likenesses(parts: Sequence[Remains]) -> list[Likeness]:
    """The likeness of every part, at the scale at which it is highest.

    Others are those of the list, as far from it as possible: neighbours in a dataset often show the same person.
    """
    found = []
    for number, part in enumerate(parts):
        step = max(1.0, len(parts) / (OTHERS + 1))
        places = sorted({(number + round(step * k)) % len(parts) for k in range(1, OTHERS + 1)} - {number})
        scales = [_likeness(part, [parts[place] for place in places], scale) for scale in range(len(SCALES))]
        found.append(max(scales, key=lambda like: (like.shows, like.value)))
    return found


def _likeness(part: Remains, others: Sequence[Remains], scale: int) -> Likeness:
    total = np.sum([other.original[scale] for other in others], axis=0) if others else np.zeros((WINDOW, WINDOW))
    copy = _without(part.copy[scale], total)
    to_others = [correlation(copy, _without(other.original[scale], total - other.original[scale])) for other in others]
    own = correlation(copy, _without(part.original[scale], total)) if part.pixels >= LEAST_PIXELS else 0.0
    levels = own * float(np.sqrt((copy**2).mean()))
    return Likeness(own, max(to_others, default=0.0), levels, levels >= part.encoding.levels)


def are_told_apart(before: RGB, after: RGB) -> bool:
    """Whether `hidden_parts` can tell what was hidden from what an encoder has changed all over."""
    change = np.abs(before.astype(np.int16) - after).max(axis=2)
    return bool(np.median(change) < ALL_OVER or (change > CHANGED).mean() > 0.5)


def hidden_parts(before: RGB, after: RGB, encoding: Encoding = LOSSLESS) -> list[Bits]:
    """Where a copy was changed, (H, W) bool for each part: what to compare where nobody says what is hidden.

    Changed pixels less than `GAP` apart are one part, holes in it included. What JPEG does is not meant: pixels count
    from `CHANGED` levels on, or `TIMES_NOISE` times the picture's median change where that is more, parts from
    `LEAST_PIXELS` on. What was hidden in coarser stripes than `GAP` needs the regions, and so does what was changed a
    little.

    encoding: of the copy. Of a lossy one the rim of a part is left out, in which both sides run into each other.
    """
    change = np.abs(before.astype(np.int16) - after).max(axis=2)
    noise = float(np.median(change))
    changed = (change > np.clip(TIMES_NOISE * noise, CHANGED, MOST_CHANGED)).astype(np.uint8)
    padded = cv2.copyMakeBorder(changed, GAP, GAP, GAP, GAP, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (GAP, GAP)))
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    parts = []
    for outline in outlines:
        filled = cv2.drawContours(np.zeros_like(closed), [outline], -1, 1, cv2.FILLED)
        if encoding is LOSSY:
            filled = cv2.erode(filled, np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8))
        part = filled[GAP:-GAP, GAP:-GAP].astype(bool)
        if (changed.astype(bool) & part).sum() >= LEAST_PIXELS:
            parts.append(part)
    return sorted(parts, key=_box_of)


def remains(before: RGB, after: RGB, hidden: Bits, rng: np.random.Generator, encoding: Encoding = LOSSLESS) -> Remains:
    """Compare a copy with its original where it hides something.

    before, after: (H, W, 3) uint8 of the same size.
    hidden: (H, W) bool, with at least one pixel.
    rng: of the orders by which chance is told.
    encoding: `LOSSLESS` or `LOSSY`, as the copy is stored.
    """
    x0, y0, x1, y1 = box = _box_of(hidden)
    own, other = before[hidden], after[hidden]
    there = _share(own, other)
    chance = float(np.mean([_share(rng.permutation(own), other) for _ in range(ORDERS)]))
    equal = (there - chance) / (1 - chance) if chance < 1 else 0.0
    cut, inside = (slice(y0, y1), slice(x0, x1)), hidden[y0:y1, x0:x1]
    around = PoissonInpaint().fill(after, [box])[cut].mean(axis=2)
    original, copy = (_windows(_detail(picture[cut].mean(axis=2), around, inside)) for picture in (before, after))
    return Remains(box, len(own), equal, original, copy, encoding)


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


def _windows(detail: Floats) -> Floats:
    """(scales, WINDOW, WINDOW): averaged over fields of each scale's side, brought to one size."""
    scaled = [
        cv2.resize(cv2.blur(detail, (side, side)), (WINDOW, WINDOW), interpolation=cv2.INTER_AREA) for side in SCALES
    ]
    return np.stack([window - window.mean() for window in scaled])


def _share(a: RGB, b: RGB) -> float:
    """The share of pixels, (n, 3) each, whose channels are all within `NEAR` levels."""
    return float((np.abs(a.astype(np.int16) - b) <= NEAR).all(axis=1).mean())


def _box_of(hidden: Bits) -> Box:
    rows, columns = np.flatnonzero(hidden.any(axis=1)), np.flatnonzero(hidden.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
