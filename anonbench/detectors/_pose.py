"""Where somebody's joints are in a picture, by MediaPipe's pose network: COCO's 17 keypoints of one person.

    network = PoseNetwork()
    network.keypoints(image, box=(40, 20, 90, 160))    # ((x, y, 2.0), ...) or None

The network is a file in the package `mediapipe`, which is not imported: it would want another NumPy. The package
`ai-edge-litert` runs it. Both are installed by hand: requirements-pose.txt.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from anonbench.core.errors import MissingDependencyError
from anonbench.data.images import RGB
from anonbench.data.regions import Box, Keypoints

Floats = NDArray[np.float64]
SIDE = 256  # pixels of the network's input
AROUND = 1.25  # side of the square that it sees, as a multiple of the longer side of the person's box
POINTS, VALUES = 39, 5  # of its output: 33 points of a body and 6 auxiliary ones; x, y, z, visibility, presence
# MediaPipe's own default. Of drawn people 16 to 32 pixels high 63 % pass, and 81 % of their visible joints are found to
# a tenth of that height; of the others' joints 53 %.
LEAST_PERSON = 0.5
SEEN = 2.0  # COCO's word for a keypoint that is visible
FILE = "pose_landmark_full.tflite"
RUNTIME, PACKAGE = "ai-edge-litert", "mediapipe"
INSTALL = "pip install --no-deps -r requirements-pose.txt"

FROM_MEDIAPIPE = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""Of MediaPipe's 33 points those that are COCO's 17, in COCO's order; "left" is the person's own left in both."""


class PoseNetwork:
    """MediaPipe's "full" pose network (BlazePose), 6.4 MB, on one thread.

    least_confidence: of a keypoint that counts as visible, 0..1; others are unknown.
    """

    def __init__(self, least_confidence: float = 0.3) -> None:
        self.least_confidence = least_confidence

    def keypoints(self, image: RGB, box: Box) -> Keypoints | None:
        """COCO's 17 keypoints of the person in a box, in pixels of the image; None where none is visible.

        None too where the network sees no person (`LEAST_PERSON`).

        image: (H, W, 3) uint8 RGB.
        Raises `MissingDependencyError` where a package is missing.
        """
        crop, scale, left, top = square_around(image, box)
        points, person = self._look(crop)
        return to_coco(points, scale, left, top, self.least_confidence) if person >= LEAST_PERSON else None

    def _look(self, crop: RGB) -> tuple[Floats, float]:
        """What the network says of (256, 256, 3) uint8: its points (39, 5), and whether it is a person, 0..1."""
        interpreter, (entry,) = self._interpreter, self._interpreter.get_input_details()
        interpreter.set_tensor(entry["index"], (crop.astype(np.float32) / 255)[None])
        interpreter.invoke()
        outputs = {
            output.size: output
            for output in (interpreter.get_tensor(entry["index"]) for entry in interpreter.get_output_details())
        }
        points = np.asarray(outputs[POINTS * VALUES], np.float64).reshape(POINTS, VALUES)
        return points, float(outputs[1].item())

    @cached_property
    def _interpreter(self) -> Any:
        file = network_file()
        try:
            runtime = importlib.import_module("ai_edge_litert.interpreter")
        except ImportError as error:
            raise MissingDependencyError(
                f"poses need the package {RUNTIME} ({error}). Install it: {INSTALL}"
            ) from error
        interpreter = runtime.Interpreter(str(file), num_threads=1)
        interpreter.allocate_tensors()
        return interpreter


def network_file() -> Path:
    """The file of the network in the installed package. Raises `MissingDependencyError`."""
    try:
        files = importlib.metadata.files(PACKAGE) or []
        found = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        raise MissingDependencyError(
            f"poses need {FILE}, a file in the package {PACKAGE} 0.10.21, which is not installed. Install it: {INSTALL}"
        ) from None
    path = next((Path(str(file.locate())) for file in files if file.name == FILE), None)
    if path is None or not path.is_file():
        raise MissingDependencyError(
            f"poses need {FILE}, and {PACKAGE} {found} has no such file; version 0.10.21 has it. Install it: {INSTALL}"
        )
    return path


def square_around(image: RGB, box: Box) -> tuple[RGB, float, float, float]:
    """The square that the network sees, (256, 256, 3), what lies outside the picture filled with its edge.

    Also, in pixels of the image, the length of one of its pixels, and its left and upper edge.
    """
    x0, y0, x1, y1 = box
    side = AROUND * max(x1 - x0, y1 - y0)
    left, top, scale = (x0 + x1 - side) / 2, (y0 + y1 - side) / 2, side / SIDE
    # OpenCV places pixels at whole numbers, boxes begin half a pixel before the first.
    shift = (scale - 1) / 2
    back = np.array([[scale, 0, left + shift], [0, scale, top + shift]])
    smooth = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    if scale > 1:  # so that no pixel of a large person is skipped
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.4 * scale), np.uint8)
    crop = cv2.warpAffine(image, back, (SIDE, SIDE), flags=smooth, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8), scale, left, top


def to_coco(points: Floats, scale: float, left: float, top: float, least_confidence: float) -> Keypoints | None:
    """COCO's 17 keypoints from the network's points (39, 5), in pixels of the image; None where none is visible.

    scale, left, top: as `square_around` gives them.
    A point's confidence is the logistic function of its visibility. One below the least is (0, 0, 0), as COCO writes
    what is not labelled.
    """
    chosen = points[list(FROM_MEDIAPIPE)]
    visible = 1 / (1 + np.exp(-chosen[:, 3])) >= least_confidence
    if not visible.any():
        return None
    places = chosen[:, :2] * scale + (left, top) - 0.5  # from edges to middles of pixels, as COCO counts
    return tuple(
        (float(x), float(y), SEEN) if seen else (0.0, 0.0, 0.0)
        for (x, y), seen in zip(places.tolist(), visible.tolist(), strict=True)
    )
