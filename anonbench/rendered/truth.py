"""Ground truth of a crop, read off the renderer's buffers: face box, person mask, keypoints, view."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonbench.rendered.geometry import Array, Mask
from anonbench.rendered.raster import Projection

COCO_KEYPOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
FACE_THRESHOLD = 0.3  # share of the frontal face area that must be seen to speak of a visible face
JOINT_DEPTH_M = 0.14  # a joint lies at most this far below the surface that shows it
HEAD_DEPTH_M = 0.04


@dataclass(frozen=True)
class Keypoint:
    """A COCO keypoint in pixels of the crop.

    visibility: 0 outside the crop, 1 hidden, 2 visible.
    """

    x: float
    y: float
    visibility: int


@dataclass(frozen=True)
class Truth:
    """What is known about one crop.

    view, yaw_deg: of the head relative to the camera, 0 facing it, positive to the image's right; None without a
        person.
    face_box: x0, y0, x1, y1 of the visible face in pixels (half-open, fractional), None when less than `FACE_THRESHOLD`
        of the frontal area shows.
    face_fraction: visible face area over this person's frontal face area at that scale.
    mask: (height, width) bool, the visible pixels of the person.
    occluded: something hides more than 5 % of the person.
    face_occluded: something hides more than 5 % of the face.
    """

    view: str | None
    yaw_deg: float | None
    face_box: tuple[float, float, float, float] | None
    face_fraction: float
    skin_tone: int | None
    occluded: bool
    face_occluded: bool
    mask: Mask
    keypoints: tuple[Keypoint, ...]


def face_extent(face: Mask, supersampling: int) -> tuple[float, float, float, float] | None:
    """The box of the visible face pixels of a raster, in crop pixels; slivers at its rim do not count.

    A row or column counts when it holds at least 12 % of the fullest one's face pixels.
    """
    if not face.any():
        return None
    by_row, by_column = face.sum(axis=1), face.sum(axis=0)
    rows = np.nonzero(by_row >= max(1.0, 0.12 * by_row.max()))[0]
    columns = np.nonzero(by_column >= max(1.0, 0.12 * by_column.max()))[0]
    corners = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    return tuple(float(c) / supersampling for c in corners)  # type: ignore[return-value]


def project_keypoints(
    joints: dict[str, Array],
    projection: Projection,
    depth: NDArray[np.float32],
    visible: Mask,
    supersampling: int,
) -> tuple[Keypoint, ...]:
    """COCO-17 keypoints of a person in crop pixels.

    depth: (rows, columns) camera-space z of the person's surface.
    visible: where nothing hides the person. Both at raster size.
    """
    height, width = visible.shape
    found = []
    for name in COCO_KEYPOINTS:
        point = joints[name]
        column, row = (float(v) for v in projection(point))
        x, y = math.floor(column), math.floor(row)
        if not (0 <= x < width and 0 <= y < height):
            state = 0
        else:
            near = HEAD_DEPTH_M if name.split("_")[-1] in ("nose", "eye", "ear") else JOINT_DEPTH_M
            state = 2 if visible[y, x] and depth[y, x] - point[2] < near else 1
        found.append(Keypoint(column / supersampling, row / supersampling, state))
    return tuple(found)
