"""torchvision beside a torch without CUDA: its two operators against their definitions, written out with loops."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch

from anonbench.training import vision


def sample(channel: np.ndarray, y: float, x: float) -> float:
    """A bilinear sample as the kernel of torchvision defines it."""
    height, width = channel.shape
    if y < -1 or y > height or x < -1 or x > width:
        return 0.0
    y, x = max(y, 0.0), max(x, 0.0)
    y0, x0 = int(y), int(x)
    if y0 >= height - 1:
        y0 = y1 = height - 1
        y = float(y0)
    else:
        y1 = y0 + 1
    if x0 >= width - 1:
        x0 = x1 = width - 1
        x = float(x0)
    else:
        x1 = x0 + 1
    dy, dx = y - y0, x - x0
    top = (1 - dx) * channel[y0, x0] + dx * channel[y0, x1]
    bottom = (1 - dx) * channel[y1, x0] + dx * channel[y1, x1]
    return float((1 - dy) * top + dy * bottom)


def aligned_by_definition(maps, rois, scale, height, width, ratio, aligned):
    pooled = np.zeros((len(rois), maps.shape[1], height, width))
    for k, (number, *corners) in enumerate(rois.tolist()):
        x0, y0, x1, y1 = (value * scale - (0.5 if aligned else 0) for value in corners)
        w, h = x1 - x0, y1 - y0
        if not aligned:
            w, h = max(w, 1.0), max(h, 1.0)
        rows = ratio if ratio > 0 else math.ceil(h / height)
        columns = ratio if ratio > 0 else math.ceil(w / width)
        for c in range(maps.shape[1]):
            for i in range(height):
                for j in range(width):
                    values = [
                        sample(
                            maps[int(number), c].numpy(),
                            y0 + (i + (a + 0.5) / rows) * h / height,
                            x0 + (j + (b + 0.5) / columns) * w / width,
                        )
                        for a in range(rows)
                        for b in range(columns)
                    ]
                    pooled[k, c, i, j] = sum(values) / max(len(values), 1)
    return pooled


ROIS = [
    [0, 1, 2, 10, 12], [1, -5, -3, 40, 50], [0, 3, 3, 3, 3], [1, 0, 0, 14, 18], [0, 27.3, 35.1, 31.9, 39.9],
    [1, 5.2, 5.2, 5.9, 17.8], [0, -30, -30, -20, -20],
]  # fmt: skip


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("ratio", [2, 1, -1])
def test_roi_align_is_its_definition(ratio, aligned):
    maps = torch.rand(2, 2, 10, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rois = torch.tensor(ROIS, dtype=torch.float64)
    found = vision.torchvision.ops.roi_align(maps, rois, (3, 2), 0.25, ratio, aligned)
    np.testing.assert_allclose(found.numpy(), aligned_by_definition(maps, rois, 0.25, 3, 2, ratio, aligned), atol=1e-12)


def test_roi_align_in_float32_on_large_maps_is_within_a_hundred_thousandth():
    maps = torch.rand(1, 1, 200, 336, generator=torch.Generator().manual_seed(0))
    rois = torch.tensor([[0, 1000.3, 700.7, 1300.9, 780.2], [0, 3.3, 7.1, 900, 500]])
    found = vision.torchvision.ops.roi_align(maps, rois, (7, 7), 0.25, 2)
    np.testing.assert_allclose(
        found.numpy(), aligned_by_definition(maps, rois.double(), 0.25, 7, 7, 2, False), atol=2e-5
    )


def test_roi_align_has_the_gradient_of_its_values():
    maps = torch.rand(2, 1, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    rois = torch.tensor([[0, 1, 1, 15, 17], [1, -2, 3, 30, 12.5]], dtype=torch.float64)
    for ratio in (2, -1):
        torch.autograd.gradcheck(lambda m, r=ratio: vision.roi_align(m, rois, 0.25, 2, 3, r, False), maps)


def test_roi_align_of_no_region_is_empty():
    assert vision.roi_align(torch.rand(1, 4, 5, 6), torch.zeros(0, 5), 1.0, 7, 7, 2, False).shape == (0, 4, 7, 7)


def kept_by_definition(boxes, scores, threshold):
    order = sorted(range(len(boxes)), key=lambda n: -scores[n])  # stable: of equal scores the first
    kept: list[int] = []
    for n in order:
        if all(overlap(boxes[n], boxes[m]) <= threshold for m in kept):
            kept.append(n)
    return kept


def overlap(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(w, 0) * max(h, 0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


@pytest.mark.parametrize("seed", range(5))
def test_nms_is_its_definition(seed):
    rng = np.random.default_rng(seed)
    boxes = rng.integers(0, 12, (60, 4)).astype(float)
    boxes[:, 2:] += boxes[:, :2] + 1
    scores = rng.integers(0, 9, 60) / 8  # many ties
    found = vision.torchvision.ops.nms(torch.tensor(boxes), torch.tensor(scores), 0.3)
    assert found.tolist() == kept_by_definition(boxes.tolist(), scores.tolist(), 0.3)


def test_nms_keeps_a_box_whose_overlap_is_the_threshold():
    boxes = torch.tensor([[0.0, 0, 2, 1], [1, 0, 3, 1], [0, 0, 2, 1]])  # overlaps 1/3 and 1
    scores = torch.tensor([0.5, 0.4, 0.5])
    assert vision.nms(boxes, scores, 1 / 3 + 1e-6).tolist() == [0, 1]
    assert vision.nms(boxes, scores, 0.3).tolist() == [0]


def test_nms_of_no_box_is_empty():
    assert vision.torchvision.ops.nms(torch.zeros(0, 4), torch.zeros(0), 0.5).shape == (0,)


def test_batched_nms_keeps_boxes_of_other_classes():
    boxes = torch.tensor([[0.0, 0, 10, 10]] * 3)
    kept = vision.torchvision.ops.batched_nms(boxes, torch.tensor([0.1, 0.9, 0.5]), torch.tensor([1, 1, 2]), 0.5)
    assert kept.tolist() == [1, 2]


def test_another_failure_of_the_import_is_not_hidden(monkeypatch):
    def fails(name):
        raise RuntimeError("something else")

    monkeypatch.setattr(vision.importlib, "import_module", fails)
    with pytest.raises(RuntimeError, match="something else"):
        vision._import()
    assert "torchvision" in sys.modules
