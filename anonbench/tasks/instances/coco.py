"""COCO's average precision: by faster-coco-eval, and the matches behind it for resamples of pictures.

truths = {"val/a.jpg": [Instance(...), ...], ...}
scores = evaluate("masks", truths, predictions, ("person", "car"))
matches = match("masks", truths, predictions, ("person", "car"))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import faster_coco_eval
import numpy as np
from numpy.typing import NDArray

from anonbench.core.errors import DataError
from anonbench.data.coco import annotation, known_points
from anonbench.data.instances import COCO_KEYPOINTS, Instance
from anonbench.tasks.instances.matches import COCO, FALSE, FOUND, IGNORED, Floats, Matches
from anonbench.tasks.instances.overlaps import overlaps
from anonbench.tasks.instances.predictions import FIELDS

THRESHOLDS = np.linspace(0.5, 0.95, 10)
MOST = {"masks": 100, "boxes": 100, "keypoints": 20}
"""Predictions of a category that count in a picture, the best ones."""
NAMES = {"masks": "segm", "boxes": "bbox", "keypoints": "keypoints"}  # COCO's own
SIZES = {
    "masks": ("small", "medium", "large"),
    "boxes": ("small", "medium", "large"),
    "keypoints": ("medium", "large"),
}
"""Below 32 x 32 pixels, below 96 x 96, and above."""
Truths = Mapping[str, Sequence[Instance]]
Results = Mapping[str, Sequence[Mapping[str, Any]]]


def evaluate(kind: str, truths: Truths, results: Results, categories: Sequence[str]) -> dict[str, Any]:
    """COCO's scores, 0..1; None where nothing is to be found.

    kind: masks, boxes or keypoints.
    truths: what is there, of every picture that counts.
    results: as in a file of predictions, by picture.
    categories: that count.
    Returns AP, AP50, AP75, AP_small, AP_medium, AP_large (no small keypoints), and by category AP, AP50 and `n`, the
    instances that are scored.
    """
    check_kind(kind, truths)
    numbers = {name: number for number, name in enumerate(categories, start=1)}
    pictures = {path: number for number, path in enumerate(truths, start=1)}
    known = faster_coco_eval.COCO(
        {
            "info": {},
            "images": [_picture(number, truths[path]) for path, number in pictures.items()],
            "categories": [{"id": number, "name": name} for name, number in numbers.items()],
            "annotations": _annotations(kind, truths, pictures, numbers),
        }
    )
    found = [
        {"image_id": number, "category_id": numbers[r["category"]], "score": r["score"], FIELDS[kind]: r[FIELDS[kind]]}
        for path, number in pictures.items()
        for r in results.get(path, ())
        if r["category"] in numbers
    ]
    if not found:
        return _without_predictions(kind, truths, categories)
    evaluator = faster_coco_eval.COCOeval_faster(known, known.loadRes(found), NAMES[kind])
    evaluator.params.catIds = list(numbers.values())
    evaluator.params.imgIds = list(pictures.values())
    evaluator.params.maxDets = [MOST[kind]]
    evaluator.evaluate()
    evaluator.accumulate()
    precision = evaluator.eval["precision"][..., -1]  # (T, R, K, A)
    return _summary(kind, truths, categories, precision)


def _summary(kind: str, truths: Truths, categories: Sequence[str], precision: Floats) -> dict[str, Any]:
    """precision: (T, R, K, A) at thresholds, recalls, for categories and sizes; -1 where nothing is to be found."""
    counts = counted(kind, truths, categories).sum(axis=0)
    scores = {"AP": _mean(precision[..., 0]), "AP50": _mean(precision[0, ..., 0]), "AP75": _mean(precision[5, ..., 0])}
    scores |= {f"AP_{name}": _mean(precision[..., at]) for at, name in enumerate(SIZES[kind], start=1)}
    by_category = {
        name: {"AP": _mean(precision[:, :, k, 0]), "AP50": _mean(precision[0, :, k, 0]), "n": int(counts[k])}
        for k, name in enumerate(categories)
    }
    return {**scores, "categories": by_category}


def _without_predictions(kind: str, truths: Truths, categories: Sequence[str]) -> dict[str, Any]:
    """What the tool says of a network that finds nothing; it refuses an empty list."""
    limits = [0, 32**2, 96**2, np.inf]
    sizes = {"small": limits[0:2], "medium": limits[1:3], "large": limits[2:4]}
    ranges = [[0, np.inf], *(sizes[name] for name in SIZES[kind])]
    precision = np.full((len(THRESHOLDS), 1, len(categories), len(ranges)), -1.0)
    for instances in truths.values():
        for truth in scored(kind, instances):
            if truth.category in categories:
                inside = [low <= truth.area <= high for low, high in ranges]
                precision[:, :, list(categories).index(truth.category), inside] = 0
    return _summary(kind, truths, categories, precision)


def _mean(precision: Floats) -> float | None:
    valid = precision[precision > -1]
    return float(valid.mean()) if len(valid) else None


def _picture(number: int, truths: Sequence[Instance]) -> dict[str, Any]:
    mask = next((truth.mask for truth in truths if truth.mask is not None), None)
    return {"id": number, "height": mask.height if mask else 1, "width": mask.width if mask else 1}


def _annotations(
    kind: str, truths: Truths, pictures: Mapping[str, int], numbers: Mapping[str, int]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    points = len(COCO_KEYPOINTS) if kind == "keypoints" else 0
    for path, number in pictures.items():
        for truth in there(kind, truths[path]):
            if truth.category not in numbers:
                continue
            place = {"image_id": number, "category_id": numbers[truth.category]}
            rows.append({"id": len(rows) + 1, **place, **annotation(truth, points)})  # of id 0 none could be found
    return rows


def check_kind(kind: str, truths: Truths) -> None:
    """Raise `DataError` where keypoints are not COCO's 17, the only ones whose tolerances are known."""
    if kind != "keypoints":
        return
    for path, instances in truths.items():
        for truth in instances:
            if truth.keypoints is not None and len(truth.keypoints) != len(COCO_KEYPOINTS):
                raise DataError(
                    f"{path}: an instance has {len(truth.keypoints)} keypoints; keypoints are scored where they are "
                    f"COCO's {len(COCO_KEYPOINTS)}."
                )


def there(kind: str, instances: Sequence[Instance]) -> list[Instance]:
    """The instances on which overlaps of a kind can be measured: those with a mask for masks."""
    return [truth for truth in instances if kind != "masks" or truth.mask is not None]


def is_ignored(kind: str, truth: Instance) -> bool:
    """Whether finding it is neither right nor wrong: crowds, what a dataset ignores, people without known keypoints."""
    return truth.crowd or truth.ignore or (kind == "keypoints" and not known_points(truth))


def scored(kind: str, instances: Sequence[Instance]) -> list[Instance]:
    return [truth for truth in there(kind, instances) if not is_ignored(kind, truth)]


def counted(kind: str, truths: Truths, categories: Sequence[str]) -> NDArray[np.int64]:
    """(P, K) instances that are scored, by picture and category."""
    place = {name: k for k, name in enumerate(categories)}
    counts = np.zeros((len(truths), len(categories)), np.int64)
    for p, instances in enumerate(truths.values()):
        for truth in scored(kind, instances):
            if truth.category in place:
                counts[p, place[truth.category]] += 1
    return counts


# --- matches ---


def match(kind: str, truths: Truths, results: Results, categories: Sequence[str]) -> Matches:
    """The matches behind COCO's score; arguments as for `evaluate`."""
    check_kind(kind, truths)
    found: dict[tuple[int, int], tuple[Floats, NDArray[np.int8]]] = {}
    for p, (path, instances) in enumerate(truths.items()):
        for k, category in enumerate(categories):
            predictions = best_first([r for r in results.get(path, ()) if r["category"] == category])[: MOST[kind]]
            if not predictions:
                continue
            here = [truth for truth in there(kind, instances) if truth.category == category]
            here.sort(key=lambda truth: is_ignored(kind, truth))  # what counts comes first
            crowds = [truth.crowd or truth.ignore for truth in here]
            shared = overlaps(kind, predictions, here, crowds)
            states = _states(shared, [is_ignored(kind, truth) for truth in here], crowds)
            found[k, p] = (np.array([r["score"] for r in predictions], float), states)
    counts = counted(kind, truths, categories)
    return Matches.ordered(COCO, tuple(categories), THRESHOLDS, tuple(truths), counts, found)


def best_first(results: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """By falling score, equal ones in their order."""
    return sorted(results, key=lambda result: -float(result["score"]))


def _states(shared: Floats, ignored: Sequence[bool], crowds: Sequence[bool]) -> NDArray[np.int8]:
    """(T, D) states of predictions, best first.

    shared: (D, G) overlaps with instances, those that are ignored last.

    The better prediction chooses first: the instance that is still free and overlaps most, of equal ones the last; one
    that is ignored only where no other overlaps enough. A crowd is never taken.
    Source: `COCOeval.evaluateImg` of pycocotools.
    """
    least = np.minimum(THRESHOLDS, 1 - 1e-10)[:, None]  # (T, 1)
    count = len(ignored)
    free = np.ones((len(THRESHOLDS), count), bool)
    is_crowd, real = np.array(crowds, bool), ~np.array(ignored, bool)
    states = np.full((len(THRESHOLDS), len(shared)), FALSE, np.int8)
    rows = np.arange(len(THRESHOLDS))
    for d, overlap in enumerate(shared):
        if not count:
            break
        fits = (overlap >= least) & (free | is_crowd)  # (T, G)
        for group, state in ((real, FOUND), (~real, IGNORED)):
            values = np.where(fits & group, overlap, -1.0)
            last_best = count - 1 - values[:, ::-1].argmax(axis=1)  # (T,)
            matched = (values[rows, last_best] >= 0) & (states[:, d] == FALSE)
            states[matched, d] = state
            free[rows[matched], last_best[matched]] = False
    return states
