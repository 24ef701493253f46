"""A whole person: bare limbs, clothes and head joined into one figure that can be posed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anonbench.rendered import head
from anonbench.rendered.clothing import (
    HEM_Y,
    LONG_SLEEVES,
    build_clothes,
    leg_freedom,
    leg_radius,
    shows_legs,
)
from anonbench.rendered.geometry import (
    Array,
    F,
    PointCloud,
    lathe_rows,
    profile,
    rounded_box,
    smoothstep,
    turn,
)
from anonbench.rendered.identity import Identity
from anonbench.rendered.parts import Part, cloud_of
from anonbench.rendered.skeleton import (
    REST_HEIGHT_M,
    SIDES,
    SIGN,
    Bone,
    Pose,
    Skinning,
    follow_arm,
    follow_leg,
    joints,
    move_bones,
    rigid,
    side_bone,
)

SHADOW_STRIDE = 9  # one point in this many is enough to cast shadows


@dataclass(frozen=True)
class PosedPoints:
    """A figure in camera space, metres: (n, 3) points and normals of the side that faces the camera.

    chosen: indices of these points in the figure's cloud.
    blockers: (m, 3) coarse points of the whole figure, for shadows.
    joints: COCO-17 keypoints (3,), by name.
    """

    points: Array
    normals: Array
    chosen: np.ndarray
    blockers: Array
    joints: dict[str, Array]


@dataclass(frozen=True)
class Figure:
    """A person's surfaces in the rest pose, ready to be posed. `density`: points per metre."""

    identity: Identity
    density: float
    cloud: PointCloud

    def pose(self, pose: Pose, view: Array) -> PosedPoints:
        """Move the figure into a pose and turn it into camera space by the rotation `view` (3, 3)."""
        cloud, identity = self.cloud, self.identity
        scale = F(identity.height_m / REST_HEIGHT_M)
        motions = move_bones(identity.proportions, pose, leg_freedom(identity))
        turned = {bone: (view @ m.rotation, view @ m.rest, m) for bone, m in motions.items()}

        def placed(bone: int, points: Array) -> Array:
            rotation, _, motion = turned[Bone(bone)]
            return (points @ rotation.T + (view @ motion.posed - rotation @ motion.rest)) * scale

        points, chosen, blockers = [], [], []
        normals = []
        for part, first, second in cloud.segments:
            rest, facing = cloud.points[part], cloud.normals[part]
            towards = facing @ turned[Bone(first)][0][2]
            weight = cloud.skinning.weight[part] if first != second else None
            if weight is not None:
                towards = towards + weight * (facing @ turned[Bone(second)][0][2] - towards)
            seen = np.nonzero(towards > -0.04)[0]
            coarse = slice(None, None, SHADOW_STRIDE)
            moved, sparse = placed(first, rest[seen]), placed(first, rest[coarse])
            normal = facing[seen] @ turned[Bone(first)][0].T
            if weight is not None:
                share = weight[seen, None]
                moved += share * (placed(second, rest[seen]) - moved)
                sparse += weight[coarse, None] * (placed(second, rest[coarse]) - sparse)
                normal += share * (facing[seen] @ turned[Bone(second)][0].T - normal)
            points.append(moved)
            normals.append(normal)
            blockers.append(sparse)
            chosen.append(seen + part.start)
        marks = joints(identity.proportions, motions)
        marks |= {name: motions[Bone.HEAD].move(point) for name, point in head.landmarks(identity).items()}
        return PosedPoints(
            points=np.concatenate(points),
            normals=np.concatenate(normals),
            chosen=np.concatenate(chosen),
            blockers=np.concatenate(blockers),
            joints={name: view @ point * scale for name, point in marks.items()},
        )


def build_figure(identity: Identity, density: float) -> Figure:
    """All surfaces of a person at a density in points per metre."""
    density = density * identity.height_m / REST_HEIGHT_M
    clouds = [*head.build_head(identity, density), *build_clothes(identity, density), _neck(identity, density)]
    for side in SIDES:
        clouds += [_arm(identity, side, density), _hand(identity, side, density)]
        if shows_legs(identity):
            clouds.append(_leg(identity, side, density))
    return Figure(identity, density, PointCloud.join(clouds))


def _neck(identity: Identity, density: float) -> PointCloud:
    heights = (1.42, 1.60)
    girth = (0.9 + 0.1 * identity.build) * (0.87 if identity.female else 1.0)
    rows = lathe_rows(heights, density)
    radius = np.linspace(0.059, 0.055, rows, dtype=F) * girth
    centre_z = np.linspace(-0.016, -0.002, rows, dtype=F)
    tube = turn(heights, radius, radius, density, centre_z=centre_z, rows=rows)
    count = tube.grid[..., 0].size
    share = smoothstep(1.46, 1.57, tube.grid[..., 1]).ravel()
    follow = Skinning(np.full(count, Bone.TORSO, np.int8), np.full(count, Bone.HEAD, np.int8), share)
    return cloud_of(tube.grid, tube.normals, np.array(identity.skin) * 0.94, Part.NECK, follow, 0.03)


def _arm(identity: Identity, side: str, density: float) -> PointCloud:
    """The bare arm, from below a short sleeve (or the whole arm under a tank top) to the wrist."""
    top = {"tank": 1.430}.get(identity.outfit.top, 1.23)
    heights = (0.84, 0.87 if identity.outfit.top in LONG_SLEEVES else top)
    rows = lathe_rows(heights, density)
    y = np.linspace(*heights, rows, dtype=F)
    knots = [0.84, 0.87, 0.98, 1.05, 1.10, 1.2, 1.31, 1.37, 1.405, 1.430]
    radius = profile(y, knots, [0.026, 0.027, 0.037, 0.039, 0.037, 0.043, 0.052, 0.051, 0.041, 0.012])
    radius = radius * (0.55 + 0.45 * identity.build) * (0.93 if identity.female else 1.0)
    x = SIGN[side] * identity.proportions.shoulder_x
    tube = turn(heights, radius, radius, density, centre_x=x, centre_z=-0.008, rows=rows)
    follow = follow_arm(tube.grid.reshape(-1, 3), side)
    return cloud_of(tube.grid, tube.normals, identity.skin, Part.ARM, follow, 0.03)


def _hand(identity: Identity, side: str, density: float) -> PointCloud:
    x = SIGN[side] * identity.proportions.shoulder_x
    grid, normals = rounded_box((x, 0.79, 0.002), (0.017, 0.068, 0.031), np.eye(3, dtype=F), density, 0.15)
    colour = np.array(identity.skin, F) * np.array([0.96, 0.88, 0.86], F)
    bone = side_bone(side, "FOREARM")
    return cloud_of(grid, normals, colour, Part.ARM, rigid(bone, grid[..., 0].size), 0.03)


def _leg(identity: Identity, side: str, density: float) -> PointCloud:
    outfit = identity.outfit
    covered_from = HEM_Y["dress"] if outfit.top == "dress" else outfit.skirt_length if outfit.lower == "skirt" else 0.52
    heights = (0.05, covered_from + 0.12)
    rows = lathe_rows(heights, density)
    radius = leg_radius(np.linspace(*heights, rows, dtype=F)) * (0.45 + 0.55 * identity.build)
    x = SIGN[side] * identity.proportions.hip_x
    tube = turn(heights, radius, radius, density, centre_x=x, rows=rows)
    follow = follow_leg(tube.grid.reshape(-1, 3), side)
    return cloud_of(tube.grid, tube.normals, identity.skin, Part.LOWER, follow, 0.03)
