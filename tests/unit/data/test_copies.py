"""Copies of picture files: the original's format, mode and compression, and nothing else of it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from anonbench.data.copies import encode_copy
from anonbench.data.extras import METADATA, UNSEEN, extras, say_extras
from anonbench.data.images import RGB, decode_image

rng = np.random.default_rng(4)
SMOOTH = np.asarray(Image.fromarray(rng.integers(0, 256, (8, 6, 3), dtype=np.uint8)).resize((96, 128), Image.BICUBIC))
COLOUR = Image.fromarray(SMOOTH)
GREY = COLOUR.convert("L")
# Neither levels of 8 bits times 257 nor of 256: the low byte says something of its own.
GREY_16 = np.asarray(GREY).astype(np.uint16) * 255 + rng.integers(0, 255, (128, 96), dtype=np.uint16)
BOX = (slice(16, 48), slice(32, 64))


def as_file(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


LOSSLESS = {
    "RGB": as_file(COLOUR),
    "L": as_file(GREY),
    "I;16": as_file(Image.fromarray(GREY_16)),
    "RGBA": as_file(Image.merge("RGBA", (*COLOUR.split(), GREY))),
    "LA": as_file(Image.merge("LA", (GREY, GREY))),
    "P": as_file(COLOUR.convert("P", palette=Image.Palette.ADAPTIVE)),
    "1": as_file(COLOUR.convert("1")),
    "RGB BMP": as_file(COLOUR, "BMP"),
    "L BMP": as_file(GREY, "BMP"),
}
JPEG = {
    "4:4:4": as_file(COLOUR, "JPEG", quality=71, subsampling=0),
    "4:2:2": as_file(COLOUR, "JPEG", quality=88, subsampling=1),
    "4:2:0 progressive": as_file(COLOUR, "JPEG", quality=60, subsampling=2, progressive=True),
    "grey": as_file(GREY, "JPEG", quality=75),
    "CMYK": as_file(COLOUR.convert("CMYK"), "JPEG", quality=92),
    "stored as RGB": as_file(COLOUR, "JPEG", quality=90, keep_rgb=True),
}


def blackened(data: bytes, quality: int | str = "keep") -> tuple[RGB, bytes]:
    """The picture, and the file of its copy with a black box."""
    before = decode_image(data, "x")
    pixels, hidden = before.copy(), np.zeros(before.shape[:2], bool)
    hidden[BOX] = True
    pixels[BOX] = 0
    return before, encode_copy(pixels, hidden, data, "x", quality)


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_copies_keep_mode_and_every_visible_pixel(name: str) -> None:
    before, copy = blackened(LOSSLESS[name])
    after = decode_image(copy, "x")
    assert (after[BOX] == 0).all()
    after[BOX] = before[BOX]
    np.testing.assert_array_equal(after, before)
    with Image.open(io.BytesIO(copy)) as image, Image.open(io.BytesIO(LOSSLESS[name])) as original:
        assert image.format == original.format
        assert image.mode == {"P": "RGB", "1": "L"}.get(original.mode, original.mode)


def test_grey_of_16_bits_keeps_its_low_bytes_outside_the_box_and_loses_them_inside() -> None:
    _, copy = blackened(LOSSLESS["I;16"])
    with Image.open(io.BytesIO(copy)) as image:
        levels = np.asarray(image).astype(int)
    assert (levels[BOX] == 0).all()
    levels[BOX] = GREY_16[BOX]
    np.testing.assert_array_equal(levels, GREY_16)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_nothing_lies_beneath_what_was_transparent(mode: str) -> None:
    _, copy = blackened(LOSSLESS[mode])
    assert not extras(copy, "x")
    with Image.open(io.BytesIO(copy)) as image:
        assert image.getchannel("A").getextrema() == (255, 255)


@pytest.mark.parametrize("name", JPEG)
def test_jpeg_keeps_tables_sampling_and_nearly_all_pixels(name: str) -> None:
    before, copy = blackened(JPEG[name])
    with Image.open(io.BytesIO(copy)) as image, Image.open(io.BytesIO(JPEG[name])) as original:
        assert image.mode == original.mode
        assert image.quantization == original.quantization  # type: ignore[attr-defined]
        assert JpegImagePlugin.get_sampling(image) == JpegImagePlugin.get_sampling(original)
        assert bool(image.info.get("progressive")) == bool(original.info.get("progressive"))
    after = decode_image(copy, "x").astype(int)
    assert after[BOX].mean() < 6
    far = np.ones(before.shape[:2], bool)
    far[: 48 + 16, 16 : 64 + 16] = False  # 16 x 16 pixels are compressed together
    assert np.abs(after - before)[far].mean() < 0.5
    assert len(copy) < 1.15 * len(JPEG[name])


def test_a_quality_of_ones_own_has_its_own_tables() -> None:
    _, copy = blackened(JPEG["4:2:0 progressive"], 95)
    with Image.open(io.BytesIO(copy)) as image:
        assert JpegImagePlugin.get_sampling(image) == 0
        assert max(map(max, image.quantization.values())) < 15  # type: ignore[attr-defined]


def test_the_format_is_the_files_and_not_its_names() -> None:
    before = decode_image(LOSSLESS["RGB"], "a.jpg")
    assert encode_copy(before, np.zeros((128, 96), bool), LOSSLESS["RGB"], "a.jpg", "keep").startswith(b"\x89PNG")


def phone_exif() -> Image.Exif:
    """Turned, with a place and a preview."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "SECRET maker"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (53.0, 20.0, 6.0)
    return exif


CARRIERS = {
    "EXIF": as_file(COLOUR, "JPEG", exif=phone_exif()),
    "place": as_file(COLOUR, "PNG", exif=phone_exif()),
    "comment": as_file(COLOUR, "JPEG", comment=b"SECRET of Anna"),
    "XMP": as_file(COLOUR, "JPEG", xmp=b"<x:xmpmeta>SECRET</x:xmpmeta>"),
    "further pictures": as_file(COLOUR, "MPO", save_all=True, append_images=[COLOUR.rotate(180)]),
    "data after the picture's end": JPEG["4:4:4"] + b"SECRET film" * 9,
    "transparent pixels": LOSSLESS["RGBA"],
}


@pytest.mark.parametrize("word", CARRIERS)
def test_what_a_file_holds_besides_is_seen_and_not_in_its_copy(word: str) -> None:
    assert word in extras(CARRIERS[word], "x")
    before, copy = blackened(CARRIERS[word])
    assert before.shape == decode_image(copy, "x").shape
    assert not extras(copy, "x")
    assert b"SECRET" not in copy


@pytest.mark.parametrize("data", [*LOSSLESS.values(), *JPEG.values()])
def test_files_without_extras_have_none(data: bytes) -> None:
    assert extras(data, "x") <= {"transparent pixels"}


@pytest.mark.parametrize("data", [LOSSLESS["RGB"], LOSSLESS["RGB BMP"], JPEG["4:2:0 progressive"], JPEG["CMYK"]])
def test_data_after_the_end_is_seen_in_every_format(data: bytes) -> None:
    assert extras(data + b"\xff\xd9 more", "x") == {"data after the picture's end"}


def test_a_preview_is_seen() -> None:
    """Written by hand, as cameras do: the second directory of EXIF points to a small JPEG."""
    small = as_file(COLOUR.resize((16, 16)), "JPEG")
    second = 8 + 2 + 4  # the first directory is empty
    entries = (0x0201, 4, 1, second + 2 + 24 + 4), (0x0202, 4, 1, len(small))
    tiff = b"MM\x00*" + (8).to_bytes(4, "big") + (0).to_bytes(2, "big") + second.to_bytes(4, "big")
    tiff += (2).to_bytes(2, "big")
    for tag, kind, count, value in entries:
        tiff += tag.to_bytes(2, "big") + kind.to_bytes(2, "big") + count.to_bytes(4, "big") + value.to_bytes(4, "big")
    tiff += (0).to_bytes(4, "big") + small
    assert extras(as_file(COLOUR, "JPEG", exif=b"Exif\x00\x00" + tiff), "x") == {"EXIF", "preview"}


def test_what_cannot_be_parsed_counts_as_there() -> None:
    found = extras(as_file(COLOUR, "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff"), "x")
    assert "EXIF" in found
    assert found & set(METADATA) <= {"EXIF", "preview", "place"}


def test_grey_of_16_bits_that_uses_few_of_them_is_named() -> None:
    thermal = Image.fromarray((GREY_16 // 20 + 7000).astype(np.uint16))
    assert extras(as_file(thermal), "x") == {"16 bits, of which little is used"}
    assert extras(LOSSLESS["I;16"], "x") == set()


def test_extras_are_counted_and_the_first_are_named() -> None:
    found = {f"{n}.jpg": {"EXIF", UNSEEN[0]} if n < 4 else set() for n in range(9)}
    assert say_extras(found) == [
        "4 of 9 pictures: further pictures (0.jpg, 1.jpg, 2.jpg, …)",
        "4 of 9 pictures: EXIF (0.jpg, 1.jpg, 2.jpg, …)",
    ]
    assert say_extras({"a": set()}) == []
