"""The renderer's ground floor: noise, surfaces, splatting, bones."""

from __future__ import annotations

import numpy as np
import pytest

from anonbench.rendered.geometry import (
    noise,
    profile,
    rotation_y,
    rounded_box,
    smoothstep,
    turn,
)
from anonbench.rendered.raster import Projection, splat
from anonbench.rendered.skeleton import (
    STANDING,
    Bone,
    Proportions,
    joints,
    move_bones,
    sample_pose,
)

PROPORTIONS = Proportions(hip_x=0.09, shoulder_x=0.17)


def test_smoothstep_rises_or_falls_and_stays_within_0_and_1():
    assert smoothstep(0, 1, [-1, 0, 0.5, 1, 2]).tolist() == [0, 0, 0.5, 1, 1]
    assert smoothstep(1, 0, [0, 1]).tolist() == [1, 0]


def test_profile_passes_near_its_knots():
    assert profile(np.array([0.0, 0.5, 1.0]), [0, 0.5, 1], [1, 2, 1]) == pytest.approx([1, 2, 1], abs=0.06)


def test_noise_is_the_same_pattern_at_every_resolution():
    coarse, fine = (noise(np.random.default_rng(3), (n, n), (6, 6)) for n in (60, 240))
    assert np.corrcoef(coarse.ravel(), fine[2::4, 2::4].ravel())[0, 1] > 0.98


def test_turned_surfaces_face_outwards_with_unit_normals():
    tube = turn((0.0, 1.0), 0.2, 0.1, density=60)
    radial = tube.grid * [1, 0, 1]
    assert ((radial * tube.normals).sum(axis=2) > 0).all()
    assert np.linalg.norm(tube.normals, axis=2) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("squareness", [0.0, 0.5])
def test_rounded_box_stays_within_its_radii_and_faces_outwards(squareness):
    points, normals = rounded_box((1, 2, 3), (0.1, 0.2, 0.3), np.eye(3, dtype=np.float32), 80, squareness)
    offset = points - [1, 2, 3]
    assert (np.abs(offset) <= np.array([0.1, 0.2, 0.3]) + 1e-5).all()
    assert ((offset * normals).sum(axis=2) > 0).all()


def test_a_square_box_fills_more_of_its_corners_than_an_ellipsoid():
    corner = [
        np.abs(rounded_box((0, 0, 0), (1, 1, 1), np.eye(3, dtype=np.float32), 20, s)[0]).min(axis=2).max()
        for s in (0, 0.7)
    ]
    assert corner[1] > corner[0] + 0.15


def test_the_nearest_point_of_a_pixel_wins_and_points_outside_are_left_out():
    columns, rows = np.array([1.2, 1.7, 9.0]), np.array([0.1, 0.9, 0.0])
    index = splat(columns, rows, np.array([0.1, 0.5, 9.0], np.float32), width=4, height=3)
    assert index[0, 1] == 1
    assert (np.delete(index.ravel(), 1) == -1).all()


def test_one_pixel_gaps_are_closed_but_edges_do_not_grow():
    columns, rows = np.meshgrid([0, 1, 3, 4], [0, 1, 2])
    columns, rows = columns.ravel() + 2.5, rows.ravel() + 2.5
    far = len(columns)  # a point behind shows through the gap
    depth = np.append(np.ones(far), -1).astype(np.float32)
    index = splat(np.append(columns, 4.5), np.append(rows, 3.5), depth, width=10, height=8)
    assert (index[2:5, 2:7] >= 0).all()
    assert index[3, 4] != far
    assert (index >= 0).sum() == 15


def test_nearer_points_appear_larger():
    project = Projection(scale=100, foot_x=50, foot_y=200, distance_m=10)
    near, far = (project(np.array([0.5, 1.0, z], np.float32)) for z in (1.0, -1.0))
    assert near[0] > far[0] > 50
    assert near[1] < far[1] < 200


@pytest.mark.parametrize("seed", range(20))
def test_every_pose_stands_on_the_ground_and_keeps_the_limbs_lengths(seed):
    pose = sample_pose(np.random.default_rng(seed))
    motions = move_bones(PROPORTIONS, pose)
    soles = [
        motions[bone].move(np.array([x, 0, z], np.float32))[1]
        for bone, x in ((Bone.L_FOOT, 0.09), (Bone.R_FOOT, -0.09))
        for z in (-0.05, 0.12)
    ]
    assert min(soles) == pytest.approx(0, abs=1e-4)
    place = joints(PROPORTIONS, motions)
    for side in ("left", "right"):
        thigh = np.linalg.norm(place[f"{side}_hip"] - place[f"{side}_knee"])
        forearm = np.linalg.norm(place[f"{side}_elbow"] - place[f"{side}_wrist"])
        assert (thigh, forearm) == pytest.approx((0.43, 0.25), abs=1e-3)


def test_the_left_is_at_the_image_right_when_facing_the_camera():
    place = joints(PROPORTIONS, move_bones(PROPORTIONS, STANDING))
    assert place["left_shoulder"][0] > 0 > place["right_shoulder"][0]
    from_behind = rotation_y(np.pi) @ place["left_shoulder"]
    assert from_behind[0] < 0
