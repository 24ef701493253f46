"""Seeds of every random choice in a training, derived from what the choice belongs to.

Nothing random depends on what was drawn before it: a training that resumes at epoch 7 draws what an undisturbed one
draws there, and no generator state needs saving.
"""

from __future__ import annotations

import hashlib


def derive_seed(*parts: int | str) -> int:
    """A seed in 0 .. 2**63 - 1 from e.g. (seed, "sampler", epoch).

    >>> derive_seed(1, "sampler", 0) == derive_seed(1, "sampler", 0) != derive_seed(1, "sampler", 1)
    True
    """
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
