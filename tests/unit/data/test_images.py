"""Decoding, encoding and boxes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anonbench.core.errors import DataError
from anonbench.data.images import decode_image, encode_image, read_image, sha256

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 12, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".PNG"])
def test_lossless_formats_return_the_same_pixels(suffix: str) -> None:
    np.testing.assert_array_equal(decode_image(encode_image(PIXELS, suffix, 50), "x"), PIXELS)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".JPG"])
def test_jpeg_stays_close_and_its_quality_counts(suffix: str) -> None:
    best, worst = (decode_image(encode_image(PIXELS, suffix, q), "x").astype(int) for q in (100, 10))
    assert np.abs(best - PIXELS).max() <= 6
    assert np.abs(worst - PIXELS).mean() > 4 * np.abs(best - PIXELS).mean()


def test_jpeg_keeps_the_colour_of_single_pixels() -> None:
    """Chroma is not subsampled: alternating red and blue columns stay red and blue."""
    stripes = np.zeros((16, 16, 3), np.uint8)
    stripes[:, ::2, 0] = stripes[:, 1::2, 2] = 255
    result = decode_image(encode_image(stripes, ".jpg", 95), "x").astype(int)
    assert (result[:, ::2, 0] - result[:, ::2, 2]).min() > 200


def test_the_order_of_colours_is_rgb() -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 200
    assert decode_image(encode_image(red, ".jpg", 100), "x")[4, 4].tolist() == pytest.approx([200, 0, 0], abs=4)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_every_colour_mode_becomes_rgb(mode: str, tmp_path: Path) -> None:
    file = tmp_path / ("x.jpg" if mode == "CMYK" else "x.png")
    Image.new(mode, (5, 7)).save(file)
    image = read_image(file)
    assert image.shape == (7, 5, 3)
    assert image.dtype == np.uint8


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.jpg: cannot be read \(No such file"):
        read_image(tmp_path / "gone.jpg")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file_says_what_to_do(suffix: str, share: float, tmp_path: Path) -> None:
    data = encode_image(PIXELS, suffix, 90)
    (tmp_path / f"cut{suffix}").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(
        DataError, match=r"cut\.\w+: not a readable image \(\d+ bytes: .*fetch it again from the dataset's"
    ):
        read_image(tmp_path / f"cut{suffix}")


def test_an_unknown_format_lists_the_known() -> None:
    with pytest.raises(DataError, match=r"images of type '\.tif'\. Expected one of \.jpg, \.jpeg, \.png, \.bmp"):
        encode_image(PIXELS, ".tif", 90)


def test_sha256_of_a_known_text() -> None:
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


# --- what a viewer shows ---


def as_file(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def test_grey_of_16_bits_is_scaled_to_8() -> None:
    """Not clipped: that would leave white alone."""
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16)
    found = decode_image(as_file(Image.fromarray(levels * 257)), "x")
    np.testing.assert_array_equal(found, np.repeat(levels.astype(np.uint8)[..., None], 3, axis=2))
    between = decode_image(as_file(Image.fromarray(levels[:1] * 257 + 128)), "x")
    np.testing.assert_array_equal(between[0, :-1, 0], levels[0, :-1])


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_are_shown_on_white(mode: str) -> None:
    grey = Image.new("RGBA", (4, 2), (60, 60, 60, 255))
    grey.putpixel((1, 0), (60, 60, 60, 0))
    if mode == "P":
        palette = Image.new("P", (4, 2), 0)
        palette.putpalette([60, 60, 60, 200, 0, 0])
        palette.putpixel((1, 0), 1)
        data = as_file(palette, transparency=1)
    else:
        data = as_file(grey.convert(mode))
    found = decode_image(data, "x")
    assert found[0, :, 0].tolist() == [60, 255, 60, 60]
    assert found[1, :, 2].tolist() == [60] * 4


def test_half_transparent_pixels_are_mixed_with_white() -> None:
    found = decode_image(as_file(Image.new("RGBA", (1, 1), (55, 155, 255, 51))), "x")
    assert found.tolist() == [[[215, 235, 255]]]  # a fifth of the colour


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_pictures_are_upright(turn: int, kind: str) -> None:
    """As a viewer turns them; the reference writes all eight orientations by hand."""
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16] = 255  # the upper left quarter
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright), 7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[turn]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = turn
    found = decode_image(as_file(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif), "x")
    assert found.shape == upright.shape
    assert np.abs(found.astype(int) - upright).max() < 20


def test_damaged_exif_is_no_reason_to_refuse_a_picture() -> None:
    data = as_file(Image.fromarray(PIXELS), exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    np.testing.assert_array_equal(decode_image(data, "x"), PIXELS)


def test_other_formats_are_named_whatever_the_suffix() -> None:
    with pytest.raises(DataError, match=r"a\.png: is a GIF file, whatever its name says\. Expected JPEG, PNG or BMP"):
        decode_image(as_file(Image.fromarray(PIXELS), "GIF"), "a.png")


def test_a_picture_that_is_too_large_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    data = as_file(Image.new("L", (40, 30)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(DataError, match=r"big\.png: is too large to be decoded: .*at most 1,000 pixels: scale it down"):
        decode_image(data, "big.png")
