"""From the network's maps to boxes."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from anonbench.detectors._tinyfaces.network import STRIDE
from anonbench.detectors._tinyfaces.templates import HEIGHTS, NUM_TEMPLATES, WIDTHS

# Centre of the first cell: -1 in whole pixels (the authors' receptive field of score_cls, tiny_face_detector.m; the
# port's rf offset), so half a pixel more where pixel p covers p..p+1. WIDER FACE's corners count from 0, and targets
# were made with the same constant, so that networks have learnt it.
FIRST_CENTRE = -0.5
# Factor by which a template is stretched at most: e^10. No trained network comes near; without a bound one overflows.
MAX_LOG_SIZE = 10.0
SIZES = torch.from_numpy(np.stack([WIDTHS, HEIGHTS], axis=1))  # (25, 2) float64


class Candidates(NamedTuple):
    """Boxes over a threshold, n of them, on the device of the maps.

    image: (n,) int64, index in the batch.
    boxes: (n, 4) float64 x0, y0, x1, y1, half-open, in pixels of the network's input.
    logits: (n,) float64.
    templates: (n,) int64.
    """

    image: Tensor
    boxes: Tensor
    logits: Tensor
    templates: Tensor


def decode(maps: Tensor, threshold: float, active: Tensor) -> Candidates:
    """Every cell and active template whose score, the sigmoid of its logit, is above `threshold`.

    maps: (B, 125, h, w), the network's output.
    threshold: 0 < . < 1.
    active: (25,) bool.
    Source: the authors' cnn_widerface_test_AB.m: centre + size x (tx, ty), size x exp(tw, th).
    """
    batch, _, height, width = maps.shape
    maps = maps.float().view(batch, 5, NUM_TEMPLATES, height, width)
    least = math.log(threshold / (1 - threshold))
    above = (maps[:, 0] > least) & active.to(maps.device)[None, :, None, None]  # (B, 25, h, w)
    image, template, row, column = above.nonzero(as_tuple=True)  # (n,) each
    values = maps[image, :, template, row, column].double()  # (n, 5)
    sizes = SIZES.to(maps.device)[template]  # (n, 2): width, height
    cells = torch.stack([column, row], dim=1)  # (n, 2): x, y
    centres = cells * STRIDE + FIRST_CENTRE + sizes * values[:, 1:3]
    halves = sizes * values[:, 3:5].clamp(-MAX_LOG_SIZE, MAX_LOG_SIZE).exp() / 2
    return Candidates(image, torch.cat([centres - halves, centres + halves], dim=1), values[:, 0], template)
