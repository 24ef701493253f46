"""Hold a plug-in against the contract of its kind, as the contract tests do for those in the repository."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from anonbench.anonymizers import Anonymizer, Box
from anonbench.anonymizers._apply import anonymize_image
from anonbench.errors import ConfigError
from anonbench.images import RGB
from anonbench.registry import ANONYMIZERS

SIZE = (40, 24)  # height, width
# Inside, at each border, a single pixel, everything: where boxes fall in real crops.
BOXES: dict[str, Box] = {
    "a box inside the image": (6, 5, 18, 19),
    "a box in the upper left corner": (0, 0, 9, 10),
    "a box in the lower right corner": (15, 30, 24, 40),
    "a box of one pixel": (3, 3, 4, 4),
    "a box over the whole image": (0, 0, 24, 40),
}


def check_anonymizer(name: str, parameters: Mapping[str, Any]) -> None:
    """Print what was checked; raise `ConfigError` with the first promise that the anonymizer breaks."""
    anonymizer: Anonymizer = ANONYMIZERS.create({"method": name, **parameters})
    for what, box in BOXES.items():
        image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
        try:
            result = _redact(image, box, anonymizer)
            again = _redact(image, box, anonymizer)
        except ValueError as error:
            raise ConfigError(f"anonymizer '{name}' fails on {what} {box}: {error}") from error
        broken = _broken_promise(image, result, again, box)
        if broken:
            raise ConfigError(f"anonymizer '{name}' breaks its contract on {what} {box}: {broken}")
        print(f"ok: {what}")


def _redact(image: RGB, box: Box, anonymizer: Anonymizer) -> RGB:
    return anonymize_image(image, [box], anonymizer, np.random.default_rng(1))


def _broken_promise(image: RGB, result: RGB, again: RGB, box: Box) -> str | None:
    x0, y0, x1, y1 = box
    if not np.array_equal(result, again):
        return "the same image and random seed give different results; draw from `rng` only."
    if (x1 - x0) * (y1 - y0) == 1:
        return None  # a single pixel may rightly keep its colour
    changed = (result != image).any(axis=2)[y0:y1, x0:x1]
    if not changed.any(axis=1).all():
        return f"row {y0 + int(np.argmin(changed.any(axis=1)))} is left as it was."
    if not changed.any(axis=0).all():
        return f"column {x0 + int(np.argmin(changed.any(axis=0)))} is left as it was."
    return None
