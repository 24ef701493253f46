"""Vehicles and things in the way: none reaches out of the part of a picture that is kept for it."""

from __future__ import annotations

import numpy as np
import pytest

from anonbench.rendered.brush import Brush
from anonbench.rendered.geometry import F
from anonbench.rendered.street_scene import CATEGORIES, LOOKS, THINGS
from anonbench.rendered.vehicles import VEHICLES

SCALE = 40
CASES = [
    *(pytest.param(vehicle, id="-".join(name)) for name, vehicle in VEHICLES.items()),
    *(pytest.param(thing, id=thing.draw.__name__) for thing in THINGS),
]


def cover_of(what: object, seed: int, mirrored: bool = False) -> np.ndarray:
    """(400, 600) bool of a drawing whose origin is at column 300, row 300."""
    cover = np.zeros((400, 600), np.uint8)
    what.draw(Brush(np.zeros((400, 600, 3), F), cover, 300, 300, SCALE, 1.0, mirrored), np.random.default_rng(seed))  # type: ignore[attr-defined]
    return cover > 0


@pytest.mark.parametrize("what", CASES)
def test_a_drawing_stays_within_its_extent(what: object) -> None:
    for seed in range(6):
        rows, columns = np.nonzero(cover_of(what, seed))
        reach, top = what.half_width_m * SCALE, what.height_m * SCALE  # type: ignore[attr-defined]
        assert np.abs(columns - 300).max() <= reach + 2
        assert 300 - rows.min() <= top + 2
        assert rows.max() - 300 <= 2
        assert rows.max() >= 297, "it stands on the floor"


@pytest.mark.parametrize("name", ["car-side", "bus-side", "motorcycle-side"])
def test_a_mirrored_brush_exchanges_left_and_right(name: str) -> None:
    kind, direction = name.split("-")
    plain, mirrored = (cover_of(VEHICLES[kind, direction], 1, mirrored) for mirrored in (False, True))
    assert (plain != mirrored).any()
    flipped = np.roll(mirrored[:, ::-1], 1, axis=1)  # column 300 stays where it is
    assert (plain != flipped).mean() < 0.002, "up to the rounding of half pixels"


def test_every_look_draws_vehicles_that_are_known() -> None:
    for look in LOOKS.values():
        assert set(look.vehicles) <= set(VEHICLES)
    assert {vehicle.category for vehicle in VEHICLES.values()} == set(CATEGORIES) - {"person", "rider"}
