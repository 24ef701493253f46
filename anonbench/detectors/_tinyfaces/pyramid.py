"""The image at several scales, and boxes found there back in the original image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anonbench.data.images import RGB

# Images enlarged beyond this are left out. Source: the authors' cnn_widerface_test_AB.m.
MAX_ENLARGED_SIDE = 5000
# Below one cell of the coarser map the convolutions have nothing to work on.
MIN_SIDE = 16


def level_size(height: int, width: int, scale: float) -> tuple[int, int] | None:
    """(height, width) of an image scaled by `scale`, at least one pixel; None where the level is left out."""
    new_height, new_width = max(1, round(height * scale)), max(1, round(width * scale))
    if scale > 1 and max(new_height, new_width) > MAX_ENLARGED_SIDE:
        return None
    return new_height, new_width


def resize(image: RGB, size: tuple[int, int]) -> RGB:
    """An image of `size` (height, width), by Pillow's bilinear filter, which widens with the reduction.

    Source: the port resizes so; MATLAB's imresize, the authors', is the same filter.
    """
    if image.shape[:2] == size:
        return image
    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def pad_small(images: NDArray[np.float32], mean: tuple[float, float, float]) -> NDArray[np.float32]:
    """Extend (B, H, W, 3) images of fewer than 16 rows or columns by the mean colour, below and to the right."""
    rows, columns = (max(0, MIN_SIDE - side) for side in images.shape[1:3])
    if not rows and not columns:
        return images
    padded = np.empty((len(images), images.shape[1] + rows, images.shape[2] + columns, 3), np.float32)
    padded[:] = mean
    padded[:, : images.shape[1], : images.shape[2]] = images
    return padded


def to_original(
    boxes: NDArray[np.float64], level: tuple[int, int], original: tuple[int, int], inclusive: bool
) -> NDArray[np.float64]:
    """Boxes (n, 4), half-open, of a level in pixels of the original image.

    level, original: (height, width).
    inclusive: see `network.Convention`.
    """
    ratio = np.array([original[1] / level[1], original[0] / level[0]])  # x, y: original pixels in one of the level
    boxes = boxes * np.tile(ratio, 2)
    if inclusive:
        # x1 and x2 were both multiplied by s, so what is x2 + 1 here was learnt as s x2 + 1.
        boxes[:, 2:] = np.maximum(boxes[:, 2:] + 1 - ratio, boxes[:, :2] + ratio)
    return boxes
