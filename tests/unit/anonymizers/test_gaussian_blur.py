"""Gaussian blur against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from anonbench.anonymizers.gaussian_blur import GaussianBlur
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
