"""Cityscapes' average precision: cases worked by hand, and a second implementation on pixels."""

from __future__ import annotations

import numpy as np
import pytest
from instance_cases import person, result
from pycocotools.mask import decode

from anonbench.data.instances import Instance
from anonbench.data.masks import Mask
from anonbench.tasks.instances import cityscapes, coco
from anonbench.tasks.instances.matches import average_precision, average_precisions


def ap(truths, results, threshold=None) -> float:
    return average_precision(cityscapes.match(truths, results, ("person",)), threshold=threshold)


ONE = (0, 0, 10, 10)  # 100 pixels, the least that count
TWO = (20, 0, 40, 10)
FAR = (40, 40, 52, 52)


def test_a_case_worked_by_hand():
    truths = {"a": [person(1, ONE), person(2, TWO)]}
    results = {"a": [result(ONE, 0.9), result(FAR, 0.8), result((20, 0, 33, 10), 0.7)]}  # overlaps 1, 0, 0.65
    # Points of (recall, precision): (0, 1), (1/2, 1), (1/2, 1/2), (1, 2/3). Trapezoids: 1/2 + (1/2 + 2/3) / 2 / 2.
    assert ap(truths, results, 0.5) == pytest.approx(1 / 2 + 7 / 24)
    assert ap(truths, results, 0.6) == pytest.approx(1 / 2 + 7 / 24)
    assert ap(truths, results, 0.7) == pytest.approx(1 / 2)
    # COCO's envelope: 51 recalls at precision 1, 50 at 2/3.
    masks = coco.evaluate("masks", truths, results, ("person",))
    assert masks["AP50"] == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_two_networks_can_be_ranked_the_other_way_than_by_coco():
    truths = {"a": [person(1, ONE), person(2, TWO)]}
    late = {"a": [result(FAR, 0.9), result(ONE, 0.8), result(TWO, 0.7)]}
    half = {"a": [result(ONE, 0.9), *(result(FAR, 0.5) for _ in range(3)), result(TWO, 0.4)]}
    by_coco = [coco.evaluate("masks", truths, found, ("person",))["AP50"] for found in (late, half)]
    assert by_coco[0] < by_coco[1]
    # late: (0, 1), (0, 0), (1/2, 1/2), (1, 2/3): 1/8 + 7/24. half: 1/2 + (1/4 + 2/5) / 4.
    assert ap(truths, late, 0.5) == pytest.approx(1 / 8 + 7 / 24)
    assert ap(truths, half, 0.5) == pytest.approx(1 / 2 + 0.65 / 4)


def test_an_overlap_of_exactly_the_threshold_is_too_small():
    truths, results = {"a": [person(1, TWO)]}, {"a": [result((20, 0, 30, 10), 0.9)]}  # 100 of 200 pixels
    assert ap(truths, results, 0.5) == 0
    assert coco.evaluate("masks", truths, results, ("person",))["AP50"] == pytest.approx(1)


def test_what_is_small_a_group_or_void_is_neither_right_nor_wrong():
    real, hit = person(1, ONE), result(ONE, 0.5)
    wrong = result(FAR, 0.9)
    assert ap({"a": [real]}, {"a": [hit, wrong]}) == pytest.approx(1 / 4)  # (0, 1), (0, 0), (1, 1/2)
    small = person(2, (40, 40, 49, 51))  # 99 pixels of the prediction's 144: an overlap of 0.6875
    group = person(2, (38, 38, 60, 60), crowd=True)
    void = person(2, (38, 38, 60, 60), ignore=True)
    other_void = person(2, (38, 38, 60, 60), "car", ignore=True)
    for one in (group, void, other_void):
        assert ap({"a": [real, one]}, {"a": [hit, wrong]}) == pytest.approx(1)
    # 0.6875 of the prediction's pixels lie on the small instance, which is also their overlap.
    assert ap({"a": [real, small]}, {"a": [hit, wrong]}, 0.65) == pytest.approx(1)
    assert ap({"a": [real, small]}, {"a": [hit, wrong]}, 0.7) == pytest.approx(1 / 4)
    other_group = person(2, (38, 38, 60, 60), "car", crowd=True)
    assert ap({"a": [real, other_group]}, {"a": [hit, wrong]}) == pytest.approx(1 / 4)


def test_void_beside_the_instances_counts_as_void_of_the_picture_alone():
    truths = {"a": [person(1, ONE)], "b": [person(2, ONE)]}
    results = {"a": [result(ONE, 0.5), result(FAR, 0.9)], "b": [result(ONE, 0.4)]}
    void = person(3, (38, 38, 60, 60)).mask
    wrong = 1 / 8 + 7 / 24  # (0, 1), (0, 0), (1/2, 1/2), (1, 2/3)
    for voids, expected in (({}, wrong), ({"b": void}, wrong), ({"a": void}, 1)):
        matches = cityscapes.match(truths, results, ("person",), voids)
        assert average_precision(matches, threshold=0.5) == pytest.approx(expected)


def test_the_best_of_two_predictions_finds_an_instance_and_the_other_is_wrong():
    truths = {"a": [person(1, ONE)]}
    assert ap(truths, {"a": [result(ONE, 0.3), result(ONE, 0.9)]}) == pytest.approx(1)
    # With equal scores both make one point, (1, 1/2).
    assert ap(truths, {"a": [result(ONE, 0.9), result(ONE, 0.9)]}) == pytest.approx(3 / 4)


def test_nothing_found_is_0_and_nothing_to_be_found_is_no_number():
    assert ap({"a": [person(1, ONE)]}, {}) == 0
    assert np.isnan(ap({"a": []}, {"a": [result(ONE, 0.9)]}))


def segments(seed: int):
    """Pictures of disjoint instances, as Cityscapes' are, and predictions that wander from them."""
    rng = np.random.default_rng(seed)
    truths, results = {}, {}
    for picture in range(8):
        path = f"{picture:02}"
        truths[path], results[path] = [], []
        taken = np.zeros((64, 64), bool)
        for number in range(rng.integers(1, 7)):
            x, y, w, h = *rng.integers(0, 50, 2), *rng.integers(5, 25, 2)
            pixels = np.zeros((64, 64), bool)
            pixels[y : y + h, x : x + w] = True
            pixels &= ~taken
            if not pixels.any():
                continue
            taken |= pixels
            kind = rng.random()
            flags = {"crowd": kind < 0.15, "ignore": 0.15 <= kind < 0.3}
            category = ("person", "car")[rng.integers(2)]
            box = (float(x), float(y), float(x + w), float(y + h))
            truths[path].append(
                Instance(100 * picture + number + 1, category, box, Mask.pack(pixels), float(pixels.sum()), **flags)
            )
            for _ in range(rng.integers(0, 4)):
                near = np.clip(np.array(box) + rng.integers(-3, 4, 4), 0, 64)
                if near[2] > near[0] and near[3] > near[1]:
                    results[path].append(result(near, float(rng.integers(1, 30) / 32), category))
    return truths, results


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def by_pixels(truths, results, category, threshold):
    """The same measure, from lists of scores of right and wrong predictions."""
    right, wrong, total = [], [], 0
    for path, instances in truths.items():
        void = np.zeros((64, 64), bool)
        real, unscored, same = [], [], []
        for truth in instances:
            pixels = truth.mask.unpack()
            if truth.ignore:
                void |= pixels
            elif truth.category == category:
                same.append(pixels)
                (unscored if truth.crowd or pixels.sum() < 100 else real).append(pixels)
                if truth.crowd and pixels.sum() < 100:
                    unscored.append(pixels)  # counted for both reasons
        total += len(real)
        found = [(r["score"], decode(r["segmentation"]).astype(bool)) for r in results[path]
                 if r["category"] == category]  # fmt: skip
        for truth in real:
            scores = sorted((score for score, mask in found if iou(mask, truth) > threshold), reverse=True)
            right += scores[:1]
            wrong += scores[1:]
        for score, mask in found:
            if any(iou(mask, other) > threshold for other in same):
                continue
            share = ((mask & void).sum() + sum((mask & other).sum() for other in unscored)) / mask.sum()
            if share <= threshold:
                wrong.append(score)
    if not total:
        return float("nan")
    area, before = 0.0, (0.0, 1.0)
    for least in sorted({*right, *wrong}, reverse=True):
        tp, fp = sum(score >= least for score in right), sum(score >= least for score in wrong)
        point = (tp / total, tp / (tp + fp))
        area += (point[0] - before[0]) * (point[1] + before[1]) / 2
        before = point
    return area


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' decode
@pytest.mark.parametrize("seed", range(4))
def test_a_second_implementation_on_pixels_agrees(seed):
    truths, results = segments(seed)
    found = average_precisions(cityscapes.match(truths, results, ("person", "car")))
    expected = [[by_pixels(truths, results, c, t) for t in cityscapes.THRESHOLDS] for c in ("person", "car")]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert 0.02 < found.mean() < 0.98, "a case that says nothing"


def test_a_weight_is_a_number_of_copies():
    truths, results = segments(7)
    weights = np.arange(len(truths)) % 3
    copies = {f"{p}-{n}": truths[p] for p, w in zip(truths, weights, strict=True) for n in range(w)}
    found = {f"{p}-{n}": results[p] for p, w in zip(truths, weights, strict=True) for n in range(w)}
    expected = average_precision(cityscapes.match(copies, found, ("person", "car")))
    matches = cityscapes.match(truths, results, ("person", "car"))
    assert average_precision(matches, weights) == pytest.approx(expected, abs=1e-12)
    assert average_precision(matches) != pytest.approx(expected, abs=1e-4)
