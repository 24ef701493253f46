"""Which predictions are right, kept by picture, so that average precision can be computed for any resample of pictures.

matches = read_matches(Path("original.matches.npz"), "masks")
average_precision(matches)                                  # the evaluator's own number
average_precision(matches, weights, category="person")      # of a resample: how often each picture is in it
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anonbench.core.errors import DataError
from anonbench.core.files import atomic_file

Floats = NDArray[np.float64]
KINDS = ("masks", "boxes", "keypoints")
"""What overlaps are measured on."""
FOUND, FALSE, IGNORED = 1, 0, -1
"""States of a prediction. Ignored: it lies on a crowd, or on what the dataset does not score."""
RECALLS = np.linspace(0, 1, 101)  # at which COCO reads the precision
COCO, CITYSCAPES = "coco", "cityscapes"
PROTOCOLS = (COCO, CITYSCAPES)


@dataclass(frozen=True)
class Matches:
    """The predictions for some pictures, matched with what is there, at several least overlaps.

    protocol: coco or cityscapes, which compute different areas below the curve of precision over recall.
    categories: (K,) names.
    thresholds: (T,) overlaps above which a match counts.
    pictures: (P,) paths.
    truths: (P, K) int, instances that are scored.
    category, picture: (D,) int, of each prediction, by its place in `categories` and `pictures`.
    score: (D,) float.
    state: (T, D) int8: FOUND, FALSE or IGNORED.

    Predictions are in the order of categories, then of falling scores, equal ones in the order of their pictures.
    """

    protocol: str
    categories: tuple[str, ...]
    thresholds: Floats
    pictures: tuple[str, ...]
    truths: NDArray[np.int64]
    category: NDArray[np.int64]
    picture: NDArray[np.int64]
    score: Floats
    state: NDArray[np.int8]

    @classmethod
    def ordered(
        cls,
        protocol: str,
        categories: tuple[str, ...],
        thresholds: Floats,
        pictures: tuple[str, ...],
        truths: NDArray[np.int64],
        found: Mapping[tuple[int, int], tuple[Floats, NDArray[np.int8]]],
    ) -> Matches:
        """From the scores (d,) and states (T, d) of the predictions of each (category, picture)."""
        keys = sorted(found)
        sizes = [len(found[key][0]) for key in keys]
        category = np.repeat(np.array([key[0] for key in keys], np.int64), sizes)
        picture = np.repeat(np.array([key[1] for key in keys], np.int64), sizes)
        score = np.concatenate([np.empty(0), *(found[key][0] for key in keys)])
        nothing = np.empty((len(thresholds), 0), np.int8)
        state = np.concatenate([nothing, *(found[key][1] for key in keys)], axis=1)
        order = np.lexsort((-score, category))  # stable
        return cls(
            protocol, categories, thresholds, pictures, truths, category[order], picture[order], score[order],
            state[:, order],
        )  # fmt: skip


def average_precision(
    matches: Matches, weights: ArrayLike | None = None, category: str | None = None, threshold: float | None = None
) -> float:
    """The mean of `average_precisions` over categories and thresholds, 0..1; nan where nothing is to be found.

    category, threshold: the only one that counts. Raises ValueError for one that the matches do not have.
    """
    values = average_precisions(matches, weights)
    if category is not None:
        if category not in matches.categories:
            raise ValueError(f"no category '{category}' in {', '.join(matches.categories)}")
        values = values[[matches.categories.index(category)]]
    if threshold is not None:
        at = np.flatnonzero(np.isclose(matches.thresholds, threshold))
        if not len(at):
            raise ValueError(f"no threshold {threshold} in {matches.thresholds.round(2).tolist()}")
        values = values[:, at]
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def average_precisions(matches: Matches, weights: ArrayLike | None = None) -> Floats:
    """(K, T) average precision of each category at each threshold, 0..1; nan for a category with nothing to be found.

    weights: (P,) how often each picture counts, >= 0; once when left out. The values are those of the protocol's tool
        for a dataset with so many copies of each picture, but for equal scores of different pictures.
    """
    counted = np.ones(len(matches.pictures)) if weights is None else np.asarray(weights, float)
    totals = counted @ matches.truths  # (K,)
    of_predictions = counted[matches.picture]  # (D,)
    area = {COCO: _area_by_coco, CITYSCAPES: _area_by_cityscapes}[matches.protocol]
    values = np.full((len(matches.categories), len(matches.thresholds)), np.nan)
    bounds = np.searchsorted(matches.category, np.arange(len(matches.categories) + 1))
    for k, total in enumerate(totals):
        if total <= 0:
            continue
        part = slice(bounds[k], bounds[k + 1])
        right = np.cumsum(of_predictions[part] * (matches.state[:, part] == FOUND), axis=1)  # (T, d)
        wrong = np.cumsum(of_predictions[part] * (matches.state[:, part] == FALSE), axis=1)
        ends = np.flatnonzero(np.diff(matches.score[part], append=-np.inf))  # the last of those with equal scores
        for t in range(len(matches.thresholds)):
            values[k, t] = area(right[t], wrong[t], float(total), ends)
    return values


def _area_by_coco(right: Floats, wrong: Floats, total: float, ends: NDArray[np.int64]) -> float:
    """The mean over 101 recalls of the best precision at that recall or a higher one; 0 beyond the last.

    right, wrong: (d,) predictions so far.
    Source: `COCOeval.accumulate` of pycocotools. Equal scores count one after the other.
    """
    precision = right / (right + wrong + np.spacing(1))
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(right / total, RECALLS, side="left")
    return float(np.append(envelope, 0.0)[np.minimum(at, len(envelope))].mean())


def _area_by_cityscapes(right: Floats, wrong: Floats, total: float, ends: NDArray[np.int64]) -> float:
    """The area below the line through the points of precision and recall, beginning at precision 1 and recall 0.

    Source: `evalInstanceLevelSemanticLabeling` of cityscapesScripts. Equal scores make one point.
    """
    right, wrong = right[ends], wrong[ends]
    seen = right + wrong > 0
    precision = np.concatenate([[1.0], right[seen] / (right + wrong)[seen]])
    recall = np.concatenate([[0.0], right[seen] / total])
    return float(np.trapezoid(precision, recall))


# --- the file ---


def write_matches(path: Path, by_kind: Mapping[str, Matches]) -> None:
    """Write the matches on masks, boxes, keypoints (.npz), as many of these kinds as there are."""
    arrays: dict[str, Any] = {}
    for kind, matches in by_kind.items():
        for field in fields(Matches):
            value = getattr(matches, field.name)
            text = not isinstance(value, np.ndarray)
            arrays[f"{kind}.{field.name}"] = np.array(json.dumps(value)) if text else value
    with atomic_file(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def read_matches(path: Path, kind: str) -> Matches:
    """The matches of one kind in a file by `write_matches`. Raises `DataError` when it has none or cannot be read."""
    values: dict[str, Any] = {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            kinds = sorted({name.partition(".")[0] for name in arrays.files})
            if kind not in kinds:
                raise DataError(f"{path}: has no matches on {kind}, only on {', '.join(kinds)}.")
            for field in fields(Matches):
                value = arrays[f"{kind}.{field.name}"]
                values[field.name] = json.loads(value.item()) if value.dtype.kind == "U" else value
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: no file of matches ({error}). Make it again: anonbench evaluate-instances") from None
    values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return Matches(**values)
