"""Contradictions in a paper's printed numbers, found by rules on the numbers alone.

1. *Means.* A mean printed in the text is compared with the mean of the tables' cells. Cells have one decimal, so a mean
   of them is off by at most 0.05, and the printed mean by 0.005 more. A larger gap is a contradiction. All subsets of
   models x datasets are tried as well, in case the text averaged only some.
2. *Outliers.* A model trained on original images should not do far better on anonymized ones. A gain is a contradiction
   when its modified z-score, 0.6745 (d - median) / MAD over all (model, dataset) pairs, exceeds 3.5 (Iglewicz and
   Hoaglin, "How to Detect and Handle Outliers", 1993).
3. *Sizes.* A dataset's printed query and gallery sizes are compared with its protocol's. Equal after an exchange means
   swapped. Without a known protocol, more queries than gallery images are doubtful.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from anonbench.core.errors import DataError
from anonbench.studies.reid_faces.settings import BASELINE, METRICS, TESTED

COLUMNS = ("check", "subject", "printed", "expected", "difference", "flagged", "note")
TEXT_COLUMNS = ("metric", "setting", "mean", "source")
SIZE_COLUMNS = ("data", "gallery_images", "query_images")
CELL_ROUNDING, MEAN_ROUNDING = 0.05, 0.005
OUTLIER_Z = 3.5

Sizes = Mapping[str, int]  # {"query": images, "gallery": images}


def contradictions(scores: pd.DataFrame, text: pd.DataFrame, sizes: pd.DataFrame, protocols: Mapping[str, Sizes]) -> (
    pd.DataFrame
):  # fmt: skip
    """All three checks, flagged rows and unflagged ones.

    scores: a row a (data, model) pair, columns like map_orig_anon, in percent.
    text: `TEXT_COLUMNS`.
    sizes: `SIZE_COLUMNS`.
    protocols: query and gallery images by dataset, where they are known.
    Returns `COLUMNS`: printed is what the paper says, expected what its tables or the protocol say.
    """
    for name, table, columns in (("text", text, TEXT_COLUMNS), ("sizes", sizes, SIZE_COLUMNS)):
        missing = [c for c in columns if c not in table.columns]
        if missing:
            raise DataError(f"published {name}: column {missing[0]} is missing; expected {', '.join(columns)}.")
    rows = [*_means(scores, text), *_outliers(scores), *_sizes(sizes, protocols)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def protocol_sizes(table: pd.DataFrame) -> dict[str, Sizes]:
    """The sizes of protocols by dataset, from a table with `SIZE_COLUMNS`."""
    return {
        str(row.data): {"query": int(row.query_images), "gallery": int(row.gallery_images)}
        for row in table.itertuples(index=False)
    }


def modified_z(values: ArrayLike) -> NDArray[np.float64]:
    """0.6745 (x - median) / MAD: 0 for a value at the median, infinite beside it where MAD is 0.

    >>> modified_z([1, 2, 3, 4, 100]).round(2).tolist()
    [-1.35, -0.67, 0.0, 0.67, 65.43]
    """
    x = np.asarray(values, np.float64)
    off = x - np.median(x)
    mad = float(np.median(np.abs(off)))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(off == 0, 0.0, 0.6745 * off / mad)


def matching_subsets(scores: pd.DataFrame, means: Mapping[str, float], tolerance: float) -> tuple[int, int, float]:
    """Are the printed means those of some subset of models x datasets?

    means: printed mean by column of scores. Returns how many subsets match all of them to the tolerance, how many were
    tried, and the smallest largest gap.
    """
    cube = np.stack([scores.pivot(index="data", columns="model", values=c).to_numpy() for c in means])  # (m, D, M)
    printed = np.array(list(means.values()))
    gaps: list[float] = []
    for data in _subsets(range(cube.shape[1])):
        by_model = cube[:, data].mean(axis=1)
        gaps.extend(float(np.abs(by_model[:, m].mean(axis=1) - printed).max()) for m in _subsets(range(cube.shape[2])))
    return sum(gap <= tolerance for gap in gaps), len(gaps), min(gaps)


def _subsets(items: Sequence[int]) -> Iterator[list[int]]:
    return (list(c) for n in range(1, len(items) + 1) for c in combinations(items, n))


def _means(scores: pd.DataFrame, text: pd.DataFrame) -> Iterator[list[object]]:
    tolerance = CELL_ROUNDING + MEAN_ROUNDING
    for metric, group in text.groupby("metric", sort=False):
        printed = {
            f"{metric}_{setting}": float(mean) for setting, mean in zip(group["setting"], group["mean"], strict=True)
        }
        absent = [column for column in printed if column not in scores.columns]
        if absent:
            raise DataError(f"published text: {absent[0]} is in no table; expected a metric and setting of theirs.")
        matches, tried, nearest = matching_subsets(scores, printed, tolerance)
        for column, mean in printed.items():
            recomputed = float(scores[column].mean())
            off = abs(mean - recomputed) > tolerance + 1e-9
            subsets = (
                f"{matches or 'none'} of the {tried:,} subsets of models x datasets has the printed {metric} means"
            )
            note = f"{subsets} (the nearest is off by {nearest:.2f})" if off else ""
            yield ["mean", column, mean, recomputed, mean - recomputed, off, note]


def _outliers(scores: pd.DataFrame) -> Iterator[list[object]]:
    for metric in METRICS:
        before, after = scores[f"{metric}_{BASELINE}"], scores[f"{metric}_{TESTED}"]
        gain = after - before
        z = modified_z(gain)
        rows = sorted(np.flatnonzero(gain.to_numpy() > 0), key=lambda i: -z[i])
        for i in rows:
            subject = f"{scores['data'].iloc[i]}, {scores['model'].iloc[i]}, {metric}_{TESTED}"
            note = f"modified z {z[i]:.1f}; median difference of all pairs {gain.median():.1f}"
            yield ["outlier", subject, after.iloc[i], before.iloc[i], gain.iloc[i], bool(z[i] > OUTLIER_Z), note]


def _sizes(sizes: pd.DataFrame, protocols: Mapping[str, Sizes]) -> Iterator[list[object]]:
    for row in sizes.itertuples(index=False):
        printed = (int(row.query_images), int(row.gallery_images))
        known = protocols.get(str(row.data))
        if known is None:
            flagged = printed[0] > printed[1]
            note = "more queries than gallery images" if flagged else ""
            note = "; ".join(filter(None, ["no protocol known to compare with", note]))
            expected: tuple[float, float] = (np.nan, np.nan)
        else:
            expected = (known["query"], known["gallery"])
            flagged = printed != expected
            swapped = flagged and printed == expected[::-1]
            note = "query and gallery are swapped" if swapped else "differs from the protocol" if flagged else ""
        for name, value, wanted in zip(("query", "gallery"), printed, expected, strict=True):
            yield ["size", f"{row.data}, {name} images", value, wanted, value - wanted, flagged, note]
