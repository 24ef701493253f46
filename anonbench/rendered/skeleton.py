"""Bones, poses and joints: how a rest-pose figure is moved.

The skeleton has 16 bones. Each bone turns about its joint. Points follow one or two bones (linear blend skinning), so
that a trouser leg bends as one piece of cloth instead of showing the joint beneath it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from anonbench.rendered.geometry import (
    Array,
    F,
    Skinning,
    rotation_x,
    rotation_y,
    rotation_z,
    smoothstep,
)

REST_HEIGHT_M = 1.75
HIP_Y, KNEE_Y, ANKLE_Y = 0.925, 0.495, 0.075
SHOULDER_Y, ELBOW_Y, WRIST_Y = 1.385, 1.095, 0.845
NECK_Y, HEAD_Y, HEAD_Z = 1.470, 1.622, 0.024  # HEAD is the point between the eyes, inside the head


class Bone(IntEnum):
    """Bone numbers; left is the person's left, +x in the rest pose."""

    PELVIS = 0
    TORSO = 1
    HEAD = 2
    L_THIGH, L_SHIN, L_FOOT, L_UPPER_ARM, L_FOREARM = 3, 4, 5, 6, 7
    R_THIGH, R_SHIN, R_FOOT, R_UPPER_ARM, R_FOREARM = 8, 9, 10, 11, 12


SIDES = ("l", "r")
SIGN = {"l": 1.0, "r": -1.0}


def side_bone(side: str, name: str) -> Bone:
    """The bone `name` ("THIGH", "SHIN", ...) of side "l" or "r"."""
    return Bone[f"{side.upper()}_{name}"]


# ---------------------------------------------------------------------------------------------- skinning
def rigid(bone: Bone, count: int) -> Skinning:
    """All points follow one bone."""
    return Skinning(np.full(count, bone, np.int8), np.full(count, bone, np.int8), np.zeros(count, F))


def follow_torso(points: Array, swing: float = 0.0) -> Skinning:
    """Points (n, 3) of the trunk: pelvis below the waist, torso above it.

    swing: how far loose cloth below the hips (skirts, coats) follows the thighs, 0..1.
    """
    x, y = points[:, 0], points[:, 1]
    first = np.full(len(points), Bone.PELVIS, np.int8)
    second = np.full(len(points), Bone.TORSO, np.int8)
    weight = smoothstep(0.92, 1.12, y)
    if swing > 0:
        low = y < HIP_Y
        second[low] = np.where(x[low] > 0, Bone.L_THIGH, Bone.R_THIGH)
        weight[low] = swing * smoothstep(HIP_Y, 0.72, y[low]) * np.clip(np.abs(x[low]) / 0.09, 0, 1)
    return Skinning(first, second, weight.astype(F))


def follow_leg(points: Array, side: str) -> Skinning:
    """Points (n, 3) of a leg or its trouser: pelvis, thigh and shin from top to bottom."""
    y = points[:, 1]
    upper = y > 0.70
    thigh = side_bone(side, "THIGH")
    first = np.where(upper, Bone.PELVIS, thigh).astype(np.int8)
    second = np.where(upper, thigh, side_bone(side, "SHIN")).astype(np.int8)
    weight = np.where(upper, smoothstep(0.98, 0.84, y), smoothstep(KNEE_Y + 0.085, KNEE_Y - 0.085, y))
    return Skinning(first, second, weight.astype(F))


def follow_arm(points: Array, side: str) -> Skinning:
    """Points (n, 3) of an arm or its sleeve: torso, upper arm and forearm from top to bottom."""
    y = points[:, 1]
    upper = y > 1.24
    arm = side_bone(side, "UPPER_ARM")
    first = np.where(upper, Bone.TORSO, arm).astype(np.int8)
    second = np.where(upper, arm, side_bone(side, "FOREARM")).astype(np.int8)
    weight = np.where(
        upper, smoothstep(SHOULDER_Y + 0.05, SHOULDER_Y - 0.03, y), smoothstep(ELBOW_Y + 0.05, ELBOW_Y - 0.05, y)
    )
    return Skinning(first, second, weight.astype(F))


# ---------------------------------------------------------------------------------------------- poses
@dataclass(frozen=True)
class Pose:
    """Joint angles in radians. Hips and shoulders count forwards, knees and elbows bending.

    spread: how far the upper arms are away from the body.
    lean: of the torso, forwards.
    head_yaw, head_pitch (down positive), head_roll: relative to the torso.
    """

    hips: tuple[float, float]
    knees: tuple[float, float]
    shoulders: tuple[float, float]
    elbows: tuple[float, float]
    spread: float
    lean: float
    head_yaw: float
    head_pitch: float
    head_roll: float


STANDING = Pose((0, 0), (0.02, 0.02), (0, 0), (0.1, 0.1), 0.1, 0, 0, 0, 0)


def sample_pose(rng: np.random.Generator) -> Pose:
    """Draw a walking (most), standing or phone-holding pose."""
    kind = rng.choice(["walk", "stand", "phone", "carry"], p=[0.70, 0.17, 0.08, 0.05])
    head_yaw, head_pitch, head_roll = rng.normal(0, 0.12), rng.normal(0.03, 0.07), rng.normal(0, 0.04)
    spread, lean = float(rng.uniform(0.05, 0.17)), float(rng.normal(0.03, 0.02))
    phase, stride = rng.uniform(0, 2 * math.pi), rng.uniform(0.25, 0.5)
    still_hips, still_arms = rng.normal(0, 0.05, 2), rng.normal(0, 0.1, 2)
    still_elbows = rng.uniform(0.05, 0.4, 2)
    busy_side = int(rng.integers(2))
    if kind == "walk":
        s, c = math.sin(phase), math.cos(phase)
        hips, shoulders = [stride * s, -stride * s], [-0.75 * stride * s, 0.75 * stride * s]
        knees = [0.12 + 1.35 * stride * max(0.0, c), 0.12 + 1.35 * stride * max(0.0, -c)]
        elbows = [0.2 + 0.3 * max(0.0, -s), 0.2 + 0.3 * max(0.0, s)]
    else:
        hips, knees = list(still_hips), [0.04, 0.04]
        shoulders, elbows = list(still_arms), list(still_elbows)
    if kind == "phone":
        shoulders[busy_side], elbows[busy_side] = 0.35, 2.0
        head_pitch += 0.15
    elif kind == "carry":
        shoulders[busy_side], elbows[busy_side] = 0.05, 1.15

    def pair(values: list[float]) -> tuple[float, float]:
        return float(values[0]), float(values[1])

    return Pose(
        pair(hips), pair(knees), pair(shoulders), pair(elbows), spread, lean,
        float(head_yaw), float(head_pitch), float(head_roll),
    )  # fmt: skip


@dataclass(frozen=True)
class Proportions:
    """Half the distances between the hip joints and the shoulder joints of a rest figure, metres."""

    hip_x: float
    shoulder_x: float


@dataclass(frozen=True)
class BoneMotion:
    """A point p of the rest pose goes to `rotation @ (p - rest) + posed`."""

    rotation: Array
    rest: Array
    posed: Array

    def move(self, point: Array) -> Array:
        """Where a rest point (3,) goes."""
        return self.rotation @ (point - self.rest) + self.posed


def _vector(x: float, y: float, z: float) -> Array:
    return np.array([x, y, z], F)


def move_bones(proportions: Proportions, pose: Pose, leg_freedom: float = 1.0) -> dict[Bone, BoneMotion]:
    """The motion of every bone for a pose, feet on the ground.

    leg_freedom: factor on the hip angles (skirts and coats shorten the stride).
    """
    still = np.eye(3, dtype=F)
    hip_centre = _vector(0, HIP_Y, 0)
    lean = rotation_x(pose.lean)
    motions = {
        Bone.PELVIS: BoneMotion(still, hip_centre, hip_centre),
        Bone.TORSO: BoneMotion(lean, hip_centre, hip_centre),
    }
    neck = _vector(0, NECK_Y, -0.01)
    look = lean @ rotation_y(pose.head_yaw) @ rotation_x(pose.head_pitch) @ rotation_z(pose.head_roll)
    motions[Bone.HEAD] = BoneMotion(look, neck, motions[Bone.TORSO].move(neck))
    lowest = np.inf
    for i, side in enumerate(SIDES):
        sign = SIGN[side]
        hip = _vector(sign * proportions.hip_x, HIP_Y, 0)
        knee, ankle = hip + _vector(0, KNEE_Y - HIP_Y, 0), hip + _vector(0, ANKLE_Y - HIP_Y, 0)
        swing = pose.hips[i] * leg_freedom
        thigh = BoneMotion(rotation_x(-swing), hip, hip)
        shin = BoneMotion(rotation_x(-swing + pose.knees[i]), knee, thigh.move(knee))
        tilt = float(np.clip(pose.knees[i] - swing, -0.6, 0.8)) * 0.8
        foot = BoneMotion(rotation_x(tilt), ankle, shin.move(ankle))
        for name, motion in (("THIGH", thigh), ("SHIN", shin), ("FOOT", foot)):
            motions[side_bone(side, name)] = motion
        sole = [foot.move(ankle + _vector(0, -ANKLE_Y, z))[1] for z in (-0.05, 0.12)]
        lowest = min(lowest, *sole)

        shoulder = _vector(sign * proportions.shoulder_x, SHOULDER_Y, -0.008)
        elbow = shoulder + _vector(0, ELBOW_Y - SHOULDER_Y, 0)
        inwards = 0.6 if pose.elbows[i] > 1 else 0.0
        upper = BoneMotion(
            lean @ rotation_z(sign * pose.spread) @ rotation_x(-pose.shoulders[i]),
            shoulder,
            motions[Bone.TORSO].move(shoulder),
        )
        bend = rotation_z(sign * (0.4 * pose.spread - inwards)) @ rotation_x(-pose.shoulders[i] - pose.elbows[i])
        motions[side_bone(side, "UPPER_ARM")] = upper
        motions[side_bone(side, "FOREARM")] = BoneMotion(lean @ bend, elbow, upper.move(elbow))
    drop = _vector(0, float(lowest), 0)
    return {bone: BoneMotion(m.rotation, m.rest, m.posed - drop) for bone, m in motions.items()}


def joints(proportions: Proportions, motions: dict[Bone, BoneMotion]) -> dict[str, Array]:
    """COCO's twelve body joints of a posed figure (3,), by COCO name."""
    found: dict[str, Array] = {}
    for side, word in (("l", "left"), ("r", "right")):
        sign = SIGN[side]
        arm_x, leg_x = sign * proportions.shoulder_x, sign * proportions.hip_x
        upper, forearm = motions[side_bone(side, "UPPER_ARM")], motions[side_bone(side, "FOREARM")]
        found[f"{word}_shoulder"] = upper.move(_vector(arm_x, SHOULDER_Y, -0.008))
        found[f"{word}_elbow"] = forearm.move(_vector(arm_x, ELBOW_Y, -0.008))
        found[f"{word}_wrist"] = forearm.move(_vector(arm_x, WRIST_Y, -0.008))
        found[f"{word}_hip"] = motions[side_bone(side, "THIGH")].move(_vector(leg_x, HIP_Y, 0))
        found[f"{word}_knee"] = motions[side_bone(side, "SHIN")].move(_vector(leg_x, KNEE_Y, 0))
        found[f"{word}_ankle"] = motions[side_bone(side, "FOOT")].move(_vector(leg_x, ANKLE_Y, 0))
    return found
