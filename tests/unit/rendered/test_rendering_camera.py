"""Cameras and places by setting: what they see, in which light, and that the tables of the settings fit together."""

from __future__ import annotations

import numpy as np
import pytest

from anonbench.data.seeding import generator
from anonbench.rendered.camera import RANGES, make_cameras
from anonbench.rendered.scene import PLACES, _reflect, draw_backdrop
from anonbench.rendered.spec import SETTINGS


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_name_a_setting_uses_can_be_drawn(setting):
    place = PLACES[setting]
    assert set(place.shares) <= set(place.things)
    assert place.background_only <= set(place.things)
    assert {name for pair in place.stand_ins.items() for name in pair} <= set(place.things)
    assert {name for names in RANGES[setting].favourites for name in names} <= set(place.occluders)
    assert (place.luggage in place.things) == (place.luggage_share > 0)


def test_every_setting_has_cameras_and_a_place():
    assert set(RANGES) == set(PLACES) == set(SETTINGS)


def test_indoor_cameras_look_down_from_higher_up_under_steady_light_from_above():
    indoor, street = make_cameras(3, 6, "indoor"), make_cameras(3, 6, "street")
    assert np.mean([c.pitch for c in indoor]) > 2 * np.mean([c.pitch for c in street])
    steepness = {}
    for cameras in (indoor, street):
        lights = [cameras[0].draw_light(generator(0, k)) for k in range(200)]
        key = np.array([light.key.mean() for light in lights])
        steepness[cameras[0].setting] = (np.min([light.direction[1] for light in lights]), key.std() / key.mean())
    assert steepness["indoor"][0] > 0.8 > steepness["street"][0]  # sine of the elevation
    assert steepness["indoor"][1] < 0.5 * steepness["street"][1]


def test_cameras_see_the_views_they_are_given():
    shares = ((1.0, 0.0, 0.0, 1.0), (0.0, 0.0, 2.0, 0.0))
    cameras = make_cameras(0, 2, view_shares=shares)
    views = [[camera.draw_view(generator(camera.number, k)) for k in range(300)] for camera in cameras]
    assert set(views[0]) == {"front", "back"}
    assert views[0].count("front") / 300 == pytest.approx(0.5, abs=0.1)
    assert set(views[1]) == {"profile"}
    same = make_cameras(0, 3, view_shares=((0.0, 1.0, 0.0, 0.0),))
    assert {camera.draw_view(generator(1, k)) for camera in same for k in range(20)} == {"three_quarter"}


def test_given_views_change_nothing_else_about_a_camera():
    plain, given = make_cameras(5, 2), make_cameras(5, 2, view_shares=((1.0, 0.0, 0.0, 0.0),))
    assert [(c.pitch, c.key, c.exposure, c.occluders) for c in plain] == [
        (c.pitch, c.key, c.exposure, c.occluders) for c in given
    ]


@pytest.mark.parametrize("setting", SETTINGS)
def test_backdrops_are_neither_black_nor_blank_nor_alike(setting):
    cameras = make_cameras(2, 3, setting)
    places = [draw_backdrop(generator(2, "backdrop", c.number), c, 30.0) for c in cameras]
    for place in places:
        assert place.pixels.shape == (93, 210, 3)  # 3.1 m x 7 m at 30 pixels a metre
        assert 40 < place.pixels.mean() < 230
        assert place.pixels.std() > 8
    assert np.abs(places[0].pixels.astype(int) - places[1].pixels).mean() > 8


def test_a_floor_mirrors_what_stands_on_it_fading_away():
    image = np.zeros((40, 3, 3), np.float32)
    image[10:20] = 1.0
    cover = np.zeros((40, 3), bool)
    cover[:20, 1] = True
    _reflect(image, cover, row=20, scale=20.0, gloss=0.5)  # reaches 0.7 m x 20 = 14 rows
    assert image[20, 1, 0] == pytest.approx(0.5)
    assert image[27, 1, 0] == pytest.approx(0.25)  # half way
    assert (image[30:, 1] == 0).all()  # above the bright part there is nothing to mirror
    assert (image[20:, [0, 2]] == 0).all()  # beside the thing neither


def test_a_dull_floor_mirrors_nothing():
    image = np.ones((8, 3, 3), np.float32)
    image[4:] = 0
    _reflect(image, np.ones((8, 3), bool), row=4, scale=10.0, gloss=0.0)
    assert (image[4:] == 0).all()
