"""Where a copy of a picture differs from it."""

from __future__ import annotations

import numpy as np
import pytest

from anonbench.data.differences import changed_pixels, changes
from anonbench.data.masks import Mask
from anonbench.data.regions import Region

IMAGE = np.random.default_rng(0).integers(40, 200, (20, 30, 3), dtype=np.uint8)


def test_a_case_by_hand() -> None:
    """10 x 8 pixels of a box change but for 2 rows, 5 pixels outside, and nothing in the mask."""
    after = IMAGE.copy()
    after[2:8, 4:14] += 30
    after[15, 20:25, 1] -= 17
    after[18, 20:25] += 16
    mask = np.zeros((20, 30), bool)
    mask[10:14, 20:26] = True
    regions = [Region((4, 2, 13.5, 10)), Region((19, 9, 28, 15), "body", mask=Mask.pack(mask))]
    box, body, outside = changes(IMAGE, after, regions, tolerance=16)
    assert (box.pixels, box.changed, box.visible) == (80, 60, False)
    assert (body.pixels, body.changed, body.visible) == (24, 0, True)
    assert (outside.pixels, outside.changed, outside.visible) == (20 * 30 - 80 - 24, 5, False)
    assert box.row("a.jpg", 0) == ["a.jpg", 0, "face", 4, 2, 14, 10, 80, 0.75, 0]
    assert outside.row("a.jpg", -1)[:7] == ["a.jpg", -1, None, None, None, None, None]
    assert changes(IMAGE, after, [], tolerance=15)[0].changed == 70


def test_what_wraps_round_in_a_byte_is_a_change() -> None:
    before, after = np.full((1, 2, 3), 250, np.uint8), np.full((1, 2, 3), 3, np.uint8)
    assert changed_pixels(before, after, 246).all()
    assert not changed_pixels(before, after, 247).any()


@pytest.mark.parametrize("seed", range(4))
def test_the_parts_of_regions_that_do_not_meet_add_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    after = np.where(rng.random((20, 30, 1)) < 0.3, 255 - IMAGE, IMAGE).astype(np.uint8)
    parts = changes(IMAGE, after, [Region((0, 0, 10, 20)), Region((10, 5, 40, 12))], tolerance=0)
    assert sum(part.pixels for part in parts) == 600
    assert sum(part.changed for part in parts) == (after != IMAGE).any(axis=2).sum()
