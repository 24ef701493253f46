"""Street scenes: who hides whom, what the truth says, and that nobody is in a picture without a label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from anonbench.core.errors import ConfigError
from anonbench.rendered.street_scene import (
    CATEGORIES,
    LEAST_PIXELS,
    LOOKS,
    PERSON,
    RIDER,
    ScenePicture,
    SceneSpec,
    SceneStudio,
    _keep_visible,
    _Object,
)
from anonbench.rendered.street_view import View
from anonbench.stages.render_scenes import read_scene

SMALL = SceneSpec(
    layout="coco", seed=3, train=8, val=2, height_px=160, width_px=160, people=(2, 5), vehicles=(1, 3),
    occluders=(0, 2), rider_share=0.3, crowd_share=0.5, population=6, cameras=2,
)  # fmt: skip
ROAD = replace(
    SMALL,
    layout="cityscapes",
    height_px=128,
    width_px=256,
    people=(3, 8),
    person_height=LOOKS["cityscapes"].person_height,
)


@pytest.fixture(scope="module", params=[SMALL, ROAD], ids=["coco", "cityscapes"])
def drawn(request: pytest.FixtureRequest) -> tuple[SceneSpec, list[ScenePicture]]:
    studio = SceneStudio(request.param)
    return request.param, [studio.draw(number) for number in range(8)]


def test_a_picture_depends_on_its_split_and_number_alone(drawn: tuple[SceneSpec, list[ScenePicture]]) -> None:
    spec, pictures = drawn
    studio = SceneStudio(spec)
    for number in (5, 1):
        again = studio.draw(number)
        assert np.array_equal(again.image, pictures[number].image)
        assert len(again.instances) == len(pictures[number].instances)
        for one, other in zip(again.instances, pictures[number].instances, strict=True):
            assert np.array_equal(one.mask, other.mask)
            assert one.keypoints == other.keypoints
    assert not np.array_equal(SceneStudio(spec, "val").draw(1).image, pictures[1].image)


def test_no_pixel_belongs_to_two(drawn: tuple[SceneSpec, list[ScenePicture]]) -> None:
    for picture in drawn[1]:
        assert picture.image.shape[:2] == picture.stuff.shape
        total = np.sum([thing.mask for thing in picture.instances], axis=0)
        assert np.max(total, initial=0) <= 1


def test_boxes_are_tight_and_everything_that_is_painted_shows(drawn: tuple[SceneSpec, list[ScenePicture]]) -> None:
    for thing in (thing for picture in drawn[1] for thing in picture.instances):
        x0, y0, x1, y1 = thing.box
        inside = thing.mask[y0:y1, x0:x1]
        assert inside.sum() == thing.mask.sum() >= LEAST_PIXELS
        assert inside[0].any()
        assert inside[-1].any()
        assert inside[:, 0].any()
        assert inside[:, -1].any()


def test_keypoints_that_are_visible_lie_on_their_person(drawn: tuple[SceneSpec, list[ScenePicture]]) -> None:
    seen = Counter[int]()
    for thing in (thing for picture in drawn[1] for thing in picture.instances):
        assert len(thing.keypoints) == (17 if thing.category in (PERSON, RIDER) and not thing.crowd else 0)
        for point in thing.keypoints:
            seen[point.visibility] += 1
            if point.visibility == 2:
                assert thing.mask[int(point.y), int(point.x)]
            elif point.visibility == 0:
                assert (point.x, point.y) == (0.0, 0.0)
            else:
                assert 0 <= point.y < thing.mask.shape[0]
                assert 0 <= point.x < thing.mask.shape[1]
    assert seen[2] > seen[1] > 0


def test_the_truth_is_what_was_painted(drawn: tuple[SceneSpec, list[ScenePicture]], monkeypatch: Any) -> None:
    """Without its instances a picture differs where their masks are, up to the camera's blur, and in shadows."""
    spec, _ = drawn
    plain = replace(spec, rider_share=0.0)
    monkeypatch.setattr("anonbench.rendered.street_scene.darken", lambda *_: None)
    monkeypatch.setattr("anonbench.rendered.camera.Camera.develop", lambda _, image, rng: image.copy())
    with_people = SceneStudio(plain).draw(2)
    monkeypatch.setattr("anonbench.rendered.street_scene._keep_visible", lambda objects, shape: ([], []))
    without = SceneStudio(plain).draw(2)
    assert not without.instances
    changed = (with_people.image != without.image).any(axis=2)
    covered = np.any([thing.mask for thing in with_people.instances], axis=0)
    stuff = with_people.stuff != without.stuff
    assert not (changed & ~covered & ~stuff).any()
    assert changed[covered].mean() > 0.98


def test_feet_are_on_one_floor(drawn: tuple[SceneSpec, list[ScenePicture]], monkeypatch: Any) -> None:
    """The row where something stands is one straight line over its pixels per metre, and far things come first."""
    spec, pictures = drawn
    kept: list[_Object] = []

    def keep(objects: Sequence[_Object], shape: tuple[int, int]) -> Any:
        kept.extend(objects)
        return _keep_visible(objects, shape)

    monkeypatch.setattr("anonbench.rendered.street_scene._keep_visible", keep)
    for number in range(4):
        kept.clear()
        SceneStudio(spec).draw(number)
        scales = np.array([thing.scale for thing in kept])
        rows = np.array([thing.foot[1] for thing in kept])
        slope, horizon = np.polyfit(scales, rows, 1)
        assert np.abs(slope * scales + horizon - rows).max() < 1e-6
        assert 0 < horizon < spec.height_px
        assert LOOKS[spec.layout].camera_m[0] <= slope <= LOOKS[spec.layout].camera_m[1]
    for picture in pictures:
        scales_shown = [thing.scale for thing in picture.instances if not thing.crowd]
        assert scales_shown == sorted(scales_shown)


def test_the_floor_by_hand() -> None:
    view = View((100, 200), 40.0, 300.0, 1.5, 60.0, 8.0)
    assert view.foot_row(20) == 70  # 15 m away, 1.5 m below the camera: 30 pixels below the horizon
    assert view.column(-2, 20) == 60


def standing(category: str, scale: float, left: int, right: int) -> _Object:
    covered = np.ones((10, right - left), bool)
    return _Object(category, scale, 5, left, covered, np.zeros((covered.sum(), 3)), (left, 15), scale, 0.0)


def test_who_is_hidden_by_hand() -> None:
    """Near things first: the bin hides the left half of the near person, both leave 2 of 10 columns of the far one."""
    near = [standing("static", 30, 0, 5), standing(PERSON, 20, 0, 10), standing(PERSON, 10, 0, 12)]
    shown, seen = _keep_visible(near, (20, 30))
    assert [thing.scale for thing in shown] == [10, 20, 30]
    assert [int(mask.sum()) for mask in seen] == [20, 50, 50]
    gone = [standing("static", 30, 0, 9), standing(PERSON, 20, 0, 10), standing(PERSON, 10, 8, 12)]
    shown, seen = _keep_visible(gone, (20, 30))
    assert [thing.scale for thing in shown] == [10, 30], "10 pixels are too few to be painted"
    assert int(seen[0].sum()) == 30, "who is not painted hides nobody"


def test_classes_crowds_and_faces_occur() -> None:
    found, crowds, faces, cut = Counter[str](), 0, 0, 0
    for spec in (SMALL, ROAD):
        studio = SceneStudio(replace(spec, vehicles=(4, 7), train=30))
        for number in range(10):
            picture = studio.draw(number)
            found.update(thing.category for thing in picture.instances)
            crowds += sum(thing.crowd for thing in picture.instances)
            cut += sum(thing.truncated for thing in picture.instances)
            faces += sum(face.visible for face in picture.faces)
    assert set(found) == set(CATEGORIES)
    assert min(crowds, cut, faces) >= 4


def test_a_crowd_is_one_instance() -> None:
    studio = SceneStudio(replace(SMALL, people=(0, 0), vehicles=(0, 0), occluders=(0, 0), crowd_share=1.0))
    for number in range(3):
        (crowd,) = studio.draw(number).instances
        assert crowd.crowd
        assert crowd.category == PERSON
        x0, y0, x1, y1 = crowd.box
        assert x1 - x0 > 0.6 * (y1 - y0), "wider than one person, even where the picture's edge cuts it"


@pytest.mark.parametrize(
    ("layout", "size", "least", "most"),
    [("coco", (160, 160), 0.0, 0.05), ("cityscapes", (128, 256), 0.55, 0.9), ("bdd100k", (144, 256), 0.55, 0.9)],
)
def test_people_are_as_large_as_in_the_real_datasets(
    layout: str, size: tuple[int, int], least: float, most: float
) -> None:
    """Figure 7 of the paper: most boxes of two datasets are below 1 % of the picture."""
    spec = SceneSpec(
        layout=layout, seed=1, height_px=size[0], width_px=size[1], people=(4, 8), rider_share=0.0, vehicles=(0, 0),
        occluders=(0, 0), crowd_share=0.0, population=4,
    )  # fmt: skip
    studio = SceneStudio(spec)
    boxes = np.array([thing.box for number in range(10) for thing in studio.draw(number).instances])
    shares = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / (size[0] * size[1])
    assert least <= (shares < 0.01).mean() <= most


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"layout": "cocos"}, "unknown layout 'cocos': did you mean 'coco'?"),
        ({"train": 0}, "train is 0; expected a whole number from 1 to 100000"),
        ({"height_px": 32}, "height_px is 32; expected a whole number from 64 to 2048"),
        ({"people": [3, 2]}, "people is [3, 2]; expected [least, most] within 0..40"),
        ({"vehicles": [1]}, "vehicles is [1]"),
        ({"crowd_share": 1.5}, "crowd_share is 1.5; expected a share within 0..1"),
        ({"person_height": [0.5, 0.1]}, "person_height is [0.5, 0.1]; expected [least, greatest] within 0.02..1.5"),
        ({"view_shares": [0.0, 0.0, 0.0, 0.0]}, "expected 4 weights, not all 0"),
        ({"pictures": 3}, "render has no key 'pictures'"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as failure:
        read_scene(change)
    assert text in str(failure.value)


def test_the_layout_must_be_the_datasets_format() -> None:
    assert read_scene({"layout": "coco", "people": [1, 2]}, "coco").people == (1, 2)
    with pytest.raises(ConfigError, match=r"render.layout is 'coco', but the dataset's format is 'cityscapes'"):
        read_scene({"layout": "coco"}, "cityscapes")
