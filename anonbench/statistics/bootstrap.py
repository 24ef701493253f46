"""Identity-clustered paired bootstrap: would other people have shown the same difference?

    b = bootstrap_mean_difference(differences, identities)
    b.estimate, b.interval(0.95), b.p_two_sided()

Images of one person are alike, so queries are no independent draws. Identities are resampled with replacement. All
queries of a drawn identity enter, from every run (seed, split), as many times as it was drawn. Before and after stay
paired query by query. The statistic is a ratio of sums over clusters, so a resample needs only their weights.

The interval is BCa (bias-corrected and accelerated: Efron, "Better Bootstrap Confidence Intervals", JASA 82, 1987) with
quantiles expanded for few clusters (Hesterberg, "What Teachers Should Know About the Bootstrap", The American
Statistician 69, 2015): sqrt(C / (C - 1)) t_{C - 1} of C clusters in place of the normal ones.

Why nothing simpler:

- Losses of AP are skewed, since a few queries lose much. Plain percentile intervals then claim too small a loss. With
  the demo's 40 identities they are too short as well.
- Studentizing corrects skewness better, but fails on rank-1, where few queries change.

docs/statistics.md has the measured rates.

The p-value is the same construction read the other way: the smallest 1 - level at which the interval touches the null
value. So p < alpha exactly when the interval at 1 - alpha leaves it out. One exception: with k identities whose queries
changed at all, p is never below 2^(1 - k), the least that an exact sign test can reach on k changes. A bootstrap of
three changed identities would promise more than three coin flips can.

People are resampled, networks are not: the luck of a training is in `noise`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from anonbench.core.errors import ConfigError, DataError
from anonbench.statistics.effect import check_level

Floats = NDArray[np.float64]

RESAMPLES = 10_000
TIE = 1e-9  # percent points: sums of the same numbers in another order differ by less
BLOCK = 500  # resamples at a time: 750 identities in float64 take 3 MB, which stays in the cache


@dataclass(frozen=True, eq=False)
class ClusterBootstrap:
    """The resampled values of a statistic.

    estimate: on the data itself.
    values: (resamples,) float64.
    n_clusters: identities.
    n_changed: those with a difference other than 0.
    acceleration: BCa's, from the skewness of the clusters' influence.
    standard_error: of the estimate, with the factor sqrt(C / (C - 1)).
    """

    estimate: float
    values: Floats
    n_clusters: int
    n_changed: int
    acceleration: float = 0.0

    @property
    def standard_error(self) -> float:
        if self.n_clusters < 2:
            return math.nan
        return float(self.values.std()) * self._expansion

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Two-sided interval; NaN with fewer than two clusters."""
        check_level(level)
        if self.n_clusters < 2:
            return math.nan, math.nan
        reach = self._expansion * float(stats.t.ppf((1 + level) / 2, self.n_clusters - 1))
        shifted = [self._bias + z for z in (-reach, reach)]
        tails = [special.ndtr(self._bias + z / (1 - self.acceleration * z)) for z in shifted]
        low, high = np.quantile(self.values, tails)
        return float(low), float(high)

    def p_two_sided(self, null: float = 0.0) -> float:
        """Two-sided p of `estimate = null`."""
        if self.n_clusters < 2:
            return math.nan
        p = min(1.0, 2 * min(self.p_less(null), self.p_greater(null)))
        return max(p, min(1.0, 2.0 ** (1 - self.n_changed)))

    def p_less(self, null: float) -> float:
        """One-sided p of the claim that the statistic is below `null`."""
        return self._p(float(np.mean(self.values >= null - TIE)), direction=-1)

    def p_greater(self, null: float) -> float:
        """One-sided p of the claim that the statistic is above `null`."""
        return self._p(float(np.mean(self.values <= null + TIE)), direction=1)

    def _p(self, share: float, direction: int) -> float:
        """Turn the share of resamples beyond the null into a p-value, the inverse of `interval`.

        One resample is added on either side, so that p is never 0. direction: 1 where the share is a lower tail, -1
        where it is an upper one, which is the lower tail of the mirrored statistic.
        """
        if self.n_clusters < 2:
            return math.nan
        bias, acceleration = direction * self._bias, direction * self.acceleration
        resamples = len(self.values)
        z = float(special.ndtri((share * resamples + 1) / (resamples + 2))) - bias
        z = z / (1 + acceleration * z) - bias
        return float(stats.t.cdf(z / self._expansion, self.n_clusters - 1))

    @property
    def _expansion(self) -> float:
        return math.sqrt(self.n_clusters / (self.n_clusters - 1))

    @property
    def _bias(self) -> float:
        """BCa's z0: the normal quantile of the share of resamples below the estimate, ties counted half."""
        gap = self.values - self.estimate
        below = float(np.mean(gap < -TIE) + np.mean(np.abs(gap) <= TIE) / 2)
        half = 0.5 / len(self.values)
        return float(special.ndtri(min(max(below, half), 1 - half)))


def bootstrap_mean_difference(
    differences: ArrayLike, identities: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> ClusterBootstrap:
    """Bootstrap the mean of per-query differences over identities.

    differences: (n,) after - before, one a query and run.
    identities: (n,) integers. Equal ones are one cluster.
    Raises `DataError` for no query, unequal lengths or missing numbers.

    >>> b = bootstrap_mean_difference([-2.0, -1.0, 0.0, -3.0], [1, 1, 2, 3], resamples=2000)
    >>> b.estimate, b.n_clusters, b.n_changed
    (-1.5, 3, 2)
    """
    d, codes, n_clusters = _clusters(differences, identities)
    sums = cluster_sums(np.stack([d, np.ones_like(d)], axis=1), codes, n_clusters)  # (C, 2)
    changed = int((np.bincount(codes, weights=d != 0, minlength=n_clusters) > 0).sum())
    return bootstrap_sums(sums, _ratio, n_changed=changed, resamples=resamples, seed=seed)


def bootstrap_sums(
    sums: Floats, statistic: Callable[[Floats], Floats], *, n_changed: int, resamples: int = RESAMPLES, seed: int = 0
) -> ClusterBootstrap:
    """Bootstrap any statistic of sums over clusters.

    sums: (C, k) a row a cluster.
    statistic: (m, k) totals -> (m,) values. Resamples for which it is NaN (no query of a group drawn) are left out.
    """
    values = statistic(resampled_totals(sums, resamples=resamples, seed=seed))
    values = values[np.isfinite(values)]
    if not len(values):
        raise DataError("bootstrap: the statistic is undefined in every resample. Are there queries in every group?")
    total = sums.sum(axis=0)
    jackknife = statistic(total - sums) if len(sums) > 1 else np.zeros(1)
    estimate = float(statistic(total[None])[0])
    return ClusterBootstrap(estimate, values, len(sums), n_changed, acceleration(jackknife))


def acceleration(jackknife: Floats) -> float:
    """BCa's acceleration from the values of the statistic without one cluster each; 0 where they are all equal."""
    known = jackknife[np.isfinite(jackknife)]
    influence = known.mean() - known if len(known) else np.zeros(1)
    if np.abs(influence).max() <= TIE:
        return 0.0
    return float((influence**3).sum()) / (6 * float((influence**2).sum()) ** 1.5)


def resampled_totals(sums: Floats, *, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """Totals of C clusters drawn with replacement: (C, k) sums -> (resamples, k). The draws depend on C and seed."""
    return np.concatenate([weights @ sums for weights in drawn_weights(len(sums), resamples=resamples, seed=seed)])


def drawn_weights(n_clusters: int, *, resamples: int = RESAMPLES, seed: int = 0) -> Iterator[Floats]:
    """How often each of n clusters is drawn, in blocks of resamples: (m, n_clusters) float64, n_clusters a row."""
    if resamples < 100:
        raise ConfigError(f"bootstrap: {resamples} resamples; expected at least 100, for a publication 10000.")
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, BLOCK):
        m = min(BLOCK, resamples - start)
        drawn = rng.integers(0, n_clusters, (m, n_clusters), dtype=np.int32)
        drawn += np.arange(m, dtype=np.int32)[:, None] * n_clusters  # one run of bins a resample
        weights = np.bincount(drawn.ravel(), minlength=m * n_clusters).reshape(m, n_clusters)
        yield weights.astype(np.float64)


def cluster_sums(columns: Floats, codes: NDArray[np.int64], n_clusters: int) -> Floats:
    """Sums of (n, k) rows by cluster: (n_clusters, k)."""
    return np.stack([np.bincount(codes, weights=column, minlength=n_clusters) for column in columns.T], axis=1)


def _ratio(totals: Floats) -> Floats:
    return totals[:, 0] / totals[:, 1]


def _clusters(differences: ArrayLike, identities: ArrayLike) -> tuple[Floats, NDArray[np.int64], int]:
    d, ids = np.asarray(differences, np.float64), np.asarray(identities)
    if d.ndim != 1 or d.shape != ids.shape or not len(d):
        raise DataError(
            f"bootstrap: differences {d.shape} and identities {ids.shape}; expected two lists of one length, not empty."
        )
    if not np.isfinite(d).all():
        raise DataError("bootstrap: a difference is missing or infinite; leave out queries without a match first.")
    names, codes = np.unique(ids, return_inverse=True)
    return d, codes.astype(np.int64), len(names)
