"""How large a paired difference is: its mean and Cohen's d_z, both with confidence intervals.

Sources:

- d_z: Lakens, "Calculating and reporting effect sizes", Frontiers in Psychology 4:863 (2013).
- The correction of its bias: Hedges, "Distribution theory for Glass's estimator of effect size", J. Educational
  Statistics 6 (1981).
- The interval by the noncentral t: Cumming and Finch, Educational and Psychological Measurement 61 (2001).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from anonbench.core.errors import ConfigError, DataError


@dataclass(frozen=True, slots=True)
class PairedEffect:
    """The size of `after - before` over n pairs, negative for a loss.

    difference, low, high: mean difference and its interval by the t distribution, in the unit of the input.
    dz, dz_low, dz_high: mean difference over the standard deviation of the differences, and its interval.
    gz: dz without its bias in small samples (Hedges).
    note: why numbers are NaN; "" when none is.
    """

    n: int
    difference: float
    low: float
    high: float
    dz: float
    dz_low: float
    dz_high: float
    gz: float
    note: str = ""


def paired_effect(before: ArrayLike, after: ArrayLike, level: float = 0.95) -> PairedEffect:
    """Effect size of a paired difference.

    before, after: (n,) finite numbers in the same order.
    level: of the intervals, in 0..1 without the ends.
    Fewer than two pairs, or differences that are all equal, leave the intervals and d_z undefined: NaN, with a note.
    Raises `DataError` for lists of unequal length or missing numbers, `ConfigError` for a level outside 0..1.

    >>> e = paired_effect([80.0, 60.0, 70.0], [78.0, 59.0, 67.0])
    >>> round(e.difference, 3), round(e.low, 3), round(e.high, 3), round(e.dz, 3), round(e.gz, 3)
    (-2.0, -4.484, 0.484, -2.0, -1.128)
    """
    check_level(level)
    differences = paired_differences(before, after)
    n, nan = len(differences), math.nan
    mean = float(differences.mean()) if n else nan
    if n < 2:
        return PairedEffect(n, mean, nan, nan, nan, nan, nan, nan, "fewer than two pairs: no interval")
    if all_equal(before, after):
        return PairedEffect(n, mean, mean, mean, nan, nan, nan, nan, "all differences are equal: d_z is undefined")
    sd = float(differences.std(ddof=1))
    margin = float(stats.t.ppf((1 + level) / 2, n - 1)) * sd / math.sqrt(n)
    dz = mean / sd
    ncp_low, ncp_high = noncentrality_interval(dz * math.sqrt(n), n - 1, level)
    return PairedEffect(
        n, mean, mean - margin, mean + margin,
        dz, ncp_low / math.sqrt(n), ncp_high / math.sqrt(n), dz * hedges_correction(n - 1),
    )  # fmt: skip


def noncentrality_interval(t: float, df: int, level: float = 0.95) -> tuple[float, float]:
    """The noncentrality parameters under which a t this high, or this low, has the chance (1 - level) / 2.

    >>> low, high = noncentrality_interval(2.83, 126)
    >>> round(low, 5), round(high, 5)
    (0.83375, 4.81536)
    """
    # T = (Z + ncp) / S with S the root of a mean of df squared normals: P(T <= t) is the mean of Phi(t S - ncp) over S.
    # scipy's nct.cdf would do, but far from its bulk it returns NaN at times (scipy 1.17: nct.cdf(-6, 29, 7)).
    spread = stats.chi(df)
    ends = spread.ppf(1e-14), spread.isf(1e-14)
    nodes, weights = np.polynomial.legendre.leggauss(300)
    chi = (ends[1] - ends[0]) / 2 * nodes + (ends[1] + ends[0]) / 2
    weights = weights * (ends[1] - ends[0]) / 2 * spread.pdf(chi)
    scaled = t * chi / math.sqrt(df)

    def root(probability: float) -> float:
        def excess(ncp: float) -> float:
            return float(weights @ special.ndtr(scaled - ncp)) - probability

        reach = 10 + 10 * abs(t)
        return float(optimize.brentq(excess, -reach, reach, xtol=1e-12))

    tail = (1 - level) / 2
    return root(1 - tail), root(tail)


def hedges_correction(df: int) -> float:
    """The factor that makes d unbiased: gamma(df / 2) / (sqrt(df / 2) gamma((df - 1) / 2)); 0 for df = 1.

    >>> round(hedges_correction(10), 4)
    0.9227
    """
    if df < 2:
        return 0.0
    return math.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / math.sqrt(df / 2)


def paired_differences(before: ArrayLike, after: ArrayLike) -> NDArray[np.float64]:
    """`after - before`, checked: two lists of one length, finite."""
    x, y = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise DataError(f"paired scores: shapes {x.shape} and {y.shape}; expected two lists of one length.")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError("paired scores: a score is missing or infinite; expected finite numbers only.")
    return y - x


def all_equal(before: ArrayLike, after: ArrayLike) -> bool:
    """Whether all differences are the same number, to float64 rounding."""
    x, y = np.asarray(before, np.float64), np.asarray(after, np.float64)
    rounding = 8 * np.finfo(np.float64).eps * max(np.abs(x).max(), np.abs(y).max())
    return bool(np.ptp(y - x) <= rounding)


def check_level(level: float) -> None:
    """Raises `ConfigError` for a confidence level outside 0..1."""
    if not 0 < level < 1:
        raise ConfigError(f"statistics: confidence level {level}; expected a number between 0 and 1, such as 0.95.")
