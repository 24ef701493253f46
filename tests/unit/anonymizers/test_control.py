"""Control variants: boxes beside the faces."""

from __future__ import annotations

import numpy as np
import pytest

from anonbench.anonymizers._control import beside
from anonbench.data.masks import Mask
from anonbench.data.regions import Region, covered


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((20, 4, 34, 22), (34, 4, 48, 22)),
        ((45, 4, 60, 22), (30, 4, 45, 22)),  # no room to the right
        ((10, 4, 60, 40), (10, 40, 60, 76)),  # nor to the left: below
        ((0, 90, 64, 128), (0, 52, 64, 90)),  # nor below
    ],
)
def test_a_box_goes_to_the_nearest_free_place(box: tuple[int, ...], expected: tuple[int, ...]) -> None:
    (found,) = beside([Region(box)], 64, 128)  # type: ignore[arg-type]
    assert found.pixels == expected


def test_no_region_is_touched_and_sizes_stay() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        corners = rng.integers(0, 40, (3, 2))
        regions = [Region((int(x), int(y), int(x) + 9 + n, int(y) + 12)) for n, (x, y) in enumerate(corners)]
        moved = beside(regions, 64, 128)
        assert [(r.width, r.height) for r in moved] == [(r.width, r.height) for r in regions]
        assert not (covered(moved, 128, 64) & covered(regions, 128, 64)).any()


def test_what_fits_nowhere_is_left_out_and_masks_are_dropped() -> None:
    assert beside([Region((0, 0, 60, 120))], 64, 128) == []
    mask = Mask.pack(np.ones((128, 64), bool))
    (found,) = beside([Region((0, 0, 10, 10), mask=mask, keypoints=((1, 1, 2),))], 64, 128)
    assert found.mask is None
    assert found.keypoints is None
