"""Keypoints by MediaPipe's pose network: the mapping without it, and the network where it is installed."""

from __future__ import annotations

import importlib.metadata
import math

import numpy as np
import pytest

from anonbench.core.errors import MissingDependencyError
from anonbench.data.instances import COCO_KEYPOINTS
from anonbench.detectors import _pose
from anonbench.detectors._pose import FROM_MEDIAPIPE, PoseNetwork, square_around, to_coco
from anonbench.rendered.street_scene import SceneSpec, SceneStudio

# MediaPipe's names of its 33 points, in its order.
NAMES = """nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear
mouth_left mouth_right left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky right_pinky
left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle right_ankle left_heel
right_heel left_foot_index right_foot_index"""
MEDIAPIPE = NAMES.split()


def test_the_points_are_cocos() -> None:
    assert len(MEDIAPIPE) == 33
    assert tuple(MEDIAPIPE[number] for number in FROM_MEDIAPIPE) == COCO_KEYPOINTS


def test_a_case_by_hand() -> None:
    """A box of 40 x 100 pixels: a square of 125 around its middle, of which the network's pixel is a 256th."""
    image = np.zeros((200, 160, 3), np.uint8)
    _, scale, left, top = square_around(image, (60, 20, 100, 120))
    assert (scale, left, top) == (125 / 256, 80 - 62.5, 70 - 62.5)
    points = np.zeros((39, 5))
    points[:, 3] = -9.0  # not visible
    points[0, :2], points[0, 3] = (128, 256), math.log(0.3 / 0.7) + 1e-9  # the nose, at just 30 %
    points[28, :2], points[28, 3] = (0, 0), 4.0  # the right ankle
    points[1, 3] = 9.0  # a point that COCO does not have
    found = to_coco(points, scale, left, top, 0.3)
    assert found is not None
    assert found[0] == (79.5, 132.0, 2.0)
    assert found[16] == (17.0, 7.0, 2.0)
    assert found[1:16] == ((0.0, 0.0, 0.0),) * 15
    assert to_coco(points, scale, left, top, 0.99) is None


@pytest.mark.parametrize("box", [(60, 20, 100, 120), (0, 0, 30, 64), (100, 100, 160, 200), (10, 10, 150, 190)])
def test_the_square_shows_what_lies_there(box: tuple[int, int, int, int]) -> None:
    """A picture whose colours are its coordinates: the square's are those that its place says."""
    rows, columns = np.mgrid[0:200, 0:160]
    image = np.stack([columns, rows, np.full_like(rows, 7)], axis=2).astype(np.uint8)
    crop, scale, left, top = square_around(image, box)
    middles = (np.arange(256) + 0.5) * scale - 0.5
    expected = [(middles + start).clip(0, size - 1) for start, size in ((left, 160), (top, 200))]
    assert np.abs(crop[..., 0] - expected[0]).max() <= 1.5
    assert np.abs(crop[..., 1] - expected[1][:, None]).max() <= 1.5


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    image = np.zeros((8, 8, 3), np.uint8)
    monkeypatch.setattr(importlib.metadata, "files", none)
    with pytest.raises(
        MissingDependencyError, match=r"not installed\. Install it: pip install --no-deps -r requirements-p"
    ):
        PoseNetwork().keypoints(image, (0, 0, 8, 8))
    monkeypatch.setattr(importlib.metadata, "files", lambda name: [])
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.2.2")
    with pytest.raises(MissingDependencyError, match=r"mediapipe 1\.2\.2 has no such file; version 0\.10\.21 has it"):
        PoseNetwork().keypoints(image, (0, 0, 8, 8))


def test_it_finds_the_joints_of_drawn_people() -> None:
    """Of people at least 80 pixels high of whom much shows, most visible joints lie within a tenth of their height."""
    try:
        _pose.network_file()
    except MissingDependencyError as error:
        pytest.skip(str(error))
    spec = SceneSpec(train=1, val=4, people=(2, 3), rider_share=0.0, vehicles=(0, 0), occluders=(0, 0), crowd_share=0.0)
    studio, network, near = SceneStudio(spec, "val"), PoseNetwork(), []
    for number in range(4):
        picture = studio.draw(number)
        for person in picture.instances:
            rows, columns = np.flatnonzero(person.mask.any(axis=1)), np.flatnonzero(person.mask.any(axis=0))
            height = rows[-1] + 1 - rows[0]
            if height < 80:
                continue
            box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
            found = network.keypoints(picture.image, box)
            assert found is not None
            for truth, (x, y, seen) in zip(person.keypoints, found, strict=True):
                if truth.visibility == 2 and seen:
                    near.append(math.hypot(x - truth.x, y - truth.y) < 0.1 * height)
    assert len(near) > 40
    assert np.mean(near) > 0.85
