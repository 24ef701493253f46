"""The parts of which a picture file is made, and the file written anew from those that show the picture.

>>> import io
>>> from PIL import Image
>>> file = io.BytesIO()
>>> Image.new("RGB", (8, 8)).save(file, "JPEG", comment="Anna, at home")
>>> [part.name for part in parts_of(file.getvalue(), "a.jpg") if part.use == PRIVATE]
['comment']
>>> [part.name for part in parts_of(stripped(file.getvalue(), "a.jpg"), "a.jpg") if part.use == PRIVATE]
[]

A file is taken apart by its own rules (JPEG's segments, PNG's chunks, BMP's headers) and not by a decoder, which would
tell what it knows alone.
"""

from __future__ import annotations

import base64
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from anonbench.core.errors import DataError
from anonbench.data.copies import KEEP, encode_copy
from anonbench.data.extras import UNSEEN, extras_of
from anonbench.data.images import as_rgb, decode_image, opened, orientation

PICTURE = "picture"
"""Without this part there is no picture, or another one."""
HARMLESS = "harmless"
"""Says how the picture is shown or printed, and nothing about who or where."""
PROFILE = "colour profile"
"""Says what the colours mean. It is kept; its texts may name a device."""
PRIVATE = "private"
"""May say who, where and when, or hold another picture. A release has none."""

JPEG, PNG, BMP = "JPEG", "PNG", "BMP"
SIGNATURES = ((b"\xff\xd8\xff", JPEG), (b"\x89PNG\r\n\x1a\n", PNG), (b"BM", BMP))
# Formats that no stage here reads and that may show people all the same.
OTHER_PICTURES = (
    (b"GIF8", "GIF"), (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"), (b"\0\0\1\0", "icon"), (b"8BPS", "Photoshop"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"), (b"\xff\x0a", "JPEG XL"),
)  # fmt: skip
EMBEDDED = ((b"\xff\xd8\xff", "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG"))
IN_TEXT = (re.compile(rb"/9j/[A-Za-z0-9+/\s]{40,}"), re.compile(rb"iVBORw0KGgo[A-Za-z0-9+/\s]{40,}"))  # base64 of these
MOST_TEXT = 64_000_000  # bytes that a packed text of a PNG may become
PNG_PICTURE = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS")
PNG_HARMLESS = (b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"pHYs", b"bKGD", b"cICP", b"mDCV", b"cLLI", b"mDCv", b"cLLi")
PNG_SHOWN = (b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"cICP")  # those of them that a viewer's colours depend on
PNG_NAMES = {b"eXIf": "EXIF", b"tEXt": "text", b"zTXt": "text", b"iTXt": "text", b"tIME": "time of the last change",
             b"acTL": "further pictures", b"fcTL": "further pictures", b"fdAT": "further pictures"}  # fmt: skip
XMP_KEYWORD = b"XML:com.adobe.xmp"
JPEG_TABLES = {0xC4, 0xCC, 0xDB, 0xDC, 0xDD}  # DHT, DAC, DQT, DNL, DRI
JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF0 … SOF15
APPLICATIONS = (
    (b"Exif\0", "EXIF"), (b"http://ns.adobe.com/xap/1.0/\0", "XMP"),
    (b"http://ns.adobe.com/xmp/extension/\0", "XMP"), (b"Photoshop ", "Photoshop data"),
    (b"MPF\0", "index of further pictures"), (b"JFXX\0", "JFIF thumbnail"), (b"FPXR\0", "FlashPix"),
)  # fmt: skip
JFIF_BYTES = 14  # of the payload, without its thumbnail
ICC_MARK, ICC_HEAD = b"ICC_PROFILE\0", 14
BMP_HEAD, BMP_PLAIN = 14, 40  # bytes of the file's header, and of the picture's in the layout without extensions


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a picture file.

    name: what it is, such as EXIF, XMP, comment, picture.
    use: PICTURE, HARMLESS, PROFILE or PRIVATE.
    data: its bytes, without its length and check sum.
    kind: JPEG's marker or PNG's type, as the file has it; b"" for what is no segment.
    embedded: formats of pictures that begin within it, or that it holds as text.
    """

    name: str
    use: str
    data: bytes
    kind: bytes = b""
    embedded: tuple[str, ...] = ()


def format_of(data: bytes) -> str | None:
    """JPEG, PNG or BMP by the first bytes, or the name of another format of pictures; None for what is none known."""
    for signature, name in (*SIGNATURES, *OTHER_PICTURES):
        if data.startswith(signature):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        return "HEIF, AVIF or a film"
    return None


def parts_of(data: bytes, name: Path | str) -> list[Part]:
    """The parts of a JPEG, PNG or BMP file in their order. Raises `DataError` for another one, or one cut off."""
    walks = {JPEG: _jpeg_parts, PNG: _png_parts, BMP: _bmp_parts}
    kind = format_of(data)
    if kind not in walks:
        raise DataError(f"{name}: is {kind or 'no picture that is known here'}. Expected a JPEG, PNG or BMP file.")
    try:
        return [*walks[kind](data)]
    except (IndexError, ValueError) as error:
        raise DataError(
            f"{name}: its {kind} structure is damaged ({error}). Fetch it again from the dataset's source."
        ) from error


def private_parts(data: bytes, name: Path | str) -> list[Part]:
    """What a release must not have, the transparent colours that `data.extras` finds among it."""
    found = [part for part in parts_of(data, name) if part.use == PRIVATE]
    with opened(data, name) as image:
        beneath = sorted(extras_of(image, data) & {"transparent pixels"})
        further = getattr(image, "n_frames", 1) > 1 and not any(part.embedded for part in found)
    words = [*beneath, *(["further pictures"] if further else [])]
    return [*found, *(Part(word, PRIVATE, b"") for word in words)]


def needs_encoding(data: bytes, name: Path | str) -> str:
    """Why a picture cannot be released without encoding its pixels anew; "" where taking its file apart is enough."""
    with opened(data, name) as image:
        if orientation(image) != 1:
            return "turned upright"
        if "transparent pixels" in extras_of(image, data) & set(UNSEEN):
            return "transparent pixels"
    return ""


def released(data: bytes, name: Path | str) -> tuple[bytes, str]:
    """A picture's file with nothing in it but the picture, and why it had to be encoded anew ("" where it had not).

    The pixels that a viewer shows are those of the file, to the last bit, unless the picture had to be turned upright
    or has colours below transparent pixels. Then it is encoded as its original is (`data.copies`), and a JPEG loses a
    little once more.
    Raises `DataError` as `decode_image` and `parts_of` do.
    """
    why = needs_encoding(data, name)
    if not why:
        return stripped(data, name), ""
    pixels = decode_image(data, name)
    anew = encode_copy(pixels, np.ones(pixels.shape[:2], bool), data, name, KEEP)
    return stripped(anew, name), why


def stripped(data: bytes, name: Path | str) -> bytes:
    """The file written anew from the parts that show the picture, in its own encoding: no pixel changes.

    Kept beside the picture is what its colours depend on: the profile, JFIF's and Adobe's marks without thumbnails,
    PNG's gamma and primaries. What says how to turn the picture goes too: `released` turns it first.
    Raises `DataError` where a decoder would show other pixels then.
    """
    kind, parts = format_of(data), parts_of(data, name)
    if kind == BMP:
        anew = data if all(part.use != PRIVATE for part in parts) else _bmp_anew(data, name)
    else:
        anew = _written_jpeg(parts) if kind == JPEG else _written_png(parts)
    if anew != data:
        with opened(data, name) as image:
            as_stored = as_rgb(image)
        if not np.array_equal(as_stored, decode_image(anew, name)):
            raise DataError(f"{name}: without its metadata other pixels are shown. Convert it with another program.")
    return anew


# --- JPEG ---


def _jpeg_parts(data: bytes) -> Iterator[Part]:
    at = 2
    while at < len(data):
        if data[at] != 0xFF:
            start = at
            at = data.find(b"\xff", at)
            at = len(data) if at < 0 else at
            yield _private("data between its segments", data[start:at])
            continue
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == 0xD9:
            yield Part("end", PICTURE, b"", b"\xd9")
            if at + 2 < len(data):
                yield _private("data after the picture's end", data[at + 2 :])
            return
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2 or at + 2 + length > len(data):
            raise ValueError(f"segment FF{marker:02X} at byte {at} does not end in it")
        payload = data[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == 0xDA:
            end = _end_of_scan(data, at)
            yield Part("scan", PICTURE, payload + data[at:end], b"\xda" + len(payload).to_bytes(2, "big"))
            at = end
        else:
            yield from _jpeg_segment(marker, payload)
    yield Part("end", PICTURE, b"", b"\xd9")  # some encoders forget it


def _end_of_scan(data: bytes, at: int) -> int:
    """Where entropy-coded data end: at the next marker that is no restart."""
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        if data[at + 1] == 0x00 or 0xD0 <= data[at + 1] <= 0xD7:
            at += 2
        elif data[at + 1] == 0xFF:
            at += 1
        else:
            return at
    return len(data)


def _jpeg_segment(marker: int, payload: bytes) -> Iterator[Part]:
    kind = bytes([marker])
    if marker in JPEG_TABLES or marker in JPEG_FRAMES:
        yield Part("picture", PICTURE, payload, kind)
    elif marker == 0xE0 and payload.startswith(b"JFIF\0"):
        yield Part("JFIF", HARMLESS, payload[:JFIF_BYTES], kind)
        if payload[JFIF_BYTES:]:
            yield Part("JFIF thumbnail", PRIVATE, payload[JFIF_BYTES:], b"", ("thumbnail",))
    elif marker == 0xEE and payload.startswith(b"Adobe"):
        yield Part("Adobe", HARMLESS, payload[:12], kind)
        if payload[12:]:
            yield _private("data after Adobe's mark", payload[12:])
    elif marker == 0xE2 and payload.startswith(ICC_MARK):
        yield Part("colour profile", PROFILE, payload, kind)
    elif marker == 0xFE:
        yield _private("comment", payload)
    else:
        yield _private(_application(marker, payload), payload)


def _application(marker: int, payload: bytes) -> str:
    known = next((name for mark, name in APPLICATIONS if payload.startswith(mark)), None)
    return known or (f"APP{marker - 0xE0}" if 0xE0 <= marker <= 0xEF else f"segment {marker:02X}")


def _written_jpeg(parts: list[Part]) -> bytes:
    out = [b"\xff\xd8"]
    profile = _profile_segments([part.data for part in parts if part.use == PROFILE])
    # JFIF's mark comes first; the profile behind it and before the tables, as encoders write it.
    marks = [part for part in parts if part.use == HARMLESS]
    out += [_segment(part.kind, _without_thumbnail(part)) for part in marks] + profile
    for part in parts:
        if part.use != PICTURE:
            continue
        if part.kind[:1] == b"\xda":
            head = int.from_bytes(part.kind[1:], "big")
            out.append(_segment(b"\xda", part.data[:head]) + part.data[head:])
        elif part.kind == b"\xd9":
            out.append(b"\xff\xd9")
        else:
            out.append(_segment(part.kind, part.data))
    return b"".join(out)


def _without_thumbnail(part: Part) -> bytes:
    return part.data[:12] + b"\0\0" if part.name == "JFIF" else part.data


def _segment(kind: bytes, payload: bytes) -> bytes:
    return b"\xff" + kind + (len(payload) + 2).to_bytes(2, "big") + payload


def _profile_segments(chunks: list[bytes]) -> list[bytes]:
    """The profile of an image in as many segments as it takes, none where it is no profile."""
    numbered = sorted((chunk[len(ICC_MARK) : ICC_HEAD], chunk[ICC_HEAD:]) for chunk in chunks)
    profile = _profile(b"".join(rest for _, rest in numbered))
    room = 65533 - ICC_HEAD
    pieces = [profile[start : start + room] for start in range(0, len(profile), room)]
    return [_segment(b"\xe2", ICC_MARK + bytes([n, len(pieces)]) + piece) for n, piece in enumerate(pieces, 1)]


def _profile(data: bytes) -> bytes:
    """The bytes that a colour profile says are its own; none where it is not one, so that nothing else rides along."""
    size = int.from_bytes(data[:4], "big")
    return data[:size] if data[36:40] == b"acsp" and 128 <= size <= len(data) else b""


# --- PNG ---


def _png_parts(data: bytes) -> Iterator[Part]:
    at = 8
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        payload = data[at + 8 : at + 8 + length]
        at += 12 + length
        if at > len(data):
            raise ValueError(f"chunk {kind!r} does not end in it")
        yield from _png_chunk(kind, payload)
        if kind == b"IEND":
            if at < len(data):
                yield _private("data after the picture's end", data[at:])
            return
    raise ValueError("it has no end")


def _png_chunk(kind: bytes, payload: bytes) -> Iterator[Part]:
    if kind in PNG_PICTURE:
        yield Part("picture", PICTURE, payload, kind)
    elif kind in PNG_HARMLESS:
        yield Part("how it is shown", HARMLESS, payload, kind)
    elif kind == b"iCCP":
        yield Part("colour profile", PROFILE, payload, kind)
    elif kind in (b"tEXt", b"zTXt", b"iTXt"):
        text = _unpacked(kind, payload)
        name = "XMP" if payload.startswith(XMP_KEYWORD) else "EXIF" if b"exif" in payload[:40].lower() else "text"
        yield _private(name, text if text else payload)
    else:
        yield _private(PNG_NAMES.get(kind, f"chunk {kind.decode('latin-1')}"), payload)


def _unpacked(kind: bytes, payload: bytes) -> bytes:
    """A text of a PNG with its keyword, unpacked where it is packed; the payload where that fails."""
    keyword, _, rest = payload.partition(b"\0")
    packed = kind == b"zTXt" or (kind == b"iTXt" and rest[:1] == b"\1")
    if kind == b"iTXt":
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    elif kind == b"zTXt":
        rest = rest[1:]
    if packed:
        try:
            rest = zlib.decompressobj().decompress(rest, MOST_TEXT)
        except zlib.error:
            return payload
    if keyword.startswith(b"Raw profile type"):  # hexadecimal, with a name and a length before it
        digits = b"".join(rest.split()[2:])
        rest += b"\0" + (bytes.fromhex(digits.decode()) if re.fullmatch(rb"(?:[0-9a-fA-F]{2})+", digits) else b"")
    return keyword + b"\0" + rest


def _written_png(parts: list[Part]) -> bytes:
    out = [b"\x89PNG\r\n\x1a\n"]
    picture = b"".join(part.data for part in parts if part.kind == b"IDAT")
    unused = zlib.decompressobj()
    try:
        unused.decompress(picture)
        picture = picture[: len(picture) - len(unused.unused_data)]  # data hidden behind the pixels
    except zlib.error:  # the decoder says what is wrong with it
        pass
    written = False
    for part in parts:
        if part.kind == b"IDAT":
            if not written:
                out.append(_chunk(b"IDAT", picture))
            written = True
        elif part.use == PICTURE or part.kind in PNG_SHOWN:
            out.append(_chunk(part.kind, part.data))
        elif part.use == PROFILE and (profile := _png_profile(part.data)):
            out.append(_chunk(b"iCCP", b"profile\0\0" + zlib.compress(profile)))
    return b"".join(out)


def _png_profile(payload: bytes) -> bytes:
    try:
        return _profile(zlib.decompressobj().decompress(payload.partition(b"\0")[2][1:], MOST_TEXT))
    except zlib.error:
        return b""


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "big") + kind + payload + zlib.crc32(kind + payload).to_bytes(4, "big")


# --- BMP ---


def _bmp_parts(data: bytes) -> Iterator[Part]:
    if len(data) < BMP_HEAD + BMP_PLAIN:
        raise ValueError("it has no header")
    start, head = (int.from_bytes(data[at : at + 4], "little") for at in (10, 14))
    if head < BMP_PLAIN:
        yield _private("header of another layout", data[BMP_HEAD : BMP_HEAD + head])
        return
    width, height = (abs(int.from_bytes(data[at : at + 4], "little", signed=True)) for at in (18, 22))
    bits, packing = int.from_bytes(data[28:30], "little"), int.from_bytes(data[30:34], "little")
    colours = int.from_bytes(data[46:50], "little") or (1 << bits if bits <= 8 else 0)
    masks = 12 if packing == 3 and head == BMP_PLAIN else 0
    before = BMP_HEAD + head + masks + 4 * colours
    size = int.from_bytes(data[34:38], "little") or len(data)  # of packed pixels
    end = start + ((width * bits + 31) // 32 * 4 * height if packing in (0, 3) else size)
    yield Part("picture", PICTURE, data[start:end])
    if head > BMP_PLAIN:
        yield _private("header with room for a profile's path", data[BMP_HEAD + BMP_PLAIN : BMP_HEAD + head])
    if start > before:
        yield _private("data before the pixels", data[before:start])
    if len(data) > end:
        yield _private("data after the picture's end", data[end:])


def _bmp_anew(data: bytes, name: Path | str) -> bytes:
    with opened(data, name) as image:
        plain = image if image.mode in ("1", "L", "P", "RGB") else Image.fromarray(as_rgb(image))
        buffer = io.BytesIO()
        plain.save(buffer, BMP)
    return buffer.getvalue()


# --- what is within a part ---


def _private(name: str, payload: bytes) -> Part:
    return Part(name, PRIVATE, payload, b"", _embedded(payload))


def _embedded(payload: bytes) -> tuple[str, ...]:
    """Pictures within metadata: a camera's preview, a phone's second view, a thumbnail in XMP."""
    found = [name for mark, name in EMBEDDED if mark in payload]
    found += ["thumbnail as text" for pattern in IN_TEXT if any(_is_base64(hit) for hit in pattern.findall(payload))]
    return tuple(found)


def _is_base64(text: bytes) -> bool:
    digits = re.sub(rb"\s|&#x[aA];", b"", text)
    try:
        return format_of(base64.b64decode(digits[: len(digits) // 4 * 4])) is not None
    except ValueError:
        return False
