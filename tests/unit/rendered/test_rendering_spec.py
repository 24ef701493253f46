"""What a `RenderSpec` accepts, and that the settings added later leave the default crops as they were."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from anonbench.core.errors import ConfigError
from anonbench.rendered import CropPlan, RenderSpec, Studio


def spec(**changes) -> RenderSpec:
    return RenderSpec(**({"train_identities": 2, "test_identities": 2} | changes))


def test_the_default_crop_is_what_it_was_before_there_were_settings():
    # Green channel of a 4 x 8 thumbnail, within a grey level: a moved random stream changes it by tens, a different
    # processor's rounding by less than one.
    crop = Studio(RenderSpec(seed=3)).draw(CropPlan("pinned/0.jpg", 1, 2, 4))
    pinned = [
        [106, 110, 117, 104], [107, 155, 135, 116], [106, 168, 143, 76], [92, 181, 153, 59],
        [98, 133, 124, 72], [125, 134, 128, 100], [88, 116, 116, 118], [78, 105, 102, 91],
    ]  # fmt: skip
    thumbnail = cv2.resize(crop.image, (4, 8), interpolation=cv2.INTER_AREA)[..., 1]
    assert np.abs(thumbnail.astype(int) - pinned).max() <= 1
    assert crop.truth.face_box == pytest.approx((28.0, 7.0, 37.5, 20.0), abs=0.5)
    assert crop.truth.mask.sum() == pytest.approx(2505, abs=10)
    assert crop.truth.yaw_deg == pytest.approx(36.193369, abs=1e-3)


@pytest.mark.parametrize(("height", "width"), [(128, 48), (128, 64), (129, 43), (128, 85), (96, 32), (99, 66)])
def test_shapes_from_one_third_to_two_thirds_are_accepted(height, width):
    assert spec(height_px=height, width_px=width).size_px("any.jpg") == (height, width)


@pytest.mark.parametrize(("height", "width", "low", "high"), [(128, 42, 43, 85), (128, 86, 43, 85), (99, 67, 33, 66)])
def test_other_shapes_are_refused_with_the_limits(height, width, low, high):
    with pytest.raises(ConfigError, match=rf"{low} to {high} for {height}, got {width} x {height}"):
        spec(height_px=height, width_px=width)


def test_sizes_vary_within_the_spread_and_the_shape_limits_and_depend_on_the_path():
    varying = spec(height_px=128, width_px=54, size_spread=0.4)
    sizes = np.array([varying.size_px(f"{i}.jpg") for i in range(600)])
    assert varying.size_px("7.jpg") == tuple(sizes[7])
    heights, widths = sizes.T
    assert (heights >= 85).all()  # 128 exp(-0.4) = 85.8
    assert (heights <= 191).all()  # 128 exp(0.4) = 190.95
    # Log-uniform: half of the crops are lower than 128, a quarter below 128 exp(-0.2) = 104.8.
    assert (heights < 128).mean() == pytest.approx(0.5, abs=0.06)
    assert (heights < 104.8).mean() == pytest.approx(0.25, abs=0.06)
    assert (3 * widths >= heights).all()
    assert (3 * widths <= 2 * heights).all()
    assert abs(np.corrcoef(heights, widths / heights)[0, 1]) > 0.1  # width has a factor of its own
    assert {spec(height_px=70, width_px=30, size_spread=0.6).size_px(f"{i}")[0] >= 64 for i in range(50)} == {True}


def test_view_shares_arrive_as_lists_and_are_frozen():
    one = spec(view_shares=[1, 2, 3, 4])
    assert one.view_shares == ((1.0, 2.0, 3.0, 4.0),)
    each = spec(cameras=2, view_shares=[[1, 0, 0, 0], [0, 0, 0.5, 0.5]])
    assert each.view_shares == ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.5, 0.5))
    assert hash(each) == hash(spec(cameras=2, view_shares=((1, 0, 0, 0), (0, 0, 0.5, 0.5))))
    assert spec().view_shares is None


@pytest.mark.parametrize(
    "shares",
    [[1, 2, 3], [0, 0, 0, 0], [1, -1, 1, 1], [1, "2", 3, 4], "front", [[1, 1, 1, 1]] * 2, [[1, 1, 1, 1], 1, 1], 0.5],
)
def test_bad_view_shares_are_refused(shares):
    with pytest.raises(ConfigError, match=r"four weights \(front, three_quarter, profile, back\), or 3 such lists"):
        spec(cameras=3, view_shares=shares)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"setting": "indoors"}, r"unknown setting 'indoors': did you mean 'indoor'"),
        ({"setting": None}, r"unknown setting None"),
        ({"cameras": 16}, r"cameras must be a whole number from 2 to 15, got 16"),
        ({"size_spread": 0.7}, r"size_spread must be a number from 0 to 0.6, got 0.7"),
        ({"width_px": 64.0}, r"width_px must be a whole number from 22 to 682, got 64.0"),
    ],
)
def test_bad_values_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        spec(**changes)


def test_fifteen_cameras_all_differ():
    cameras = Studio(spec(cameras=15)).cameras
    assert sorted(cameras) == list(range(1, 16))
    assert len({(c.pitch, c.exposure, c.white_balance) for c in cameras.values()}) == 15
