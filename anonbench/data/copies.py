"""Copies of picture files: changed pixels, encoded as the original was, with nothing else of it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from anonbench.data.images import FORMATS, GREY_16, LEVELS_16, RGB, grey_16, opened, upright

KEEP = "keep"  # `jpeg_quality`: that of the original


def encode_copy(
    pixels: RGB, hidden: NDArray[np.bool_], original: bytes, name: Path | str, jpeg_quality: int | str
) -> bytes:
    """Encode a changed image as its original is encoded.

    pixels: (H, W, 3) uint8 RGB, as `decode_image` gave the original, changed where `hidden`.
    hidden: (H, W) bool: where nothing of the original may survive, the low bytes of 16-bit grey included.
    original: the file's bytes.
    name: appears in error messages.
    jpeg_quality: "keep" for the original's quantisation tables and chroma sampling; 1..100 for Pillow's tables without
        chroma subsampling.

    Kept are the format, whatever the file's name says, and the mode of grey (8 and 16 bits), RGB and CMYK: lossless
    formats stay as they were outside `hidden` to the last bit. An alpha channel stays, opaque: transparent pixels
    become the white on which they were shown, so that nothing lies beneath. Palettes become RGB, since hidden pixels
    need other colours. Pictures of 1 bit become grey of 8, and colour of more than 8 bits becomes 8.

    The copy is upright. Of the metadata the colour profile alone is kept: EXIF, XMP, comments, previews, further
    pictures and what follows the picture's end may show a face.

    Raises `DataError` as `decode_image` does.
    """
    with opened(original, name) as image:
        kind = FORMATS[str(image.format)]
        options = _jpeg_options(image, jpeg_quality) if kind == "JPEG" else {}
        if image.info.get("icc_profile") and kind != "BMP":
            options["icc_profile"] = image.info["icc_profile"]
        buffer = io.BytesIO()
        _in_mode(upright(image), pixels, hidden).save(buffer, kind, **options)
    return buffer.getvalue()


def _jpeg_options(image: Image.Image, quality: int | str) -> dict[str, Any]:
    """How Pillow is told to write a JPEG as the decoded one was."""
    if quality != KEEP:
        return {"quality": quality, "subsampling": 0}
    tables: dict[int, list[int]] = image.quantization  # type: ignore[attr-defined]
    return {
        "qtables": [list(tables[number]) for number in sorted(tables)][:4],
        # Sampling that Pillow has no number for (4:4:0, 4:1:1) is written without any: no colour is lost.
        "subsampling": max(0, JpegImagePlugin.get_sampling(image)),
        "progressive": bool(image.info.get("progressive")),
        "keep_rgb": image.mode == "RGB" and image.info.get("adobe_transform") == 0,
    }


def _in_mode(image: Image.Image, pixels: RGB, hidden: NDArray[np.bool_]) -> Image.Image:
    """The changed pixels as an image of the original's mode, without its metadata."""
    changed = Image.fromarray(pixels)
    if image.mode in GREY_16:
        native = grey_16(image)
        native[hidden] = np.asarray(changed.convert("L")).astype(np.int32)[hidden] * LEVELS_16
        return Image.frombytes("I;16", image.size, native.astype("<u2").tobytes())
    if image.mode == "CMYK":
        inks = np.array(image)  # (H, W, 4)
        inks[hidden] = np.asarray(changed.convert("CMYK"))[hidden]
        return Image.frombytes("CMYK", image.size, inks.tobytes())
    if image.mode in ("1", "L", "LA"):
        grey = changed.convert("L")
        return grey if image.mode != "LA" else Image.merge("LA", (grey, Image.new("L", image.size, 255)))
    return changed.convert("RGBA") if image.mode == "RGBA" else changed
