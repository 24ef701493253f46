"""Image files to one tensor."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from anonbench.errors import DataError
from anonbench.training import data
from anonbench.training.data import load_images


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(0)
    names = [f"{number:02d}.png" for number in range(9)]
    for number, name in enumerate(names):
        size = (64 + number, 32 + number, 3)
        Image.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).save(tmp_path / name)
    return names


def test_images_come_in_order_whatever_the_threads(tmp_path: Path, files: list[str]) -> None:
    single = load_images(tmp_path, files, (40, 20), threads=1)
    assert single.shape == (9, 3, 40, 20)
    assert single.dtype == torch.uint8
    assert torch.equal(single, load_images(tmp_path, files, (40, 20), threads=4))
    for name, tensor in zip(files, single, strict=True):
        expected = Image.open(tmp_path / name).resize((20, 40), Image.Resampling.BILINEAR)
        assert np.array_equal(tensor.permute(1, 2, 0).numpy(), np.asarray(expected))


def test_an_image_of_the_right_size_is_not_touched(tmp_path: Path, files: list[str]) -> None:
    (loaded,) = load_images(tmp_path, files[:1], (64, 32), threads=1)
    assert np.array_equal(loaded.permute(1, 2, 0).numpy(), np.asarray(Image.open(tmp_path / files[0])))


def test_batches_are_channels_last(tmp_path: Path, files: list[str]) -> None:
    loaded = load_images(tmp_path, files, (40, 20), threads=1)
    assert loaded.is_contiguous(memory_format=torch.channels_last)


def test_a_truncated_image_is_named(tmp_path: Path, files: list[str]) -> None:
    whole = (tmp_path / files[4]).read_bytes()
    (tmp_path / files[4]).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=rf"{files[4]}: not a readable image"):
        load_images(tmp_path, files, (40, 20), threads=2)


def test_a_missing_image_is_named(tmp_path: Path, files: list[str]) -> None:
    with pytest.raises(DataError, match=r"none\.png: cannot be read"):
        load_images(tmp_path, [*files, "none.png"], (40, 20), threads=2)


def test_a_data_set_that_fills_the_memory_is_announced(
    tmp_path: Path, files: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(data, "memory_bytes", lambda: 10_000)
    with caplog.at_level(logging.WARNING):
        load_images(tmp_path, files, (40, 20), threads=1)
    assert "9 images of 40 x 20 need" in caplog.text
