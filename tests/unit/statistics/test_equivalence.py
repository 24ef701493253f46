"""TOST against statsmodels, by hand, and its error rate at the margin."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from simulated_scores import bootstraps, clustered, skewed, within_binomial
from statsmodels.stats.weightstats import ttost_paired

from anonbench.core.errors import ConfigError
from anonbench.statistics.bootstrap import bootstrap_mean_difference
from anonbench.statistics.equivalence import (
    beyond_margin_bootstrap,
    beyond_margin_t,
    tost_bootstrap,
    tost_paired,
    tost_t,
)


@pytest.mark.parametrize("shift", [-1.2, -0.3, 0.0, 0.8])
@pytest.mark.parametrize("n", [5, 30])
def test_against_statsmodels(shift: float, n: int):
    rng = np.random.default_rng(n)
    before = rng.uniform(20, 90, n)
    after = before + rng.normal(shift, 1, n)
    found = tost_paired(before, after, margin=1.0)
    p, lower, upper = ttost_paired(after, before, -1.0, 1.0)
    assert found.p == pytest.approx(p)
    assert p == max(lower[1], upper[1])
    assert found.equivalent == (p < 0.05)
    # The same verdict from the interval at 90 %.
    interval = stats.ttest_rel(after, before).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.equivalent == (found.low > -1 and found.high < 1)


def test_worked_by_hand():
    # Difference -0.5, standard error 0.25, 10 degrees of freedom: t = (-.5 + 1) / .25 = 2 and (-.5 - 1) / .25 = -6.
    found = tost_t(-0.5, 0.25, 10, margin=1.0)
    assert found.p == pytest.approx(stats.t.sf(2, 10))
    assert found.equivalent
    assert not tost_t(-0.5, 0.25, 10, margin=0.9).equivalent


def test_a_shown_drop_can_be_equivalent_and_no_drop_can_fail_to_be():
    rng = np.random.default_rng(0)
    small = bootstrap_mean_difference(rng.normal(-0.3, 1, 900), np.arange(900))
    assert small.p_two_sided() < 0.001
    assert tost_bootstrap(small, margin=1.0).equivalent
    vague = bootstrap_mean_difference(rng.normal(0, 20, 30), np.arange(30))
    assert vague.p_two_sided() > 0.05
    assert not tost_bootstrap(vague, margin=1.0).equivalent


def test_bootstrap_version_is_the_inclusion_of_the_interval():
    rng = np.random.default_rng(1)
    d, ids = clustered(rng, 200, 40, -0.6)
    for b in bootstraps(d, ids):
        found = tost_bootstrap(b, margin=2.0)
        assert (found.low, found.high) == b.interval(0.9)
        assert found.equivalent == (found.low > -2 and found.high < 2) or abs(found.p - 0.05) < 0.003


def test_bootstrap_version_agrees_with_the_t_version_on_singletons():
    rng = np.random.default_rng(2)
    d = rng.normal(-0.4, 3, 60)
    found = tost_bootstrap(bootstrap_mean_difference(d, np.arange(60), resamples=50_000), margin=1.0)
    assert found.p == pytest.approx(tost_paired(np.zeros(60), d, margin=1.0).p, abs=0.01)


def test_nothing_changed_is_not_equivalence_by_itself():
    """40 people without any change leave room for one in twenty who loses everything; 750 hardly do."""
    few = tost_bootstrap(bootstrap_mean_difference(np.zeros(40), np.arange(40)), margin=1.0)
    assert not few.equivalent
    assert few.p == pytest.approx(0.99**40)
    assert few.note == "only 0 identities changed"
    assert tost_bootstrap(bootstrap_mean_difference(np.zeros(750), np.arange(750)), margin=1.0).equivalent


def test_beyond_the_margin_is_a_test_against_the_margin():
    rng = np.random.default_rng(4)
    d = rng.normal(-2.0, 4, 80)
    expected = stats.ttest_1samp(d, -1.0).pvalue
    error = d.std(ddof=1) / math.sqrt(80)
    assert beyond_margin_t(d.mean(), error, 79, margin=1.0) == pytest.approx(expected)
    bootstrap = bootstrap_mean_difference(d, np.arange(80), resamples=50_000)
    assert beyond_margin_bootstrap(bootstrap, margin=1.0) == pytest.approx(expected, abs=0.01)
    assert beyond_margin_t(-0.5, 0.1, 20, margin=1.0) == 1  # inside: no claim
    rises = bootstrap_mean_difference(-d, np.arange(80), resamples=50_000)
    assert beyond_margin_bootstrap(rises, margin=1.0) == pytest.approx(expected, abs=0.01)
    three = bootstrap_mean_difference([-100.0] * 3 + [0.0] * 27, np.arange(30))
    assert beyond_margin_bootstrap(three, margin=1.0) >= 0.25


def test_one_identity_and_degenerate_pairs():
    one = tost_bootstrap(bootstrap_mean_difference([0.1, 0.2], [3, 3]), margin=1.0)
    assert (one.equivalent, one.note) == (False, "fewer than two identities: no test")
    assert math.isnan(one.p)
    assert tost_paired([50.0], [50.0], 1.0).note == "fewer than two pairs: no test"
    assert tost_paired([50.0, 60.0], [50.1, 60.1], 1.0).note == "all differences are equal: t is undefined"


def test_errors():
    for margin in (0, -1, math.nan):
        with pytest.raises(ConfigError, match="expected percent points > 0"):
            tost_t(0, 1, 5, margin)
    with pytest.raises(ConfigError, match=r"alpha 0\.6; expected a number below 0\.5"):
        tost_t(0, 1, 5, 1.0, alpha=0.6)


@pytest.mark.parametrize("clusters", [40, 150])
def test_error_rate_at_the_margin(clusters: int):
    """The true loss is the margin itself: equivalence must be claimed in 5 % of cases, the worst there is."""
    d, ids = clustered(np.random.default_rng(clusters + 1), 1000, clusters, mean=-3.0)
    wrong = sum(tost_bootstrap(b, margin=3.0).equivalent for b in bootstraps(d, ids))
    print(f"TOST errors at the margin, {clusters} identities: {wrong / 1000:.3f}")
    assert within_binomial(wrong, 1000, 0.05)


def test_error_rate_of_the_t_version_at_the_margin():
    d = np.random.default_rng(3).normal(-1.0, 1.0, (1000, 30))
    wrong = sum(tost_paired(np.zeros(30), x, margin=1.0).equivalent for x in d)
    print(f"TOST (t) errors at the margin: {wrong / 1000:.3f}")
    assert within_binomial(wrong, 1000, 0.05)


def test_error_rate_at_the_margin_where_few_lose_much():
    """Skewed losses: the rate rises, but not beyond 10 %."""
    d, ids, mean = skewed(np.random.default_rng(7), 1000, 150, 0.1)
    wrong = sum(tost_bootstrap(b, margin=-mean).equivalent for b in bootstraps(d, ids))
    print(f"TOST errors at the margin, 150 identities, 10 % of them lose: {wrong / 1000:.3f}")
    assert wrong / 1000 < 0.1


@pytest.mark.parametrize(("difference", "same", "other"), [(0.0, 0, 1), (0.5, 0, 1), (1.0, 0.5, 1), (-3.0, 1, 0)])
def test_without_any_error_the_difference_itself_decides(difference: float, same: float, other: float):
    result = tost_t(difference, 0.0, 3, 1.0)
    assert (result.p, result.low, result.high) == (same, difference, difference)
    assert beyond_margin_t(difference, 0.0, 3, 1.0) == other
