"""`zero` and `blank`: one colour for the whole box."""

from __future__ import annotations

import numpy as np

from anonbench.anonymizers.blank import Blank
from anonbench.anonymizers.zero import Zero
from anonbench.data.regions import Region

RNG = np.random.default_rng(0)


def test_zero_is_black() -> None:
    image = RNG.integers(1, 256, (9, 9, 3), dtype=np.uint8)
    assert (Zero().redact(image, Region((2, 3, 7, 9)), RNG) == 0).all()


def test_blank_is_the_mean_of_the_box_alone() -> None:
    image = np.full((4, 6, 3), 200, dtype=np.uint8)
    image[1:3, 1:3] = [[[0, 10, 1], [2, 10, 2]], [[4, 10, 2], [5, 10, 2]]]  # means 2.75, 10, 1.75
    patch = Blank().redact(image, Region((1, 1, 3, 3)), RNG)
    assert patch.shape == (2, 2, 3)
    assert (patch == [3, 10, 2]).all()
