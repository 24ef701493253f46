"""k-reciprocal re-ranking: exact, sparse and blocked.

Source: Zhong, Zheng, Cao and Li, "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017. The
equations named below are the paper's.

With N = n_query + n_gallery images, the published implementations hold several dense N x N matrices (1.5 GB each at
Market-1501's size). But an image has only a few hundred neighbours of interest. Here the neighbour lists are
(N, max(k1 + 1, k2)), everything made of them is a sparse matrix, and the final distances come in blocks of queries.

Readings of the paper, all shared with the authors' own code:

- The distance is the squared Euclidean distance d, divided by the largest distance of the image concerned, so that it
  lies in 0..1: of the row's image for the weights, of the query for the final distance. (torchreid's `re_ranking`
  squares its input, and its engine passes squared distances: there the weights are computed from d^2.)
- N(p, k) holds p itself and k more images; all images where there are fewer.
- k1 / 2 is rounded half to even, as NumPy does: k1 = 5 gives 2, k1 = 7 gives 4.

Our own rules, where the published code leaves the outcome to chance or divides by zero:

- Images at equal distance are ordered by their index (queries first, then gallery), so an image may be preceded by
  its own duplicates.
- The distance of an image to itself is exactly 0.
- When all images are equal, the normalised distance is 0 instead of 0/0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from anonbench.core import checks as _checks
from anonbench.tasks.reid.distance import BLOCK_BYTES, BlockedDistance, Float32, blocked_distance, check_feature_pair

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Reranking:
    """The parameters of k-reciprocal re-ranking. The defaults are the paper's.

    k1: neighbours that are checked for being mutual, >= 1.
    k2: neighbours (the image included) whose encodings are averaged, >= 1. 1 averages nothing. May be larger than k1.
    lambda_value: weight of the original distance in the final one, in 0..1. The Jaccard distance's is 1 - lambda_value.
    """

    k1: int = 20
    k2: int = 6
    lambda_value: float = 0.3

    def __post_init__(self) -> None:
        _checks.integer("k1", self.k1, 1)
        _checks.integer("k2", self.k2, 1)
        _checks.number("lambda_value", self.lambda_value, 0, 1)

    @property
    def neighbours(self) -> int:
        """How many nearest images of each image are looked at, the image included."""
        return max(self.k1 + 1, self.k2)


def reranked_distance_blocks(
    query_features: ArrayLike,
    gallery_features: ArrayLike,
    metric: str = "euclidean",
    rerank: Reranking | None = None,
    *,
    block_rows: int | None = None,
) -> Iterator[Float32]:
    """Yield the re-ranked query x gallery distances as consecutive blocks of rows, each (b, n_gallery) float32 in 0..1.

    query_features: (n_query, d).
    gallery_features: (n_gallery, d).
    metric: "euclidean" works on squared Euclidean distances of the features as they are, "cosine" on those of the
        L2-normalised features (twice the cosine distance).
    block_rows: queries a block. By default as many as fit 16 MiB.
    Raises `DataError` for features that cannot be compared, `ConfigError` for an unknown metric, at the call.
    """
    rerank = rerank or Reranking()
    queries, gallery = check_feature_pair(query_features, gallery_features)
    features = np.concatenate([queries, gallery])  # (N, d)
    prepared = blocked_distance(features, features[:1], metric).rows  # normalised for cosine
    return _reranked_blocks(prepared, len(queries), rerank, block_rows)


def _reranked_blocks(features: Float32, n_query: int, rerank: Reranking, block_rows: int | None) -> Iterator[Float32]:
    everything = BlockedDistance(features, features)
    neighbours, largest = nearest_neighbours(everything, rerank.neighbours)  # (N, that many), (N,)
    expanded = expanded_reciprocal_sets(neighbours[:, : rerank.k1 + 1], rerank.k1)  # (N, N) sparse
    encoding = encode(expanded, features, largest)  # (N, N) sparse
    if rerank.k2 > 1:
        encoding = average_over_neighbours(encoding, neighbours[:, : rerank.k2])
    query_encoding, gallery_encoding = encoding[:n_query], encoding[n_query:].tocsc()
    del neighbours, expanded, encoding

    original = BlockedDistance(features[:n_query], features[n_query:])
    for start, stop in original.spans(block_rows):
        final = shared_weight(query_encoding[start:stop], gallery_encoding)  # (b, n_gallery), becomes the result
        final /= np.subtract(2, final)
        np.subtract(1, final, out=final)  # the Jaccard distance, equation 10
        final *= 1 - rerank.lambda_value
        distances = original.block(start, stop)
        distances *= (rerank.lambda_value / largest[start:stop])[:, None]
        final += distances  # equation 12
        yield final


def nearest_neighbours(distance: BlockedDistance, count: int) -> tuple[Indices, Float32]:
    """The nearest images of every image, and the distance of the farthest.

    distance: from every one of N images to every one of them.
    Returns (N, min(count, N)) int64 indices, nearest first, equal distances ordered by index; and (N,) float32 largest
    distances, with 1 in place of 0.
    """
    total = len(distance.rows)
    count = min(count, total)
    neighbours = np.empty((total, count), np.int64)
    largest = np.empty(total, np.float32)
    spans = list(distance.spans(max(1, 4 * BLOCK_BYTES // (4 * total))))  # larger: faster products, and reused
    buffer = distance.buffer(spans[0][1])
    for start, stop in spans:
        block = distance.block(start, stop, buffer)  # (b, N)
        block[np.arange(stop - start), np.arange(start, stop)] = 0
        largest[start:stop] = block.max(axis=1)
        neighbours[start:stop] = _smallest(block, count)
    return neighbours, np.where(largest > 0, largest, np.float32(1))


def _smallest(block: Float32, count: int) -> Indices:
    """Indices of the `count` smallest values of every row, by (value, index)."""
    result = np.empty((len(block), count), np.int64)
    for row, values in enumerate(block):
        candidates = np.flatnonzero(values <= np.partition(values, count - 1)[count - 1])  # more than `count` at ties
        result[row] = candidates[np.argsort(values[candidates], kind="stable")[:count]]
    return result


def reciprocal_sets(neighbours: Indices) -> sparse.csr_array:
    """R(p, k), equation 3: the neighbours of p that have p among their own. (N, k + 1) -> (N, N) of 0 and 1.

    The relation is symmetric, and so is the matrix.
    """
    total, width = neighbours.shape
    one_way = _rows_to_csr(neighbours, np.ones(neighbours.shape, bool), total)
    mutual = one_way.multiply(one_way.T).tocsr()
    mutual.sort_indices()
    assert mutual.nnz <= total * width
    return mutual


def expanded_reciprocal_sets(neighbours: Indices, k1: int) -> sparse.csr_array:
    """R*(p, k1), equation 4: R(p, k1) joined by every R(q, k1 / 2), q in R(p, k1), that overlaps it by over 2/3.

    The paper asks for at least 2/3 of |R(q, k1 / 2)|, the authors' code for more. This follows the code.
    Returns an (N, N) matrix whose pattern is the sets. Its values mean nothing.
    """
    full = reciprocal_sets(neighbours)  # (N, N)
    half = reciprocal_sets(neighbours[:, : round(k1 / 2) + 1])  # (N, N)
    sizes = np.diff(half.indptr)
    overlap = full.multiply(full @ half).tocsr()  # [p, q] = |R(p) & R(q, half)|: `half` is its own transpose
    overlap.data = (3 * overlap.data > 2 * sizes[overlap.indices]).astype(np.int32)
    overlap.eliminate_zeros()
    expanded = (full + overlap @ half).tocsr()
    expanded.sort_indices()
    return expanded


def encode(sets: sparse.csr_array, features: Float32, largest: Float32) -> sparse.csr_array:
    """V, equation 7: exp(-d) on the pattern of `sets`, each row divided by its sum.

    sets: (N, N) sparse.
    features: (N, d).
    largest: (N,) distances that d is divided by.
    Returns (N, N) float32 sparse.
    """
    rows = np.repeat(np.arange(sets.shape[0]), np.diff(sets.indptr))
    weights = np.empty(sets.nnz, np.float32)
    step = max(1, BLOCK_BYTES // (4 * features.shape[1]))
    for start in range(0, sets.nnz, step):
        row, column = (i[start : start + step] for i in (rows, sets.indices))
        difference = features[row]
        difference -= features[column]  # exact where the matrix product cancels; (b, d)
        weights[start : start + step] = np.exp(-np.vecdot(difference, difference) / largest[row])
    encoding = sparse.csr_array((weights, sets.indices, sets.indptr), sets.shape)
    sums = np.bincount(rows, weights=encoding.data, minlength=sets.shape[0])
    encoding.data /= sums[rows].astype(np.float32)
    return encoding


def average_over_neighbours(encoding: sparse.csr_array, neighbours: Indices) -> sparse.csr_array:
    """Local query expansion, equation 11: every row becomes the mean of its neighbours' rows.

    encoding: (N, N) float32 sparse.
    neighbours: (N, k2), the image itself normally among them.
    """
    total, width = neighbours.shape
    mean = _rows_to_csr(neighbours, np.full(neighbours.shape, 1 / width, np.float32), total)
    return (mean @ encoding).tocsr()


def shared_weight(queries: sparse.csr_array, gallery: sparse.csc_array) -> Float32:
    """Sum over j of min(V[q, j], V[g, j]): the size of the intersection, equation 8.

    queries: (b, N) float32 CSR.
    gallery: (n_gallery, N) float32 CSC.
    Returns (b, n_gallery) float32.
    """
    result = np.empty((queries.shape[0], gallery.shape[0]), np.float32)
    starts, counts = gallery.indptr[:-1], np.diff(gallery.indptr)
    for row in range(queries.shape[0]):
        entries = slice(queries.indptr[row], queries.indptr[row + 1])
        images, weights = queries.indices[entries], queries.data[entries]
        lengths = counts[images]
        ends = np.cumsum(lengths)
        # Positions, in the gallery's arrays, of the columns named by `images`, one after the other.
        at = np.arange(lengths.sum()) + np.repeat(starts[images] - ends + lengths, lengths)
        smaller = np.minimum(np.repeat(weights, lengths), gallery.data[at])
        result[row] = np.bincount(gallery.indices[at], weights=smaller, minlength=gallery.shape[0])
    return result


def _rows_to_csr(columns: Indices, values: NDArray[np.generic], total: int) -> sparse.csr_array:
    """The (N, total) sparse matrix with values[i, j] at [i, columns[i, j]]; both arrays are (N, k)."""
    rows, width = columns.shape
    pointers = np.arange(rows + 1, dtype=np.int32) * width
    data = values.astype(np.int32) if values.dtype == bool else values
    matrix = sparse.csr_array((data.ravel(), columns.astype(np.int32).ravel(), pointers), (rows, total))
    matrix.sort_indices()
    return matrix
