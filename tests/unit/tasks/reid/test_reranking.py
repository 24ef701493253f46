"""k-reciprocal re-ranking: a case by hand, a dense second implementation from the paper's sets, and torchreid."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from anonbench.core.errors import ConfigError, DataError
from anonbench.tasks.reid.reranking import Reranking, reranked_distance_blocks


def rerank(q, g, metric="euclidean", block_rows=None, **parameters) -> np.ndarray:
    return np.concatenate(list(reranked_distance_blocks(q, g, metric, Reranking(**parameters), block_rows=block_rows)))


def dense(q, g, k1, k2, lambda_value):
    """The paper's definitions with Python sets and float64, one pair at a time."""
    x = np.concatenate([q, g]).astype(np.float64)
    n = len(x)
    d = cdist(x, x, "sqeuclidean")
    d = d / d.max(axis=1, keepdims=True)  # rows by their own largest distance
    order = d.argsort(axis=1, kind="stable")

    def reciprocal(p, k):
        return {int(j) for j in order[p, : k + 1] if p in order[j, : k + 1]}

    half = int(np.around(k1 / 2))
    encoding = np.zeros((n, n))
    for p in range(n):
        start = reciprocal(p, k1)
        expanded = set(start)
        for j in start:
            candidate = reciprocal(j, half)
            if 3 * len(candidate & start) > 2 * len(candidate):
                expanded |= candidate
        members = sorted(expanded)
        if members:  # empty only when more than k1 duplicates push p out of its own list
            encoding[p, members] = np.exp(-d[p, members]) / np.exp(-d[p, members]).sum()
    if k2 > 1:
        encoding = np.array([encoding[order[p, :k2]].mean(axis=0) for p in range(n)])
    result = np.empty((len(q), len(g)))
    for i in range(len(q)):
        for j in range(len(g)):
            a, b = encoding[i], encoding[len(q) + j]
            jaccard = 1 - np.minimum(a, b).sum() / np.maximum(a, b).sum()
            result[i, j] = (1 - lambda_value) * jaccard + lambda_value * d[i, len(q) + j]
    return result


def from_torchreid(module, q, g, **parameters) -> np.ndarray:
    """torchreid squares the distances it is given: plain distances in, squared Euclidean inside, as in the paper."""
    return module.re_ranking(cdist(q, g), cdist(q, q), cdist(g, g), **parameters)


def clusters(seed: int, n_query: int = 40, n_gallery: int = 160, d: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Features of 15 identities, overlapping."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(15, d))
    both = centres[rng.integers(0, 15, n_query + n_gallery)] + 0.6 * rng.normal(size=(n_query + n_gallery, d))
    return both[:n_query].astype(np.float32), both[n_query:].astype(np.float32)


def lattice(seed: int, n_query: int = 40, n_gallery: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Features on a few points of a grid: hundreds of exactly equal distances, and many equal images."""
    rng = np.random.default_rng(seed)
    both = rng.integers(0, 4, (n_query + n_gallery, 4)).astype(np.float32)
    return both[:n_query], both[n_query:]


def size(parameters: dict[str, float]) -> int:
    """Gallery images to test with; few where torchreid is slow."""
    return 160 if parameters["k1"] < 50 else 20


PARAMETERS = [
    {"k1": 20, "k2": 6, "lambda_value": 0.3},
    {"k1": 20, "k2": 1, "lambda_value": 0.3},
    {"k1": 5, "k2": 3, "lambda_value": 0.5},  # k1 / 2 = 2.5 -> 2
    {"k1": 7, "k2": 2, "lambda_value": 0.0},  # 3.5 -> 4
    {"k1": 1, "k2": 1, "lambda_value": 1.0},
    {"k1": 3, "k2": 6, "lambda_value": 0.3},  # more neighbours are averaged than are checked for being mutual
    {"k1": 90, "k2": 70, "lambda_value": 0.3},  # more than there are images
    {"k1": 2, "k2": 500, "lambda_value": 0.3},  # all there are
]


def test_worked_by_hand():
    """Points 0 (query), 1, 3, 10 on a line; k1 = 1, k2 = 1, lambda = 0.3.

    Nearest two (itself first): q {q, a}, a {a, q}, b {b, a}, c {c, b}. Mutual: q and a; b and c stand alone.
    k1 / 2 = 0.5 rounds to 0: the half sets are {itself}, which adds nothing.
    Squared distances from q: 1, 9, 100, largest 100; from a: 1, 4, 81, largest 81.
    V_q is exp(0), exp(-1/100) on q, a, over their sum; V_a is exp(-1/81), exp(0), over theirs. With
    s = e^-0.01 and u = e^-(1/81): shared = min(1/(1+s), u/(1+u)) + min(s/(1+s), 1/(1+u)) = (u/(1+u)) + (s/(1+s)).
    """
    s, u = math.exp(-1 / 100), math.exp(-1 / 81)
    shared = u / (1 + u) + s / (1 + s)
    expected = [0.7 * (1 - shared / (2 - shared)) + 0.3 * 0.01, 0.7 + 0.3 * 0.09, 0.7 + 0.3]
    assert rerank([[0.0]], [[1.0], [3.0], [10.0]], k1=1, k2=1)[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("parameters", PARAMETERS)
@pytest.mark.parametrize("data", [clusters, lattice])
def test_against_the_dense_implementation(data, parameters):
    q, g = data(1, 20, min(60, size(parameters)))
    np.testing.assert_allclose(rerank(q, g, **parameters), dense(q, g, **parameters), atol=1e-5)


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_against_torchreid(parameters, torchreid_rerank):
    for seed in range(3):
        q, g = clusters(seed, 40, size(parameters))
        expected = from_torchreid(torchreid_rerank, q, g, **parameters)
        np.testing.assert_allclose(rerank(q, g, **parameters), expected, atol=1e-5)


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_against_torchreid_with_ties(parameters, torchreid_rerank, stable_numpy, monkeypatch):
    """With ties, which images count as the k nearest depends on the sort; torchreid's is not stable, so its own answer

    is one of many. Given a stable sort, it must give ours.
    """
    monkeypatch.setattr(torchreid_rerank, "np", stable_numpy)
    for seed in range(3):
        q, g = lattice(seed, 40, size(parameters))
        assert len(np.unique(np.concatenate([q, g]), axis=0)) < len(q) + len(g)  # equal images, queries among them
        expected = from_torchreid(torchreid_rerank, q, g, **parameters)
        np.testing.assert_allclose(rerank(q, g, **parameters), expected, atol=1e-5)


def test_cosine_is_euclidean_on_normalised_features():
    q, g = clusters(5)
    unit = [f / np.linalg.norm(f, axis=1, keepdims=True) for f in (q, g)]
    np.testing.assert_allclose(rerank(q * 7, g, "cosine"), dense(*unit, 20, 6, 0.3), atol=1e-5)


@pytest.mark.parametrize("block_rows", [1, 7, 40])
def test_the_same_in_blocks(block_rows):
    q, g = lattice(9)
    blocks = list(reranked_distance_blocks(q, g, block_rows=block_rows))
    assert blocks[0].shape == (block_rows, len(g))
    assert np.array_equal(np.concatenate(blocks), rerank(q, g))


def test_order_of_images_does_not_matter_without_ties():
    q, g = clusters(4)
    rng = np.random.default_rng(0)
    a, b = rng.permutation(len(q)), rng.permutation(len(g))
    np.testing.assert_allclose(rerank(q[a], g[b]), rerank(q, g)[a][:, b], atol=1e-5)


def test_separates_clusters_better_than_plain_distance():
    rng = np.random.default_rng(1)
    pids = np.repeat(np.arange(20), 10)
    x = (rng.normal(size=(20, 16))[pids] + 0.8 * rng.normal(size=(200, 16))).astype(np.float32)
    q, g = x[::5], np.delete(x, np.s_[::5], axis=0)
    wrong = pids[::5, None] != np.delete(pids, np.s_[::5])[None]

    def swapped(distances):  # how often a wrong image is nearer than a right one
        return np.mean([(d[w][:, None] < d[~w]).mean() for d, w in zip(distances, wrong, strict=True)])

    assert swapped(rerank(q, g)) < 0.8 * swapped(cdist(q, g))


def test_all_images_equal():
    result = rerank(np.ones((3, 4)), np.ones((5, 4)))
    assert result.shape == (3, 5)
    assert np.abs(result).max() < 1e-6


def test_one_query_one_image():
    assert np.isfinite(rerank([[0.0, 1.0]], [[1.0, 0.0]])).all()


def test_inputs_are_checked_at_the_call():
    with pytest.raises(DataError, match="query features: 1 of 1 rows are NaN"):
        reranked_distance_blocks([[math.nan]], [[1.0]])
    with pytest.raises(ConfigError, match="metric 'manhattan' is unknown"):
        reranked_distance_blocks([[1.0]], [[1.0]], "manhattan")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"k1": 0}, "k1 is 0; expected an integer >= 1"),
        ({"k1": True}, "k1 is true; expected an integer >= 1"),
        ({"k2": 2.5}, r"k2 is 2\.5; expected an integer >= 1"),
        ({"lambda_value": 1.2}, r"lambda_value is 1\.2; expected >= 0 and <= 1"),
        ({"lambda_value": math.nan}, "lambda_value is nan"),
        ({"lambda_value": "3e-1"}, r"lambda_value is the text '3e-1' \(YAML reads 3e-1 as text: write 0\.3\)"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        Reranking(**parameters)


MEMORY = """
import resource, numpy as np
from anonbench.tasks.reid.reranking import reranked_distance_blocks
x = np.random.default_rng(0).normal(size=(12_000, 8)).astype(np.float32)
for block in reranked_distance_blocks(x[:50], x[50:100]): pass
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for block in reranked_distance_blocks(x[:2000], x[2000:]): pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_memory_stays_below_one_dense_matrix():
    """12,000 images: one dense float32 matrix takes 549 MiB, and the published implementations hold several."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 300
