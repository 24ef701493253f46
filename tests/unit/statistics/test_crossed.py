"""Shares of cases in clusters of two ways: by hand, and against a sum over all pairs of cases."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, t

from anonbench.core.errors import DataError
from anonbench.statistics.crossed import LEAST_EFFECTIVE, crossed_proportion
from anonbench.statistics.proportion import Proportion

Z = norm.ppf(0.975)


def test_a_case_worked_by_hand() -> None:
    """Three people judge the same four pairs. Residuals are +-0.5.

    By person 1, 0, -1: squares 2. By pair 1.5, 0.5, -0.5, -1.5: squares 5. By both 12 x 0.25 = 3. The variance is
    2 + 5 - 3 = 4, times 3/2 for three clusters, over 3 of independent cases: a design effect of 2.
    """
    hits = [1, 1, 1, 0, 1, 1, 0, 0, 1, 0, 0, 0]
    people, pairs = [p for p in "ABC" for _ in range(4)], [1, 2, 3, 4] * 3
    share = crossed_proportion(hits, people, pairs)
    assert (share.hits, share.n, share.value) == (6, 12, 0.5)
    assert share.effective == pytest.approx(12 / 2 * (Z / t.ppf(0.975, 2)) ** 2)
    assert share.effective == pytest.approx(1.2450, abs=1e-4)


def test_against_a_sum_over_all_pairs_of_cases() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        n = int(rng.integers(20, 60))
        hits = rng.random(n) < 0.7
        people, pairs = rng.integers(0, 6, n), rng.integers(0, 9, n)
        residual = hits - hits.mean()
        alike = (people[:, None] == people) | (pairs[:, None] == pairs)
        variance = float((alike * np.outer(residual, residual)).sum())
        fewest = min(len(set(people)), len(set(pairs)))
        design = max(1.0, fewest / (fewest - 1) * variance / float((residual**2).sum()))
        wanted = max(n / design * (Z / t.ppf(0.975, fewest - 1)) ** 2, LEAST_EFFECTIVE)
        assert crossed_proportion(hits, list(people), list(pairs)).effective == pytest.approx(wanted)


def test_people_who_agree_with_themselves_say_less_than_independent_cases() -> None:
    hits = [True] * 40 + [False] * 40
    alike = crossed_proportion(hits, [n // 10 for n in range(80)], range(80))
    mixed = crossed_proportion(hits, [n % 8 for n in range(80)], range(80))
    assert alike.cases < mixed.cases < 80
    assert np.ptp(alike.wilson()) > np.ptp(mixed.wilson()) > np.ptp(Proportion(40, 80).wilson())


def test_where_nothing_is_known_of_likeness_a_cluster_is_a_case() -> None:
    people = [n // 10 for n in range(100)]
    sure = crossed_proportion([True] * 100, people, range(100))
    assert sure.cases == pytest.approx(10 * (Z / t.ppf(0.975, 9)) ** 2)
    assert sure.wilson()[1] == 1.0
    assert 0.6 < sure.wilson()[0] < 0.75
    assert crossed_proportion([1, 0, 1], ["a"] * 3, [1, 2, 3]).cases == 1


def test_intervals_hold_what_they_promise_where_people_differ() -> None:
    """Ten people with ten answers each, whose ability differs: the independent interval fails, this one does not."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(10), 10)
    held = {"crossed": 0, "independent": 0}
    for _ in range(300):
        hits = rng.random(100) < np.repeat(rng.beta(0.7 * 9, 0.3 * 9, 10), 10)  # a correlation of 0.1
        low, high = crossed_proportion(hits, list(people), range(100)).wilson()
        held["crossed"] += low <= 0.7 <= high
        low, high = Proportion(int(hits.sum()), 100).wilson()
        held["independent"] += low <= 0.7 <= high
    assert held["crossed"] >= 0.93 * 300
    assert held["independent"] < 0.87 * 300


def test_no_case_and_lists_that_do_not_fit() -> None:
    assert crossed_proportion([], [], []).n == 0
    with pytest.raises(DataError, match="expected as many"):
        crossed_proportion([1, 0], ["a"])
    with pytest.raises(DataError, match="expected as many"):
        crossed_proportion([1, 0])
