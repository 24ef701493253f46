"""Intervals of proportions: by hand, against statsmodels, their coverage, and sample sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from anonbench.statistics.proportion import Proportion, cases_for, cases_without_miss, half_width

Z = 1.959963984540054


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (7, 7), (9, 10), (180, 200), (1, 1), (3, 1000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_intervals_are_those_of_statsmodels(hits: int, n: int, confidence: float) -> None:
    for ours, method in (("wilson", "wilson"), ("clopper_pearson", "beta")):
        low, high = proportion_confint(hits, n, 1 - confidence, method)
        assert getattr(Proportion(hits, n), ours)(confidence) == pytest.approx((low, high), abs=1e-9)


def test_by_hand() -> None:
    """Wilson for 8 of 10: centre (.8 + z²/20) / (1 + z²/10); Clopper-Pearson for all of n: (.025)^(1/n)."""
    centre = (0.8 + Z**2 / 20) / (1 + Z**2 / 10)
    half = Z * math.sqrt(0.16 / 10 + Z**2 / 400) / (1 + Z**2 / 10)
    assert Proportion(8, 10).wilson() == pytest.approx((centre - half, centre + half))
    assert Proportion(20, 20).clopper_pearson() == pytest.approx((0.025 ** (1 / 20), 1.0))
    assert Proportion(8, 10).value == 0.8


def test_no_case_says_nothing() -> None:
    nothing = Proportion(0, 0)
    assert math.isnan(nothing.value)
    assert nothing.wilson() == nothing.clopper_pearson() == (0.0, 1.0)
    for hits, n in ((3, 2), (-1, 2)):
        with pytest.raises(ValueError, match=r"expected 0 <= hits <= n"):
            Proportion(hits, n)


@pytest.mark.parametrize("truth", [0.8, 0.95])
def test_coverage_computed_exactly(truth: float) -> None:
    """The probability, over all samples of 120 cases, that the interval holds the truth."""
    n = 120
    chance = binom.pmf(np.arange(n + 1), n, truth)
    for method, least in (("wilson", 0.93), ("clopper_pearson", 0.95)):
        holds = [low <= truth <= high for low, high in (getattr(Proportion(k, n), method)() for k in range(n + 1))]
        assert chance[holds].sum() >= least, method


def test_sample_sizes() -> None:
    for share, half in ((0.9, 0.05), (0.5, 0.1), (0.99, 0.01)):
        n = cases_for(share, half)
        assert half_width(share, n) == pytest.approx(half, rel=0.12)
    assert cases_for(0.5, 0.1) == pytest.approx(Z**2 / 4 / 0.01 - Z**2, abs=1.5)  # at a half Wilson's is exact
    assert cases_for(0.9, 0.05, 0.99) > cases_for(0.9, 0.05) > cases_for(0.9, 0.1)
    for least in (0.9, 0.99):
        n = cases_without_miss(least)
        assert Proportion(n, n).clopper_pearson()[0] >= least > Proportion(n - 1, n - 1).clopper_pearson()[0]
    with pytest.raises(ValueError, match=r"half must lie between 0 and 0\.5"):
        cases_for(0.9, 0)
