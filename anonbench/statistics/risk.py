"""From how often an attack succeeds to a risk: what it finds out beyond what place, chance and other people tell.

    r = risk([(2, 3), (0, 3)], [(0, 3), (1, 3)], baseline=0.05)
    r.value, r.low, r.high, r.void

risk = (attack - control) / (1 - control), 0 where the attack succeeds less often than the control. Attack is the rate
at which it succeeds on people whom the attacker may know, control the rate on people whom he cannot know. An attack
that does not beat its baseline, a guess at random, says nothing: its risk is void, and a low number is no sign of
safety.

Source: Giomi et al., "A Unified Framework for Quantifying Privacy Risk in Synthetic Data", PoPETs 2023(2), section 4,
and their package anonymeter. Deviations: people are resampled, since pictures of one person are alike; where that is
not possible the two Wilson intervals are joined without assuming that they are symmetric.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anonbench.core.errors import DataError
from anonbench.statistics.bootstrap import (
    RESAMPLES,
    ClusterBootstrap,
    acceleration,
    bootstrap_sums,
    drawn_weights,
)
from anonbench.statistics.proportion import CONFIDENCE, Proportion

Floats = NDArray[np.float64]
Clusters = Sequence[tuple[int, int]]
"""(successes, trials) of each person."""

BOOTSTRAP, WILSON = "clustered bootstrap", "wilson"
NO_CONTROL = "there is nobody to compare with who is unknown to the attacker"
CHANCE = 0.5  # of an area under the curve


@dataclass(frozen=True, slots=True)
class Risk:
    """A risk, 0..1, with its interval at 95 %.

    interval: how it was made, `BOOTSTRAP` or `WILSON`.
    void: whether the attack is too weak for its risk to say anything.
    why: it is void, in a sentence; "" where it is not.
    """

    value: float
    low: float
    high: float
    interval: str
    void: bool
    why: str


def risk(attack: Clusters, control: Clusters, baseline: float, *, resamples: int = RESAMPLES, seed: int = 0) -> Risk:
    """The risk of an attack that succeeds or fails at each trial.

    attack: of each person who may be known.
    control: of each person who is not known; without any the risk is that of a control that never succeeds, and void.
    baseline: rate at which a guess at random succeeds, 0..1.

    The interval is a bootstrap over people. Where each has one trial, or where all trials of the attack or of the
    control end alike, so that resamples show no spread, Wilson's intervals of both rates are joined (`_joined`).
    Raises `DataError` without a trial of the attack.

    >>> round(risk([(1, 1)] * 6 + [(0, 1)] * 4, [(1, 1)] * 2 + [(0, 1)] * 8, baseline=0.1).value, 3)
    0.5
    """
    a, c = Proportion.of_clusters(attack), Proportion.of_clusters(control)
    if not a.n:
        raise DataError("risk: the attack was never tried; expected at least one probe that can be found.")
    value = _ratio(a.value, c.value if c.n else 0.0)
    spread = 0 < a.hits < a.n and 0 < c.hits < c.n
    if spread and any(trials > 1 for _, trials in (*attack, *control)):
        low, high = _resampled(attack, control, resamples, seed).interval(CONFIDENCE)
        how = BOOTSTRAP
    else:
        low, high = _joined(a, c)
        how = WILSON
    why = NO_CONTROL if not c.n else _why_void(a, baseline)
    return Risk(_clipped(value), _clipped(low), _clipped(high), how, bool(why), why)


def separation_risk(known: ArrayLike, unknown: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> Risk:
    """The risk of an attack that gives each person a score: how far scores tell known people from unknown ones.

    known, unknown: one score a person, higher for those whom the attack takes to be known.

    The attack's rate is the area under the curve, the chance that a known person's score is higher than an unknown
    one's; control and baseline are a half. It is void where the interval of the risk holds 0. Known and unknown people
    are resampled separately. Where all pairs end alike, resamples show no spread: the interval is then Wilson's for as
    many cases as there are people of the rarer kind.
    Raises `DataError` where there is nobody of either kind.

    >>> round(separation_risk([3.0, 2.0, 1.5], [1.0, 1.8]).value, 3)
    0.667
    """
    a, b = np.asarray(known, np.float64), np.asarray(unknown, np.float64)
    if not (len(a) and len(b)):
        raise DataError(f"risk: {len(a)} known and {len(b)} unknown people; expected at least one of each.")
    wins = (a[:, None] > b) + 0.5 * (a[:, None] == b)  # (known, unknown)
    value = _ratio(float(wins.mean()), CHANCE)
    people = min(wins.shape)
    if people < 2 or np.ptp(wins) == 0:
        low, high = (_ratio(end, CHANCE) for end in Proportion(round(people * wins.mean()), people).wilson())
        how = WILSON
    else:
        low, high = _resampled_separation(wins, resamples, seed)
        how = BOOTSTRAP
    why = ""
    if low <= 0:
        why = (
            f"scores tell known people from others at {wins.mean():.3f}; with {people} people on one side that may be "
            f"the {CHANCE} of a coin"
        )
    return Risk(_clipped(value), _clipped(low), _clipped(high), how, bool(why), why)


def _ratio(attack: float, control: float) -> float:
    return (attack - control) / (1 - control) if control < 1 else 0.0


def _clipped(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _why_void(attack: Proportion, baseline: float) -> str:
    low, high = attack.wilson()
    if low > baseline:
        return ""
    return (
        f"the attack succeeds at {attack.value:.3f} (interval {low:.3f} to {high:.3f}), which is not above the "
        f"{baseline:.3f} of a guess at random"
    )


def _joined(attack: Proportion, control: Proportion) -> tuple[float, float]:
    """The interval of the risk from Wilson's of both rates (clustered trials count less, `Proportion.of_clusters`).

    Each end moves both rates to their worse end, and the two moves add up as squares, as in Newcombe, "Interval
    estimation for the difference between independent proportions", Statistics in Medicine 17 (1998), method 10, here
    for the ratio of the misses: the control's move is that of the risk itself.
    """
    a, c = attack.value, control.value if control.n else 0.0
    a_low, a_high = attack.wilson()
    c_low, c_high = control.wilson() if control.n else (0.0, 0.0)
    value = _ratio(a, c)
    down = math.hypot(value - _ratio(a_low, c), value - _ratio(a, c_high))
    up = math.hypot(_ratio(a_high, c) - value, _ratio(a, c_low) - value)
    return value - down, value + up


def _resampled(attack: Clusters, control: Clusters, resamples: int, seed: int) -> ClusterBootstrap:
    sums = np.array([(h, n, 0, 0) for h, n in attack] + [(0, 0, h, n) for h, n in control], np.float64)

    def statistic(totals: Floats) -> Floats:  # (m, 4) -> (m,)
        with np.errstate(divide="ignore", invalid="ignore"):
            misses = 1 - totals[:, [0, 2]] / totals[:, [1, 3]]  # NaN where nobody of a kind was drawn
            return np.asarray(1 - misses[:, 0] / misses[:, 1])

    changed = sum(h > 0 for h, _ in (*attack, *control))
    return bootstrap_sums(sums, statistic, n_changed=changed, resamples=resamples, seed=seed)


def _resampled_separation(wins: Floats, resamples: int, seed: int) -> tuple[float, float]:
    rows, columns = wins.shape
    pairs = zip(
        drawn_weights(rows, resamples=resamples, seed=seed),
        drawn_weights(columns, resamples=resamples, seed=seed + 1),
        strict=True,
    )
    areas = np.concatenate([np.einsum("mk,mk->m", w @ wins, v) for w, v in pairs]) / wins.size
    without = np.concatenate(
        [  # the area without each person
            (wins.sum() - wins.sum(axis=1)) / ((rows - 1) * columns),
            (wins.sum() - wins.sum(axis=0)) / ((columns - 1) * rows),
        ]
    )
    values, jackknife = (np.asarray((area - CHANCE) / (1 - CHANCE)) for area in (areas, without))
    people = min(rows, columns)
    spread = ClusterBootstrap(_ratio(float(wins.mean()), CHANCE), values, people, people, acceleration(jackknife))
    return spread.interval(CONFIDENCE)
