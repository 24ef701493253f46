"""Images and boxes: decoding, encoding and the conventions that the whole package follows, stated once.

- An image is `(height, width, 3)` uint8 in RGB order.
- A box is `x0, y0, x1, y1` in pixels of the original image, half-open: it covers the columns x0 <= x < x1 and the
  rows y0 <= y < y1, so `image[y0:y1, x0:x1]` is its crop and a box may reach the last row and column.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from anonbench.core.errors import DataError

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
