"""Risks: by hand, against a naive bootstrap and DeLong's variance, and their coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from anonbench.core.errors import DataError
from anonbench.statistics.risk import BOOTSTRAP, WILSON, risk, separation_risk

ONE_EACH = [(1, 1)] * 6 + [(0, 1)] * 4, [(1, 1)] * 2 + [(0, 1)] * 8


def test_by_hand() -> None:
    found = risk(*ONE_EACH, baseline=0.1)
    assert found.value == pytest.approx(0.5)  # (.6 - .2) / (1 - .2)
    assert not found.void
    assert found.interval == WILSON
    # Wilson: .6 of 10 is .3127 .. .8318, .2 of 10 is .0567 .. .5098. The low end moves by .5 - (.3127 - .2) / .8 and
    # by .5 - (.6 - .5098) / (1 - .5098).
    assert found.low == pytest.approx(0.5 - np.hypot(0.5 - 0.1408, 0.5 - 0.1840), abs=1e-3)
    assert found.high == pytest.approx(0.5 + np.hypot(0.7898 - 0.5, 0.5760 - 0.5), abs=1e-3)


def test_less_than_the_control_is_no_risk() -> None:
    found = risk([(0, 2), (1, 2), (0, 2)], [(1, 2), (2, 2), (0, 2)], baseline=0.0)
    assert found.value == 0
    assert found.low == 0


def test_an_attack_that_does_not_beat_chance_is_void() -> None:
    found = risk(*ONE_EACH, baseline=0.35)
    assert found.void
    assert found.why == (
        "the attack succeeds at 0.600 (interval 0.313 to 0.832), which is not above the 0.350 of a guess at random"
    )


def test_without_a_control_it_is_void() -> None:
    found = risk([(3, 4), (4, 4)], [], baseline=0.1)
    assert found.value == pytest.approx(7 / 8)
    assert found.void
    assert "nobody to compare with" in found.why


def test_where_all_trials_end_alike_the_interval_is_not_empty() -> None:
    sure = risk([(5, 5)] * 10, [(0, 5)] * 10, baseline=0.1)
    assert sure.value == 1
    assert sure.interval == WILSON
    assert 0.5 < sure.low < 0.8
    assert sure.high == 1


def test_people_are_resampled_not_pictures() -> None:
    rng = np.random.default_rng(0)
    attack = [(int(h), 8) for h in 8 * (rng.random(30) < 0.5)]  # all pictures of a person, or none
    control = [(int(h), 8) for h in rng.binomial(8, 0.1, 30)]
    found = risk(attack, control, baseline=0.01)
    assert found.interval == BOOTSTRAP
    naive = []
    for _ in range(4000):
        a, c = (np.array(part)[rng.integers(0, 30, 30)].sum(0) for part in (attack, control))
        naive.append((a[0] / a[1] - c[0] / c[1]) / (1 - c[0] / c[1]))
    assert [found.low, found.high] == pytest.approx(np.quantile(naive, [0.025, 0.975]), abs=0.03)


@pytest.mark.parametrize("cases", [1, 6])
def test_the_interval_holds_the_truth_as_often_as_it_says(cases: int) -> None:
    rng, hits = np.random.default_rng(1), 0
    truth, runs = (0.4 - 0.1) / 0.9, 300
    for _ in range(runs):
        attack, control = (
            [(int(rng.binomial(cases, p)), cases) for p in rng.beta(a, b, 60)] for a, b in ((4, 6), (1, 9))
        )
        found = risk(attack, control, baseline=0.0, resamples=400)
        hits += found.low <= truth <= found.high
    assert 0.91 < hits / runs < 0.99


def test_nothing_tried_is_said() -> None:
    with pytest.raises(DataError, match="the attack was never tried"):
        risk([], [(0, 1)], baseline=0.0)


def test_separation_by_hand() -> None:
    found = separation_risk([3.0, 2.0, 1.5], [1.0, 1.8])
    assert found.value == pytest.approx(2 * 5 / 6 - 1)  # 5 of 6 pairs are in order
    assert separation_risk([1.0, 2.0], [1.0, 2.0]).value == 0


def test_separation_as_delong() -> None:
    rng = np.random.default_rng(2)
    known, unknown = rng.normal(1, 1, 80), rng.normal(0, 1, 120)
    found = separation_risk(known, unknown)
    wins = (known[:, None] > unknown).astype(float)
    # DeLong et al., Biometrics 44 (1988): variance of an area under the curve.
    error = np.sqrt(wins.mean(1).var(ddof=1) / 80 + wins.mean(0).var(ddof=1) / 120)
    area = stats.mannwhitneyu(known, unknown).statistic / (80 * 120)
    assert found.value == pytest.approx(2 * area - 1)
    assert found.high - found.low == pytest.approx(2 * 2 * 1.96 * error, rel=0.08)
    assert found.interval == BOOTSTRAP
    assert not found.void


def test_separation_by_luck_is_void() -> None:
    rng = np.random.default_rng(3)
    found = separation_risk(rng.normal(size=20), rng.normal(size=20))
    assert found.void
    assert "of a coin" in found.why


def test_complete_separation_is_not_certain() -> None:
    found = separation_risk([3.0, 4.0, 5.0, 6.0], [1.0, 2.0])
    assert found.value == 1
    assert found.low < 0.5
    assert found.interval == WILSON


def test_separation_of_nobody_is_said() -> None:
    with pytest.raises(DataError, match="1 known and 0 unknown people"):
        separation_risk([1.0], [])
