"""Simulated per-query differences with known answers, and many bootstraps at the price of one."""

from __future__ import annotations

import numpy as np
from scipy import stats

from anonbench.statistics.bootstrap import ClusterBootstrap, acceleration, resampled_totals


def clustered(rng: np.random.Generator, sims: int, clusters: int, mean: float) -> tuple[np.ndarray, np.ndarray]:
    """Differences of 1 to 5 queries an identity, alike within it: (sims, n) and the identity of each query."""
    ids = np.repeat(np.arange(clusters), rng.integers(1, 6, clusters))
    d = mean + rng.normal(0, 3, (sims, clusters))[:, ids] + rng.normal(0, 5, (sims, len(ids)))
    return d, ids


def bootstraps(d: np.ndarray, ids: np.ndarray, resamples: int = 2000) -> list[ClusterBootstrap]:
    """One bootstrap a row of d; all share their draws, which saves the time of drawing."""
    n = int(ids.max()) + 1
    indicator = np.eye(n)[ids]  # (queries, C)
    sums = np.concatenate([indicator.T @ d.T, indicator.sum(0)[:, None]], axis=1)  # (C, sims + 1)
    totals = resampled_totals(sums, resamples=resamples, seed=3)
    values = totals[:, :-1] / totals[:, -1:]
    changed = (indicator.T @ (d.T != 0) > 0).sum(0)
    whole = sums.sum(0)
    jackknife = (whole - sums)[:, :-1] / (whole - sums)[:, -1:]
    return [
        ClusterBootstrap(float(x.mean()), v, n, int(c), acceleration(j))
        for x, v, c, j in zip(d, values.T, changed, jackknife.T, strict=True)
    ]


def skewed(rng: np.random.Generator, sims: int, clusters: int, share: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Few identities change, and those lose much: differences (sims, n), identities, and the true mean."""
    ids = np.repeat(np.arange(clusters), rng.integers(1, 6, clusters))
    changed = (rng.random((sims, clusters)) < share)[:, ids]
    d = changed * (rng.exponential(1.5, changed.shape) - rng.exponential(5, changed.shape))
    return d, ids, -3.5 * share


def seeds_without_effect(rng: np.random.Generator, sims: int, training_sd: float) -> tuple[np.ndarray, np.ndarray]:
    """After - before of two trainings alike but for the seed: (sims, n) in percent points, 60 identities."""
    ids = np.repeat(np.arange(60), rng.integers(1, 6, 60))
    scores = []
    for _ in range(2):
        query = rng.normal(0, 6, (sims, 60))[:, ids] + rng.normal(0, 8, (sims, len(ids)))
        scores.append(50 + query + rng.normal(0, training_sd, (sims, 1)))
    return scores[1] - scores[0], ids


def sparse_hits(rng: np.random.Generator, sims: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Rank-1 of two such trainings: a share of the queries changes, up as often as down; 60 identities, two each."""
    ids = np.repeat(np.arange(60), 2)
    return 100.0 * rng.choice([-1, 0, 1], p=[share / 2, 1 - share, share / 2], size=(sims, 120)), ids


def within_binomial(count: int, n: int, p: float) -> bool:
    """Would a correct method give such a count in 999 of 1000 simulations?"""
    return stats.binomtest(count, n, p).pvalue > 0.001
