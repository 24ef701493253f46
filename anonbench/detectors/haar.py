"""Viola and Jones's cascades of Haar features, as contrast: what was usual before networks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from anonbench.core.errors import MissingDependencyError
from anonbench.data.images import RGB
from anonbench.data.regions import Region
from anonbench.detectors import DETECTORS, Detect

CASCADE = "haarcascade_frontalface_default.xml"
WHAT_TO_DO = (
    "OpenCV 5 has moved the cascades from its main packages to opencv-contrib: put opencv-contrib-python-headless of "
    "the same version in the place of opencv-python-headless (never both: each overwrites the other's files), and name "
    f"the cascade's XML file by `cascade:` ({CASCADE} of OpenCV's repositories, if cv2/data has none). Or choose "
    "another detector, such as centerface."
)


@DETECTORS.register("haar")
@dataclass(frozen=True)
class Haar:
    """Detect faces with a cascade of boosted Haar features (Viola and Jones 2001), by OpenCV.

    cascade: path of the cascade's XML file; empty for the frontal one that OpenCV brings along, where it does.
    upscale: factor by which the image is enlarged before detection, > 0. The frontal cascade sees faces of 24 pixels
        and more; those of re-identification crops have about 10.
    scale_factor: step from one window size to the next, > 1. Smaller finds more and takes longer.
    min_neighbors: so many overlapping windows make a face, >= 1. Fewer find more faces, and more that are none.
    The score is n / (n + 10) of the number n of windows that agree: it orders boxes and is no probability.
    """

    cascade: str = ""
    upscale: float = 3.0
    scale_factor: float = 1.1
    min_neighbors: int = 3

    def __post_init__(self) -> None:
        if not isinstance(self.cascade, str):
            raise ValueError(f"cascade must be the path of an XML file, got {self.cascade!r}")
        for name, least in (("upscale", 0), ("scale_factor", 1)):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if not number or not value > least:
                raise ValueError(f"{name} must be a number > {least}, got {value!r}")
        if type(self.min_neighbors) is not int or self.min_neighbors < 1:
            raise ValueError(f"min_neighbors must be a whole number from 1 on, got {self.min_neighbors!r}")

    @property
    def scales_in_words(self) -> str:
        return f"×{self.upscale:g}"

    def open(self, root: Path) -> Detect:
        """Load the cascade. `root` is not used: the cascade looks at pixels only.

        Raises `MissingDependencyError` where this OpenCV has no cascades or the XML file is not there.
        """
        classifier = load_cascade(self.cascade)
        return lambda image, path: self._detect(classifier, image)

    def _detect(self, classifier: Any, image: RGB) -> list[Region]:
        height, width = image.shape[:2]
        new_h, new_w = max(1, round(height * self.upscale)), max(1, round(width * self.upscale))
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        grey = cv2.resize(grey, (new_w, new_h), interpolation=cv2.INTER_CUBIC)
        boxes, windows = classifier.detectMultiScale2(
            grey, scaleFactor=self.scale_factor, minNeighbors=self.min_neighbors
        )
        scale = np.array([width / new_w, height / new_h] * 2)
        found = []
        for box, n in zip(boxes, np.ravel(windows), strict=True):
            x, y, w, h = (float(v) for v in box * scale)
            found.append(Region((x, y, x + w, y + h), score=float(n / (n + 10))))
        return sorted(found, key=lambda d: (-d.score, d.y0, d.x0, d.x1))


def load_cascade(path: str = "") -> Any:
    """OpenCV's classifier for a cascade's XML file; raises `MissingDependencyError` with what to do."""
    make: Any = getattr(cv2, "CascadeClassifier", None)
    if make is None:
        raise MissingDependencyError(
            f"detector 'haar' needs cascade classifiers, which OpenCV {cv2.__version__} as installed here does not "
            f"have. {WHAT_TO_DO}"
        )
    file = Path(path) if path else Path(cv2.data.haarcascades) / CASCADE  # type: ignore[attr-defined]
    if not file.is_file():
        raise MissingDependencyError(f"detector 'haar': there is no cascade at {file}. {WHAT_TO_DO}")
    classifier = make(str(file))
    if classifier.empty():
        raise MissingDependencyError(f"detector 'haar': {file} is not a cascade that OpenCV can read. {WHAT_TO_DO}")
    return classifier
