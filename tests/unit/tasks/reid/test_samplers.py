"""Batches of an epoch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonbench.core.errors import DataError
from anonbench.tasks.reid.samplers import IdentitySampler, Shuffle


@given(st.integers(2, 100), st.integers(2, 40), st.integers(0, 5))
def test_shuffle_shows_every_image_at_most_once_and_drops_less_than_a_batch(count: int, size: int, seed: int) -> None:
    batches = Shuffle().batches(np.zeros(count, np.int64), size, np.random.default_rng(seed))
    shown = np.concatenate(batches)
    assert len(set(shown)) == len(shown) > count - min(size, count)
    assert {len(b) for b in batches} == {min(size, count)}


def test_shuffle_leaves_out_other_images_in_other_epochs() -> None:
    labels = np.zeros(10, np.int64)
    left_out = {frozenset(range(10)) - {*Shuffle().batches(labels, 9, np.random.default_rng(s))[0]} for s in range(20)}
    assert len(left_out) > 3


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=3, max_size=12), st.integers(2, 3), st.integers(2, 4), st.integers(0, 9))
def test_pk_batches_hold_p_identities_with_k_images(counts: list[int], p: int, k: int, seed: int) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    batches = IdentitySampler(p, k).batches(labels, p * k, np.random.default_rng(seed))
    shown = dict.fromkeys(range(len(counts)), 0)
    for batch in batches:
        rows = labels[batch].reshape(p, k)
        assert (rows == rows[:, :1]).all()
        assert len(set(rows[:, 0])) == p
        for images in batch.reshape(p, k):
            label = labels[images[0]]
            shown[label] += 1
            if counts[label] >= k:
                assert len(set(images)) == k
            else:
                assert len(set(images)) == counts[label]  # every image once, then repeats
    groups = {label: max(1, count // k) for label, count in enumerate(counts)}
    assert all(shown[label] <= groups[label] for label in groups)
    assert sum(shown[label] < groups[label] for label in groups) < p  # an epoch ends when < P identities are left


def test_pk_needs_p_identities() -> None:
    with pytest.raises(DataError, match=r"has 3 identities, the sampler wants 4.*training\.sampler\.identities"):
        IdentitySampler(4, 2).batches(np.array([0, 1, 2, 2]), 8, np.random.default_rng(0))


def test_the_same_seed_gives_the_same_batches() -> None:
    labels = np.repeat(np.arange(8), 4)
    for sampler in (Shuffle(), IdentitySampler(4, 2)):
        first, same, other = (np.concatenate(sampler.batches(labels, 8, np.random.default_rng(s))) for s in (1, 1, 2))
        assert (first == same).all()
        assert not np.array_equal(first, other)
