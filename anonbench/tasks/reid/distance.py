"""Distances between features, a block of rows at a time.

Two metrics, named as in the config:

- `euclidean`: the *squared* Euclidean distance |a - b|^2 of the features as they are. It ranks as the distance itself
  does, and it is what torchreid evaluates and what k-reciprocal re-ranking is defined on.
- `cosine`: 1 - cos(a, b), in 0..2. A feature of length zero has no direction; its distance to everything is 1.

Precision: features and results are float32, and |a - b|^2 is computed as |a|^2 + |b|^2 - 2ab, one matrix product a
block. Its absolute error is a few float32 roundings (6e-8) of |a|^2 + |b|^2, so the distance between two equal
features may come out as that much instead of 0; negative results are set to 0. Features with whole-number entries are
exact as long as |a|^2 + |b|^2 < 2^24. Another block size or thread count may move a result by such a rounding.

NumPy does the arithmetic, and nothing here imports torch: that alone would take longer than the ranking of a small
dataset. At MSMT17's size a product takes a minute of one core.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anonbench.core.errors import ConfigError, DataError, nearest

METRICS = ("euclidean", "cosine")
SMALLEST_LENGTH = 1e-12  # of a feature that has a direction
BLOCK_BYTES = 16 * 2**20  # malloc recycles blocks below 32 MiB; larger ones cost fresh pages each time

Float32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class BlockedDistance:
    """The distances between every row of one feature matrix and every row of another, computed when asked for.

    rows: (n, d) float32.
    columns: (m, d) float32. For the metric "cosine" both are L2-normalised already.

    `blocked_distance` builds one from checked features.
    """

    rows: Float32
    columns: Float32
    metric: str = "euclidean"

    @cached_property
    def row_lengths(self) -> Float32:
        """|a|^2 of every row: (n,)."""
        return squared_lengths(self.rows)

    @cached_property
    def column_lengths(self) -> Float32:
        """|b|^2 of every column: (m,)."""
        return squared_lengths(self.columns)

    def block(self, start: int, stop: int, buffer: Float32 | None = None) -> Float32:
        """Distances of the rows start <= i < stop to every column: (stop - start, m) float32, >= 0.

        buffer: (at least stop - start, m) float32 memory to write them to. A loop that lets go of a block before it
        asks for the next should hand in the same one each time: fresh pages can cost more than the arithmetic.
        """
        rows = self.rows[start:stop]  # (b, d)
        distances = self.buffer(len(rows)) if buffer is None else buffer[: len(rows)]  # (b, m)
        if self.metric == "cosine":
            np.matmul(rows, self.columns.T, out=distances)
            np.subtract(1, distances, out=distances)
        else:
            np.matmul(-2 * rows, self.columns.T, out=distances)  # -2 is exact
            distances += self.row_lengths[start:stop, None]
            distances += self.column_lengths
        return np.maximum(distances, 0, out=distances)

    def buffer(self, block_rows: int) -> Float32:
        """Memory for a block of that many rows."""
        return np.empty((block_rows, len(self.columns)), np.float32)

    def spans(self, block_rows: int | None = None) -> Iterator[tuple[int, int]]:
        """The (start, stop) of consecutive blocks that together cover all rows.

        block_rows: rows a block, >= 1. By default as many as fit `BLOCK_BYTES`.
        """
        if block_rows is None:
            block_rows = max(1, BLOCK_BYTES // (4 * len(self.columns)))
        for start in range(0, len(self.rows), block_rows):
            yield start, min(start + block_rows, len(self.rows))


def blocked_distance(rows: Float32, columns: Float32, metric: str = "euclidean") -> BlockedDistance:
    """The distances between two checked feature matrices (see `check_features`), normalised when the metric is cosine.

    Raises `ConfigError` for an unknown metric.
    """
    if metric not in METRICS:
        raise ConfigError(f"metric '{metric}' is unknown: {nearest(metric, METRICS)}")
    left, right = (np.ascontiguousarray(f, np.float32) for f in (rows, columns))
    if metric == "cosine":
        left, right = normalized(left), normalized(right)
    return BlockedDistance(left, right, metric)


def normalized(features: Float32) -> Float32:
    """(n, d) of length 1 each. A feature of length zero stays as it is."""
    lengths = np.sqrt(squared_lengths(features))
    return np.divide(features, np.maximum(lengths, SMALLEST_LENGTH)[:, None], dtype=np.float32)


def distance_blocks(
    query_features: ArrayLike,
    gallery_features: ArrayLike,
    metric: str = "euclidean",
    *,
    block_rows: int | None = None,
) -> Iterator[Float32]:
    """Yield the query x gallery distances as consecutive blocks of rows, each (b, n_gallery) float32.

    query_features: (n_query, d).
    gallery_features: (n_gallery, d), any real dtype. Computed in float32.
    Raises `DataError` for features that cannot be compared, `ConfigError` for an unknown metric (both at the call,
    not at the first block).

    >>> [block.tolist() for block in distance_blocks([[0, 0], [3, 4]], [[3, 4]], block_rows=1)]
    [[[25.0]], [[0.0]]]
    """
    queries, gallery = check_feature_pair(query_features, gallery_features)
    distance = blocked_distance(queries, gallery, metric)
    return (distance.block(start, stop) for start, stop in distance.spans(block_rows))


def distance_matrix(query_features: ArrayLike, gallery_features: ArrayLike, metric: str = "euclidean") -> Float32:
    """The whole (n_query, n_gallery) float32 matrix at once, for small sets (large ones: `distance_blocks`)."""
    return np.concatenate(list(distance_blocks(query_features, gallery_features, metric)))


def squared_lengths(features: Float32) -> Float32:
    """|a|^2 of every row: (n, d) -> (n,)."""
    return np.vecdot(features, features)


def check_features(features: ArrayLike, name: str) -> Float32:
    """Features as a (n, d) float32 array.

    name: which features they are ("query", "gallery"), for the message.
    Raises `DataError` when they are not a non-empty matrix of finite numbers whose squared length float32 can hold.
    """
    array = np.asarray(features)
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise DataError(
            f"{name} features have shape {array.shape} and type {array.dtype}; expected a matrix of real numbers, "
            f"one row an image."
        )
    if 0 in array.shape:
        raise DataError(
            f"{name} features are empty (shape {array.shape}); expected at least one image and one dimension. "
            f"Does the dataset's {name} split hold images?"
        )
    with np.errstate(over="ignore"):
        result = array.astype(np.float32, copy=False)
        lengths = np.einsum("ij,ij->i", result, result)  # one pass finds NaN, infinity and overflow alike
    bad = np.flatnonzero(~np.isfinite(lengths))
    if len(bad):
        row = int(bad[0])
        missing = np.isnan(result[row]).any()
        raise DataError(
            f"{name} features: {len(bad)} of {len(result)} rows are {'NaN' if missing else 'infinite or too large'} "
            f"(first: row {row}); expected finite float32 numbers. Did the model's training diverge?"
        )
    return result


def check_feature_pair(query_features: ArrayLike, gallery_features: ArrayLike) -> tuple[Float32, Float32]:
    """Both matrices checked by `check_features`, and of one width. Raises `DataError` otherwise."""
    queries, gallery = check_features(query_features, "query"), check_features(gallery_features, "gallery")
    if queries.shape[1] != gallery.shape[1]:
        raise DataError(
            f"query features have {queries.shape[1]} dimensions and gallery features {gallery.shape[1]}; expected the "
            f"same. Were both embedded by the same model?"
        )
    return queries, gallery
