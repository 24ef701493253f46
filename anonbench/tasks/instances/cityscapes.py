"""Cityscapes' own average precision of masks, which is another measure than COCO's.

matches = match(truths, results, ("person", "rider", "car"))

The curve of precision over recall is taken as it is, without COCO's envelope, and the area below it is that of
trapezoids. Overlaps must be larger than a threshold, not as large. Instances below 100 pixels are not scored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_masks

from anonbench.data.instances import Instance
from anonbench.data.masks import Mask
from anonbench.tasks.instances.coco import Results, Truths, best_first, there
from anonbench.tasks.instances.matches import CITYSCAPES, FALSE, FOUND, IGNORED, Floats, Matches

THRESHOLDS = np.arange(0.5, 1.0, 0.05)
LEAST_PIXELS = 100  # of an instance that is scored


def match(
    truths: Truths, results: Results, categories: Sequence[str], voids: Mapping[str, Mask] | None = None
) -> Matches:
    """The matches of predicted masks.

    truths: of every picture that counts. Crowds are Cityscapes' groups; what is `ignore` is void.
    voids: further void pixels of a picture, by its path (`InstanceFile.void`).
    results: as in a file of predictions, by picture.
    Source: `evalInstanceLevelSemanticLabeling` of cityscapesScripts (without distances). Where nothing but ignored
    predictions is found the tool stops with an error; here the score is 0.
    """
    found: dict[tuple[int, int], tuple[Floats, NDArray[np.int8]]] = {}
    counts = np.zeros((len(truths), len(categories)), np.int64)
    for p, (path, instances) in enumerate(truths.items()):
        masked = there("masks", instances)
        void = [truth.mask.rle for truth in masked if truth.ignore and truth.mask is not None]
        void += [voids[path].rle] if voids and path in voids else []
        for k, category in enumerate(categories):
            here = [truth for truth in masked if truth.category == category and not truth.ignore]
            sizes = np.array([_pixels(truth) for truth in here], float)
            counts[p, k] = sum(_counts(truth, size) for truth, size in zip(here, sizes, strict=True))
            predictions = [
                r
                for r in best_first([r for r in results.get(path, ()) if r["category"] == category])
                if coco_masks.area(r["segmentation"])  # an empty one does not exist
            ]
            if predictions:
                scores = np.array([r["score"] for r in predictions], float)
                found[k, p] = (scores, _states(predictions, here, sizes, void))
    return Matches.ordered(CITYSCAPES, tuple(categories), THRESHOLDS, tuple(truths), counts, found)


def _states(
    predictions: Sequence[Mapping[str, Any]], here: Sequence[Instance], sizes: Floats, void: Sequence[dict[str, Any]]
) -> NDArray[np.int8]:
    """(T, D) states of predictions, best first. Of those that overlap an instance enough the best one has found it."""
    masks = [prediction["segmentation"] for prediction in predictions]
    own = np.asarray(coco_masks.area(masks), float)  # (D,)
    common = _common(masks, [truth.mask.rle for truth in here if truth.mask is not None])  # (D, G)
    overlap = common / (own[:, None] + sizes[None] - common)
    counts = np.array([_counts(truth, size) for truth, size in zip(here, sizes, strict=True)], bool)
    groups = np.array([truth.crowd for truth in here], bool)
    small = sizes < LEAST_PIXELS
    merged = [coco_masks.merge(list(void))] if void else []
    unscored = _common(masks, merged).sum(axis=1) + common[:, groups].sum(axis=1) + common[:, small].sum(axis=1)
    states = np.full((len(THRESHOLDS), len(masks)), FALSE, np.int8)
    for t, threshold in enumerate(THRESHOLDS):
        enough = overlap > threshold  # (D, G)
        states[t, np.where(enough.any(axis=1), ~enough[:, counts].any(axis=1), unscored / own > threshold)] = IGNORED
        for g in np.flatnonzero(counts & enough.any(axis=0)):
            states[t, np.flatnonzero(enough[:, g])[0]] = FOUND
    return states


def _common(masks: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> Floats:
    """(D, G) pixels that masks share with others."""
    if not masks or not others:
        return np.zeros((len(masks), len(others)))
    shares = np.asarray(
        coco_masks.iou(list(masks), list(others), [1] * len(others)), float
    )  # of each mask's own pixels
    return np.rint(shares * np.asarray(coco_masks.area(list(masks)), float)[:, None])


def _pixels(truth: Instance) -> float:
    assert truth.mask is not None
    return float(coco_masks.area(truth.mask.rle))


def _counts(truth: Instance, pixels: float) -> bool:
    return not truth.crowd and pixels >= LEAST_PIXELS
