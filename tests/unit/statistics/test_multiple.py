"""Holm's correction against hand-worked cases and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from anonbench.core.errors import DataError
from anonbench.statistics.multiple import holm


def test_worked_by_hand():
    # Sorted .005, .01, .03, .04 times 4, 3, 2, 1 = .02, .03, .06, .04; the last is raised to the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]).tolist() == [1, 1]
    assert holm([]).tolist() == []


def test_against_statsmodels():
    rng = np.random.default_rng(0)
    for n in (1, 2, 7, 60):
        p = rng.random(n) ** 3
        p[: n // 2] = p[0]  # ties
        np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])


def test_unknown_p_values_do_not_count():
    np.testing.assert_allclose(holm([0.01, np.nan, 0.04]), [0.02, np.nan, 0.04])
    assert np.isnan(holm([np.nan])).all()


def test_errors():
    with pytest.raises(DataError, match="p-values from 0 to 1"):
        holm([0.2, 1.2])
