"""Crops of other shapes, sizes and settings: people stay in the frame, and the truth fits the pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anonbench.rendered import CropPlan, RenderSpec, Studio
from anonbench.rendered.spec import EMPTY

FREE = {"occluder_share": 0.0, "bystander_share": 0.0, "backdrops_per_camera": 1}


def draw(spec: RenderSpec, count: int, view: str | None = None):
    studio = Studio(spec)
    plans = [CropPlan(f"test/{i}.jpg", 1, 1 + i % spec.cameras, i // 3) for i in range(count)]
    return plans, [studio.draw(plan, view) for plan in plans]


@pytest.mark.parametrize(
    "changes",
    [{"width_px": 43}, {"width_px": 48}, {"width_px": 85}, {"setting": "indoor"}, {"width_px": 52, "size_spread": 0.5}],
    ids=str,
)
def test_people_are_framed_from_head_to_feet(changes):
    spec = RenderSpec(seed=4, cameras=4, **FREE, **changes)
    plans, crops = draw(spec, 20)
    for plan, crop in zip(plans, crops, strict=True):
        size, truth = spec.size_px(plan.path), crop.truth
        assert crop.image.shape == (*size, 3)
        assert truth.mask.shape == size
        nose, left_ankle, right_ankle = (truth.keypoints[k] for k in (0, 15, 16))
        for point in (nose, left_ankle, right_ankle):
            assert 0 <= point.x < size[1]
            assert 0 <= point.y < size[0]
        rows = np.nonzero(truth.mask.any(axis=1))[0]
        assert 0.7 < (rows[-1] + 1 - rows[0]) / size[0] <= 1
        assert 0.1 < truth.mask.mean() < 0.65
        if truth.face_box is not None:
            x0, y0, x1, y1 = truth.face_box
            assert 0 <= x0 < nose.x + 3
            assert x1 <= size[1]
            assert 0 <= y0 < y1 < 0.35 * size[0]
    wrists = [crop.truth.keypoints[k].visibility > 0 for crop in crops for k in (9, 10)]
    assert np.mean(wrists) >= 0.95


def test_a_crop_of_its_own_size_shows_the_face_where_the_box_says():
    # Skin is redder than its surroundings: the mean red share within the box exceeds that of the whole crop.
    spec = RenderSpec(seed=6, width_px=56, cameras=2, size_spread=0.5, setting="street", **FREE)
    _, crops = draw(spec, 12, view="front")
    assert len({crop.image.shape for crop in crops}) > 8
    redder = []
    for crop in crops:
        x0, y0, x1, y1 = (round(v) for v in crop.truth.face_box)
        red = crop.image[..., 0] / (crop.image.sum(axis=2) + 1.0)
        redder.append(red[y0:y1, x0:x1].mean() > red.mean() + 0.01)
        area = (x1 - x0) * (y1 - y0) / crop.image[..., 0].size
        assert 0.004 < area < 0.06
    assert np.mean(redder) > 0.9


def test_a_false_alarm_has_the_size_of_its_path():
    spec = RenderSpec(seed=6, cameras=2, size_spread=0.3, backdrops_per_camera=1)
    crop = Studio(spec).draw(CropPlan("test/empty.jpg", 0, 2, None, EMPTY))
    assert crop.image.shape[:2] == crop.truth.mask.shape == spec.size_px("test/empty.jpg") != (128, 64)


def test_the_setting_changes_the_place_and_not_the_people():
    street, indoor = (draw(RenderSpec(seed=6, setting=s, **FREE), 6, view="front") for s in ("street", "indoor"))
    for a, b in zip(street[1], indoor[1], strict=True):
        assert np.abs(a.image.astype(int) - b.image).mean() > 5
        assert a.truth.skin_tone == b.truth.skin_tone


def test_views_follow_the_given_shares():
    spec = RenderSpec(seed=6, width_px=48, cameras=2, view_shares=[[1, 0, 0, 0], [0, 0, 0, 1]], **FREE)
    _, crops = draw(spec, 12)
    assert {crop.truth.view for crop in crops[::2]} <= {"front", "three_quarter"}  # the head turns on top of the body
    assert {crop.truth.view for crop in crops[1::2]} <= {"back", "profile"}
    assert np.mean([crop.truth.face_box is not None for crop in crops[::2]]) > 0.9
    assert np.mean([crop.truth.face_box is not None for crop in crops[1::2]]) < 0.2


def test_some_people_indoors_pull_a_case_and_it_can_hide_them():
    studio = Studio(RenderSpec(seed=6, setting="indoor", **FREE))
    bare = Studio(RenderSpec(seed=6, setting="indoor", **FREE))
    bare.place = replace(bare.place, luggage_share=0.0)
    changed = hidden = 0
    for i in range(24):
        plan = CropPlan(f"test/{i}.jpg", 1, 1, i)
        with_case, without = studio.draw(plan, "back"), bare.draw(plan, "back")
        assert with_case.truth.mask.sum() <= without.truth.mask.sum()
        changed += not np.array_equal(with_case.image, without.image)
        hidden += with_case.truth.mask.sum() < without.truth.mask.sum()
    assert 3 <= changed <= 16  # about 35 %
    assert hidden >= 1
