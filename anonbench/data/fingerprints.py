"""Fingerprints of pictures that stay nearly the same when a picture is scaled, encoded anew or changed a little.

>>> grey = np.tile(np.arange(64, dtype=np.uint8)[None, :, None], (64, 1, 3))
>>> int(distances(fingerprint(grey)[None], fingerprint(grey // 2)[None])[0, 0])
0
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from anonbench.data.images import RGB

SIDE = 16
"""Rows and columns: a fingerprint has SIDE x SIDE bits. The usual 8 x 8 tell two crops of people apart badly: upright
figures all have the same few edges."""
BITS = SIDE * SIDE
ALIKE = 48
"""Bits up to which two pictures count as one, changed. Seen on 75 drawn crops of 64 to 256 px: encoded anew at quality
50, or at half the size, they differ in at most 48; with a black box over the face in 21; moved by 2 px in 26 to 132,
which is not found. Other pictures, of the same person too, differ in 87 and more. Pictures of one empty place by a
camera that does not move may be nearer."""
LEAST_TELLING = 0.25  # share of the fields that must differ from their neighbour by 2 levels
Fingerprints = NDArray[np.uint64]  # (n, BITS / 64)


def fingerprint(image: RGB) -> Fingerprints:
    """(BITS / 64,) uint64 of (H, W, 3) uint8: whether each field of a grid is darker than the one to its right.

    Source: the difference hash of N. Krawetz, "Kind of like that", 2013, with 16 x 16 bits instead of 8 x 8.
    """
    fields = _fields(image)
    return np.packbits(fields[:, :-1] < fields[:, 1:]).view(np.uint64)


def tells(image: RGB) -> bool:
    """Whether a picture has enough in it for its fingerprint to say which it is: one of a single colour has not."""
    return bool((np.abs(np.diff(_fields(image), axis=1)) >= 2).mean() >= LEAST_TELLING)


def distances(a: Fingerprints, b: Fingerprints) -> NDArray[np.int64]:
    """(n, m) bits in which each of a (n, k) differs from each of b (m, k): 0..BITS."""
    return np.bitwise_count(a[:, None] ^ b[None]).sum(axis=2, dtype=np.int64)


def _fields(image: RGB) -> NDArray[np.int16]:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA).astype(np.int16)
