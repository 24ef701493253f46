"""Who pays: the difference of queries with and without a visible face, and by the face's height in pixels.

A query's face is the largest detected box of its original image. A default box was put where the
detector found nothing: no detected face.

Groups are compared by the identity-clustered bootstrap too (the same people may be in both): their difference, and the
slope of the difference over the face's height, are statistics of sums over identities like the means themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.regions import Region
from anonbench.statistics.bootstrap import RESAMPLES, Floats, bootstrap_sums, cluster_sums

BINS_PX = (8.0, 12.0, 16.0, 24.0)
WITH, WITHOUT, CONTRAST, SLOPE = "face", "no face", "face minus no face", "slope per 10 px"
COLUMNS = ("group", "n_pairs", "n_queries", "n_identities", "estimate", "low", "high", "p", "note")


def face_height(detections: Sequence[Region]) -> float:
    """Height in pixels of the largest detected face (by area), as far as it is inside the image's top; NaN for none.

    >>> face_height([Region((0, -2, 8, 10), score=0.9), Region((0, 0, 50, 50), source="default")])
    10.0
    """
    faces = [(d.x1 - max(0.0, d.x0), d.y1 - max(0.0, d.y0)) for d in detections if not d.is_default]
    return float(max(faces, key=lambda face: face[0] * face[1])[1]) if faces else math.nan


def face_table(
    differences: pd.DataFrame,
    heights: Mapping[str, float],
    *,
    bins_px: Sequence[float] = BINS_PX,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean differences by face, with clustered bootstrap intervals.

    differences: columns path, pid, difference (percent points), one row a query and run.
    heights: px by path, NaN for no face (see `face_height`).
    bins_px: bounds between the height bins, rising, > 0; the last bin is open.
    Rows: with a face, without, the difference between the two (below 0: those with a face lose more), each bin, and
    the slope of the difference over the height among those with a face. p is two-sided, against 0.
    Raises `DataError` for a query without a row in the detections.
    """
    _check_bins(bins_px)
    missing = sorted(set(differences["path"]) - set(heights))
    if missing:
        raise DataError(f"face sizes: no detections of {missing[0]} ({len(missing)} queries). Detect all images first.")
    height = differences["path"].map(heights).to_numpy(np.float64)
    d = differences["difference"].to_numpy(np.float64)
    _, codes = np.unique(differences["pid"].to_numpy(), return_inverse=True)
    found = ~np.isnan(height)

    def row(group: str, members: np.ndarray, columns: Floats, statistic: Callable[[Floats], Floats]) -> dict[str, Any]:
        frame = differences[members]
        n_identities = int(frame["pid"].nunique())
        counts = {"group": group, "n_pairs": len(frame), "n_queries": frame["path"].nunique(),
                  "n_identities": n_identities}  # fmt: skip
        nan = {"estimate": math.nan, "low": math.nan, "high": math.nan, "p": math.nan}
        if n_identities < 2:
            return {**counts, **nan, "note": "fewer than two identities"}
        _, within = np.unique(codes[members], return_inverse=True)
        sums = cluster_sums(columns[members], within, n_identities)
        changed = int((np.bincount(within, weights=d[members] != 0) > 0).sum())
        if np.isnan(statistic(sums.sum(axis=0)[None])[0]):
            return {**counts, **nan, "note": "a group is empty, or all faces have one height"}
        result = bootstrap_sums(sums, statistic, n_changed=changed, resamples=resamples, seed=seed)
        low, high = result.interval(level)
        note = "fewer than 10 identities" if n_identities < 10 else ""
        return {**counts, "estimate": result.estimate, "low": low, "high": high, "p": result.p_two_sided(),
                "note": note}  # fmt: skip

    one, x = np.ones_like(d), np.where(found, height, 0.0)
    mean_columns = np.stack([d, one], axis=1)
    both_columns = np.stack([d * found, found * one, d * ~found, ~found * one], axis=1)
    slope_columns = np.stack([one, x, d, x * d, x * x], axis=1)
    rows = [
        row(WITH, found, mean_columns, _mean),
        row(WITHOUT, ~found, mean_columns, _mean),
        row(CONTRAST, np.ones(len(d), bool), both_columns, _mean_gap),
    ]
    for low, high in pairwise((0.0, *bins_px, math.inf)):
        name = f"{low:g}-{high:g} px" if math.isfinite(high) else f"{low:g}+ px"
        rows.append(row(name, found & (height >= low) & (height < high), mean_columns, _mean))
    rows.append(row(SLOPE, found, slope_columns, _slope_per_10))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _mean(t: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return t[:, 0] / t[:, 1]


def _mean_gap(t: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return t[:, 0] / t[:, 1] - t[:, 2] / t[:, 3]


def _slope_per_10(t: Floats) -> Floats:
    """Least-squares slope from totals of 1, x, y, xy, xx; times 10. NaN where all x are the same."""
    n, x, y, xy, xx = t.T
    spread = xx - x * x / n
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > 1e-9 * xx, 10 * (xy - x * y / n) / spread, np.nan)


def _check_bins(bins_px: Sequence[float]) -> None:
    if any(b <= a for a, b in pairwise((0.0, *bins_px))):
        raise ConfigError(f"face height bins {list(bins_px)}; expected rising bounds above 0, such as [8, 12, 16, 24].")
