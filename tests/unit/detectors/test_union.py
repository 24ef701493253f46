"""What several detectors found, together: a union hides every pixel that a member hides."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from anonbench.core.errors import ConfigError
from anonbench.data.masks import Mask
from anonbench.data.regions import Region, clip_region, covered
from anonbench.detectors import DETECTORS
from anonbench.detectors.union import Union, join

HEIGHT, WIDTH = 40, 30


def some_members(seed: int) -> dict[str, list[Region]]:
    """Three members with random boxes, some of them the same, some with a mask."""
    rng = np.random.default_rng(seed)
    boxes = [tuple(map(float, (x, y, x + w, y + h))) for x, y, w, h in rng.integers(1, 20, (6, 4))]
    masks = [None, Mask.pack(rng.random((HEIGHT, WIDTH)) > 0.5)]
    members = {}
    for name in ("centerface", "by_hand", "tinyfaces"):
        found = [
            Region(boxes[rng.integers(6)], score=round(float(rng.random()), 2), mask=masks[rng.integers(2)])  # type: ignore[arg-type]
            for _ in range(rng.integers(0, 5))
        ]
        members[name] = sorted(found, key=lambda region: -region.score)
    return members


def hidden(regions: Sequence[Region], scale: float = 1.0) -> np.ndarray:
    return covered([r for r in (clip_region(r, WIDTH, HEIGHT, scale) for r in regions) if r], HEIGHT, WIDTH)


@pytest.mark.parametrize("seed", range(20))
def test_every_pixel_that_a_member_hides_is_hidden_and_no_other(seed: int) -> None:
    members = some_members(seed)
    for scale in (1.0, 1.3):
        each = [hidden(found, scale) for found in members.values()]
        assert (hidden(join(members), scale) == np.logical_or.reduce(each)).all()


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_members_does_not_matter_and_one_is_itself(seed: int) -> None:
    members = some_members(seed)
    orders = [dict(order) for order in itertools.permutations(members.items())]
    assert all(join(order) == join(members) for order in orders)
    for name, found in members.items():
        assert join({name: found}) == found
    scores = [region.score for region in join(members)]
    assert scores == sorted(scores, reverse=True)
    assert join({"all": join(members), **members}) == join(members), "a union with its members is that union"


def test_boxes_that_nearly_agree_stay_and_equal_ones_count_once() -> None:
    face, near = (4.0, 4.0, 12.0, 14.0), (4.5, 4.0, 12.0, 14.0)
    members: Mapping[str, list[Region]] = {
        "a": [Region(face, score=0.4), Region((0.0, 0.0, 2.0, 2.0), score=0.0, source="default")],
        "b": [Region(face, source="annotated"), Region(near, score=0.9)],
    }
    assert join(members) == [Region(face, source="annotated"), Region(near, score=0.9), members["a"][1]]
    twice = [Region(face), Region(face)]
    assert join({"a": twice, "b": twice[:1]}) == twice, "as often as one member has it"


def test_it_is_a_value_and_looks_at_no_picture(tmp_path: Path) -> None:
    union = DETECTORS.create({"method": "union", "of": ["a", "b"]})
    assert union == Union(("a", "b")) == pickle.loads(pickle.dumps(union))
    with pytest.raises(ConfigError, match=r"'union' looks at no picture: .* anonbench unite --help"):
        union.open(tmp_path)
