"""Which images make up each batch of an epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonbench.core import checks as _checks
from anonbench.core.errors import DataError

Labels = NDArray[np.int64]
Batches = list[NDArray[np.int64]]


@dataclass(frozen=True)
class Shuffle:
    """Every image once an epoch, in random order.

    A last, incomplete batch is left out of the epoch, as torchreid does (another one is left out of the next). A
    dataset smaller than one batch makes one batch of all of it.
    """

    def batches(self, labels: Labels, batch_size: int, rng: np.random.Generator) -> Batches:
        """labels: (N,) -> arrays of batch_size indices into it."""
        order = rng.permutation(len(labels))
        size = min(batch_size, len(order))
        return [order[start : start + size] for start in range(0, len(order) - size + 1, size)]


@dataclass(frozen=True)
class IdentitySampler:
    """P identities with K images each in every batch: the P x K batches of the triplet loss.

    Each identity's images are shuffled and cut into groups of K. An incomplete last group is left out, and an identity
    with fewer than K images gives one group in which some repeat. Batches take one group from each of P random
    identities until fewer than P identities have groups left.

    identities: P, >= 2.
    images: K, >= 2. The recipe's batch_size must be P x K.
    Source: Hermans et al., "In Defense of the Triplet Loss", arXiv:1703.07737, section 2. The epoch's end is as in
    BoT's code (P = 16, K = 4).
    """

    identities: int = 16
    images: int = 4

    def __post_init__(self) -> None:
        _checks.integer("identities", self.identities, 2)
        _checks.integer("images", self.images, 2)

    def batches(self, labels: Labels, batch_size: int, rng: np.random.Generator) -> Batches:
        """labels: (N,) -> arrays of P x K indices into it, the images of an identity side by side.

        Raises `DataError` when there are fewer than P identities.
        """
        assert batch_size == self.identities * self.images
        groups = {int(label): self._groups(np.flatnonzero(labels == label), rng) for label in np.unique(labels)}
        if len(groups) < self.identities:
            raise DataError(
                f"the training set has {len(groups)} identities, the sampler wants {self.identities} in a batch. "
                f"Lower training.sampler.identities (and batch_size with it) or use `method: shuffle`."
            )
        batches = []
        while len(left := [label for label in groups if groups[label]]) >= self.identities:
            chosen = rng.choice(left, self.identities, replace=False)
            batches.append(np.concatenate([groups[int(label)].pop() for label in chosen]))
        return batches

    def _groups(self, indices: NDArray[np.int64], rng: np.random.Generator) -> Batches:
        shuffled = rng.permutation(indices)
        if len(shuffled) < self.images:
            extra = rng.choice(shuffled, self.images - len(shuffled), replace=True)
            shuffled = np.concatenate([shuffled, extra])
        whole = len(shuffled) // self.images * self.images
        return list(shuffled[:whole].reshape(-1, self.images))


Sampler = Shuffle | IdentitySampler


def check_batch_size(batch_size: int, sampler: Sampler) -> None:
    """Raise ValueError unless the sampler makes batches of this size."""
    if isinstance(sampler, IdentitySampler) and batch_size != (product := sampler.identities * sampler.images):
        raise ValueError(
            f"batch_size is {batch_size}, but the pk sampler makes batches of identities x images = "
            f"{sampler.identities} x {sampler.images}; expected batch_size: {product}"
        )
