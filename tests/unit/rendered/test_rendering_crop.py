"""One crop: its truth fits its pixels, and it depends on nothing but its seed and path."""

from __future__ import annotations

import numpy as np
import pytest

from anonbench.core.errors import ConfigError
from anonbench.data.seeding import generator
from anonbench.rendered import CropPlan, RenderSpec, Studio, render_portrait
from anonbench.rendered.camera import VIEW_SHARES, VIEWS, make_cameras, view_of
from anonbench.rendered.identity import sample_identity
from anonbench.rendered.spec import EMPTY
from anonbench.rendered.truth import FACE_THRESHOLD

SPEC = RenderSpec(seed=3, occluder_share=0.0, bystander_share=0.0)


def plan(i: int, person: int | None = None, **changes) -> CropPlan:
    return CropPlan(path=f"test/{i}.jpg", pid=1, camid=1 + i % 6, person=i if person is None else person, **changes)


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio(SPEC)


@pytest.mark.parametrize("view", VIEWS)
def test_truth_fits_the_picture(studio, view):
    for i in range(6):
        crop = studio.draw(plan(i), view=view)
        truth = crop.truth
        assert crop.image.shape == (128, 64, 3)
        assert crop.image.dtype == np.uint8
        assert truth.mask.shape == (128, 64)
        assert 0.12 < truth.mask.mean() < 0.6
        assert not truth.occluded
        assert not truth.face_occluded
        if truth.face_box is not None:
            x0, y0, x1, y1 = truth.face_box
            assert 0 <= x0 < x1 <= 64
            assert 0 <= y0 < y1 < 40
            rows, columns = np.nonzero(truth.mask)
            assert rows.min() - 1 <= y0
            assert columns.min() - 1 <= x0
            assert x1 <= columns.max() + 2
        assert (truth.face_box is not None) == (truth.face_fraction >= FACE_THRESHOLD)


def test_the_face_shrinks_as_the_head_turns_away(studio):
    fractions = {v: np.mean([studio.draw(plan(i), view=v).truth.face_fraction for i in range(6)]) for v in VIEWS}
    assert 0.8 < fractions["front"] < 1.2
    assert fractions["front"] > fractions["three_quarter"] > fractions["profile"] > fractions["back"]
    assert fractions["back"] < 0.2


def test_keypoints_lie_on_the_person_and_the_nose_in_the_face(studio):
    on_person = total = 0
    for i in range(8):
        truth = studio.draw(plan(i), view="front").truth
        for point in truth.keypoints:
            if point.visibility:
                assert 0 <= point.x < 64
                assert 0 <= point.y < 128
            if point.visibility == 2:
                total += 1
                on_person += truth.mask[int(point.y), int(point.x)]
        nose, x0, y0, x1, y1 = truth.keypoints[0], *truth.face_box
        assert nose.visibility == 2
        assert x0 <= nose.x <= x1
        assert y0 <= nose.y <= y1
        left, right = truth.keypoints[5], truth.keypoints[6]
        assert left.x > right.x  # facing the camera, the left shoulder is at the image's right
    assert total > 8 * 10
    assert on_person > 0.95 * total


def test_eyes_of_a_person_seen_from_behind_are_hidden(studio):
    for i in range(4):
        truth = studio.draw(plan(i), view="back").truth
        assert all(point.visibility < 2 for point in truth.keypoints[:3])


def test_a_crop_does_not_depend_on_what_was_drawn_before(studio):
    other = Studio(SPEC)
    for i in (9, 8, 7):
        other.draw(plan(i))
    first, second = studio.draw(plan(5)), other.draw(plan(5))
    assert np.array_equal(first.image, second.image)
    assert first.truth.face_box == second.truth.face_box


def test_an_occluder_or_a_passer_by_hides_pixels_and_is_reported():
    crowded = Studio(RenderSpec(seed=3, occluder_share=1.0, bystander_share=0.0))
    free = Studio(SPEC)
    hidden = [crowded.draw(plan(i)).truth.mask.sum() < free.draw(plan(i)).truth.mask.sum() for i in range(8)]
    assert sum(hidden) >= 6
    assert any(crowded.draw(plan(i)).truth.occluded for i in range(8))


def test_a_false_alarm_has_no_person(studio):
    truth = studio.draw(CropPlan("test/empty.jpg", 0, 2, None, EMPTY)).truth
    assert truth.view is None
    assert truth.face_box is None
    assert not truth.mask.any()


def test_large_crops_show_the_same_person_with_the_same_truth():
    small, large = (
        Studio(RenderSpec(seed=3, height_px=h, width_px=h // 2, occluder_share=0, bystander_share=0)).draw(
            plan(2), "front"
        )
        for h in (128, 256)
    )
    assert large.image.shape == (256, 128, 3)
    assert np.array(large.truth.face_box) / 2 == pytest.approx(np.array(small.truth.face_box), abs=1.0)
    assert large.truth.mask[::2, ::2].mean() == pytest.approx(small.truth.mask.mean(), rel=0.05)


def test_portrait_refuses_an_unknown_view():
    assert render_portrait(seed=1, person=2, height_px=64).truth.view == "front"
    with pytest.raises(ConfigError, match="unknown view 'frontal': did you mean 'front'"):
        render_portrait(seed=1, person=2, view="frontal")


def test_people_of_a_clothes_group_share_colours_and_little_else():
    people = [sample_identity(0, n, clothes_group_size=4) for n in range(8)]
    assert len({p.outfit.top_colour for p in people[:4]}) == 1
    assert len({p.outfit.lower_colour for p in people[:4]}) == 1
    assert people[0].outfit.top_colour != people[4].outfit.top_colour
    assert len({p.face for p in people}) == 8
    assert len({p.height_m for p in people}) == 8


def test_cameras_differ_and_views_come_in_the_stated_shares():
    cameras = make_cameras(seed=0, count=6)
    assert len({c.pitch for c in cameras}) == len({c.white_balance for c in cameras}) == 6
    views = [camera.draw_view(generator(0, camera.number, k)) for camera in cameras for k in range(400)]
    for view, share in zip(VIEWS, VIEW_SHARES, strict=True):
        assert views.count(view) / len(views) == pytest.approx(share, abs=0.05)


def test_view_names_cover_the_circle():
    assert [view_of(np.radians(a)) for a in (0, -20, 45, -45, 90, 270, 150, 180, 360)] == [
        "front", "front", "three_quarter", "three_quarter", "profile", "profile", "back", "back", "front",
    ]  # fmt: skip
