"""Blocked distances against float64 formulas, and the messages for features that cannot be compared."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from anonbench.core.errors import ConfigError, DataError
from anonbench.tasks.reid.distance import distance_blocks, distance_matrix


def features(n: int, d: int = 37, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, n]).normal(size=(n, d)).astype(np.float32)


def test_worked_by_hand():
    # |(3,4)|^2 = 25; (3,4)-(0,4) = (3,0): 9. Angles: (3,4).(0,4) = 16 of 5 * 4: cos .8; (1,0) against (0,4): 0.
    queries, gallery = [[3, 4], [1, 0]], [[0, 0], [0, 4]]
    assert distance_matrix(queries, gallery).tolist() == [[25, 9], [1, 17]]
    cosine = distance_matrix(queries, gallery, "cosine")
    assert cosine == pytest.approx(np.array([[1, 0.2], [1, 1]]), abs=1e-6)  # a zero feature is at 1 from everything


@pytest.mark.parametrize(("metric", "reference"), [("euclidean", "sqeuclidean"), ("cosine", "cosine")])
def test_against_float64(metric, reference):
    q, g = features(23), features(41)
    expected = cdist(q.astype(np.float64), g.astype(np.float64), reference)
    result = distance_matrix(q, g, metric)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=0, atol=4e-7 * expected.max())


def test_precision_far_from_the_origin_is_as_documented():
    q, g = features(50) + 30, features(50, seed=1) + 30
    expected = cdist(q.astype(np.float64), g.astype(np.float64), "sqeuclidean")
    lengths = (q.astype(np.float64) ** 2).sum(1)[:, None] + (g.astype(np.float64) ** 2).sum(1)
    assert (np.abs(distance_matrix(q, g) - expected) <= 8 * 6e-8 * lengths).all()


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_duplicates_are_never_negative(metric):
    q = features(64, 300) * 100
    result = distance_matrix(q, q, metric)
    assert result.min() >= 0
    assert np.diagonal(result).max() <= 1e-6 * result.max()


@pytest.mark.parametrize("block_rows", [1, 3, 10, 11, 99])
def test_blocks_join_to_the_matrix(block_rows):
    q, g = np.rint(features(10) * 9), np.rint(features(7) * 9)  # whole numbers: exact whatever the block
    blocks = list(distance_blocks(q, g, block_rows=block_rows))
    assert [len(b) for b in blocks[:-1]] == [block_rows] * (len(blocks) - 1)
    assert np.array_equal(np.concatenate(blocks), cdist(q, g, "sqeuclidean"))


def test_blocks_stay_small_by_default():
    wide = np.zeros((40_000, 1), np.float32)
    blocks = distance_blocks(np.zeros((300, 1), np.float32), wide)
    assert all(block.nbytes <= 16 * 2**20 for block in blocks)


def test_lower_matmul_precision_set_elsewhere_does_not_reach_us():
    q, g = features(64, 256), features(64, 256, seed=1)
    expected = distance_matrix(q, g)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert np.array_equal(distance_matrix(q, g), expected)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int32])
def test_other_dtypes_and_read_only_memory(dtype):
    q = np.arange(12).reshape(4, 3).astype(dtype)
    q.setflags(write=False)
    assert np.array_equal(distance_matrix(q[::-1], q), cdist(q[::-1], q, "sqeuclidean"))


def bad(value: float) -> np.ndarray:
    array = features(5)
    array[3, 2] = value
    array[4, 0] = value
    return array


@pytest.mark.parametrize(
    ("query", "gallery", "message"),
    [
        (bad(np.nan), features(4), r"query features: 2 of 5 rows are NaN \(first: row 3\).*diverge"),
        (features(4), bad(np.inf), r"gallery features: 2 of 5 rows are infinite or too large \(first: row 3\)"),
        (features(4), bad(1e30), r"gallery features: 2 of 5 rows are infinite or too large"),
        (features(0), features(4), r"query features are empty \(shape \(0, 37\)\)"),
        (features(4), features(4, 0), r"gallery features are empty \(shape \(4, 0\)\)"),
        (features(4)[0], features(4), r"query features have shape \(37,\) and type float32"),
        (features(4), np.array([["a"]]), r"gallery features have shape \(1, 1\) and type <U1"),
        (features(4), features(4, 36), r"query features have 37 dimensions and gallery features 36"),
    ],
)
def test_features_that_cannot_be_compared(query, gallery, message):
    with pytest.raises(DataError, match=message):
        distance_blocks(query, gallery)


def test_unknown_metric_names_the_nearest():
    with pytest.raises(ConfigError, match=r"metric 'cosin' is unknown: did you mean 'cosine'\? Known: cosine, euclid"):
        distance_blocks(features(2), features(2), "cosin")
