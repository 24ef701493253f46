"""Face detectors: image to boxes with scores. One module a detector, named like its key in the config.

A detector is a frozen dataclass whose fields are its parameters. `open(root)` makes it ready for the images of one
dataset folder (loads a network, reads annotations) and returns the function that finds faces. One that gains from
several images at once also has `detect_batch(images)` and says with a field `batch` how many it wants. One that looks
at images enlarged or reduced says so in `scales_in_words`: what it finds depends on it, so tables name it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from anonbench.core.registry import Registry
from anonbench.data.images import RGB
from anonbench.data.regions import Region

DETECTORS = Registry("detector", __name__)

Detect = Callable[[RGB, str], list[Region]]
"""(image, its path relative to the dataset root) -> boxes, best first."""


class Detector(Protocol):
    """What every detector offers."""

    def open(self, root: Path) -> Detect:
        """Load what is needed and return the detecting function for the images below `root`."""
        ...
