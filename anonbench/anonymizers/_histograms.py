"""Colours of one picture given to another, by matching cumulative histograms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anonbench.data.images import RGB

LEVELS = 256


def match_histograms(picture: RGB, reference: RGB, pooled: bool) -> RGB:
    """`picture` (h, w, 3) uint8 with its values changed so that their cumulative histogram is the reference's.

    reference: (H, W, 3) uint8.
    pooled: one histogram of the values of all three channels together. Else one for each channel: "each color channel
        (RGB) matches" says Hukkelås and Lindseth 2023, whose public code pools them.

    Each level becomes the one at which the reference's histogram has counted the same share of values, between two
    levels by linear interpolation; fractions are cut off. Equal to scikit-image 0.26's `match_histograms`, without
    `channel_axis` where pooled.
    """
    if pooled:
        return _matched(picture, reference)
    return np.stack([_matched(picture[..., c], reference[..., c]) for c in range(3)], axis=2)


def _matched(values: NDArray[np.uint8], reference: NDArray[np.uint8]) -> NDArray[np.uint8]:
    found, wanted = (np.bincount(v.ravel(), minlength=LEVELS) for v in (values, reference))
    levels = np.flatnonzero(wanted)  # of the reference: a level that it does not have is none to land on
    shares = np.cumsum(found) / values.size
    new = np.interp(shares, np.cumsum(wanted)[levels] / reference.size, levels)
    return new.astype(np.uint8)[values]
