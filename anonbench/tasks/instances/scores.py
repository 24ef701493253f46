"""The scores of a network of instances on pictures, and the matches behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from anonbench.data.instances import PERSON
from anonbench.data.masks import Mask
from anonbench.tasks.instances import cityscapes, coco
from anonbench.tasks.instances.matches import CITYSCAPES, Matches, average_precisions
from anonbench.tasks.instances.predictions import Predictions

PREFIXES = {"masks": "", "boxes": "box_", "keypoints": "keypoint_"}
"""What the names of scores begin with: those of masks have none."""
TOLERANCE = 1e-9  # between the evaluator and the area computed from the matches


def score(
    protocol: str, truths: coco.Truths, predictions: Predictions, voids: Mapping[str, Mask] | None = None
) -> tuple[dict[str, Any], dict[str, Matches]]:
    """The scores by name (0..1, None where nothing is to be found), and the matches by kind.

    protocol: coco; cityscapes for masks by Cityscapes' own measure. Boxes and keypoints are always scored as in COCO.
    truths: what is there, of every picture that counts.
    voids: pixels that Cityscapes' own measure scores for no category, by picture.

    Scores are AP, AP50, … of masks, box_AP, … of boxes, keypoint_AP, … of keypoints, each also for people alone
    (AP_person, AP50_person), and by category under `categories`, `box_categories`, `keypoint_categories`.
    Every AP is computed twice, by the evaluator and from the matches; ValueError where they differ.
    """
    scores: dict[str, Any] = {}
    by_kind: dict[str, Matches] = {}
    for kind in predictions.finds:
        own = protocol == CITYSCAPES and kind == "masks"
        categories = (PERSON,) if kind == "keypoints" else predictions.categories
        given = (truths, predictions.results, categories)
        matches = by_kind[kind] = cityscapes.match(*given, voids) if own else coco.match(kind, *given)
        values = summary(matches)
        if not own:
            evaluated = coco.evaluate(kind, truths, predictions.results, categories)
            _check_equal(kind, evaluated, values)
            values = evaluated
        people = values["categories"].get(PERSON, {"AP": None, "AP50": None})
        values |= {"AP_person": people["AP"], "AP50_person": people["AP50"]}
        scores |= {PREFIXES[kind] + name: value for name, value in values.items()}
    return scores, by_kind


def summary(matches: Matches) -> dict[str, Any]:
    """AP, AP50 and AP75, over all categories, and AP, AP50 and `n` of each; None where nothing is to be found."""
    values = average_precisions(matches)  # (K, T)
    at = {f"AP{100 * t:.0f}": n for n, t in enumerate(matches.thresholds) if round(100 * t) in (50, 75)}
    counts = matches.truths.sum(axis=0)
    by_category = {
        name: {"AP": _mean(values[k]), "AP50": _mean(values[k, 0]), "n": int(counts[k])}
        for k, name in enumerate(matches.categories)
    }
    means = {name: _mean(values[:, n]) for name, n in at.items()}
    return {"AP": _mean(values), **means, "categories": by_category}


def _mean(values: Any) -> float | None:
    valid = np.asarray(values)[np.isfinite(values)]
    return float(valid.mean()) if valid.size else None


def _check_equal(kind: str, evaluated: dict[str, Any], ours: dict[str, Any]) -> None:
    for name in ("AP", "AP50", "AP75"):
        one, other = evaluated[name], ours[name]
        if (one is None) != (other is None) or (one is not None and abs(one - other) > TOLERANCE):
            raise ValueError(f"{name} of {kind} is {one} by the evaluator, {other} from the matches")
