"""Intervals of proportions: by hand, against statsmodels, their coverage, and sample sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import beta, binom, binomtest
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


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (7, 7), (9, 10), (180, 200), (1, 1), (3, 1000)])
@pytest.mark.parametrize("effective", [None, 1.0])
def test_intervals_are_those_of_scipy(hits: int, n: int, effective: float | None) -> None:
    share = Proportion(hits, n, effective and effective * n)
    for ours, method in ((share.wilson, "wilson"), (share.clopper_pearson, "exact")):
        expected = binomtest(hits, n).proportion_ci(0.9, method)
        assert ours(0.9) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_intervals_stand_on_the_effective_number_of_cases() -> None:
    """80 of 100 cases that tell as much as 10 are 8 of 10; as 12.5, Clopper and Pearson's are quantiles of betas."""
    assert Proportion(80, 100, 10).wilson() == pytest.approx(Proportion(8, 10).wilson())
    assert Proportion(80, 100, 10).clopper_pearson() == pytest.approx(Proportion(8, 10).clopper_pearson())
    low, high = Proportion(80, 100, 12.5).clopper_pearson()
    assert (low, high) == pytest.approx((beta.ppf(0.025, 10, 3.5), beta.ppf(0.975, 11, 2.5)))
    for effective in (0, 100.1, -1, math.nan):
        with pytest.raises(ValueError, match=r"effective cases of 100; expected 0 < effective <= n"):
            Proportion(80, 100, effective)
    for confidence in (0, 1, 95):
        with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
            Proportion(8, 10).wilson(confidence)


def test_clusters_by_hand() -> None:
    """p = 1/2 of 8: clusters of 2 with 2, 2, 0, 0 hits differ by 1 each, sum 4 of 8 / 4 expected; with 1 each by 0."""
    assert Proportion.of_clusters([(2, 2), (0, 2), (0, 0), (2, 2), (0, 2)]) == Proportion(4, 8, 4.0)
    assert Proportion.of_clusters([(1, 2)] * 4) == Proportion(4, 8, 8.0)
    assert Proportion.of_clusters([(1, 1)] * 4 + [(0, 1)] * 3) == Proportion(4, 7, 7.0)
    assert Proportion.of_clusters([(3, 3), (0, 0), (1, 1)]) == Proportion(4, 4, 2.0)
    assert Proportion.of_clusters([(0, 3), (0, 1)]) == Proportion(0, 4, 2.0)
    assert Proportion.of_clusters([(3, 4), (0, 0)]) == Proportion(3, 4, 1.0)
    assert Proportion.of_clusters([]) == Proportion.of_clusters([(0, 0)]) == Proportion(0, 0, 0.0)


def test_one_case_a_cluster_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 10, 333):
        hits = rng.random(n) < 0.9
        share, plain = Proportion.of_clusters((int(hit), 1) for hit in hits), Proportion(int(hits.sum()), n)
        assert share.effective == n
        assert (share.wilson(), share.clopper_pearson()) == (plain.wilson(), plain.clopper_pearson())


@pytest.mark.parametrize("sizes", [(6, 6), (1, 11)])
def test_coverage_where_images_hold_several_faces_that_are_alike(sizes: tuple[int, int]) -> None:
    """200 images of 6 faces, recall .9, correlation .3 within an image (beta-binomial), drawn 400 times.

    Six in each, or 1 to 11. Over seeds 0 to 9 the interval holds the truth in 95 % of the samples, one that takes faces
    as independent in 80 % and 75 %.
    """
    rng = np.random.default_rng(0)
    strength = 1 / 0.3 - 1
    held = naive = 0
    for _ in range(400):
        faces = rng.integers(sizes[0], sizes[1] + 1, 200)
        hits = rng.binomial(faces, rng.beta(0.9 * strength, 0.1 * strength, 200))
        share = Proportion.of_clusters(zip(hits.tolist(), faces.tolist(), strict=True))
        low, high = share.wilson()
        held += low <= 0.9 <= high
        low, high = Proportion(share.hits, share.n).wilson()
        naive += low <= 0.9 <= high
    assert held >= 0.92 * 400
    assert naive < 0.85 * 400


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
