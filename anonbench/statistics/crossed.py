"""A share of cases that belong to clusters in more than one way: answers belong to a participant and to a pair.

    crossed_proportion(correct, participants, pairs).wilson()

The variance is that of clusters one way, plus that of clusters the other way, minus that of clusters of both at once
(Cameron, Gelbach and Miller 2011, "Robust Inference with Multiway Clustering", JBES 29). What the cases say is then
worth an effective number of independent ones, as in `proportion`. With few clusters a normal quantile promises too
much: the effective number is multiplied by (z / t)^2 with the quantile of Student's t, as Korn and Graubard (1998,
Survey Methodology 24:193) do. Deviations: the degrees of freedom are one less than the smallest number of clusters
either way, and t is taken at 95 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, t

from anonbench.core.errors import DataError
from anonbench.statistics.proportion import CONFIDENCE, Proportion

LEAST_EFFECTIVE = 0.1  # with two clusters t is 12.7: what is left of the cases is little, but not nothing


def crossed_proportion(hits: ArrayLike, *clusters: Sequence[object]) -> Proportion:
    """The share of hits, with the effective number of cases that clusters leave.

    hits: (n,) true or false, one a case.
    clusters: for each way of clustering (n,) names; cases of one name are in one cluster.

    Where all cases are hits, or none, nothing is known of how alike they are, and a cluster counts as one case. So it
    does where there is one cluster only.
    Raises `DataError` for lists of unequal length or no way of clustering.

    >>> crossed_proportion([1, 1, 0, 0], ["a", "a", "b", "b"], [1, 2, 3, 4]).value
    0.5
    """
    case = np.asarray(hits, bool)
    if not clusters or any(len(names) != len(case) for names in clusters):
        raise DataError(
            f"proportion: {len(case)} cases and clusters of {[len(c) for c in clusters]}; expected as many."
        )
    n, k = len(case), int(case.sum())
    if not n:
        return Proportion(0, 0)
    codes = [_codes(names) for names in clusters]
    fewest = min(int(code.max()) + 1 for code in codes)
    if k in (0, n) or fewest == 1:
        return Proportion(k, n, max(min(n, fewest * _few(fewest)), LEAST_EFFECTIVE))
    residual = case - k / n
    variance = 0.0
    for size in range(1, len(codes) + 1):
        for chosen in combinations(codes, size):
            sums = np.bincount(_joined(chosen), weights=residual)
            variance += (-1) ** (size + 1) * float((sums**2).sum())
    design = max(1.0, fewest / (fewest - 1) * variance / float((residual**2).sum()))
    return Proportion(k, n, max(n / design * _few(fewest), LEAST_EFFECTIVE))


def _codes(names: Sequence[object]) -> NDArray[np.int64]:
    return np.unique(np.asarray([str(name) for name in names]), return_inverse=True)[1].astype(np.int64)


def _joined(codes: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """One code for what is alike in every way."""
    return np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)[1].ravel()


def _few(clusters: int) -> float:
    """What few clusters leave of the effective number of cases, above 0 and below 1."""
    if clusters < 2:
        return 1.0
    level = (1 + CONFIDENCE) / 2
    return float(norm.ppf(level) / t.ppf(level, clusters - 1)) ** 2
