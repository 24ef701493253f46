"""Kendall's tau-b by rows against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from anonbench.statistics.ranks import pair_signs, tau_b

RNG = np.random.default_rng(2)


@pytest.mark.parametrize("levels", [3, 1000], ids=["many ties", "few ties"])
@pytest.mark.parametrize("k", [2, 3, 6, 11])
def test_agrees_with_scipy(k: int, levels: int) -> None:
    first, second = RNG.integers(0, levels, (2, 60, k)) / levels
    expected = [kendalltau(a, b).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(tau_b(first, second), expected, atol=1e-12)


def test_one_row_is_compared_with_many() -> None:
    scores = RNG.random((5, 4))
    np.testing.assert_allclose(tau_b(scores[:1], scores), tau_b(np.repeat(scores[:1], 5, axis=0), scores))


def test_six_models_of_which_two_change_places() -> None:
    assert tau_b([[6, 5, 4, 3, 2, 1]], [[6, 5, 3, 4, 2, 1]])[0] == pytest.approx(1 - 2 / 15)


def test_without_an_order_there_is_no_tau() -> None:
    assert np.isnan(tau_b([[1, 1, 1]], [[1, 2, 3]])).all()
    assert pair_signs([[0.3, 0.1 + 0.2, 0.1]]).tolist() == [[0, 1, 1]]  # rounding is no order
