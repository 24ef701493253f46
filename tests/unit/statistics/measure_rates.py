"""Prints the rates of docs/statistics.md: `python tests/unit/statistics/measure_rates.py` (about 15 s).

Simulated differences with known means. Coverage: how often the 95 % interval holds the truth; plain: the same of the
percentile interval. TOST: how often equivalence is claimed when the true loss is the margin (at most 5 % wanted).
A/A: how often two trainings alike but for the seed are called different at p < 0.05.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[2]))
from simulated_scores import bootstraps, clustered, seeds_without_effect, skewed, sparse_hits

from anonbench.statistics.bootstrap import ClusterBootstrap, bootstrap_mean_difference
from anonbench.statistics.equivalence import tost_bootstrap

SIMULATIONS = 2000


def intervals_and_tost(name: str, found: list[ClusterBootstrap], mean: float) -> None:
    ours = np.mean([low <= mean <= high for low, high in (b.interval() for b in found)])
    plain = np.mean([low <= mean <= high for low, high in (np.quantile(b.values, [0.025, 0.975]) for b in found)])
    tost = np.mean([tost_bootstrap(b, margin=-mean).equivalent for b in found])
    print(f"{name}: coverage {ours:.1%}, plain {plain:.1%}, TOST {tost:.1%}", flush=True)


def false_alarms(name: str, found: list[ClusterBootstrap]) -> None:
    print(f"A/A, {name}: {np.mean([b.p_two_sided() < 0.05 for b in found]):.1%}", flush=True)


def main() -> None:
    for clusters in (12, 40, 150, 750):
        d, ids = clustered(np.random.default_rng(clusters + 5), SIMULATIONS, clusters, -3.0)
        intervals_and_tost(f"{clusters} identities, even losses", bootstraps(d, ids), -3.0)
    for clusters, share in ((40, 0.1), (40, 0.3), (150, 0.1), (150, 0.3), (750, 0.05)):
        rng = np.random.default_rng(clusters + int(100 * share))
        d, ids, mean = skewed(rng, SIMULATIONS, clusters, share)
        intervals_and_tost(f"{clusters} identities, {share:.0%} of them lose", bootstraps(d, ids), mean)
    for sd in (0.0, 0.5, 1.5):
        d, ids = seeds_without_effect(np.random.default_rng(11), SIMULATIONS, sd)
        false_alarms(f"mAP, training sd {sd}", bootstraps(d, ids))
    for share in (0.02, 0.1, 0.3):
        d, ids = sparse_hits(np.random.default_rng(13), SIMULATIONS, share)
        false_alarms(f"rank-1, {share:.0%} of queries change", bootstraps(d, ids))
    ids, d = np.resize(np.arange(750), 3368), np.random.default_rng(0).normal(size=3368)
    start = time.perf_counter()
    found = bootstrap_mean_difference(d, ids, resamples=10_000)
    found.interval(), found.p_two_sided()
    print(f"3,368 queries, 750 identities, 10,000 resamples: {time.perf_counter() - start:.3f} s")


if __name__ == "__main__":
    main()
