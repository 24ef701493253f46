"""Image files to one tensor."""

import errno
import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from anonbench.core.errors import DataError
from anonbench.training import loading as data
from anonbench.training.loading import DeviceImages, images_that_fit, load_images


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


IMAGE_BYTES = 40 * 20 * 3


def limit_memory(monkeypatch: pytest.MonkeyPatch, images: float) -> None:
    """Leave memory for so many images of 40 x 20 and the networks that need as much again."""
    monkeypatch.setattr(data, "available_memory", lambda: int(2 * images * IMAGE_BYTES))


def is_mapped() -> bool:
    return "pixels.uint8 (deleted)" in Path("/proc/self/maps").read_text()


def test_images_beyond_memory_are_mapped_from_a_file(
    tmp_path: Path, files: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "resume" / "here"
    in_memory = load_images(tmp_path, files, (40, 20), 1, cache)
    assert not cache.exists()
    limit_memory(monkeypatch, 8.9)
    with caplog.at_level(logging.INFO):
        mapped = load_images(tmp_path, files, (40, 20), 2, cache)
    assert is_mapped()
    assert torch.equal(mapped, in_memory)
    assert mapped.stride() == in_memory.stride()
    assert not list(cache.iterdir())  # nothing is left, however the process ends
    (message,) = caplog.messages
    assert message.startswith("9 images of 40 x 20 take 0.00 GB, more than half of the 0.00 GB of memory")
    assert f"they are decoded into a file of {cache}, which has" in message
    del mapped
    assert not is_mapped()
    limit_memory(monkeypatch, 9)
    load_images(tmp_path, files, (40, 20), 1, cache)
    assert not is_mapped()


def test_a_truncated_image_is_named_when_mapped_too(
    tmp_path: Path, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_memory(monkeypatch, 0)
    (tmp_path / files[4]).write_bytes(b"no image")
    with pytest.raises(DataError, match=rf"{files[4]}: not a readable image"):
        load_images(tmp_path, files, (40, 20), 2, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_neither_memory_nor_disk_is_large_enough(
    tmp_path: Path, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_memory(monkeypatch, 1)
    monkeypatch.setattr(data, "read_image", None)  # said before anything is decoded
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=9 * IMAGE_BYTES - 1))
    message = r"9 images of 40 x 20 take 0.00 GB; of memory .* of the disk of .*cache 0.00 GB. Give the job more memory"
    with pytest.raises(DataError, match=message):
        load_images(tmp_path, files, (40, 20), 1, tmp_path / "cache")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_disk_that_takes_no_file(
    number: int, tmp_path: Path, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    limit_memory(monkeypatch, 1)
    monkeypatch.setattr(os, "posix_fallocate", refuse)
    message = rf"pixels.uint8: cannot be made \({os.strerror(number)}\), and 9 images of 40 x 20 take"
    with pytest.raises(DataError, match=message):
        load_images(tmp_path, files, (40, 20), 1, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_images_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_memory(monkeypatch, 12.5)
    assert images_that_fit((40, 20)) == 12
    assert images_that_fit((20, 10)) == 50


def test_batches_of_a_cpu_are_taken_from_the_images_themselves(tmp_path: Path, files: list[str]) -> None:
    images = load_images(tmp_path, files, (40, 20), 1)
    held = DeviceImages(images, torch.device("cpu"))
    assert held.images is images
    batch = held[torch.tensor([7, 0])]
    assert torch.equal(batch, torch.stack([images[7], images[0]]))
    assert batch.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_batches_are_the_same_whether_a_gpu_holds_the_images_or_not(
    tmp_path: Path, files: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    device, indices = torch.device("cuda"), torch.tensor([7, 0, 3])
    images = load_images(tmp_path, files, (40, 20), 1)
    held = DeviceImages(images, device)
    assert held.images.is_cuda
    monkeypatch.setattr(data, "gpu_memory", lambda _: 2 * images.nbytes - 1)
    with caplog.at_level(logging.INFO):
        sent = DeviceImages(images, device)
    assert not sent.images.is_cuda
    assert "more than half of the" in caplog.text
    assert sent[indices].is_cuda
    assert torch.equal(held[indices], sent[indices])
    assert held[indices].stride() == sent[indices].stride()
