"""Membership, where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from anonbench.attacks._search import Pictures
from anonbench.attacks.membership import Membership
from anonbench.core.errors import DataError
from anonbench.statistics.risk import separation_risk

PEOPLE, CAMERAS, WIDTH = 40, 3, 64


def pictures(noise_of_members: float, noise_of_others: float) -> Pictures:
    """People 1..20 were trained on."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(PEOPLE, WIDTH))
    rows = [(p, c) for p in range(PEOPLE) for c in range(CAMERAS)]
    noise = [noise_of_members if p < PEOPLE // 2 else noise_of_others for p, _ in rows]
    features = [centres[p] + n * rng.normal(size=WIDTH) for (p, _), n in zip(rows, noise, strict=True)]
    return Pictures(
        np.array(features, np.float32),
        np.array([f"{p}_{c}" for p, c in rows]),
        np.array([p + 1 for p, _ in rows]),
        np.array([c for _, c in rows]),
    )


def risk_of(shown: Pictures) -> float:
    scores = Membership()(shown)
    members = [score for pid, score in scores.items() if pid <= PEOPLE // 2]
    others = [score for pid, score in scores.items() if pid > PEOPLE // 2]
    found = separation_risk(members, others, resamples=300)
    return 0.0 if found.void else found.value


def test_a_network_that_knows_its_people_gives_them_away() -> None:
    assert risk_of(pictures(0.2, 1.0)) > 0.9


def test_a_network_that_treats_all_alike_does_not() -> None:
    assert risk_of(pictures(0.6, 0.6)) == 0


def test_people_whom_one_camera_sees_have_no_score() -> None:
    shown = pictures(0.2, 0.2)
    first_camera = shown.camids == 0
    lone = first_camera | (shown.pids > 5)
    assert set(Membership()(shown.of(lone))) == set(range(6, PEOPLE + 1))
    with pytest.raises(DataError, match="0 people are seen by two cameras"):
        Membership()(shown.of(first_camera))
