"""TinyFaces, the detector of Study 1: finds faces down to ten pixels by context, at several image scales."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from anonbench.core.errors import ConfigError, MissingDependencyError
from anonbench.data.images import RGB
from anonbench.data.regions import Region
from anonbench.detectors import DETECTORS, Detect
from anonbench.detectors._tinyfaces.decode import decode
from anonbench.detectors._tinyfaces.network import TinyFacesNetwork
from anonbench.detectors._tinyfaces.pyramid import level_size, pad_small, resize, to_original
from anonbench.detectors._tinyfaces.templates import active_templates
from anonbench.detectors._tinyfaces.weights import WHERE, check_trunk, load_network
from anonbench.detectors.centerface import non_maximum_suppression

DEVICES = ("auto", "cpu", "cuda")
# Pixels in the network at once, beyond which a batch is cut: the first maps take 256 bytes a pixel, all together 1 kB.
MAX_PIXELS = 4_000_000


@DETECTORS.register("tinyfaces")
@dataclass(frozen=True)
class TinyFaces:
    """Detect faces with TinyFaces (Hu and Ramanan, "Finding Tiny Faces", CVPR 2017).

    weights: file of weights: the port's PyTorch checkpoint, the authors' hr_res101.mat, or one trained here. Relative
        to the working folder.
    trunk: resnet101 (both public files), resnet50 or resnet18.
    threshold: least score of a face, 0..1. The authors' demo: 0.5; their test on WIDER FACE, which needs the whole
        precision-recall curve: 0.03.
    nms_iou: of two boxes that overlap more than this the lower-scored one is dropped, 0..1. The authors' test: 0.3;
        their demo: 0.1.
    scales: of the image pyramid, each > 0. Default: the authors' test. Faces smaller than 17 pixels are found at scales
        above 1 alone, by templates of 20 to 32 pixels.
    device: auto (a GPU where there is one), cpu or cuda.
    batch: images for `detect_batch` at once, >= 1. Those of equal size go through the network together,
        fewer where they are large.
    Source of scales and thresholds: the authors' scripts/hr_res101.m, cnn_widerface_test_AB.m, tiny_face_detector.m.
    Deviations: scores are the sigmoids of the authors' (0..1); boxes keep their fractions; overlap is that of areas.
    """

    weights: str = ""
    trunk: str = "resnet101"
    threshold: float = 0.5
    nms_iou: float = 0.3
    scales: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)
    device: str = "auto"
    batch: int = 16

    def __post_init__(self) -> None:
        if not isinstance(self.weights, str):
            raise ValueError(f"weights must be the name of a file, got {self.weights!r}")
        check_trunk(self.trunk)
        for name in ("threshold", "nms_iou"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
                raise ValueError(f"{name} must lie between 0 and 1, got {value!r}")
        numbers = isinstance(self.scales, tuple) and bool(self.scales)
        if not numbers or not all(type(s) in (int, float) and math.isfinite(s) and s > 0 for s in self.scales):
            raise ValueError(f"scales must be numbers > 0, e.g. [0.5, 1, 2], got {self.scales!r}")
        if self.device not in DEVICES:
            raise ValueError(f"device must be one of {', '.join(DEVICES)}, got {self.device!r}")
        if isinstance(self.batch, bool) or not isinstance(self.batch, int) or self.batch < 1:
            raise ValueError(f"batch must be an integer >= 1, got {self.batch!r}")

    @property
    def scales_in_words(self) -> str:
        return ", ".join(f"×{scale:g}" for scale in self.scales)

    def open(self, root: Path) -> Detect:
        """Load the network. `root` is not used: TinyFaces looks at pixels only.

        Raises `MissingDependencyError` when the weights are missing or do not fit, `ConfigError` without the GPU asked
        for.
        """
        _ = self._network
        return lambda image, path: self.detect(image)

    def detect(self, image: RGB) -> list[Region]:
        """Find faces in a (height, width, 3) uint8 RGB image; boxes in its pixels, best first."""
        return self.detect_batch([image])[0]

    def detect_batch(self, images: Sequence[RGB]) -> list[list[Region]]:
        """Find the faces of each image; images of equal size go through the network together, `batch` at a time."""
        by_size: dict[tuple[int, ...], list[int]] = {}
        for index, image in enumerate(images):
            by_size.setdefault(image.shape, []).append(index)
        found: list[list[Region]] = [[] for _ in images]
        for indices in by_size.values():
            for first in range(0, len(indices), self.batch):
                part = indices[first : first + self.batch]
                for index, faces in zip(part, self._detect_equal([images[i] for i in part]), strict=True):
                    found[index] = faces
        return found

    def _detect_equal(self, images: list[RGB]) -> list[list[Region]]:
        """The faces of images of one size: candidates of all levels, then suppression image by image."""
        size = (images[0].shape[0], images[0].shape[1])
        levels = [found for scale in self.scales if (found := self._level(images, size, scale)) is not None]
        if not levels:
            return [[] for _ in images]
        owner, boxes, logits = (np.concatenate(parts) for parts in zip(*levels, strict=True))
        inside = (boxes[:, :2] < (size[1], size[0])).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
        return [self._suppress(boxes[own], logits[own]) for n in range(len(images)) for own in [inside & (owner == n)]]

    def _level(
        self, images: list[RGB], size: tuple[int, int], scale: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]] | None:
        """(image, box, logit) of every candidate at one scale: (n,), (n, 4) in original pixels, (n,)."""
        level = level_size(*size, scale)
        if level is None:
            return None
        network = self._network
        templates = torch.from_numpy(active_templates(scale))
        at_once = max(1, MAX_PIXELS // (level[0] * level[1]))
        parts = []
        for first in range(0, len(images), at_once):
            pixels = np.stack([resize(image, level) for image in images[first : first + at_once]]).astype(np.float32)
            pixels = pad_small(pixels, network.convention.mean)  # (B, H, W, 3)
            with torch.inference_mode():
                maps = network(torch.from_numpy(pixels).permute(0, 3, 1, 2).to(network.mean.device))
                found = decode(maps, self.threshold, templates)
            boxes = to_original(found.boxes.cpu().numpy(), level, size, network.convention.inclusive)
            parts.append((found.image.cpu().numpy() + first, boxes, found.logits.cpu().numpy()))
        owner, boxes, logits = (np.concatenate(part) for part in zip(*parts, strict=True))
        return owner, boxes, logits

    def _suppress(self, boxes: NDArray[np.float64], logits: NDArray[np.float64]) -> list[Region]:
        kept = non_maximum_suppression(boxes, logits, self.nms_iou)
        scores = 1 / (1 + np.exp(-logits[kept]))
        return [
            Region((x0, y0, x1, y1), score=score)
            for (x0, y0, x1, y1), score in zip(boxes[kept].tolist(), scores.tolist(), strict=True)
        ]

    @cached_property
    def _network(self) -> TinyFacesNetwork:
        if not self.weights:
            raise MissingDependencyError(f"detector 'tinyfaces' needs weights, and `weights:` names none.\n{WHERE}")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ConfigError(
                "detector 'tinyfaces': device is 'cuda', but torch sees no GPU. Install a CUDA build of torch, check "
                "`nvidia-smi`, or write `device: auto`."
            )
        network = load_network(Path(self.weights), self.trunk).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network.to("cuda" if self.device != "cpu" and torch.cuda.is_available() else "cpu")
