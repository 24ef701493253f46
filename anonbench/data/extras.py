"""What a picture file holds besides the picture that is looked at.

>>> import io
>>> from PIL import Image
>>> file = io.BytesIO()
>>> Image.new("RGB", (8, 8)).save(file, "JPEG", comment="Anna, at home")
>>> sorted(extras(file.getvalue(), "a.jpg"))
['comment']
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from anonbench.data.images import GREY_16, UNREADABLE, opened, orientation

# Pictures, or parts of pictures, in which nobody has looked for faces. A copy never has them.
UNSEEN = ("further pictures", "transparent pixels", "data after the picture's end")
# What was written about the picture. A copy has it where nothing was hidden.
METADATA = ("EXIF", "preview", "place", "XMP", "Photoshop data", "comment", "text")
# How the picture is shown: a word of warning where a detector has little to see.
SHOWN = ("turned upright", "16 bits, of which little is used")

LEAST_SPREAD = 65536 // 8  # levels between the darkest and the brightest pixel of 16-bit grey
PREVIEW = 513  # EXIF's tag of a JPEG preview


def extras(data: bytes, name: Path | str) -> frozenset[str]:
    """What an image file holds besides a picture, of the words in `UNSEEN`, `METADATA` and `SHOWN`.

    A colour profile does not count. Raises `DataError` as `decode_image` does.
    """
    with opened(data, name) as image:
        return extras_of(image, data)


def extras_of(image: Image.Image, data: bytes) -> frozenset[str]:
    """`extras` of a file that is `opened` already. data: the file's bytes."""
    found = {
        "further pictures": getattr(image, "n_frames", 1) > 1,
        "transparent pixels": _shows_through(image),
        "data after the picture's end": len(data) > _end_of_picture(data),
        **_described(image),
        "turned upright": orientation(image) != 1,
        "16 bits, of which little is used": image.mode in GREY_16 and np.ptp(np.asarray(image)) < LEAST_SPREAD,
    }
    return frozenset(word for word, there in found.items() if there)


def say_extras(found: Mapping[str, Iterable[str]]) -> list[str]:
    """A line for every kind of extra: how many pictures have it, and the first three. found: path -> its extras."""
    lines = []
    for word in (*UNSEEN, *METADATA, *SHOWN):
        paths = sorted(path for path, words in found.items() if word in words)
        if paths:
            named = ", ".join(paths[:3]) + (", …" if len(paths) > 3 else "")
            lines.append(f"{len(paths)} of {len(found)} pictures: {word} ({named})")
    return lines


def _shows_through(image: Image.Image) -> bool:
    if not image.has_transparency_data:
        return False
    if image.mode in GREY_16:
        return bool((np.asarray(image) == image.info.get("transparency")).any())
    darkest, _ = image.convert("RGBA").getchannel("A").getextrema()
    return darkest != 255


def _described(image: Image.Image) -> dict[str, bool]:
    """Which metadata there is. What cannot be parsed counts as there."""
    info = image.info
    texts = getattr(image, "text", {})
    exif = "exif" in info or "Raw profile type exif" in info
    preview, place = exif, exif
    if exif:
        try:
            tags = image.getexif()
            preview = PREVIEW in tags.get_ifd(ExifTags.IFD.IFD1)
            place = bool(tags.get_ifd(ExifTags.IFD.GPSInfo))
        except UNREADABLE:
            pass
    return {
        "EXIF": exif,
        "preview": preview,
        "place": place,
        "XMP": "xmp" in info or "XML:com.adobe.xmp" in info,
        "Photoshop data": "photoshop" in info,
        "comment": "comment" in info,
        "text": bool(texts.keys() - {"XML:com.adobe.xmp", "Raw profile type exif"}),
    }


def _end_of_picture(data: bytes) -> int:
    """Where the file's first picture ends, in bytes; the file's length where that cannot be told."""
    if data.startswith(b"\x89PNG"):
        return _end_of_png(data)
    if data.startswith(b"\xff\xd8"):
        return _end_of_jpeg(data)
    if data.startswith(b"BM"):
        said = int.from_bytes(data[2:6], "little")
        return said if 54 < said < len(data) else len(data)
    return len(data)


def _end_of_png(data: bytes) -> int:
    at = 8
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        at += 12 + length
        if kind == b"IEND":
            return at
    return len(data)


def _end_of_jpeg(data: bytes) -> int:
    """Segments say how long they are; in between lies entropy-coded data, where FF is followed by 00 or a restart."""
    at = 2
    while at + 2 <= len(data):
        at = data.find(b"\xff", at)
        if at < 0 or at + 2 > len(data):
            break
        marker = data[at + 1]
        if marker == 0xD9:
            return at + 2
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return len(data)
