"""Picture files taken apart and written anew: what may not go along is gone, and no pixel is another one."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from anonbench.core.errors import DataError
from anonbench.data.containers import (
    HARMLESS,
    PICTURE,
    PROFILE,
    format_of,
    parts_of,
    private_parts,
    released,
    stripped,
)
from anonbench.data.extras import METADATA, UNSEEN, extras
from anonbench.data.images import decode_image

SIZE = (32, 48)


def picture(number: int) -> np.ndarray:
    """(48, 32, 3) uint8 that is smooth enough for JPEG and different everywhere."""
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    waves = [127 + 120 * np.sin((rows * (n + 1) + columns * number) / 9) for n in range(3)]
    return np.dstack(waves).astype(np.uint8)


PROFILE_BYTES = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def encoded(kind: str, number: int = 1, mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture(number)).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def segment(marker: int, payload: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload


def chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def exif(orientation: int | None = None, preview: bytes = b"") -> bytes:
    """EXIF as a camera writes it: who and where, and a preview (JPEG) in the second directory."""
    entries = (
        [(0x010F, 2, 5, b"Anna\0")] if orientation is None else [(0x0112, 3, 1, struct.pack("<HH", orientation, 0))]
    )
    body, first = b"", 8 + 2 + 12 * len(entries) + 4
    head = struct.pack("<H", len(entries))
    for tag, kind, count, value in entries:
        if len(value) > 4:
            head += struct.pack("<HHII", tag, kind, count, first + len(body))
            body += value
        else:
            head += struct.pack("<HHI", tag, kind, count) + value
    second = first + len(body)
    head += struct.pack("<I", second if preview else 0)
    if preview:
        at = second + 2 + 24 + 4
        body += struct.pack("<H", 2) + struct.pack("<HHII", 0x0201, 4, 1, at)
        body += struct.pack("<HHII", 0x0202, 4, 1, len(preview)) + struct.pack("<I", 0) + preview
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + head + body


PREVIEW = encoded("JPEG", 7)


def full_jpeg(**options: object) -> bytes:
    """A JPEG with everything that phones and programs put into one."""
    plain = encoded("JPEG", quality=90, icc_profile=PROFILE_BYTES, **options)
    length = struct.unpack(">H", plain[4:6])[0]
    more = segment(0xE1, exif(preview=PREVIEW))
    more += segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + base64.b64encode(PREVIEW) + b"</x:xmpmeta>")
    more += segment(0xED, b"Photoshop 3.0\x008BIM" + PREVIEW) + segment(0xE2, b"MPF\0II*\0")
    more += segment(0xE0, b"JFXX\0\x10" + PREVIEW) + segment(0xFE, b"at home") + segment(0xEB, b"HDR gain")
    return plain[: 4 + length] + more + plain[4 + length :] + PREVIEW


def test_a_jpeg_is_left_with_its_picture_and_its_profile() -> None:
    data = full_jpeg()
    private = private_parts(data, "a.jpg")
    assert {part.name for part in private} == {
        "EXIF", "XMP", "Photoshop data", "index of further pictures", "JFIF thumbnail", "comment", "APP11",
        "data after the picture's end",
    }  # fmt: skip
    with_picture = {part.name for part in private if part.embedded}
    assert with_picture == {"EXIF", "XMP", "Photoshop data", "JFIF thumbnail", "data after the picture's end"}
    clean = stripped(data, "a.jpg")
    assert PREVIEW not in clean
    assert private_parts(clean, "a.jpg") == []
    assert extras(clean, "a.jpg").isdisjoint({*METADATA, *UNSEEN})
    assert np.array_equal(decode_image(clean, "a.jpg"), decode_image(data, "a.jpg"))
    with Image.open(io.BytesIO(clean)) as image:
        assert image.info["icc_profile"] == PROFILE_BYTES
        assert image.quantization == Image.open(io.BytesIO(data)).quantization


@pytest.mark.parametrize(
    "options", [{"progressive": True}, {"subsampling": 2}, {"restart_marker_blocks": 1}, {"optimize": True}]
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_no_kind_of_jpeg_changes_its_pixels(mode: str, options: dict[str, object]) -> None:
    data = encoded("JPEG", mode=mode, comment="Anna", **options)
    clean = stripped(data, "a.jpg")
    assert b"Anna" not in clean
    assert np.array_equal(decode_image(clean, "a.jpg"), decode_image(data, "a.jpg"))


def test_a_clean_jpeg_stays_as_it_is() -> None:
    data = encoded("JPEG", quality=90)
    assert stripped(data, "a.jpg") == data
    assert {part.use for part in parts_of(data, "a.jpg")} == {PICTURE, HARMLESS}


def test_thumbnails_and_data_in_marks_that_stay() -> None:
    data = encoded("JPEG")
    length = struct.unpack(">H", data[4:6])[0]
    jfif = data[6 : 4 + length][:12] + b"\2\2" + b"\7" * 12
    data = data[:2] + segment(0xE0, jfif) + b"\0\0hidden" + data[4 + length :]
    assert [part.name for part in private_parts(data, "a.jpg")] == ["JFIF thumbnail", "data between its segments"]
    assert stripped(data, "a.jpg") == encoded("JPEG")


def test_data_behind_a_profile_does_not_ride_along() -> None:
    data = encoded("JPEG", icc_profile=PROFILE_BYTES + b"Anna, at home")
    assert b"Anna" in data
    assert b"Anna" not in stripped(data, "a.jpg")
    assert b"no profile" not in stripped(encoded("JPEG", icc_profile=b"no profile at all"), "a.jpg")


def test_a_png_is_left_with_its_picture_and_its_profile() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "Anna")
    info.add_text("Comment", base64.b64encode(PREVIEW).decode(), zip=True)
    info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta>Anna</x:xmpmeta>")
    data = encoded("PNG", pnginfo=info, exif=exif(preview=PREVIEW), icc_profile=PROFILE_BYTES, dpi=(72, 72))
    data = data[:-12] + chunk(b"caNv", b"Anna") + chunk(b"tIME", b"\0" * 7) + data[-12:] + PREVIEW
    names = sorted(part.name for part in private_parts(data, "a.png"))
    assert names == [
        "EXIF",
        "XMP",
        "chunk caNv",
        "data after the picture's end",
        "text",
        "text",
        "time of the last change",
    ]
    assert sum(bool(part.embedded) for part in private_parts(data, "a.png")) == 3
    clean = stripped(data, "a.png")
    assert {part.use for part in parts_of(clean, "a.png")} == {PICTURE, PROFILE}
    assert np.array_equal(decode_image(clean, "a.png"), decode_image(data, "a.png"))
    assert Image.open(io.BytesIO(clean)).info["icc_profile"] == PROFILE_BYTES


def test_data_behind_the_pixels_of_a_png() -> None:
    data = encoded("PNG")
    head, _, rest = data.partition(b"IDAT")
    length = struct.unpack(">I", head[-4:])[0]
    data = head[:-4] + chunk(b"IDAT", rest[:length] + b"Anna, at home") + rest[length + 4 :]
    assert b"Anna" not in stripped(data, "a.png")


def test_frames_of_an_animation() -> None:
    frames = [Image.fromarray(picture(number)) for number in (1, 2, 3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:])
    assert "further pictures" in {part.name for part in private_parts(buffer.getvalue(), "a.png")}
    clean = stripped(buffer.getvalue(), "a.png")
    assert getattr(Image.open(io.BytesIO(clean)), "n_frames", 1) == 1
    assert np.array_equal(decode_image(clean, "a.png"), np.asarray(frames[0]))


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1"])
def test_bmp(mode: str) -> None:
    data = encoded("BMP", mode=mode)
    assert stripped(data, "a.bmp") == data
    assert private_parts(data, "a.bmp") == []
    clean = stripped(data + PREVIEW, "a.bmp")
    assert PREVIEW not in clean
    assert np.array_equal(decode_image(clean, "a.bmp"), decode_image(data, "a.bmp"))


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_picture_is_turned(orientation: int) -> None:
    plain = encoded("PNG")
    data = plain[:33] + chunk(b"eXIf", exif(orientation)[6:]) + plain[33:]
    clean, why = released(data, "a.png")
    assert why == "turned upright"
    assert private_parts(clean, "a.png") == []
    assert np.array_equal(decode_image(clean, "a.png"), decode_image(data, "a.png"))
    assert not np.array_equal(decode_image(clean, "a.png"), decode_image(plain, "a.png"))


def test_colours_below_transparent_pixels() -> None:
    pixels = np.dstack([picture(1), np.full((SIZE[1], SIZE[0]), 255, np.uint8)])
    pixels[:8, :8, 3] = 0
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    data = buffer.getvalue()
    assert [part.name for part in private_parts(data, "a.png")] == ["transparent pixels"]
    clean, why = released(data, "a.png")
    assert why == "transparent pixels"
    assert (np.asarray(Image.open(io.BytesIO(clean)).convert("RGB"))[:8, :8] == 255).all()
    assert np.array_equal(decode_image(clean, "a.png"), decode_image(data, "a.png"))


def test_what_is_no_picture() -> None:
    with pytest.raises(DataError, match=r"a.jpg: is GIF. Expected a JPEG, PNG or BMP file"):
        parts_of(b"GIF89a", "a.jpg")
    with pytest.raises(DataError, match=r"a.jpg: its JPEG structure is damaged"):
        parts_of(b"\xff\xd8\xff\xe1\xff\xff", "a.jpg")
    assert format_of(b"RIFF\0\0\0\0WEBP") == "WebP"
    assert format_of(b"path,pid\n") is None
