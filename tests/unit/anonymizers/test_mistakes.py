"""A detector's mistakes, made on purpose: regions that are missed, boxes where nothing is."""

from __future__ import annotations

import numpy as np
import pytest

from anonbench.anonymizers._mistakes import false_boxes, not_missed, sizes_of
from anonbench.data.regions import Region, covered

REGIONS = [Region((x, y, x + 4, y + 5)) for x in range(0, 60, 5) for y in range(0, 120, 6)]


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.9])
def test_the_share_of_missed_regions(share: float) -> None:
    """One region a picture, as in re-identification: 4000 pictures, four standard errors."""
    left = sum(len(not_missed(REGIONS[:1], share, f"query/{n}.jpg")) for n in range(4000))
    assert abs(left / 4000 - (1 - share)) < 4 * np.sqrt(share * (1 - share) / 4000)


def test_which_are_missed_follows_from_the_path_and_grows_with_the_share() -> None:
    few, many = (not_missed(REGIONS, share, "a.jpg") for share in (0.1, 0.3))
    assert not_missed(REGIONS, 0.1, "a.jpg") == few
    assert not_missed(REGIONS[::-1], 0.1, "a.jpg") == few[::-1], "the order of detection changes nothing"
    assert set(map(id, many)) < set(map(id, few)), "what is missed at .1 is missed at .3"
    assert not_missed(REGIONS, 0.1, "b.jpg") != few


def test_false_boxes_touch_no_region_and_have_sizes_of_found_ones() -> None:
    sizes = sizes_of([Region((0, 0, 7, 9)), Region((0, 0, 12, 20), "body")])
    assert sizes == [(7, 9, "face"), (12, 20, "body")]
    found = set()
    for n in range(50):
        regions = [Region((10, 4, 30, 30)), Region((40, 60, 64, 128))]
        made = false_boxes(regions, sizes, 3, 64, 128, f"{n}.jpg")
        assert made == false_boxes(regions, sizes, 3, 64, 128, f"{n}.jpg")
        assert len(made) == 3
        assert covered(made, 128, 64).sum() == sum(int(r.width * r.height) for r in made), "nor one another"
        assert not (covered(made, 128, 64) & covered(regions, 128, 64)).any()
        assert all(r.x0 >= 0 and r.x1 <= 64 and r.y0 >= 0 and r.y1 <= 128 for r in made)
        found |= {(int(r.width), int(r.height), r.kind) for r in made}
    assert found == set(sizes)


def test_every_place_can_be_drawn_the_last_row_and_column_too() -> None:
    drawn = {false_boxes([], [(2, 2, "face")], 1, 4, 3, f"{n}.jpg")[0].pixels[:2] for n in range(200)}
    assert drawn == {(x, y) for x in (0, 1, 2) for y in (0, 1)}


def test_boxes_without_a_place_are_left_out() -> None:
    assert false_boxes([Region((0, 0, 64, 128))], [(4, 4, "face")], 2, 64, 128, "a.jpg") == []
    assert false_boxes([], [(65, 4, "face")], 1, 64, 128, "a.jpg") == []
    assert false_boxes([], [], 1, 64, 128, "a.jpg") == []
