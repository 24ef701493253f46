"""PSNR and SSIM against loops in NumPy, scikit-image and torchmetrics, with the settings under which they agree."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from skimage import metrics
from torchmetrics.functional import image as peer

from anonbench.tasks.reversible import quality
from anonbench.tasks.reversible.quality import identical, pooled_psnr, psnr, psnr_of, squared_error, ssim

SIZES = [(32, 17), (11, 40), (64, 32)]


def pictures(height: int = 40, width: int = 24, count: int = 3, noise: float = 25) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth pictures with an edge, and noisy copies: the first slightly, the last much."""
    rng = np.random.default_rng([height, width])
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [90 + 60 * np.sin(rows / (3 + n)) + 50 * np.cos(columns / (2 + n)) for n in range(3)]
    raw = np.stack([np.stack(waves) + 40 * (columns > width // 2)] * count)  # (B, 3, H, W)
    steps = np.linspace(0.2, 2, count).reshape(-1, 1, 1, 1)
    copy = raw + noise * steps * rng.normal(size=raw.shape)
    return tuple(torch.from_numpy(np.rint(p).clip(0, 255).astype(np.uint8)) for p in (raw, copy))  # type: ignore[return-value]


def naive_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """(H, W) float64 on 0..255: the formula of Wang et al. 2004, window by window."""
    line = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / np.outer(line, line).sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for y in range(a.shape[0] - 10):
        for x in range(a.shape[1] - 10):
            p, q = a[y : y + 11, x : x + 11], b[y : y + 11, x : x + 11]
            mp, mq = (window * p).sum(), (window * q).sum()
            vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
            cov = (window * (p - mp) * (q - mq)).sum()
            values.append((2 * mp * mq + c1) * (2 * cov + c2) / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    return float(np.mean(values))


def test_psnr_by_hand() -> None:
    """One value off by 255 of three: MSE 255^2 / 3. All off by 51 = 255 / 5: 20 log10(5)."""
    black = torch.zeros(1, 3, 1, 1)
    one = black.clone()
    one[0, 0] = 255
    assert float(psnr(black, one)) == pytest.approx(10 * math.log10(3))
    assert float(psnr(black, black + 51)) == pytest.approx(20 * math.log10(5))


def test_pooled_is_decided_by_the_worst() -> None:
    """MSE 100 and 10000: mean of PSNRs 18.13 dB, of which the pooled one has only 11.1."""
    black = torch.zeros(2, 3, 4, 4)
    copy = black + torch.tensor([10.0, 100.0]).view(2, 1, 1, 1)
    assert psnr(black, copy).mean().item() == pytest.approx(20 * math.log10(255) - 30)
    assert pooled_psnr(black, copy).item() == pytest.approx(20 * math.log10(255) - 10 * math.log10(5050))
    assert pooled_psnr(black, copy) == psnr_of(squared_error(black, copy).mean())


def test_identical_pictures() -> None:
    raw, copy = pictures()
    copy[1] = raw[1]
    assert identical(raw, copy).tolist() == [False, True, False]
    assert psnr(raw, copy).isinf().tolist() == [False, True, False]
    assert float(ssim(raw, copy)[1]) == pytest.approx(1, abs=1e-6)
    assert math.isfinite(pooled_psnr(raw, copy))
    assert math.isinf(pooled_psnr(raw, raw))


def test_ssim_of_flat_pictures_by_hand() -> None:
    """No variance: luminance alone, (2 . 100 . 150 + C1) / (100^2 + 150^2 + C1), C1 = 6.5025."""
    a, b = torch.full((1, 3, 12, 13), 100.0), torch.full((1, 3, 12, 13), 150.0)
    assert float(ssim(a, b)) == pytest.approx((30000 + 6.5025) / (32500 + 6.5025), abs=2e-5)


@pytest.mark.parametrize("size", SIZES)
def test_ssim_against_the_formula(size: tuple[int, int]) -> None:
    raw, copy = pictures(*size)
    for image, other, value in zip(raw.numpy(), copy.numpy(), ssim(raw, copy), strict=True):
        expected = np.mean([naive_ssim(image[c].astype(float), other[c].astype(float)) for c in range(3)])
        assert float(value) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("size", SIZES)
def test_against_scikit_image(size: tuple[int, int]) -> None:
    raw, copy = pictures(*size)
    for n in range(len(raw)):
        a, b = raw[n].permute(1, 2, 0).numpy(), copy[n].permute(1, 2, 0).numpy()
        settings = {"channel_axis": 2, "data_range": 255}
        expected = metrics.structural_similarity(
            a, b, **settings, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert float(ssim(raw, copy)[n]) == pytest.approx(expected, abs=2e-6)
        assert float(psnr(raw, copy)[n]) == pytest.approx(
            metrics.peak_signal_noise_ratio(a, b, data_range=255), abs=1e-5
        )
        # A box of 7 pixels and sample variances, which is what it takes by itself, is another measure.
        assert abs(expected - metrics.structural_similarity(a, b, **settings)) > 1e-3


@pytest.mark.parametrize("size", SIZES)
def test_against_torchmetrics(size: tuple[int, int]) -> None:
    raw, copy = (p.float() for p in pictures(*size))
    whole, maps = peer.structural_similarity_index_measure(
        raw, copy, data_range=255.0, reduction="none", return_full_image=True
    )
    inside = maps[..., 5:-5, 5:-5].mean(dim=(1, 2, 3))
    assert ssim(raw, copy).tolist() == pytest.approx(inside.tolist(), abs=2e-5)
    assert (whole - inside).abs().max() > 1e-4, "its own mean has mirrored border pixels in it"
    one_by_one = peer.peak_signal_noise_ratio(raw, copy, data_range=255.0, dim=(1, 2, 3), reduction="none")
    assert psnr(raw, copy).tolist() == pytest.approx(one_by_one.tolist(), abs=1e-4)
    pooled = peer.peak_signal_noise_ratio(raw, copy, data_range=255.0)
    assert float(pooled_psnr(raw, copy)) == pytest.approx(float(pooled), abs=1e-4)


def test_bytes_and_floats_are_the_same_and_order_does_not_matter() -> None:
    raw, copy = pictures()
    for measure in (psnr, ssim):
        assert measure(raw, copy).tolist() == measure(raw.float(), copy.float()).tolist()
        assert measure(raw, copy).tolist() == pytest.approx(measure(copy, raw).tolist(), abs=1e-6)
        assert measure(raw, copy).tolist() == sorted(measure(raw, copy).tolist(), reverse=True)


def test_pieces_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    raw, copy = pictures(count=7)
    whole: dict[Any, list[float]] = {measure: measure(raw, copy).tolist() for measure in (psnr, ssim)}
    monkeypatch.setattr(quality, "CPU_PIECE", 3 * 3 * 40 * 24)
    for measure, expected in whole.items():
        assert measure(raw, copy).tolist() == pytest.approx(expected, abs=1e-6)
    assert psnr(raw[:0], copy[:0]).shape == ssim(raw[:0], copy[:0]).shape == (0,)


def test_autocast_takes_no_digits() -> None:
    raw, copy = pictures()
    before = ssim(raw, copy).tolist()
    with torch.autocast("cpu", torch.bfloat16):
        assert ssim(raw, copy).tolist() == before


def test_a_network_that_made_a_picture_is_not_kept_in_memory() -> None:
    raw, copy = (p.float() for p in pictures())
    assert not ssim(raw, copy.requires_grad_()).requires_grad


@pytest.mark.parametrize("measure", [psnr, ssim, pooled_psnr])
def test_other_sizes_are_refused(measure: object) -> None:
    raw, copy = pictures()
    with pytest.raises(ValueError, match=r"pictures of shape \(3, 3, 40, 24\) and \(3, 3, 40, 20\); expected two"):
        measure(raw, copy[..., :20])  # type: ignore[operator]
    with pytest.raises(ValueError, match="expected two"):
        measure(raw[0], copy[0])  # type: ignore[operator]


def test_a_picture_smaller_than_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match="H and W >= 11"):
        ssim(torch.zeros(1, 3, 10, 64), torch.zeros(1, 3, 10, 64))
