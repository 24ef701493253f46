"""The WIDER FACE protocol: cases worked by hand, and a slow reference that follows its text line by line."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonbench.tasks.detection.wider import (
    Curve,
    Faces,
    average_precision,
    covered,
    evaluate_wider,
    mark,
    normalised,
    overlaps,
    precision_recall,
)


def boxes(*rows: tuple[float, ...], width: int = 5) -> np.ndarray:
    return np.array(rows, np.float64).reshape(len(rows), width)


def faces(*rows: tuple[float, ...], counted: list[bool] | None = None) -> Faces:
    return Faces(boxes(*rows, width=4), np.array([True] * len(rows) if counted is None else counted, bool))


# --- the reference ---


def slow_overlap(a: list[float], b: list[float], more: float) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0]) + more
    height = min(a[3], b[3]) - max(a[1], b[1]) + more
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    areas = [(box[2] - box[0] + more) * (box[3] - box[1] + more) for box in (a, b)]
    return common / (sum(areas) - common)


def slow_curve(images: list[tuple[list[list[float]], list[list[float]], list[bool]]], thresholds: int, more: float):
    """(precision, recall) at each threshold from (detections, faces, counted) of each image, threshold by threshold."""
    scores = [d[4] for detections, _, _ in images for d in detections]
    low, high = (min(scores), max(scores)) if scores else (0.0, 1.0)
    total = sum(sum(counted) for _, _, counted in images)
    curve = []
    for t in range(1, thresholds + 1):
        level, proposals, hits = 1 - t / thresholds, 0, 0
        for detections, truth, counted in images:
            if not truth:
                continue
            seen = set()
            for d in sorted(detections, key=lambda d: -d[4]):
                if ((d[4] - low) / (high - low) if high > low else 1.0) < level:
                    continue
                all_overlaps = [slow_overlap(d, face, more) for face in truth]
                best = max(range(len(truth)), key=lambda k: (all_overlaps[k], -k))
                if all_overlaps[best] >= 0.5 and not counted[best]:
                    continue  # on an ignored face: neither right nor wrong
                proposals += 1
                if all_overlaps[best] >= 0.5 and best not in seen:
                    seen.add(best)
                    hits += 1
        curve.append((hits / proposals if proposals else math.nan, hits / total if total else math.nan))
    return np.array(curve)


def slow_average_precision(recall: list[float], precision: list[float]) -> float:
    """Each step of recall times the best precision from there on."""
    area, before = 0.0, 0.0
    for k, value in enumerate(recall):
        if value != before:
            area += (value - before) * max(p for p in precision[k:] if not math.isnan(p))
            before = value
    return area


corner = st.integers(0, 12).map(float)
side = st.integers(1, 8).map(float)
box = st.tuples(corner, corner, side, side).map(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])
score = st.integers(0, 10).map(lambda v: v / 10)
image = st.tuples(
    st.lists(st.tuples(box, score).map(lambda d: [*d[0], d[1]]), max_size=6),
    st.lists(st.tuples(box, st.booleans()), max_size=4),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(image, min_size=1, max_size=4))
def test_the_protocol_is_that_of_the_slow_reference(found):
    images = [(d, [b for b, _ in truth], [c for _, c in truth]) for d, truth in found]
    detections = {str(n): boxes(*map(tuple, d)) for n, (d, _, _) in enumerate(images)}
    truth = {str(n): faces(*map(tuple, b), counted=c) for n, (_, b, c) in enumerate(images)}
    curve, _ = evaluate_wider(detections, truth)
    expected = slow_curve(images, 1000, 1.0)
    np.testing.assert_allclose(curve.precision, expected[:, 0], rtol=1e-12)
    np.testing.assert_allclose(curve.recall, expected[:, 1], rtol=1e-12)
    if curve.faces:
        slow = slow_average_precision(expected[:, 1].tolist(), expected[:, 0].tolist())
        assert curve.average_precision == pytest.approx(slow, abs=1e-12)
    else:
        assert math.isnan(curve.average_precision)


@settings(max_examples=100, deadline=None)
@given(st.lists(box, min_size=1, max_size=5), st.lists(box, min_size=1, max_size=5), st.booleans())
def test_overlaps_are_those_of_the_slow_reference(a, b, closed):
    expected = [[slow_overlap(x, y, float(closed)) for y in b] for x in a]
    np.testing.assert_allclose(overlaps(np.array(a), np.array(b), closed), expected, rtol=1e-12)


# --- by hand ---


def test_a_box_that_counts_its_last_pixel_overlaps_more():
    a, b = boxes((0, 0, 9, 9), width=4), boxes((5, 0, 14, 9), width=4)
    assert overlaps(a, b, closed=True)[0, 0] == pytest.approx(50 / 150)  # 10 x 10 boxes that share 5 columns
    assert overlaps(a, b)[0, 0] == pytest.approx(36 / 126)
    assert overlaps(a, boxes((10, 0, 12, 9), width=4), closed=True)[0, 0] == 0


def test_the_first_find_of_a_face_is_a_hit_and_the_second_a_mistake():
    marks = mark(boxes((0, 0, 10, 9, 0.4), (0, 0, 10, 10, 0.9), (50, 50, 60, 60, 0.5)), faces((0, 0, 10, 10)))
    assert marks.scores.tolist() == [0.9, 0.5, 0.4]
    assert marks.face.tolist() == [0, -1, 0]
    assert marks.hit.tolist() == [True, False, False]
    assert marks.false_positive.tolist() == [False, True, True]


def test_finds_of_an_ignored_face_count_for_nothing():
    truth = faces((0, 0, 10, 10), (20, 0, 30, 10), counted=[False, True])
    marks = mark(boxes((0, 0, 10, 10, 0.9), (1, 0, 10, 10, 0.8), (20, 0, 30, 10, 0.7)), truth)
    assert marks.ignored.tolist() == [True, True, False]
    assert marks.hit.tolist() == [False, False, True]
    assert not marks.false_positive.any()


def test_an_overlap_of_exactly_a_half_is_a_find():
    half = boxes((0, 0, 10, 5, 1.0))
    assert mark(half, faces((0, 0, 10, 10))).hit.tolist() == [True]
    assert mark(half, faces((0, 0, 10, 10)), iou=0.51).hit.tolist() == [False]


def test_images_without_faces_or_without_detections():
    nothing = boxes()
    assert mark(nothing, faces((0, 0, 1, 1))).hit.shape == (0,)
    assert mark(boxes((0, 0, 1, 1, 0.5)), faces()).false_positive.tolist() == [True]
    curve = precision_recall([mark(nothing, faces((0, 0, 1, 1)))], 1)
    assert np.isnan(curve.precision).all()
    assert curve.recall.max() == 0
    assert curve.average_precision == 0
    assert normalised([]) == (0.0, 1.0)
    assert math.isnan(precision_recall([], 0).average_precision)


def test_a_curve_by_hand():
    """Three faces; scores 1 (hit), .6 (mistake), .2 (hit): precision 1, 1/2, 2/3 at recall 1/3, 1/3, 2/3."""
    found = boxes((0, 0, 10, 10, 1.0), (80, 80, 90, 90, 0.6), (20, 0, 30, 10, 0.2), (70, 0, 72, 2, 0.0))
    truth = faces((0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10))
    curve = precision_recall([mark(found, truth)], 3, thresholds=10)
    assert curve.thresholds == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0])
    assert curve.precision == pytest.approx([1, 1, 1, 1 / 2, 1 / 2, 1 / 2, 1 / 2, 2 / 3, 2 / 3, 1 / 2])
    assert curve.recall == pytest.approx([1 / 3] * 7 + [2 / 3] * 3)
    assert curve.average_precision == pytest.approx(1 / 3 + 1 / 3 * 2 / 3)


def test_scores_are_normalised_over_the_whole_set():
    """Two images, best scores 4 and 2: the second image's box is not at the top of its own scale."""
    marks = [mark(boxes((0, 0, 9, 9, 4.0)), faces((0, 0, 9, 9))), mark(boxes((0, 0, 9, 9, 2.0)), faces((0, 0, 9, 9)))]
    assert precision_recall(marks, 2, thresholds=4).recall.tolist() == [0.5, 0.5, 0.5, 1.0]
    assert precision_recall(marks, 2, (0.0, 4.0), thresholds=4).recall.tolist() == [0.5, 1.0, 1.0, 1.0]


def test_wider_leaves_out_images_without_a_face_but_their_scores_count_in_the_scale():
    truth = {"a": faces((0, 0, 9, 9)), "b": faces()}
    found = {"a": boxes((0, 0, 9, 9, 0.5)), "b": boxes((0, 0, 9, 9, 1.0), (0, 0, 9, 9, 0.0))}
    curve, marks = evaluate_wider(found, truth)
    assert set(marks) == {"a"}
    assert curve.average_precision == 1
    assert curve.recall[498] == 0  # threshold .501
    assert curve.recall[499] == 1


@pytest.mark.parametrize(
    ("recall", "precision", "area"),
    [
        ([0.5, 1.0], [1.0, 1.0], 1.0),
        ([0.0, 0.5, 0.5, 1.0], [0.0, 1.0, 0.5, 2 / 3], 0.5 + 1 / 3),  # the dip is under the envelope
        ([0.25, 0.5], [0.2, 0.8], 0.4),
        ([0.0, 0.4], [math.nan, 0.5], 0.2),
        ([0.0], [math.nan], 0.0),
    ],
)
def test_average_precision_by_hand(recall, precision, area):
    assert average_precision(np.array(recall), np.array(precision)) == pytest.approx(area)
    assert Curve(np.array(recall), np.array(precision), np.array(recall), 4).average_precision == pytest.approx(area)


def test_how_much_of_a_face_a_box_covers():
    truth = boxes((0, 0, 10, 10), (20, 20, 30, 30), (50, 50, 60, 60), width=4)
    found = boxes((0, 0, 10, 5), (0, 0, 8, 10), (10, 10, 40, 40), width=4)
    assert covered(found, truth).tolist() == [0.8, 1.0, 0.0]
    assert covered(boxes(width=4), truth).tolist() == [0.0, 0.0, 0.0]
