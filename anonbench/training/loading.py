"""Image files to one uint8 tensor, in memory or mapped from a file; or to batches that are loaded while one trains."""

from __future__ import annotations

import logging
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anonbench.core.errors import DataError
from anonbench.core.memory import available_memory
from anonbench.data.images import read_image, resize
from anonbench.training.distributed import ALONE, Ranks

logger = logging.getLogger(__name__)
MEMORY_SHARE = 0.5  # of the memory that is left; networks need the rest
GPU_SHARE = 0.5  # of a GPU's free memory; networks and their maps need the rest
Pixels = NDArray[np.uint8]
Size = tuple[int, int]  # height, width in pixels
Key = TypeVar("Key")
Batch = TypeVar("Batch")


def load_images(
    root: Path,
    paths: Sequence[str],
    size: Size,
    threads: int,
    cache_dir: Path | None = None,
    ranks: Ranks = ALONE,
) -> Tensor:
    """Decode and resize images in parallel.

    paths: relative to root.
    size: (height, width) in pixels.
    Returns (N, 3, height, width) uint8 RGB in the order of `paths`, stored channels last. It takes
    N x 3 x height x width bytes: 24 KB an image at 128 x 64, 317 MB for Market-1501's training set; at 256 x 128 four
    times that.

    cache_dir: where a file is made and mapped instead when the images would take more than half of the memory that is
        left. It has no name once it is mapped: the disk gets its room back when the process ends, however it ends.
    ranks: processes that all call this. In memory each has images of its own; a mapped file is made by all together.

    Raises `DataError` naming the file when one is missing or cannot be decoded, or when the disk is too small, too.
    Resizing is Pillow's bilinear filter, as in torchvision and torchreid; it widens with the reduction, so that
    shrinking does not alias.
    """
    mapped = cache_dir is not None and bool(ranks.agree(not fits_memory(len(paths), size, ranks.count)))
    if mapped:
        assert cache_dir is not None
        pixels = _mapped_pixels(cache_dir, len(paths), size, ranks)
        numbers = range(len(paths))[ranks.part(len(paths))]
    else:
        pixels, numbers = np.empty((len(paths), *size, 3), np.uint8), range(len(paths))

    def load(number: int) -> None:
        pixels[number] = resize(read_image(root / paths[number]), size)

    with ThreadPoolExecutor(max(1, threads)) as pool:  # Pillow releases the interpreter's lock
        for _ in pool.map(load, numbers):
            pass
    if mapped:
        ranks.wait()  # until the others' parts are there, too
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)  # (N, 3, H, W)


def images_that_fit(size: Size) -> int:
    """How many decoded images the memory that is left has room for."""
    return int(MEMORY_SHARE * available_memory()) // _image_bytes(size)


class DeviceImages:
    """(N, 3, H, W) uint8 images from which batches are taken onto a device: kept there if they fit, else sent over."""

    def __init__(self, images: Tensor, device: torch.device) -> None:
        self.device = device
        free = gpu_memory(device)
        fits = free is None or images.nbytes <= GPU_SHARE * free
        if not fits:
            logger.info(
                "the images take %.1f GB, more than half of the %.1f GB that the GPU has free: batches are sent to it "
                "one by one",
                *(images.nbytes / 1e9, (free or 0) / 1e9),
            )
        self.images = images.to(device) if fits else images

    def __getitem__(self, indices: Tensor) -> Tensor:
        """The images `indices`, (B,) on the CPU, as (B, 3, H, W) on the device."""
        batch = self.images[indices.to(self.images.device)]
        if batch.device.type == self.device.type:
            return batch
        return batch.pin_memory().to(self.device, non_blocking=True)


class Prefetched(Generic[Key, Batch]):
    """Batches that are loaded by threads while others are learnt from: for pictures that do not fit one tensor.

    keys: what `load` is called with, one a batch, in order. What it draws at random must follow from the key alone.
    threads: that load, >= 1. They change nothing in the result; Pillow and torch release the interpreter's lock.
    ahead: batches that are loaded or being loaded beside the one in use, >= 1; so many must fit in memory, and one.

    >>> list(Prefetched(["a", "b"], str.upper))
    ['A', 'B']
    """

    def __init__(self, keys: Sequence[Key], load: Callable[[Key], Batch], threads: int = 2, ahead: int = 4) -> None:
        self.keys, self.load, self.threads, self.ahead = keys, load, max(1, threads), max(1, ahead)

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Batch]:
        waiting: deque[Future[Batch]] = deque()
        with ThreadPoolExecutor(self.threads) as pool:
            try:
                for key in self.keys:
                    waiting.append(pool.submit(self.load, key))
                    if len(waiting) > self.ahead:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()


def gpu_memory(device: torch.device) -> int | None:
    """Free bytes of a GPU; None for a CPU, which shares the memory in which images are anyway."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


def _image_bytes(size: Size) -> int:
    return 3 * size[0] * size[1]


def fits_memory(count: int, size: Size, copies: int) -> bool:
    return copies * count * _image_bytes(size) <= MEMORY_SHARE * available_memory()


def _mapped_pixels(cache_dir: Path, count: int, size: Size, ranks: Ranks) -> Pixels:
    """(count, height, width, 3) uint8, zero, in a file that all ranks map and that loses its name at once."""
    file = cache_dir / "pixels.uint8"
    if ranks.main:
        _reserve(file, count, size, ranks.count)
    ranks.wait()
    pixels = np.memmap(file, np.uint8, "r+", shape=(count, *size, 3))
    ranks.wait()
    if ranks.main:
        file.unlink()
    return pixels


def _reserve(file: Path, count: int, size: Size, copies: int) -> None:
    """Make a file for `count` images and take its room on the disk: later, a full disk would end the process."""
    needed, left = count * _image_bytes(size), available_memory()
    what = f"{count} images of {size[0]} x {size[1]} take {needed / 1e9:.2f} GB" + (
        f", {copies * needed / 1e9:.2f} GB with a copy for each of {copies} ranks" if copies > 1 else ""
    )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(file.parent).free
        if free < needed:
            raise DataError(
                f"{what}; of memory {left / 1e9:.2f} GB are left here (half of it is for images), of the disk of "
                f"{file.parent} {free / 1e9:.2f} GB. Give the job more memory, make room on that disk, or lower "
                f"`input:` of the model."
            )
        with file.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, needed)
    except OSError as error:
        file.unlink(missing_ok=True)
        raise DataError(
            f"{file}: cannot be made ({error.strerror}), and {what}; of memory {left / 1e9:.2f} GB are left here (half "
            f"of it is for images). Give the job more memory, or room on that disk."
        ) from error
    logger.info(
        "%s, more than half of the %.2f GB of memory that are left here: they are decoded into a file of %s, which has "
        "%.2f GB free, and mapped from there. The file cannot be seen, and is gone when the training ends.",
        *(what, left / 1e9, file.parent, free / 1e9),
    )
