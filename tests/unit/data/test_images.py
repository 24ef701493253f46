"""Decoding, encoding and boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from anonbench.core.errors import DataError
from anonbench.data.images import (
    clip_box,
    decode_image,
    encode_image,
    intersection_over_union,
    read_image,
    sha256,
)
from anonbench.data.records import Detection

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


@pytest.mark.parametrize(
    ("box", "scale", "expected"),
    [
        ((2, 3, 6, 9), 1.0, (2, 3, 6, 9)),
        ((2.2, 3.9, 5.1, 8.0), 1.0, (2, 3, 6, 8)),  # outwards
        ((2, 4, 6, 8), 2.0, (0, 2, 8, 10)),
        ((-5, -5, 3, 3), 1.0, (0, 0, 3, 3)),
        ((60, 120, 80, 140), 1.0, (60, 120, 64, 128)),  # last row and column included
        ((63.5, 127.5, 63.9, 127.9), 1.0, (63, 127, 64, 128)),
        ((64, 0, 70, 10), 1.0, None),  # beside the image
        ((-9, 0, 0, 10), 1.0, None),
    ],
)
def test_clip_box(box: tuple[float, ...], scale: float, expected: tuple[int, ...] | None) -> None:
    assert clip_box(Detection(*box, 1.0), 64, 128, scale) == expected


CORNER = st.floats(-50, 150)
SIZE = st.floats(0.01, 90)


@given(CORNER, CORNER, SIZE, SIZE, st.floats(1, 3))
def test_a_clipped_box_covers_the_box_within_the_image(x: float, y: float, w: float, h: float, scale: float) -> None:
    box = Detection(x, y, x + w, y + h, 1.0)
    clipped = clip_box(box, 64, 128, scale)
    if clipped is None:
        assert box.x0 >= 64 or box.y0 >= 128 or box.x1 <= 0 or box.y1 <= 0
        return
    x0, y0, x1, y1 = clipped
    assert 0 <= x0 < x1 <= 64
    assert 0 <= y0 < y1 <= 128
    slack = 1e-9  # rounding of the centre
    assert x0 <= max(0, box.x0) + slack
    assert y0 <= max(0, box.y0) + slack
    assert x1 >= min(64, box.x1) - slack
    assert y1 >= min(128, box.y1) - slack


def test_intersection_over_union_by_hand() -> None:
    a = Detection(0, 0, 2, 2, 1.0)
    assert intersection_over_union(a, a) == 1
    assert intersection_over_union(a, Detection(1, 0, 3, 2, 1.0)) == pytest.approx(2 / 6)
    assert intersection_over_union(a, Detection(2, 0, 4, 2, 1.0)) == 0
    assert intersection_over_union(a, Detection(5, 5, 6, 6, 1.0)) == 0
    assert intersection_over_union(Detection(1, 1, 1, 1, 1.0), Detection(1, 1, 1, 1, 1.0)) == 0
