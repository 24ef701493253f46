"""The clustered bootstrap against loops, exact enumeration, scipy, and in simulations with known answers."""

from __future__ import annotations

import math
import time
from itertools import product

import numpy as np
import pytest
from scipy import stats
from simulated_scores import bootstraps, clustered, seeds_without_effect, skewed, sparse_hits, within_binomial

from anonbench.core.errors import ConfigError, DataError
from anonbench.statistics.bootstrap import ClusterBootstrap, bootstrap_mean_difference, bootstrap_sums


def test_exact_distribution_of_three_clusters():
    """Three identities have 27 resamples; their distribution is known exactly."""
    d, ids = [1.0, 2.0, -3.0, 5.0], [7, 7, 8, 9]
    sums = {7: (3.0, 2), 8: (-3.0, 1), 9: (5.0, 1)}
    exact = sorted(sum(sums[i][0] for i in t) / sum(sums[i][1] for i in t) for t in product(sums, repeat=3))
    b = bootstrap_mean_difference(d, ids, resamples=60_000)
    assert b.estimate == 5 / 4
    assert (b.n_clusters, b.n_changed) == (3, 3)
    assert np.mean(b.values) == pytest.approx(np.mean(exact), abs=0.02)
    for value in sorted(set(exact)):
        assert np.mean(b.values <= value + 1e-9) == pytest.approx(np.mean(np.array(exact) <= value + 1e-9), abs=0.01)


def test_against_a_loop_over_identities():
    rng = np.random.default_rng(0)
    d, ids = clustered(rng, 1, 12, -1)
    b = bootstrap_mean_difference(d[0], ids, resamples=500, seed=9)
    drawn = np.random.default_rng(9).integers(0, 12, (500, 12), dtype=np.int32)
    naive = sorted(np.mean(np.concatenate([d[0][ids == i] for i in row])) for row in drawn)
    np.testing.assert_allclose(np.sort(b.values), naive)


def test_singletons_agree_with_scipys_bootstrap_and_the_standard_error():
    rng = np.random.default_rng(2)
    d = rng.exponential(2, 400) - 3
    b = bootstrap_mean_difference(d, np.arange(400), resamples=20_000)
    other = stats.bootstrap((d,), np.mean, n_resamples=20_000, method="BCa", rng=rng)
    interval = other.confidence_interval
    assert b.interval() == pytest.approx((interval.low, interval.high), abs=0.03)
    assert b.interval()[1] - b.estimate > b.estimate - b.interval()[0] + 0.02  # skewed as the data is
    assert b.standard_error == pytest.approx(stats.sem(d), rel=0.03)


def test_standard_error_of_few_clusters_is_not_the_plug_in_one():
    d = [1.0, 4.0, -2.0, 0.5, 3.0]
    b = bootstrap_mean_difference(d, np.arange(5), resamples=50_000)
    assert b.standard_error == pytest.approx(stats.sem(d), rel=0.01)  # the plug-in one is 11 % smaller


def test_alike_queries_widen_the_interval():
    rng = np.random.default_rng(3)
    ids = np.repeat(np.arange(50), 8)
    d = rng.normal(0, 4, 50)[ids] + rng.normal(0, 1, 400)
    clustered_error = bootstrap_mean_difference(d, ids).standard_error
    naive_error = bootstrap_mean_difference(d, np.arange(400)).standard_error
    assert clustered_error > 2 * naive_error


def test_several_runs_of_one_identity_are_one_cluster():
    """Doubling every row (a second, identical run) must not make the interval shorter."""
    rng = np.random.default_rng(4)
    (d,), ids = clustered(rng, 1, 30, -1)
    once, twice = bootstrap_mean_difference(d, ids), bootstrap_mean_difference(np.tile(d, 2), np.tile(ids, 2))
    assert once.interval() == pytest.approx(twice.interval())
    assert once.n_clusters == twice.n_clusters == 30


def test_p_and_interval_agree():
    rng = np.random.default_rng(5)
    d, ids = clustered(rng, 200, 15, -1.5)
    for b in bootstraps(d, ids):
        low, high = b.interval(0.95)
        assert (b.p_two_sided() < 0.05) == (high < 0 or low > 0) or abs(b.p_two_sided() - 0.05) < 0.003


def test_quantiles_of_few_clusters_are_students():
    """A normal bootstrap distribution with the plug-in spread of five clusters has Student's interval with 4 df."""
    values = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000) * math.sqrt(4 / 5)
    b = ClusterBootstrap(0.0, values, 5, 99)
    assert b.interval(0.95) == pytest.approx((-stats.t.ppf(0.975, 4), stats.t.ppf(0.975, 4)), abs=0.005)
    assert b.p_less(1.5) == pytest.approx(stats.t.cdf(-1.5, 4), abs=0.001)
    assert b.p_greater(-1.5) == pytest.approx(stats.t.cdf(-1.5, 4), abs=0.001)


def test_acceleration_by_hand():
    # Means without one of 0, 0, 3: 1.5, 1.5, 0. Around their mean 1: influence -.5, -.5, 1; cubes .75, squares 1.5.
    b = bootstrap_mean_difference([0.0, 0.0, 3.0], [1, 2, 3], resamples=200)
    assert b.acceleration == pytest.approx(0.75 / (6 * 1.5**1.5))
    assert bootstrap_mean_difference([-1.0, 0.0, 1.0], [1, 2, 3], resamples=200).acceleration == pytest.approx(0)
    assert bootstrap_mean_difference([2.0, 2.0], [1, 2], resamples=200).acceleration == 0


def test_mirrored_differences_mirror_the_result():
    rng = np.random.default_rng(8)
    d = rng.exponential(3, 50)
    one, other = bootstrap_mean_difference(d, np.arange(50)), bootstrap_mean_difference(-d, np.arange(50))
    assert one.interval() == pytest.approx(tuple(-x for x in other.interval()[::-1]))
    assert one.p_less(3.5) == pytest.approx(other.p_greater(-3.5))


def test_few_changed_identities_cannot_promise_more_than_a_sign_test():
    d = np.zeros(100)
    d[:3] = -50
    b = bootstrap_mean_difference(d, np.arange(100))
    assert b.n_changed == 3
    assert b.p_two_sided() >= 2 * 0.5**3
    none = bootstrap_mean_difference(np.zeros(100), np.arange(100))
    assert (none.estimate, none.p_two_sided(), none.interval()) == (0, 1, (0, 0))


def test_equal_differences_are_sure_of_themselves():
    """Every identity loses 1.5 on the mean of its queries; rounding must not pass for a distribution."""
    d, ids = np.tile([-3.1, 0.1], 40), np.repeat(np.arange(40), 2)
    b = bootstrap_mean_difference(d, ids)
    assert b.interval() == pytest.approx((-1.5, -1.5))
    assert b.p_two_sided() < 0.001
    assert b.p_less(-1.0) < 0.001
    assert b.p_less(-1.5) > 0.99


def test_p_is_never_zero_and_one_cluster_has_none():
    sure = bootstrap_mean_difference(-np.ones(40) - np.arange(40) / 40, np.arange(40), resamples=1000)
    assert 0 < sure.p_two_sided() < 0.01
    one = bootstrap_mean_difference([1.0, 2.0], [5, 5])
    assert math.isnan(one.p_two_sided())
    assert math.isnan(one.standard_error)
    assert all(math.isnan(x) for x in one.interval())


def test_seeded():
    d, ids = [1.0, -2.0, 4.0, 0.5], [1, 2, 3, 4]
    one, same, other = (bootstrap_mean_difference(d, ids, resamples=700, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.values, same.values)
    assert (one.values != other.values).any()


def test_resamples_without_a_group_are_left_out():
    sums = np.array([[1.0, 1.0], [0.0, 0.0], [3.0, 2.0]])  # the second identity has no query of the group
    with np.errstate(invalid="ignore"):
        b = bootstrap_sums(sums, lambda t: t[:, 0] / t[:, 1], n_changed=2, resamples=3000)
    assert np.isfinite(b.values).all()
    assert 1 - len(b.values) / 3000 == pytest.approx((1 / 3) ** 3, abs=0.015)


def test_market_size_takes_less_than_a_second():
    ids = np.resize(np.arange(750), 3368)
    d = np.random.default_rng(0).normal(size=3368)
    start = time.perf_counter()
    b = bootstrap_mean_difference(d, ids, resamples=10_000)
    b.interval(), b.p_two_sided()
    assert time.perf_counter() - start < 1


def test_errors():
    with pytest.raises(DataError, match=r"differences \(2,\) and identities \(1,\)"):
        bootstrap_mean_difference([1.0, 2.0], [1])
    with pytest.raises(DataError, match="not empty"):
        bootstrap_mean_difference([], [])
    with pytest.raises(DataError, match="leave out queries without a match first"):
        bootstrap_mean_difference([1.0, math.nan], [1, 2])
    with pytest.raises(ConfigError, match="10 resamples; expected at least 100"):
        bootstrap_mean_difference([1.0, 2.0], [1, 2], resamples=10)


# --- simulations (the rates in docs/statistics.md) ---


@pytest.mark.parametrize("clusters", [12, 40, 150])
def test_coverage_of_the_interval(clusters: int):
    d, ids = clustered(np.random.default_rng(clusters), 1000, clusters, mean=-2)
    intervals = [b.interval(0.95) for b in bootstraps(d, ids)]
    hits = sum(low <= -2 <= high for low, high in intervals)
    print(f"coverage, {clusters} identities: {hits / 1000:.3f}")
    assert within_binomial(hits, 1000, 0.95)


@pytest.mark.parametrize(("clusters", "share"), [(40, 0.3), (150, 0.1), (750, 0.05)])
def test_coverage_where_few_lose_much(clusters: int, share: float):
    """Skewed losses are the hard case: no bootstrap is exact there, BCa stays within 3 points of 95 %."""
    d, ids, mean = skewed(np.random.default_rng(7), 600, clusters, share)
    intervals = [b.interval(0.95) for b in bootstraps(d, ids)]
    coverage = np.mean([low <= mean <= high for low, high in intervals])
    print(f"coverage, {clusters} identities, {share:.0%} of them lose: {coverage:.3f}")
    assert 0.92 < coverage < 0.98


def test_false_positives_of_the_aa_test():
    """Same network, other seed. Where seeds move queries but not the mean, 5 % of tests at 5 % are false alarms."""
    rng = np.random.default_rng(11)
    d, ids = seeds_without_effect(rng, 1000, training_sd=0)
    false = sum(b.p_two_sided() < 0.05 for b in bootstraps(d, ids))
    print(f"A/A false positives without luck of training: {false / 1000:.3f}")
    assert within_binomial(false, 1000, 0.05)


def test_the_aa_test_shows_the_luck_of_training():
    """A seed that lifts or lowers all queries is an effect to the bootstrap: what the A/A test is there to reveal."""
    rng = np.random.default_rng(12)
    d, ids = seeds_without_effect(rng, 400, training_sd=1.5)
    false = sum(b.p_two_sided() < 0.05 for b in bootstraps(d, ids))
    print(f"A/A false positives, training sd 1.5 points: {false / 400:.3f}")
    assert false / 400 > 0.15


def test_false_positives_on_sparse_hits():
    """Rank-1: few queries change, up as often as down. The test must not raise more alarms than it says."""
    d, ids = sparse_hits(np.random.default_rng(13), 1000, share=0.1)
    false = sum(b.p_two_sided() < 0.05 for b in bootstraps(d, ids))
    print(f"A/A false positives of rank-1: {false / 1000:.3f}")
    assert stats.binomtest(false, 1000, 0.05, alternative="greater").pvalue > 0.001
