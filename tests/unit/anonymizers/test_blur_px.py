"""`blur_px`: the blurred picture, shown inside a region."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from anonbench.anonymizers import ANONYMIZERS
from anonbench.anonymizers._apply import anonymize_image
from anonbench.anonymizers.blur_px import BlurPx
from anonbench.core.errors import ConfigError
from anonbench.data.images import RGB
from anonbench.data.masks import Mask
from anonbench.data.regions import Region

RNG = np.random.default_rng(0)


def noise(height: int, width: int) -> RGB:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def blurred_by_torch(image: RGB, sigma: float, size: int) -> np.ndarray:
    """The whole picture, (H, W, 3) float: reflected borders, then a convolution with the kernel written out."""
    steps = torch.arange(size, dtype=torch.float64) - size // 2
    line = torch.exp(-(steps**2) / (2 * sigma**2))
    kernel = torch.outer(line, line) / line.sum() ** 2
    channels = torch.from_numpy(image).double().permute(2, 0, 1)[:, None]  # (3, 1, H, W)
    padded = torch.nn.functional.pad(channels, [size // 2] * 4, mode="reflect")
    return torch.nn.functional.conv2d(padded, kernel[None, None])[:, 0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("box", [(20, 18, 41, 52), (0, 0, 9, 70), (33, 40, 60, 70), (0, 0, 60, 70)])
def test_it_shows_the_blurred_picture_wherever_the_box_lies(box: tuple[int, int, int, int]) -> None:
    image = noise(70, 60)
    expected = blurred_by_torch(image, 7.0, 21)
    x0, y0, x1, y1 = box
    patch = BlurPx().redact(image, Region(box), RNG)
    assert np.abs(patch - expected[y0:y1, x0:x1]).max() <= 0.501  # rounded


def test_a_case_by_hand() -> None:
    """One bright pixel of 200 spreads over 3 x 3: with sigma 1 the weights of a line are 1 : e^-.5."""
    image = np.zeros((7, 7, 3), np.uint8)
    image[3, 3] = 200
    side = math.exp(-0.5)
    middle = 200 / (1 + 2 * side) ** 2
    patch = BlurPx(sigma_px=1.0, kernel_px=3).redact(image, Region((2, 2, 5, 5)), RNG)
    grey = [[round(middle * side**n) for n in row] for row in ((2, 1, 2), (1, 0, 1), (2, 1, 2))]
    assert patch[..., 0].tolist() == grey
    assert grey == [[15, 25, 15], [25, 41, 25], [15, 25, 15]]


def test_surroundings_flow_into_a_mask_and_nothing_flows_out() -> None:
    """Behind a mask's border lies another person: a part of the white one shows as grey in the black one's region."""
    image = np.zeros((40, 60, 3), np.uint8)
    image[:, 30:] = 255
    mask = np.zeros((40, 60), bool)
    mask[5:35, 10:30] = True
    shown = anonymize_image(image, [Region((10, 5, 30, 35), "body", mask=Mask.pack(mask))], BlurPx(), RNG)
    np.testing.assert_array_equal(shown[~mask], image[~mask])
    assert shown[20, 29, 0] > 100
    assert shown[20, 19, 0] == 0, "10 pixels and more from the border nothing arrives"


@pytest.mark.parametrize(
    ("key", "value"), [("kernel_px", 20), ("kernel_px", 1), ("kernel_px", 21.0), ("sigma_px", 0), ("sigma_px", True)]
)
def test_bad_kernels_are_refused(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"anonymizer 'blur_px': {key} is .*; expected"):
        ANONYMIZERS.create({"method": "blur_px", key: value})
