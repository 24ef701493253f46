"""Many tests at once: Holm's step-down correction.

It bounds the chance of even one false alarm in the family, whatever the dependence between the tests. The cells of a
table do depend on each other: they share queries, networks and baselines.

Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anonbench.core.errors import DataError


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p-values of one family, in the order given. NaN stays NaN and does not count.

    The i-th smallest of m is multiplied by m - i + 1 (at most 1), and never smaller than the one before it.
    Raises `DataError` for a p outside 0..1.

    >>> [float(p) for p in holm([0.01, 0.04, 0.03]).round(4)]
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, np.float64)
    known = np.flatnonzero(~np.isnan(p))
    if p.ndim != 1 or ((p[known] < 0) | (p[known] > 1)).any():
        raise DataError("Holm: expected a list of p-values from 0 to 1.")
    order = known[np.argsort(p[known], kind="stable")]
    adjusted = np.full(len(p), np.nan)
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * factors))
    return adjusted
