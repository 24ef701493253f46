"""Effect sizes against scipy, an independent integral of the noncentral t, and published limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

from anonbench.core.errors import ConfigError, DataError
from anonbench.statistics.effect import hedges_correction, noncentrality_interval, paired_effect


def noncentral_t_cdf(t: float, df: int, ncp: float) -> float:
    """P((Z + ncp) / sqrt(V / df) <= t) as an integral over z, not over v as the library does it (t > 0)."""

    def integrand(z: float) -> float:
        return float(stats.norm.pdf(z) * stats.chi2.sf(df * ((z + ncp) / t) ** 2, df))

    upper = integrate.quad(integrand, -ncp, 12, limit=200, points=[max(-ncp, 0.0)])[0]
    return float(stats.norm.cdf(-ncp)) + upper


def test_worked_by_hand():
    # Differences -2, -1, -3: mean -2, standard deviation 1, so d_z = -2 and the interval -2 -+ t_{.975, 2} / sqrt 3.
    effect = paired_effect([80, 60, 70], [78, 59, 67])
    reach = 4.302652729911275 / math.sqrt(3)
    assert (effect.n, effect.difference, effect.dz) == (3, -2, -2)
    assert (effect.low, effect.high) == pytest.approx((-2 - reach, -2 + reach))
    # gamma(1) / (sqrt(1) gamma(1/2)) = 1 / sqrt(pi)
    assert effect.gz == pytest.approx(-2 / math.sqrt(math.pi))


def test_mean_interval_agrees_with_scipy():
    rng = np.random.default_rng(1)
    before = rng.uniform(20, 90, 30)
    after = before + rng.normal(-1, 2, 30)
    effect = paired_effect(before, after, level=0.9)
    interval = stats.ttest_rel(after, before).confidence_interval(0.9)
    assert (effect.low, effect.high) == pytest.approx((interval.low, interval.high))
    assert effect.dz == pytest.approx(stats.ttest_rel(after, before).statistic / math.sqrt(30))


def test_published_noncentrality_limits():
    """The example of MBESS's `conf.limits.nct(ncp=2.83, df=126)` (Kelley, Behavior Research Methods 39, 2007)."""
    assert noncentrality_interval(2.83, 126) == pytest.approx((0.8337502, 4.815359), abs=1e-6)


@pytest.mark.parametrize(("t", "df"), [(0.4, 3), (2.0, 9), (4.5, 29), (9.0, 60)])
def test_noncentrality_by_an_independent_integral(t: float, df: int):
    low, high = noncentrality_interval(t, df)
    mine = [optimize.brentq(lambda x, p=p: noncentral_t_cdf(t, df, x) - p, -6, 25) for p in (0.975, 0.025)]
    assert (low, high) == pytest.approx(mine, abs=1e-6)


@pytest.mark.parametrize(("t", "df", "level"), [(-3.4, 29, 0.95), (-0.2, 5, 0.9), (3.0, 1, 0.95), (30.0, 4, 0.95)])
def test_noncentrality_against_scipys_distribution(t: float, df: int, level: float):
    low, high = noncentrality_interval(t, df, level)
    assert stats.nct.cdf(t, df, low) == pytest.approx((1 + level) / 2, abs=1e-6)
    assert stats.nct.cdf(t, df, high) == pytest.approx((1 - level) / 2, abs=1e-6)


def test_interval_mirrors_with_the_sign():
    up, down = noncentrality_interval(3.1, 12), noncentrality_interval(-3.1, 12)
    assert up == pytest.approx((-down[1], -down[0]))


def test_coverage_of_the_dz_interval():
    rng = np.random.default_rng(5)
    draws = rng.normal(-0.5, 1, (200, 12))
    hits = 0
    for t in draws.mean(1) / draws.std(1, ddof=1) * math.sqrt(12):
        low, high = noncentrality_interval(float(t), 11)
        hits += low <= -0.5 * math.sqrt(12) <= high
    assert stats.binomtest(hits, 200, 0.95).pvalue > 0.001


def test_hedges_correction():
    assert hedges_correction(10) == pytest.approx(special.gamma(5) / (math.sqrt(5) * special.gamma(4.5)))
    assert hedges_correction(200) == pytest.approx(1 - 3 / (4 * 200 - 1), abs=1e-5)  # the usual approximation
    assert hedges_correction(1) == 0


@pytest.mark.parametrize(
    ("before", "after", "note"),
    [
        ([], [], "fewer than two pairs: no interval"),
        ([70.0], [69.0], "fewer than two pairs: no interval"),
        ([70.1, 50.3], [69.1, 49.3], "all differences are equal: d_z is undefined"),
    ],
)
def test_degenerate_input(before, after, note, recwarn):
    effect = paired_effect(before, after)
    assert effect.note == note
    assert math.isnan(effect.dz)
    assert not recwarn.list


def test_errors():
    with pytest.raises(DataError, match=r"shapes \(2,\) and \(1,\)"):
        paired_effect([1, 2], [1])
    with pytest.raises(DataError, match="missing or infinite"):
        paired_effect([1, math.nan], [1, 2])
    with pytest.raises(ConfigError, match=r"confidence level 95; expected a number between 0 and 1"):
        paired_effect([1, 2], [1, 3], level=95)
