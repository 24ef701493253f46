"""A recognizer of the user's: a network in an ONNX file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from anonbench.attacks.recognizers import RECOGNIZERS
from anonbench.core import checks
from anonbench.core.errors import DataError


@RECOGNIZERS.register("onnx")
@dataclass(frozen=True)
class Onnx:
    """A network that OpenCV can read. Input (1, 3, H, W) float32, output (1, d): the features.

    file: the ONNX file.
    size: height and width of the input in pixels. Faces are brought to it by bicubic interpolation.
    mean, std: of each colour channel in the range 0..255; the input is (pixel - mean) / std.
    bgr: whether channels are blue, green, red.
    """

    file: str
    size: tuple[int, int] = (112, 112)
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    std: tuple[float, float, float] = (127.5, 127.5, 127.5)
    bgr: bool = False

    def __post_init__(self) -> None:
        for side in self.size:
            checks.integer("size", side, 1)
        for value in self.std:
            checks.number("std", value, 0, above=True)

    def open(self) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
        if not Path(self.file).is_file():
            raise DataError(f"{self.file}: no such file; expected the recognizer's network (ONNX).")
        try:
            network = cv2.dnn.readNetFromONNX(self.file)
        except cv2.error as error:
            raise DataError(f"{self.file}: OpenCV cannot read it as ONNX ({error}).") from error
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)

        def features(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
            found = []
            for face in faces:
                pixels = cv2.resize(face, self.size[::-1], interpolation=cv2.INTER_CUBIC)
                values = (pixels.astype(np.float32) - mean) / std
                values = values[..., ::-1] if self.bgr else values
                network.setInput(np.ascontiguousarray(values.transpose(2, 0, 1)[None]))
                found.append(np.asarray(network.forward(), np.float32).reshape(-1))
            return np.stack(found)

        return features
