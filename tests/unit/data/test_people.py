"""Whose region is whose, and who is left visible."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from anonbench.data.instances import Instance
from anonbench.data.masks import Mask
from anonbench.data.people import count_people, fates, pairs, people_of, say_people
from anonbench.data.pictures import Picture
from anonbench.data.regions import Region

HEIGHT, WIDTH = 30, 40


def person(number: int, box: tuple[int, int, int, int], category: str = "person", **more: bool) -> Instance:
    """Somebody who fills a box."""
    pixels = np.zeros((HEIGHT, WIDTH), bool)
    x0, y0, x1, y1 = box
    pixels[y0:y1, x0:x1] = True
    return Instance(number, category, box, Mask.pack(pixels), float(pixels.sum()), **more)


def test_a_case_by_hand() -> None:
    """Two people, 10 x 20 and 8 x 10 pixels, three boxes; the overlaps are written beside them."""
    people = [person(1, (0, 0, 10, 20)), person(2, (20, 0, 28, 10))]
    boxes = [
        Region((2, 0, 6, 5), score=0.4),  # 20 / 200 of the first
        Region((3, 0, 7, 5), score=0.9),  # 20 / 200 of the first too, with a higher score
        Region((27, 9, 31, 13), score=0.8),  # 1 / (80 + 16 - 1) = .0105 of the second
        Region((9, 19, 19, 29), score=0.7),  # 1 / (200 + 100 - 1) = .003 of the first: too little
    ]
    assert pairs(people, boxes) == [(0, 1), (1, 2)]
    assert pairs(people, boxes, least_iou=0.011) == [(0, 1)]
    assert pairs(people, boxes[:1] + boxes[3:]) == [(0, 0)]


def test_the_overlap_of_a_mask_is_that_of_its_pixels() -> None:
    """An L-shaped person, in whose box's empty corner a face lies: the boxes overlap, the pixels do not."""
    pixels = np.zeros((HEIGHT, WIDTH), bool)
    pixels[0:20, 0:5] = pixels[15:20, 0:20] = True
    someone = Instance(1, "person", (0, 0, 20, 20), Mask.pack(pixels), float(pixels.sum()))
    corner = Region((10, 2, 16, 8))
    assert pairs([someone], [corner]) == []
    body = Region((0, 0, 20, 20), "body", mask=Mask.pack(pixels))
    assert pairs([someone], [body], least_iou=1.0) == [(0, 0)]


@pytest.mark.parametrize("seed", range(10))
def test_pairs_are_those_of_a_search_that_always_takes_the_best_left(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def box() -> tuple[int, int, int, int]:
        x, y, w, h = rng.integers(0, 20), rng.integers(0, 14), rng.integers(1, 20), rng.integers(1, 16)
        return int(x), int(y), int(x + w), int(y + h)

    people = [person(n, box()) for n in range(5)]
    regions = [Region(box(), score=float(n) / 10) for n in rng.permutation(6)]

    def overlap(a: Instance, b: Region) -> float:
        ours = {(x, y) for x in range(int(a.box[0]), int(a.box[2])) for y in range(int(a.box[1]), int(a.box[3]))}
        theirs = {(x, y) for x in range(int(b.x0), int(b.x1)) for y in range(int(b.y0), int(b.y1))}
        return len(ours & theirs) / len(ours | theirs)

    left = dict.fromkeys(itertools.product(range(5), range(6)))
    expected = []
    while left:
        best = max(left, key=lambda pair: (overlap(people[pair[0]], regions[pair[1]]), regions[pair[1]].score))
        if overlap(people[best[0]], regions[best[1]]) < 0.05:
            break
        expected.append(best)
        left = {pair: None for pair in left if pair[0] != best[0] and pair[1] != best[1]}
    assert pairs(people, regions, least_iou=0.05) == sorted(expected)


def test_groups_ignored_people_and_those_without_a_mask_have_no_region() -> None:
    box = (4, 4, 20, 20)
    without = Instance(4, "person", box, None, 256.0)
    people = [person(1, box, crowd=True), person(2, box, ignore=True), without]
    assert fates(people, [Region(box)]) == ["crowd", "ignored", "no mask"]
    assert fates([*people, person(5, box)], [Region(box)]) == ["crowd", "ignored", "no mask", "hidden"]
    assert fates([person(5, box)], []) == ["no region"]


def test_a_picture_counts_people_alone() -> None:
    box = (4, 4, 20, 20)
    instances = [
        person(1, box), person(2, (22, 2, 30, 20)), person(3, box, "rider"), person(4, box, "car"),
        person(5, (0, 0, 4, 4), crowd=True),
    ]  # fmt: skip
    assert [p.number for p in people_of(instances)] == [1, 2, 5]
    assert count_people(instances, [Region(box)]).labels == {"people": 3, "hidden": 1, "visible": 2}
    assert count_people([], [Region(box)]).labels == {"people": 0, "hidden": 0, "visible": 0}


def test_what_is_said_adds_up() -> None:
    pictures = [
        Picture(name, "train", 40, 30, "", {"people": p, "hidden": h, "visible": p - h})
        for name, p, h in (("a", 3, 1), ("b", 2, 2), ("c", 0, 0))
    ]
    (line,) = say_people(pictures)
    assert line.startswith("3 of 5 people hidden, 2 left visible in 1 of 3 pictures (")
    assert say_people([Picture("a", "train", 4, 4, "")]) == []
