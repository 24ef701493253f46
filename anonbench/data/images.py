"""Images and boxes: decoding, encoding and the conventions that the whole package follows, stated once.

- An image is `(height, width, 3)` uint8 in RGB order.
- A box is `x0, y0, x1, y1` in pixels of the original image, half-open: it covers the columns x0 <= x < x1 and the
  rows y0 <= y < y1, so `image[y0:y1, x0:x1]` is its crop and a box may reach the last row and column.
"""

from __future__ import annotations

import hashlib
import io
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from anonbench.core.errors import DataError
from anonbench.data.records import Detection

RGB = NDArray[np.uint8]
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


def read_image(path: Path) -> RGB:
    """Decode an image file to (height, width, 3) uint8 RGB.

    Raises `DataError` when the file is missing, truncated or no image.
    """
    return decode_image(read_bytes(path), path)


def read_bytes(path: Path) -> bytes:
    """The bytes of a file; raises `DataError` when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}). Restore the file or fix its permissions."
        ) from error


def decode_image(data: bytes, name: Path | str) -> RGB:
    """Decode the bytes of an image file; `name` appears in the error message."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.array(image.convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DataError(
            f"{name}: not a readable image ({len(data)} bytes: {error}). "
            f"Expected a complete JPEG, PNG or BMP file; fetch it again from the dataset's source."
        ) from error


def encode_image(image: RGB, suffix: str, jpeg_quality: int) -> bytes:
    """Encode (height, width, 3) uint8 RGB by file suffix.

    PNG and BMP are lossless; JPEG is written at `jpeg_quality` (1..100) without chroma subsampling, so that
    re-encoding blurs colour edges as little as the format allows.
    """
    buffer = io.BytesIO()
    kind = suffix.lower()
    if kind in (".jpg", ".jpeg"):
        Image.fromarray(image).save(buffer, "JPEG", quality=jpeg_quality, subsampling=0)
    elif kind in (".png", ".bmp"):
        Image.fromarray(image).save(buffer, kind[1:].upper())
    else:
        raise DataError(f"cannot write images of type '{suffix}'. Expected one of {', '.join(IMAGE_SUFFIXES)}")
    return buffer.getvalue()


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256 of some bytes."""
    return hashlib.sha256(data).hexdigest()


def clip_box(box: Detection, width: int, height: int, scale: float = 1.0) -> tuple[int, int, int, int] | None:
    """Enlarge a box about its centre by `scale` and round it outwards to whole pixels inside the image.

    Returns `x0, y0, x1, y1` (half-open; the last row and column can be covered) or None when nothing is inside.

    >>> clip_box(Detection(60, 4, 70, 14, 1.0), width=64, height=128)
    (60, 4, 64, 14)
    """
    cx, cy = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    half_w, half_h = (box.x1 - box.x0) / 2 * scale, (box.y1 - box.y0) / 2 * scale
    x0, y0 = max(0, math.floor(cx - half_w)), max(0, math.floor(cy - half_h))
    x1, y1 = min(width, math.ceil(cx + half_w)), min(height, math.ceil(cy + half_h))
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def intersection_over_union(a: Detection, b: Detection) -> float:
    """Area common to two boxes over the area that they cover together, 0..1.

    >>> intersection_over_union(Detection(0, 0, 2, 2, 1), Detection(1, 0, 3, 2, 1))
    0.3333333333333333
    """
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    common = max(0.0, width) * max(0.0, height)
    union = math.prod((a.x1 - a.x0, a.y1 - a.y0)) + math.prod((b.x1 - b.x0, b.y1 - b.y0)) - common
    return common / union if union > 0 else 0.0
