"""A random sample of a dataset's images, each camera in its proportion."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from anonbench.core.errors import ConfigError
from anonbench.data.pictures import Picture


def draw_sample(images: Iterable[Picture], size: int, seed: int) -> list[Picture]:
    """`size` images (all, when there are no more), each camera in its proportion, in random order.

    The order is that of a hash of seed and path, and depends on nothing else. A larger sample of the same seed
    continues where the smaller one ends (but for an image or two, where cameras' shares are rounded). Whoever stops
    half-way has looked at a random sample too.
    Raises `ConfigError` for a size below 1.
    """
    if size < 1:
        raise ConfigError(f"the sample has {size} images; expected at least 1")
    by_camera: dict[int, list[Picture]] = {}
    for image in sorted(images, key=lambda image: shuffled(seed, image.path)):
        by_camera.setdefault(camera_of(image), []).append(image)
    shares = proportional({camera: len(held) for camera, held in by_camera.items()}, size)
    chosen = [image for camera, held in by_camera.items() for image in held[: shares[camera]]]
    return sorted(chosen, key=lambda image: shuffled(seed, image.path))


def camera_of(picture: Picture) -> int:
    """The camera that took a picture. 0 for all where cameras are not known."""
    return picture.labels.get("camid", 0)


def proportional(counts: Mapping[int, int], size: int) -> dict[int, int]:
    """`size` divided over groups in proportion to their counts, by largest remainders; never more than a group has.

    >>> proportional({1: 60, 2: 30, 3: 10}, 7)
    {1: 4, 2: 2, 3: 1}
    """
    total = sum(counts.values())
    size = min(size, total)
    shares = {key: size * count // total for key, count in counts.items()}
    left = size - sum(shares.values())
    by_remainder: Sequence[int] = sorted(counts, key=lambda key: (-(size * counts[key] % total), key))
    for key in by_remainder[:left]:
        shares[key] += 1
    return shares


def shuffled(seed: int, path: str) -> bytes:
    """A sort key that puts paths into a random order."""
    return hashlib.sha256(f"{seed}/{path}".encode()).digest()
