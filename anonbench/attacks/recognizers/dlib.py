"""dlib's face recognition network, with the weights that a package ships."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from anonbench.attacks.recognizers import RECOGNIZERS
from anonbench.core.errors import ConfigError, DataError

SIDE = 150  # pixels of the network's input
MODEL = "dlib_face_recognition_resnet_model_v1.dat"
INSTALL = "Install both: pip install --requirement requirements-recognition.txt"


@RECOGNIZERS.register("dlib")
@dataclass(frozen=True)
class Dlib:
    """A ResNet of 29 layers, 128 features, trained on 3 million faces; the weights are in the public domain (CC0).

    Source: D. E. King, "High Quality Face Recognition with Deep Metric Learning", dlib.net, 2017, which compares
    features by their Euclidean distance; attacks here compare directions. Deviation: faces are not aligned by their
    eyes first. Most have been hidden, so that no eyes can be found; the box is brought to 150 x 150 pixels instead.
    """

    def open(self) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
        try:
            import dlib
        except ImportError as error:
            raise ConfigError(f"recognizer 'dlib' needs dlib, which cannot be imported ({error}). {INSTALL}") from error
        network = dlib.face_recognition_model_v1(str(_weights()))

        def features(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
            enlarged = [cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for face in faces]
            return np.array([network.compute_face_descriptor(face) for face in enlarged], np.float32)

        return features


def _weights() -> Path:
    """The file, found without importing its package: that needs pkg_resources, which setuptools no longer has."""
    try:
        files = metadata.files("face-recognition-models") or []
    except metadata.PackageNotFoundError:
        raise ConfigError(f"recognizer 'dlib' needs the package face-recognition-models. {INSTALL}") from None
    for file in files:
        if file.name == MODEL:
            return Path(str(file.locate()))
    raise DataError(f"face-recognition-models: {MODEL} is not in it. {INSTALL}")
