"""Showing that a difference is small: two one-sided tests (TOST) against a margin.

A test that finds no difference shows nothing: it may have had too few people. Equivalence within a margin is shown when
both "the loss is at least the margin" and "the gain is at least the margin" are rejected, each at alpha. That is the
same as an interval at 1 - 2 alpha inside (-margin, margin).

Sources: Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15 (1987). Lakens, "Equivalence Tests", Social
Psychological and Personality Science 8 (2017).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from anonbench.core.errors import ConfigError
from anonbench.statistics.bootstrap import ClusterBootstrap
from anonbench.statistics.effect import all_equal, check_level, paired_differences

# Below this number of changed identities even a sign test on all of them cannot reach 5 % (2 x 0.5^5 = 0.0625).
FEW_CHANGED = 6


@dataclass(frozen=True, slots=True)
class Equivalence:
    """The outcome of TOST against (-margin, margin).

    low, high: interval at 1 - 2 alpha.
    p: the larger of the two one-sided p-values.
    equivalent: p < alpha.
    note: why p is NaN or was raised, else "".
    """

    margin: float
    low: float
    high: float
    p: float
    equivalent: bool
    note: str = ""


def tost_paired(before: ArrayLike, after: ArrayLike, margin: float, alpha: float = 0.05) -> Equivalence:
    """TOST on paired scores by the t distribution.

    before, after: (n,) in percent.
    margin: in percent points, > 0.

    >>> tost_paired([50, 60, 70, 80], [50.1, 59.9, 70.2, 80.0], margin=1.0).equivalent
    True
    """
    _check(margin, alpha)
    d = paired_differences(before, after)
    if len(d) < 2:
        return Equivalence(margin, math.nan, math.nan, math.nan, False, "fewer than two pairs: no test")
    mean = float(d.mean())
    if all_equal(before, after):
        return Equivalence(margin, mean, mean, math.nan, False, "all differences are equal: t is undefined")
    return tost_t(mean, float(d.std(ddof=1)) / math.sqrt(len(d)), len(d) - 1, margin, alpha)


def tost_t(difference: float, standard_error: float, df: float, margin: float, alpha: float = 0.05) -> Equivalence:
    """TOST from an estimate, its standard error (>= 0) and degrees of freedom."""
    _check(margin, alpha)
    p_loss = float(stats.t.sf(_in_errors(difference + margin, standard_error), df))
    p_gain = float(stats.t.cdf(_in_errors(difference - margin, standard_error), df))
    reach = float(stats.t.ppf(1 - alpha, df)) * standard_error
    p = max(p_loss, p_gain)
    return Equivalence(margin, difference - reach, difference + reach, p, p < alpha)


def tost_bootstrap(
    bootstrap: ClusterBootstrap, margin: float, alpha: float = 0.05, clusters: str = "identities"
) -> Equivalence:
    """TOST from a bootstrap of a mean difference in percent points.

    clusters: what was resampled, in words.

    With fewer than `FEW_CHANGED` changed identities the resamples know too little of what a change can be. p is then
    at least the chance of so few changes if the share of changed identities were margin / 100, the least share with
    which differences of up to 100 points could reach the margin.
    """
    _check(margin, alpha)
    low, high = bootstrap.interval(1 - 2 * alpha)
    if bootstrap.n_clusters < 2:
        return Equivalence(margin, low, high, math.nan, False, f"fewer than two {clusters}: no test")
    p = max(bootstrap.p_greater(-margin), bootstrap.p_less(margin))
    note = ""
    if bootstrap.n_changed < FEW_CHANGED:
        worst = float(stats.binom.cdf(bootstrap.n_changed, bootstrap.n_clusters, min(1.0, margin / 100)))
        p = max(p, worst)
        note = f"only {bootstrap.n_changed} {clusters} changed"
    return Equivalence(margin, low, high, p, bool(p < alpha), note)


def beyond_margin_bootstrap(bootstrap: ClusterBootstrap, margin: float) -> float:
    """p of the opposite claim, that the difference is larger than the margin, in either direction (two-sided)."""
    p = min(1.0, 2 * min(bootstrap.p_less(-margin), bootstrap.p_greater(margin)))
    return max(p, min(1.0, 2.0 ** (1 - bootstrap.n_changed)))  # as in `p_two_sided`; NaN stays NaN


def beyond_margin_t(difference: float, standard_error: float, df: float, margin: float) -> float:
    """The same from an estimate, its standard error (>= 0) and degrees of freedom."""
    lower = float(stats.t.cdf(_in_errors(difference + margin, standard_error), df))
    higher = float(stats.t.sf(_in_errors(difference - margin, standard_error), df))
    return min(1.0, 2 * min(lower, higher))


def _in_errors(distance: float, standard_error: float) -> float:
    """A distance in standard errors; without any error infinitely many, and none where it is 0 itself."""
    if standard_error:
        return distance / standard_error
    return math.copysign(math.inf, distance) if distance else 0.0


def _check(margin: float, alpha: float) -> None:
    if not (np.isfinite(margin) and margin > 0):
        raise ConfigError(f"statistics: equivalence margin {margin}; expected percent points > 0.")
    check_level(alpha)
    if alpha >= 0.5:
        raise ConfigError(f"statistics: alpha {alpha}; expected a number below 0.5, such as 0.05.")
