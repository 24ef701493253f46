"""Seed every random choice by what it belongs to, never by the order of calls or the number of workers.

Nothing random depends on what was drawn before it. A training that resumes at epoch 7 draws what an undisturbed one
draws there, and no generator state needs saving.
"""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(*parts: int | str) -> int:
    """A seed in 0 .. 2**63 - 1 from e.g. (seed, "sampler", epoch).

    >>> derive_seed(1, "sampler", 0) == derive_seed(1, "sampler", 0) != derive_seed(1, "sampler", 1)
    True
    """
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A generator for one named thing of one seed.

    >>> float(generator(1, "crop", 7).random()) == float(generator(1, "crop", 7).random())
    True
    """
    text = "/".join(str(part) for part in (seed, *names))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little"))


def image_generator(path: str) -> np.random.Generator:
    """Random numbers that depend on the image alone, not on the order or the number of workers."""
    return np.random.default_rng(list(hashlib.sha256(path.encode()).digest()[:16]))
