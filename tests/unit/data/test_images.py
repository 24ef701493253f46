"""Decoding, encoding and boxes."""

from __future__ import annotations

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
