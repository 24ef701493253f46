"""Gaussian blur against SciPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy.ndimage import gaussian_filter

from anonbench.anonymizers._contract import CONTRACT, AnonymizerSubject
from anonbench.anonymizers.gaussian_blur import KERNELS, GaussianBlur
from anonbench.core.contract import BrokenPromiseError, Promise
from anonbench.data.regions import Region

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("box", [(5, 4, 19, 22), (0, 0, 33, 9), (20, 10, 23, 60), (0, 0, 64, 128)])
@pytest.mark.parametrize("sigma_rel", [1 / 8, 1 / 3])
def test_agrees_with_scipy(box: tuple[int, int, int, int], sigma_rel: float) -> None:
    image = RNG.integers(0, 256, (128, 64, 3), dtype=np.uint8)
    x0, y0, x1, y1 = box
    sigma = sigma_rel * (x1 - x0)
    expected = gaussian_filter(image[y0:y1, x0:x1].astype(float), (sigma, sigma, 0), mode="nearest", truncate=4)
    patch = GaussianBlur(sigma_rel).redact(image, Region(box), RNG)
    assert np.abs(patch - expected).max() < 0.6  # half a level of rounding, and the kernels' tails


def test_width_sets_sigma_not_height() -> None:
    """A vertical step edge in a 16 px wide box: sigma is 2 px, so 1 px off the edge lies at the 31st percentile."""
    image = np.zeros((200, 16, 3), dtype=np.uint8)
    image[:, 8:] = 255
    patch = GaussianBlur().redact(image, Region((0, 0, 16, 200)), RNG)
    assert abs(int(patch[100, 8, 0]) - 255 * 0.599) < 2  # pixel centre half a pixel right of the edge: Phi(0.25)
    assert abs(int(patch[100, 9, 0]) - 255 * 0.773) < 2  # Phi(0.75)


def test_nothing_flows_in_from_outside() -> None:
    image = np.full((30, 30, 3), 40, dtype=np.uint8)
    image[10:20, 10:20] = 90
    assert (GaussianBlur().redact(image, Region((10, 10, 20, 20)), RNG) == 90).all()


@pytest.mark.parametrize("bad", [0, -1, float("inf"), None])
def test_bad_sigma(bad: float) -> None:
    with pytest.raises(ValueError, match=f"sigma_rel must be > 0, got {bad}"):
        GaussianBlur(sigma_rel=bad)


def test_pillows_kernel_is_pillows() -> None:
    image = RNG.integers(0, 256, (64, 48, 3), dtype=np.uint8)
    crop = Image.fromarray(image[4:30, 6:30]).filter(ImageFilter.GaussianBlur(3))
    patch = GaussianBlur(kernel="pillow").redact(image, Region((6, 4, 30, 30)), RNG)
    np.testing.assert_array_equal(patch, np.asarray(crop))


def test_the_two_kernels_differ_at_a_bright_edge() -> None:
    """Pillow repeats the edge in each of its three passes."""
    image = np.zeros((40, 40, 3), dtype=np.uint8)
    image[:, :2] = 255
    box = Region((0, 0, 40, 40))
    ours, theirs = (int(GaussianBlur(kernel=kernel).redact(image, box, RNG)[20, 0, 0]) for kernel in KERNELS[:2])
    assert abs(ours - theirs) > 10


def test_a_box_kernel_is_the_mean_of_a_square() -> None:
    """Zhang et al.'s 12 x 12 read as a mean: 12 / sqrt(12) px on 128. Of an even square the centre is right of it."""
    image = RNG.integers(0, 256, (256, 128, 3), dtype=np.uint8)
    patch = GaussianBlur(0.02706, kernel="box").redact(image, Region((0, 0, 128, 256)), RNG)
    padded = np.pad(image, ((6, 5), (6, 5), (0, 0)), mode="edge").astype(float)
    for y, x in ((0, 0), (100, 60), (255, 127), (3, 90)):
        assert np.abs(patch[y, x] - padded[y : y + 12, x : x + 12].mean(axis=(0, 1))).max() <= 0.51


def test_whole_pictures_as_the_public_code_of_zhang_blurs_them() -> None:
    image = RNG.integers(0, 256, (256, 128, 3), dtype=np.uint8)
    patch = GaussianBlur(0.09375, kernel="pillow").redact(image, Region((0, 0, 128, 256)), RNG)
    np.testing.assert_array_equal(patch, np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(12))))


def test_an_unknown_kernel_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"kernel must be one of gaussian, pillow, box, got 'mean'"):
        GaussianBlur(kernel="mean")


# --- ImageNet's blurred faces ---

IMAGENET = {"sigma_rel": 0.1, "blend_rel": 0.1, "side": "larger_side", "kernel": "pillow"}


@pytest.mark.parametrize("promise", CONTRACT.promises, ids=str)
def test_a_blended_blur_keeps_all_promises_but_one(promise: Promise[AnonymizerSubject]) -> None:
    """Of the smallest of the contract's boxes too little is taken: there it is no hiding, and the docstring says so."""
    subject = AnonymizerSubject("gaussian_blur", IMAGENET)
    if promise.text.startswith("leaves too little of what the box showed"):
        with pytest.raises(BrokenPromiseError, match=r"A box of 6 x 5 pixels .* correlate by 0\.9"):
            promise(subject)
    else:
        promise(subject)


@pytest.mark.parametrize("box", [(20, 30, 50, 70), (20, 30, 60, 50)], ids=["high", "wide"])
def test_the_larger_side_sets_sigma(box: tuple[int, int, int, int]) -> None:
    image = RNG.integers(0, 256, (100, 80, 3), dtype=np.uint8)
    x0, y0, x1, y1 = box
    crop = Image.fromarray(image[y0:y1, x0:x1]).filter(ImageFilter.GaussianBlur(4))  # .1 of 40 pixels
    patch = GaussianBlur(0.1, kernel="pillow", side="larger_side").redact(image, Region(box), RNG)
    np.testing.assert_array_equal(patch, np.asarray(crop))


def test_the_edge_is_that_of_a_blurred_mask() -> None:
    """A second way to the same weights: blur a mask with the box in it, as the public code of Yang et al. does."""
    image = np.full((120, 100, 3), 40, dtype=np.uint8)
    box = (30, 30, 70, 90)
    x0, y0, x1, y1 = box
    image[y0:y1, x0:x1] = RNG.integers(0, 256, (60, 40, 3), dtype=np.uint8)
    mask = np.zeros((120, 100))
    mask[y0:y1, x0:x1] = 1
    share = gaussian_filter(mask, 6.0, truncate=6)[y0:y1, x0:x1, None]  # .1 of 60 pixels
    hard = GaussianBlur(0.1, kernel="pillow", side="larger_side").redact(image, Region(box), RNG)
    expected = share * hard + (1 - share) * image[y0:y1, x0:x1]
    patch = GaussianBlur(**IMAGENET).redact(image, Region(box), RNG)
    assert np.abs(patch - expected).max() < 2  # a sampled kernel against its integral
    assert share[0, 20, 0] == pytest.approx(0.5, abs=0.04)
    assert share[30, 20, 0] > 0.99


def test_a_soft_edge_reads_nothing_outside_the_box() -> None:
    image = RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    other = RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    other[10:30, 12:28] = image[10:30, 12:28]
    one, two = (GaussianBlur(**IMAGENET).redact(picture, Region((12, 10, 28, 30)), RNG) for picture in (image, other))
    np.testing.assert_array_equal(one, two)


def test_without_a_soft_edge_nothing_is_blended() -> None:
    image = RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    box = Region((4, 4, 30, 30))
    np.testing.assert_array_equal(
        GaussianBlur(blend_rel=0).redact(image, box, RNG), GaussianBlur().redact(image, box, RNG)
    )


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"side": "height"}, "side must be one of width, larger_side, got 'height'"),
        ({"blend_rel": -0.1}, "blend_rel must be >= 0, got -0.1"),
        ({"blend_rel": float("inf")}, "blend_rel must be >= 0, got inf"),
    ],
)
def test_bad_edges_and_sides(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GaussianBlur(**bad)
