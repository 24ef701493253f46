"""How alike two pictures are: PSNR and SSIM, an image at a time and pooled.

>>> raw = torch.full((2, 3, 32, 32), 100, dtype=torch.uint8)
>>> copy = raw + torch.tensor([0, 16], dtype=torch.uint8).view(2, 1, 1, 1)
>>> [round(float(value), 2) for value in psnr(raw, copy)]
[inf, 24.05]
>>> round(float(pooled_psnr(raw, copy)), 2)
27.06

Two means of a PSNR differ: that of every image's PSNR, and the PSNR of the mean squared error of all images, which the
worst images decide. `psnr` is for the first, `pooled_psnr` for the second, which the public code of Zhang et al. 2022
prints. Identical pictures have an infinite PSNR and so has every mean with one of them: whoever takes a mean counts
them (`identical`), says how many they are, and takes it over the others. Pooling takes them all.

SSIM is that of Wang et al. 2004: a Gaussian window of 11 x 11 pixels with sigma 1.5, K1 .01, K2 .03, range 255,
biased variances, for each colour channel alone and then the mean of the three; only where the window lies inside the
picture. Deviations: Wang et al. look at grey pictures; the public code of SecureReID (Ye et al. 2024), the next paper
of Zhang et al., puts zeros around the picture, which raises the similarity of whatever lies at its border.

The same settings elsewhere, equal to 2e-5 (`tests/unit/tasks/reversible/test_quality.py`):

    skimage.metrics.structural_similarity(a, b, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5,
                                          use_sample_covariance=False)     # its mean leaves out 5 border pixels
    torchmetrics.functional.image.structural_similarity_index_measure(a, b, data_range=255.0, reduction="none",
                                                                      return_full_image=True)[1][..., 5:-5, 5:-5]
    skimage.metrics.peak_signal_noise_ratio(a, b, data_range=255)
    torchmetrics.functional.image.peak_signal_noise_ratio(a, b, data_range=255.0, dim=(1, 2, 3), reduction="none")

Those of torchmetrics alone give other numbers: its SSIM has mirrored border pixels in it, its PSNR is pooled.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

WINDOW = 11  # pixels
SIGMA = 1.5  # pixels
RANGE = 255.0
C1, C2 = (0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2
CPU_PIECE = 1 << 17  # values at a time, a crop of 256 x 128: what fits a core's cache is filtered 3 times as fast
GPU_PIECE = 64 << 17


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """The peak signal-to-noise ratio of every image, (B,) float64 in dB; inf for identical ones.

    a, b: (B, C, H, W) uint8, or floats on 0..255. Raises ValueError when they differ in shape.
    """
    return psnr_of(squared_error(a, b))


def pooled_psnr(a: Tensor, b: Tensor) -> Tensor:
    """The PSNR of the mean squared error of all images, a float64 scalar in dB.

    For more images than fit in memory: `psnr_of` of the mean of all their `squared_error`.
    a, b: as for `psnr`.
    """
    return psnr_of(squared_error(a, b).mean())


def psnr_of(error: Tensor) -> Tensor:
    """Mean squared errors on 0..255 as PSNR in dB, of any shape."""
    return 20 * math.log10(RANGE) - 10 * error.log10()


@torch.no_grad()
def squared_error(a: Tensor, b: Tensor) -> Tensor:
    """The mean squared error of every image, (B,) float64 in squared grey levels.

    a, b: as for `psnr`.
    """
    _check(a, b, 1)
    errors = [
        (x.float() - y.float()).square_().mean(dim=(1, 2, 3), dtype=torch.float64) for x, y in _pieces(a, b)
    ]  # fmt: skip
    return torch.cat(errors)  # (B,)


def identical(a: Tensor, b: Tensor) -> Tensor:
    """Which images do not differ at all, (B,) bool."""
    return squared_error(a, b) == 0


@torch.no_grad()
def ssim(a: Tensor, b: Tensor) -> Tensor:
    """The structural similarity of every image, (B,) float64, at most 1.

    a, b: (B, C, H, W) uint8, or floats on 0..255; H and W >= 11. Computed in float32, whatever autocast or TF32 say.
    Raises ValueError when they differ in shape or are smaller than the window.
    """
    _check(a, b, WINDOW)
    return torch.cat([_similarity(x.float() - 128, y.float() - 128) for x, y in _pieces(a, b)])  # (B,)


def _similarity(x: Tensor, y: Tensor) -> Tensor:
    """(b, C, H, W) float32 around 0, where squares lose fewest digits -> (b,) float64."""
    mean_x, mean_y = _window_mean(x), _window_mean(y)  # (b, C, H - 10, W - 10)
    # The two variances are only needed as a sum: four filters instead of five.
    variances = _window_mean(x * x + y * y) - mean_x.square() - mean_y.square()
    covariance = _window_mean(x * y) - mean_x * mean_y
    light_x, light_y = mean_x + 128, mean_y + 128
    light = (2 * light_x * light_y + C1) / (light_x.square() + light_y.square() + C1)
    structure = (2 * covariance + C2) / (variances + C2)
    return (light * structure).mean(dim=(1, 2, 3), dtype=torch.float64)


def _window_mean(x: Tensor) -> Tensor:
    """(b, C, H, W) -> (b, C, H - 10, W - 10): Gaussian means where the window lies inside the picture.

    Shifted sums along the rows' axis, then the columns': on one core 3 to 4 times as fast as `conv2d`, and neither
    autocast nor a GPU's TF32 takes digits from them, which would give SSIM errors of a tenth and more.
    """
    for dim in (-2, -1):
        length = x.shape[dim] - WINDOW + 1
        total = x.narrow(dim, 0, length) * WEIGHTS[0]
        for shift in range(1, WINDOW):
            total.add_(x.narrow(dim, shift, length), alpha=WEIGHTS[shift])
        x = total
    return x


def _gaussian() -> list[float]:
    """WINDOW weights of sum 1."""
    weights = [math.exp(-((n - WINDOW // 2) ** 2) / (2 * SIGMA**2)) for n in range(WINDOW)]
    return [weight / math.fsum(weights) for weight in weights]


WEIGHTS = _gaussian()


def _pieces(a: Tensor, b: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Some images at a time, so that memory does not grow with their number."""
    values = max(1, a[0].numel()) if len(a) else 1
    count = max(1, (CPU_PIECE if a.device.type == "cpu" else GPU_PIECE) // values)
    return list(zip(a.split(count), b.split(count), strict=True))


def _check(a: Tensor, b: Tensor, least: int) -> None:
    if a.shape != b.shape or a.dim() != 4 or min(a.shape[2:]) < least:
        raise ValueError(
            f"pictures of shape {tuple(a.shape)} and {tuple(b.shape)}; expected two (B, 3, H, W) of the same shape "
            f"with H and W >= {least}. Resize one to the other first."
        )
