"""Random generators that depend on names, never on the order of calls or on the number of workers."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A generator for one named thing of one seed.

    >>> float(generator(1, "crop", 7).random()) == float(generator(1, "crop", 7).random())
    True
    """
    text = "/".join(str(part) for part in (seed, *names))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little"))
