"""torchvision, which also works beside a torch without CUDA.

    from anonbench.training import vision

    network = vision.detection.MaskRCNN(...)

torchvision's wheels link the libraries of a CUDA torch. Beside a torch for CPUs alone its compiled operators are not
found, and then `import torchvision` fails. In that case, and in no other, the two operators that detection needs are
declared here and computed by torch. The rest of the compiled ones (its decoders, deformable convolutions) stay missing,
and say so when they are called.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

PACKAGE = "torchvision"
WITHOUT_OPERATORS = "operator torchvision::nms does not exist"  # what its import says where they were not loaded
SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",  # its import asks for this one, too
    "roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
    "int sampling_ratio, bool aligned) -> Tensor",
)


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Non-maximum suppression: the boxes that no better one overlaps too much, best first.

    boxes: (N, 4) x0, y0, x1, y1.
    scores: (N,). Of equal ones the first counts as the better.
    iou_threshold: a box goes when its overlap with a better one that stays is larger.
    Returns (M,) int64 places in `boxes`.
    Source: torchvision's `nms` kernel for CPUs.
    """
    order = scores.argsort(descending=True, stable=True)
    sorted_boxes = boxes[order]
    areas = (sorted_boxes[:, 2:] - sorted_boxes[:, :2]).prod(dim=1)
    low = torch.maximum(sorted_boxes[:, None, :2], sorted_boxes[None, :, :2])
    high = torch.minimum(sorted_boxes[:, None, 2:], sorted_boxes[None, :, 2:])
    common = (high - low).clamp(min=0).prod(dim=2)  # (N, N)
    overlaps = (common / (areas[:, None] + areas[None] - common) > iou_threshold).cpu().numpy()
    gone = np.zeros(len(overlaps), bool)
    kept = []
    for number, row in enumerate(overlaps):
        if not gone[number]:
            kept.append(number)
            gone |= row
    return order[torch.tensor(kept, dtype=torch.int64, device=order.device)]


def roi_align(
    maps: Tensor,
    rois: Tensor,
    spatial_scale: float,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """Means of bilinear samples of maps over a grid of bins in each region; differentiable in the maps.

    maps: (N, C, H, W).
    rois: (K, 5) number of the map and x0, y0, x1, y1 in pixels of the picture.
    spatial_scale: pixels of a map for one of the picture.
    sampling_ratio: samples of a bin along each side; <= 0: as many as a bin is pixels large, rounded up.
    aligned: whether pixels are squares around their coordinates, as in detectron2, and not to the right of them.
    Returns (K, C, pooled_height, pooled_width).

    Regions of the same map and grid are sampled together by `grid_sample`. Samples more than one pixel outside count 0.
    Source: He et al. 2017, section 3, and torchvision's `roi_align` kernel. Measured against its definition: 1e-6.
    """
    height, width = maps.shape[2:]
    corners = rois[:, 1:] * spatial_scale - (0.5 if aligned else 0.0)
    starts, sides = corners[:, :2], corners[:, 2:] - corners[:, :2]  # (K, 2) x, y
    if not aligned:
        sides = sides.clamp(min=1.0)
    pooled = maps.new_zeros(len(rois), maps.shape[1], pooled_height, pooled_width)
    for number, (samples_x, samples_y), members in _alike(rois, sides, pooled_height, pooled_width, sampling_ratio):
        x = _samples(starts[members, 0], sides[members, 0], pooled_width * samples_x)  # (k, pw * sx)
        y = _samples(starts[members, 1], sides[members, 1], pooled_height * samples_y)  # (k, ph * sy)
        inside = _inside(y, height)[:, :, None] & _inside(x, width)[:, None, :]  # (k, ph * sy, pw * sx)
        rows, columns = inside.shape[1:]
        grid = torch.stack(
            [
                _relative(x, width)[:, None, :].expand(-1, rows, -1),
                _relative(y, height)[:, :, None].expand(-1, -1, columns),
            ],
            dim=3,
        )  # (k, ph * sy, pw * sx, 2)
        sampled = F.grid_sample(
            maps[number : number + 1],
            grid.reshape(1, -1, columns, 2).to(maps),
            padding_mode="border",
            align_corners=True,
        )  # (1, C, k * ph * sy, pw * sx)
        sampled = sampled * inside.reshape(1, 1, -1, columns)
        means = F.avg_pool2d(sampled, (samples_y, samples_x))  # (1, C, k * ph, pw)
        means = means.reshape(maps.shape[1], len(members), pooled_height, pooled_width).transpose(0, 1)
        pooled = pooled.index_copy(0, members, means)
    return pooled


def _alike(
    rois: Tensor, sides: Tensor, pooled_height: int, pooled_width: int, sampling_ratio: int
) -> Iterator[tuple[int, tuple[int, int], Tensor]]:
    """Number of the map, samples of a bin along x and y, and the regions that have these, (k,) int64."""
    if sampling_ratio > 0:
        samples = torch.full_like(sides, sampling_ratio)
    else:
        samples = torch.ceil(sides / sides.new_tensor([pooled_width, pooled_height]))
    keys = torch.cat([rois[:, :1], samples], dim=1).long()  # (K, 3)
    kinds, kind_of = torch.unique(keys, dim=0, return_inverse=True)
    for kind, (number, samples_x, samples_y) in enumerate(kinds.tolist()):
        if samples_x > 0 and samples_y > 0:  # a region without an extent has no sample and stays 0
            yield number, (samples_x, samples_y), (kind_of == kind).nonzero().flatten()


def _samples(start: Tensor, side: Tensor, count: int) -> Tensor:
    """(k, count) coordinates, evenly over regions that begin at `start` and are `side` long, both (k,)."""
    return start[:, None] + (torch.arange(count, device=start.device, dtype=start.dtype) + 0.5) / count * side[:, None]


def _inside(coordinates: Tensor, size: int) -> Tensor:
    return (coordinates >= -1) & (coordinates <= size)


def _relative(coordinates: Tensor, size: int) -> Tensor:
    """Pixels as `grid_sample` counts them: -1 is the first, 1 the last."""
    return 2 * coordinates / max(size - 1, 1) - 1


def _import() -> ModuleType:
    try:
        return importlib.import_module(PACKAGE)
    except RuntimeError as error:
        if WITHOUT_OPERATORS not in str(error):
            raise
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]  # what the failed import left behind
    for schema in SCHEMAS:
        LIBRARY.define(schema)
    LIBRARY.impl("nms", nms, "CPU")
    LIBRARY.impl("roi_align", roi_align, "CompositeImplicitAutograd")
    package = importlib.import_module(PACKAGE)
    for name in (f"{PACKAGE}.extension", f"{PACKAGE}.ops.roi_align"):  # both ask before they call an operator
        sys.modules[name].__dict__["_has_ops"] = lambda: True
    return package


LIBRARY = torch.library.Library(PACKAGE, "FRAGMENT")  # its declarations last as long as it does
torchvision: Any = _import()
detection: Any = importlib.import_module(f"{PACKAGE}.models.detection")
