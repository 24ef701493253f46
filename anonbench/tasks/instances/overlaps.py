"""How much predictions and what is there overlap: of masks, boxes and keypoints, 0..1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_masks

from anonbench.data.coco import box_of
from anonbench.data.instances import Instance
from anonbench.tasks.instances.predictions import FIELDS

Floats = NDArray[np.float64]
SIGMAS = np.array([
    .026, .025, .025, .035, .035, .079, .079, .072, .072, .062, .062, .107, .107, .087, .087, .089, .089,
])  # fmt: skip
"""How far people who annotate differ, for each of COCO's 17 keypoints, for a person of one square pixel."""


def overlaps(
    kind: str, predictions: Sequence[Mapping[str, Any]], truths: Sequence[Instance], crowds: Sequence[bool]
) -> Floats:
    """(D, G) overlap of each prediction with each instance: intersection over union, or similarity of keypoints.

    crowds: where the share of the prediction that lies on the instance counts instead.
    """
    if not predictions or not truths:
        return np.zeros((len(predictions), len(truths)))
    found = [prediction[FIELDS[kind]] for prediction in predictions]
    if kind == "keypoints":
        return similarities(np.array(found, float).reshape(len(found), -1, 3), truths)
    there = [_mask(truth) if kind == "masks" else box_of(truth) for truth in truths]
    return np.asarray(coco_masks.iou(found, there, [int(crowd) for crowd in crowds]), float)


def similarities(found: Floats, truths: Sequence[Instance]) -> Floats:
    """(D, G) object keypoint similarity.

    found: (D, 17, 3) x, y and something that is not looked at.
    Of an instance without any known keypoint the distance is that to its box, enlarged to three times its size.
    Source: `COCOeval.computeOks` of pycocotools.
    """
    values = np.zeros((len(found), len(truths)))
    for g, truth in enumerate(truths):
        points = np.array(truth.keypoints or np.zeros((len(SIGMAS), 3)), float)  # (17, 3)
        known = points[:, 2] > 0
        if known.any():
            apart = found[:, :, :2] - points[:, :2]  # (D, 17, 2)
        else:
            x, y, width, height = box_of(truth)
            low, high = np.array([x - width, y - height]), np.array([x + 2 * width, y + 2 * height])
            apart = np.maximum(0, low - found[:, :, :2]) + np.maximum(0, found[:, :, :2] - high)
            known[:] = True
        error = (apart**2).sum(axis=2) / (2 * SIGMAS) ** 2 / (truth.area + np.spacing(1)) / 2  # (D, 17)
        values[:, g] = np.exp(-error[:, known]).mean(axis=1)
    return values


def _mask(truth: Instance) -> dict[str, Any]:
    assert truth.mask is not None
    return truth.mask.rle
