"""Masks of regions, packed as COCO packs them, so that a mask fits into a cell of a CSV and into COCO's own tools.

mask = Mask.pack(pixels)          # (H, W) bool -> Mask
mask.unpack()                     # -> the same pixels
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.bool_]
FIRST_CHARACTER = 48  # "0" stands for 0, "o" for 63


@dataclass(frozen=True, slots=True, order=True)
class Mask:
    """The pixels of a picture that belong to a region.

    height, width: of the whole picture in pixels.
    counts: COCO's compressed run lengths, column by column, beginning with pixels outside.

    Source: `rleToString` of pycocotools, whose functions take `rle`.
    """

    height: int
    width: int
    counts: str

    @classmethod
    def pack(cls, pixels: Bits) -> Mask:
        """The mask of (H, W) bool.

        >>> Mask.pack(np.array([[False, True], [False, True]])).counts
        '22'
        """
        flat = np.asarray(pixels, bool).ravel(order="F")
        changes = np.flatnonzero(np.diff(flat, prepend=False))
        runs = np.diff(np.concatenate([[0], changes, [flat.size]]))
        return cls(pixels.shape[0], pixels.shape[1], _compress(runs.tolist()))

    def unpack(self) -> Bits:
        """(H, W) bool. Raises ValueError when the counts are not those of a picture of this size."""
        runs = _decompress(self.counts)
        if min(runs, default=0) < 0 or sum(runs) != self.height * self.width:
            raise ValueError(f"a mask's run lengths sum to {sum(runs)}; expected {self.height} x {self.width} pixels")
        values = np.arange(len(runs)) % 2 == 1
        return np.repeat(values, runs).reshape(self.height, self.width, order="F")

    @property
    def rle(self) -> dict[str, Any]:
        """As pycocotools and COCO's files take it."""
        return {"size": [self.height, self.width], "counts": self.counts}

    @property
    def area(self) -> int:
        """How many pixels belong to it."""
        return sum(_decompress(self.counts)[1::2])

    def __str__(self) -> str:
        """As the file of regions holds it, such as `480x640:PQ1…`."""
        return f"{self.height}x{self.width}:{self.counts}"

    @classmethod
    def parse(cls, text: str) -> Mask:
        """The mask that `str` wrote. Raises ValueError for another text, or one that is cut off."""
        size, colon, counts = text.partition(":")
        height, times, width = size.partition("x")
        if not (colon and times and height.isdecimal() and width.isdecimal()):
            raise ValueError(f"'{text[:30]}' is no mask; expected <height>x<width>:<COCO's run lengths>")
        mask = cls(int(height), int(width), counts)
        mask.unpack()
        return mask


def box_of(pixels: Bits) -> tuple[int, int, int, int] | None:
    """x0, y0, x1, y1 of the least box around the pixels of a mask (H, W), half-open; None where there are none.

    >>> box_of(np.array([[False, True, True], [False, False, False]]))
    (1, 0, 3, 1)
    """
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if not rows.size:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _compress(runs: Sequence[int]) -> str:
    """Each run from the third on as its difference from the one before the last, in pieces of five bits, low first."""
    characters = []
    for number, run in enumerate(runs):
        value = run - runs[number - 2] if number > 2 else run
        more = True
        while more:
            piece = value & 0x1F
            value >>= 5
            more = value != (-1 if piece & 0x10 else 0)
            characters.append(chr((piece | (0x20 if more else 0)) + FIRST_CHARACTER))
    return "".join(characters)


def _decompress(counts: str) -> list[int]:
    runs: list[int] = []
    value, shift = 0, 0
    for character in counts:
        piece = ord(character) - FIRST_CHARACTER
        if not 0 <= piece < 64:
            raise ValueError(f"a mask's run lengths hold the character {character!r}; expected '0' to 'o'")
        value |= (piece & 0x1F) << shift
        shift += 5
        if not piece & 0x20:
            if piece & 0x10:
                value -= 1 << shift
            runs.append(value + runs[-2] if len(runs) > 2 else value)
            value, shift = 0, 0
    if shift:
        raise ValueError("a mask's run lengths are cut off")
    return runs
