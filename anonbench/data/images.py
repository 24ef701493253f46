"""Images and boxes: decoding, encoding and the conventions that the whole package follows, stated once.

- An image is `(height, width, 3)` uint8 in RGB order.
- A box is `x0, y0, x1, y1` in pixels of the original image, half-open: it covers the columns x0 <= x < x1 and the
  rows y0 <= y < y1, so `image[y0:y1, x0:x1]` is its crop and a box may reach the last row and column.
- An image is what a viewer shows: upright where the file's EXIF says how to turn it, transparent pixels on white, grey
  of 16 bits scaled to 8. So a detector sees what people see, and boxes are in pixels of the upright image.
- Of a file with several pictures (a phone's MPO, an animation) the first counts. `data.extras` tells what else a file
  holds, and `data.copies` writes it without that.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from anonbench.core.errors import DataError

RGB = NDArray[np.uint8]
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
FORMATS = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "BMP": "BMP", "DIB": "BMP"}  # Pillow's -> that of a copy
GREY_16 = ("I;16", "I;16L", "I;16B", "I")  # Pillow's modes of grey of 16 bits
LEVELS_16 = 257  # 65535 / 255: levels of 16 bits to one of 8
WHITE = 255
ORIENTATION = 0x0112  # EXIF's tag

# What Pillow's decoders raise for damaged files: of `Image.open` alone is it said.
UNREADABLE = (
    UnidentifiedImageError, OSError, SyntaxError, ValueError, TypeError, LookupError, OverflowError, EOFError,
    AttributeError, struct.error, zlib.error, NotImplementedError,
)  # fmt: skip


def read_image(path: Path) -> RGB:
    """Decode an image file to (height, width, 3) uint8 RGB.

    Raises `DataError` when the file is missing, and for what `decode_image` refuses.
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
    """Decode the bytes of an image file to what a viewer shows; `name` appears in the error message.

    Raises `DataError` for a damaged file, another format than JPEG, PNG and BMP, and a picture of more than twice
    `PIL.Image.MAX_IMAGE_PIXELS` pixels (179 million).
    """
    with opened(data, name) as image:
        return as_rgb(upright(image))


@contextmanager
def opened(data: bytes, name: Path | str) -> Iterator[Image.Image]:
    """The first picture of an image file, decoded and not yet turned upright; raises as `decode_image` does."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.format not in FORMATS:
                raise DataError(
                    f"{name}: is a {image.format} file, whatever its name says. Expected JPEG, PNG or BMP: convert it."
                )
            image.load()
            yield image
    except Image.DecompressionBombError as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise DataError(
            f"{name}: is too large to be decoded: {error}. Expected at most {limit:,} pixels: scale it down or cut it "
            f"into parts, or leave it out."
        ) from error
    except UNREADABLE as error:
        raise DataError(
            f"{name}: not a readable image ({len(data)} bytes: {error}). "
            f"Expected a complete JPEG, PNG or BMP file; fetch it again from the dataset's source."
        ) from error


def upright(image: Image.Image) -> Image.Image:
    """The image as its EXIF says to turn it; itself where it is upright or its EXIF cannot be read."""
    return ImageOps.exif_transpose(image) if orientation(image) != 1 else image


def orientation(image: Image.Image) -> int:
    """The EXIF orientation of a decoded file, 1 (upright) to 8; 1 where EXIF is missing or damaged."""
    if not image.info.keys() & {"exif", "xmp", "Raw profile type exif", "XML:com.adobe.xmp"}:
        return 1  # most files: EXIF is not parsed for nothing
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except UNREADABLE:
        return 1
    return found if found in range(1, 9) else 1


def as_rgb(image: Image.Image) -> RGB:
    """(H, W, 3) uint8 RGB of an image of any mode, transparent pixels on white."""
    if image.mode in GREY_16:
        grey = (grey_16(image) + LEVELS_16 // 2) // LEVELS_16
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    if not image.has_transparency_data:
        return np.array(image.convert("RGB"))
    rgba = np.asarray(image.convert("RGBA")).astype(np.int32)
    colour, alpha = rgba[..., :3], rgba[..., 3:]
    return ((colour * alpha + WHITE * (255 - alpha) + 127) // 255).astype(np.uint8)


def grey_16(image: Image.Image) -> NDArray[np.int32]:
    """(H, W) 0..65535 of an image of a mode of `GREY_16`, white where its file calls a level transparent."""
    grey = np.asarray(image).astype(np.int32).clip(0, 65535)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey[grey == clear] = 65535
    return grey


def resize(image: RGB, size: tuple[int, int]) -> RGB:
    """(h, w, 3) uint8 to (height, width, 3) uint8 by Pillow's bilinear filter; itself where it has that size."""
    height, width = size
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def encode_image(image: RGB, suffix: str, jpeg_quality: int) -> bytes:
    """Encode (height, width, 3) uint8 RGB by file suffix: a picture that is not the copy of another.

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
