"""The distribution of what noise makes of a picture."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest, norm

from anonbench.anonymizers.gaussian_noise import GaussianNoise
from anonbench.data.regions import Region

BOX = Region((0, 0, 128, 256))
GREY = np.full((256, 128, 3), 128, np.uint8)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_small_noise_is_normal_with_the_standard_deviation_asked_for() -> None:
    """Rounding adds a variance of 1 / 12; no value reaches an end of the range."""
    noise = GaussianNoise(0.1).redact(GREY, BOX, rng()).astype(float) - 128
    assert noise.mean() == pytest.approx(0, abs=0.4)
    assert noise.std() == pytest.approx(25.5, rel=0.01)
    dithered = noise + rng(2).uniform(-0.5, 0.5, noise.shape)
    assert kstest(dithered.ravel(), norm(0, 25.5).cdf).statistic < 0.01
    channels = noise.reshape(-1, 3)
    assert np.abs(np.corrcoef(channels.T) - np.eye(3)).max() < 0.02, "each channel has noise of its own"


def test_large_noise_is_clipped_at_both_ends() -> None:
    """sigma 127.5 about 128: P(value = 0) = Phi(-127.5 / 127.5) = .159, and about as many at 255."""
    values = GaussianNoise(0.5).redact(GREY, BOX, rng())
    assert (values == 0).mean() == pytest.approx(norm.cdf(-1), abs=0.005)
    assert (values == 255).mean() == pytest.approx(norm.sf(126.5 / 127.5), abs=0.005)


def test_the_generator_alone_decides() -> None:
    first, again, other = (GaussianNoise().redact(GREY, BOX, rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.01
    assert GaussianNoise.redrawn


@pytest.mark.parametrize("bad", [0, -0.5, float("inf"), float("nan"), "0.5"])
def test_bad_std(bad: object) -> None:
    with pytest.raises(ValueError, match=f"std must be > 0, got {bad!r}"):
        GaussianNoise(bad)  # type: ignore[arg-type]
