"""Attacks by search, on cases whose answer is known: everything shown, everything hidden, a method that leaks."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from anonbench.attacks._assess import assess, expected_ap
from anonbench.attacks._search import Enrolment, Findings, Pictures
from anonbench.attacks.linkage import Linkage
from anonbench.attacks.recognition import Recognition
from anonbench.core.errors import DataError

PEOPLE, CAMERAS, SIDE = 40, 4, 12
Hiding = Callable[[np.ndarray], np.ndarray]


def faces(hide: Hiding = lambda pixels: pixels, camera_light: float = 0.0) -> Pictures:
    """A face for each person and camera: the person's own pattern with noise, its pixels as features."""
    rng = np.random.default_rng(3)
    patterns = rng.normal(size=(PEOPLE, SIDE, SIDE))
    lights = rng.normal(size=(CAMERAS, SIDE, SIDE)) * camera_light
    rows = [(person, camera) for person in range(PEOPLE) for camera in range(CAMERAS)]
    pixels = [hide(patterns[p] + lights[c] + 0.4 * rng.normal(size=(SIDE, SIDE))) for p, c in rows]
    return Pictures(
        np.array(pixels, np.float32).reshape(len(rows), -1),
        np.array([f"{person:02d}_{camera}.png" for person, camera in rows]),
        np.array([person + 1 for person, _ in rows]),
        np.array([camera for _, camera in rows]),
    )


def zero(pixels: np.ndarray) -> np.ndarray:
    return np.zeros_like(pixels)


def every_second_row(pixels: np.ndarray) -> np.ndarray:
    hidden = pixels.copy()
    hidden[::2] = 0
    return hidden


def outcome(findings: Findings) -> dict[str, Any]:
    return assess(findings, resamples=500, seed=0)


def test_without_hiding_the_attack_has_the_recognizer_s_own_accuracy() -> None:
    found = outcome(Recognition()(faces(), faces()))
    assert found["identification"]["rank1"] > 0.95
    assert found["verification"]["EER"] < 0.05
    assert found["control"]["rank1"] < 0.2  # those who are not enrolled: chance and nothing else
    assert found["risk"]["value"] > 0.9
    assert not found["risk"]["void"]
    assert found["n_people"] == PEOPLE // 2
    assert found["worst"]["rank1"] == 1


def test_black_faces_are_found_by_chance_alone() -> None:
    found = outcome(Recognition()(faces(zero), faces()))
    assert found["identification"]["rank1"] == pytest.approx(found["baseline"]["rank1"], abs=0.08)
    assert found["identification"]["mAP"] == pytest.approx(found["baseline"]["mAP"], abs=0.05)
    assert found["verification"]["AUC"] == pytest.approx(0.5)
    assert found["verification"]["EER"] == pytest.approx(0.5)
    assert found["risk"]["low"] == 0


def test_a_method_that_hides_every_second_row_is_caught() -> None:
    leaky, honest = (outcome(Recognition()(faces(hide), faces())) for hide in (every_second_row, zero))
    assert leaky["identification"]["rank1"] > 0.9
    assert leaky["risk"]["low"] > 0.5
    assert honest["risk"]["high"] < leaky["risk"]["low"]


def test_a_picture_finds_its_own_original() -> None:
    found = outcome(Linkage()(faces(every_second_row), faces(every_second_row)))
    assert found["identification"]["rank1"] == 1
    assert found["baseline"]["rank1"] == pytest.approx(1 / (PEOPLE // 2 * CAMERAS))
    assert found["control"]["rank1"] == 0
    assert found["n_gallery_images"] == PEOPLE // 2 * CAMERAS


def test_pictures_of_the_probe_s_camera_are_no_hit() -> None:
    findings = Recognition()(faces(), faces())
    assert {trial.matches for trial in findings.trials} == {CAMERAS - 1}
    assert {trial.ranked for trial in findings.trials} == {PEOPLE // 2 * CAMERAS - 1}


def test_the_same_seed_enrols_the_same_people() -> None:
    first, again, other = (Enrolment.draw(range(20), 0.5, seed) for seed in (1, 1, 2))
    assert first == again
    assert first.known != other.known
    assert set(first.stand_in.values()) <= first.known
    assert first.known | set(first.stand_in) == set(range(20))


def test_nobody_to_enrol() -> None:
    alone = faces().of(np.arange(CAMERAS))
    with pytest.raises(DataError, match="1 people are in probes and gallery"):
        Recognition()(alone, alone)


@pytest.mark.parametrize(("matches", "ranked"), [(1, 1), (1, 4), (2, 5), (3, 6)])
def test_the_average_precision_of_a_random_order(matches: int, ranked: int) -> None:
    every = []
    for places in itertools.combinations(range(1, ranked + 1), matches):
        every.append(np.mean([(i + 1) / place for i, place in enumerate(places)]))
    assert expected_ap(matches, ranked) == pytest.approx(np.mean(every))
