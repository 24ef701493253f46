"""Hide every box of one image."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from anonbench.anonymizers import Anonymizer, Box
from anonbench.data.images import RGB


def anonymize_image(image: RGB, boxes: Iterable[Box], anonymizer: Anonymizer, rng: np.random.Generator) -> RGB:
    """A copy of `image` (H, W, 3) uint8 in which every box shows its anonymizer's patch; all else is as it was.

    Each patch is made from the original image, so no box sees what was done to another. Patches are made and pasted
    from the smallest box to the largest (ties by coordinates; a box given twice counts once): the result does not
    depend on the order of detection, and where two boxes overlap, the larger one's coarser patch stays on top.

    Raises ValueError when a box is not inside the image or the anonymizer returns something that is no patch.

    >>> from anonbench.anonymizers.zero import Zero
    >>> image = np.full((4, 4, 3), 9, dtype=np.uint8)
    >>> anonymize_image(image, [(1, 0, 4, 2)], Zero(), np.random.default_rng(0))[..., 0]
    array([[9, 0, 0, 0],
           [9, 0, 0, 0],
           [9, 9, 9, 9],
           [9, 9, 9, 9]], dtype=uint8)
    """
    height, width = image.shape[:2]
    original = image.view()
    original.flags.writeable = False  # a plug-in that scribbles on its input fails here and not in the results
    result = image.copy()
    for box in sorted(set(boxes), key=lambda box: (_area(box), box)):
        x0, y0, x1, y1 = box
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            raise ValueError(f"box {box} is empty or not inside the {width}x{height} image; use images.clip_box first")
        patch = anonymizer.redact(original, box, rng)
        if patch.shape != (y1 - y0, x1 - x0, 3) or patch.dtype != np.uint8:
            raise ValueError(
                f"{type(anonymizer).__name__}.redact returned {patch.dtype} of shape {patch.shape} for box {box}; "
                f"expected uint8 of shape {(y1 - y0, x1 - x0, 3)}"
            )
        result[y0:y1, x0:x1] = patch
    return result


def _area(box: Box) -> int:
    x0, y0, x1, y1 = box
    return (x1 - x0) * (y1 - y0)
