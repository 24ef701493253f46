"""The noise floor by hand, against an analysis of variance, and in simulations."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from simulated_scores import within_binomial

from anonbench.statistics.noise import noise_floor, training_test


def test_worked_by_hand():
    # Within cells: (50, 52) has squares 1 + 1, (70, 71, 72) has 1 + 0 + 1: 4 over 1 + 2 degrees of freedom.
    floor = noise_floor([[50, 52], [70, 71, 72], [33]])
    assert (floor.n_cells, floor.n_trainings, floor.df) == (2, 5, 3)
    assert floor.sd == pytest.approx(math.sqrt(4 / 3))
    assert floor.floor == pytest.approx(stats.t.ppf(0.975, 3) * math.sqrt(2) * math.sqrt(4 / 3))
    # Pairs: 2; 1, 2, 1.
    assert (floor.n_pairs, floor.mean_abs, floor.max_abs) == (4, 1.5, 2)


def test_pooled_sd_is_the_residual_of_an_analysis_of_variance():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame([(c, rng.normal(10 * c, 1.5)) for c in range(6) for _ in range(2 + c % 3)], columns=["c", "x"])
    fit = smf.ols("x ~ C(c)", frame).fit()
    floor = noise_floor([g.to_numpy() for _, g in frame.groupby("c")["x"]])
    assert floor.sd == pytest.approx(math.sqrt(fit.mse_resid))
    assert floor.df == fit.df_resid


@pytest.mark.parametrize("cells", [[], [[50.0]], [[50.0], [60.0]]])
def test_one_seed_leaves_it_unknown(cells: list[list[float]]):
    floor = noise_floor(cells)
    assert (floor.n_cells, floor.df) == (0, 0)
    assert math.isnan(floor.floor)
    result = training_test(-1.0, 0.5, 100, floor, 1)
    assert math.isnan(result.p)
    assert math.isnan(result.low)


def test_two_trainings_exceed_the_floor_in_one_of_twenty_cases():
    rng = np.random.default_rng(1)
    over = 0
    for _ in range(2000):
        floor = noise_floor(rng.normal([[50], [70], [30]], 0.8, (3, 3)))
        a, b = rng.normal(60, 0.8, 2)
        over += abs(a - b) > floor.floor
    print(f"two trainings beyond the floor: {over / 2000:.3f}")
    assert within_binomial(over, 2000, 0.05)


def test_training_test_by_hand():
    floor = noise_floor([[49.0, 51.0], [60.0, 62.0]])  # variance (2 + 2) / 2 = 2
    result = training_test(-3.0, 1.0, 101, floor, n_runs=2)
    assert result.standard_error == pytest.approx(math.sqrt(1 + 2 * 2 / 2))
    df = 3**2 / (1 / 100 + 2**2 / 2)
    assert result.df == pytest.approx(df)
    assert result.p == pytest.approx(2 * stats.t.cdf(-3 / math.sqrt(3), df))
    reach = stats.t.ppf(0.975, df) * math.sqrt(3)
    assert (result.low, result.high) == pytest.approx((-3 - reach, -3 + reach))


def test_training_test_keeps_its_level_where_the_bootstrap_alone_does_not():
    """No effect but luck of queries (0.5) and of training (0.8), three seeds a side: 5 % false alarms, not 30 %."""
    rng = np.random.default_rng(2)
    with_training = alone = 0
    for _ in range(2000):
        floor = noise_floor(rng.normal(50, 0.8, (4, 3)))
        difference = rng.normal(0, 0.5) + (rng.normal(0, 0.8, 3) - rng.normal(0, 0.8, 3)).mean()
        with_training += training_test(difference, 0.5, 200, floor, 3).p < 0.05
        alone += abs(difference) > 1.96 * 0.5
    print(f"false alarms with training {with_training / 2000:.3f}, without {alone / 2000:.3f}")
    assert within_binomial(with_training, 2000, 0.05)
    assert alone / 2000 > 0.15


def test_zero_spread_is_known_to_be_zero():
    floor = noise_floor([[50.0, 50.0], [70.0, 70.0, 70.0]])
    assert (floor.n_cells, floor.df, floor.sd, floor.floor, floor.max_abs) == (2, 3, 0, 0, 0)
    same, other = training_test(0.0, 0.0, 100, floor, 2), training_test(-1.0, 0.0, 100, floor, 2)
    assert (same.p, same.low, same.high, same.standard_error) == (1, 0, 0, 0)
    assert (other.p, other.low, other.high) == (0, -1, -1)
    queries_alone = training_test(-1.0, 0.5, 100, floor, 2)  # no luck of training: a test on the queries' error
    assert (queries_alone.df, queries_alone.standard_error) == (pytest.approx(99), 0.5)
    assert math.isnan(training_test(0.0, math.nan, 1, floor, 2).p)  # one identity: no error of the queries
