"""CMC, mAP and mINP by Market-1501's rules, exact and without the query x gallery matrix.

Which gallery images a query is ranked against:

- Junk (pid -1) is ignored: neither right nor wrong, and it takes no place in the ranking.
- Images of the query's own identity from the query's own camera are ignored too.
- All others take part; those with the query's identity are its matches. Distractors (pid 0) are always wrong.

What is computed from the ranks r_1 < r_2 < ... < r_n (1-based) of a query's n matches:

- CMC at k: the share of queries with r_1 <= k.
- AP: the mean of the precisions i / r_i at the matches, as torchreid computes it. Market-1501's original MATLAB code
  takes the area under the precision-recall curve by trapezoids, (i / r_i + (i - 1) / (r_i - 1)) / 2 in place of
  i / r_i (with 1 in place of 0 / 0), which gives slightly less. mAP is the mean of AP over the valid queries.
- INP: n / r_n (Ye et al., "Deep Learning for Person Re-identification: A Survey and Outlook", 2021). mINP is its mean.

A query without a match cannot be scored. It is not valid: listed with the reason, counted, and left out of the means.

Images at equal distance are ranked by their place in the gallery.

No row is argsorted: a match's rank is one more than the number of smaller distances, which a plain sort of the
values and a binary search for the few matches give many times faster.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anonbench.core.errors import ConfigError, DataError
from anonbench.datasets import DISTRACTOR_PID, JUNK_PID
from anonbench.tasks.reid.distance import BLOCK_BYTES, check_feature_pair, distance_blocks
from anonbench.tasks.reid.reranking import Reranking, reranked_distance_blocks

NOT_IN_GALLERY = "identity is not in the gallery"
OWN_CAMERA_ONLY = "identity is in the gallery only from the query's own camera"

Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What one query found.

    query: its index in the query set.
    pid, camid: as given.
    n_matches: correct gallery images from other cameras.
    first_match_rank: 1-based rank of the best of them; None when there is none.
    average_precision, inverse_negative_penalty: in 0..1; NaN when there is no match.
    valid: whether there is a match.
    reason: why not ("" when there is).
    """

    query: int
    pid: int
    camid: int
    n_matches: int
    first_match_rank: int | None
    average_precision: float
    inverse_negative_penalty: float
    valid: bool
    reason: str


@dataclass(frozen=True, eq=False)
class RankingResult:
    """The scores of one query set against one gallery, in 0..1, as means over the valid queries.

    cmc: (max_rank,) float64; cmc[k - 1] is CMC at rank k. Beyond the gallery's size it stays at its last value.
    ranks: the ranks that were asked for.
    queries: one result a query, in the order given.
    n_queries: all queries.
    n_valid: those with a match.
    n_gallery: gallery images without junk.
    n_junk: the junk.
    """

    mean_ap: float
    mean_inp: float
    cmc: NDArray[np.float64]
    ranks: tuple[int, ...]
    queries: tuple[QueryResult, ...]
    n_queries: int
    n_valid: int
    n_gallery: int
    n_junk: int

    def rank(self, k: int) -> float:
        """CMC at rank k: the share of valid queries with a match among the first k images."""
        if not 1 <= k <= len(self.cmc):
            raise ConfigError(f"CMC at rank {k} was asked for; expected a rank from 1 to {len(self.cmc)}.")
        return float(self.cmc[k - 1])

    @property
    def cmc_at_ranks(self) -> dict[int, float]:
        """CMC at the ranks that were asked for."""
        return {k: self.rank(k) for k in self.ranks}


def evaluate_ranking(
    query_features: ArrayLike,
    gallery_features: ArrayLike,
    query_pids: ArrayLike,
    query_camids: ArrayLike,
    gallery_pids: ArrayLike,
    gallery_camids: ArrayLike,
    *,
    metric: str = "euclidean",
    ranks: Sequence[int] = (1, 5, 10, 20),
    max_rank: int = 50,
    rerank: Reranking | None = None,
    block_rows: int | None = None,
) -> RankingResult:
    """Rank the gallery for every query by feature distance and score the rankings.

    query_features: (n_query, d).
    gallery_features: (n_gallery, d). Computed in float32.
    *_pids, *_camids: whole numbers, one an image.
    metric: "euclidean" (squared Euclidean, as torchreid) or "cosine".
    ranks: ranks to report, each at most max_rank.
    max_rank: length of the CMC curve.
    rerank: k-reciprocal re-ranking first; None ranks by plain distance. Junk takes no part in it.
    block_rows: queries at a time, by default as many as fit 16 MiB.
    Raises `DataError` for features or labels that cannot be scored (shapes, NaN, empty sets, a junk or distractor
    query, no valid query at all), `ConfigError` for an unknown metric or a rank outside the curve.

    >>> result = evaluate_ranking([[0.0]], [[1.0], [2.0], [3.0]], [7], [0], [8, 7, 7], [1, 1, 2])
    >>> round(result.mean_ap, 4), round(result.mean_inp, 4), result.rank(1), result.rank(5)
    (0.5833, 0.6667, 0.0, 1.0)
    """
    queries, gallery = check_feature_pair(query_features, gallery_features)
    labels = _check_labels(query_pids, query_camids, gallery_pids, gallery_camids)
    _check_lengths(len(queries), len(gallery), labels)
    gallery = gallery[labels.gallery_pids != JUNK_PID] if labels.n_junk else gallery
    if rerank is None:
        blocks = distance_blocks(queries, gallery, metric, block_rows=block_rows)
    else:
        blocks = reranked_distance_blocks(queries, gallery, metric, rerank, block_rows=block_rows)
    return _score(blocks, labels, ranks, max_rank)


def evaluate_distances(
    distances: NDArray[np.floating] | Iterable[NDArray[np.floating]],
    query_pids: ArrayLike,
    query_camids: ArrayLike,
    gallery_pids: ArrayLike,
    gallery_camids: ArrayLike,
    *,
    ranks: Sequence[int] = (1, 5, 10, 20),
    max_rank: int = 50,
) -> RankingResult:
    """Score rankings by distances that are already there.

    distances: the (n_query, n_gallery) matrix, or an iterable of its consecutive blocks of rows, each
    (b, n_gallery); finite numbers, smaller is nearer; a column for junk images too. They are not changed.
    The other arguments, the result and the errors are those of `evaluate_ranking`.
    """
    labels = _check_labels(query_pids, query_camids, gallery_pids, gallery_camids)
    blocks = _matrix_in_blocks(distances) if isinstance(distances, np.ndarray) else iter(distances)
    return _score(_checked_blocks(blocks, labels), labels, ranks, max_rank)


@dataclass(frozen=True, eq=False)
class _Labels:
    """Checked labels, (n,) int64 each; the gallery's in full and, as `kept_*`, without junk."""

    query_pids: Labels
    query_camids: Labels
    gallery_pids: Labels
    kept_pids: Labels
    kept_camids: Labels

    @property
    def n_junk(self) -> int:
        return len(self.gallery_pids) - len(self.kept_pids)


def _score(
    blocks: Iterator[NDArray[np.floating]], labels: _Labels, ranks: Sequence[int], max_rank: int
) -> RankingResult:
    """Score blocks of distances without junk columns."""
    for k in ranks:
        if not 1 <= k <= max_rank:
            raise ConfigError(f"ranks: {k} was asked for; expected ranks from 1 to max_rank = {max_rank}.")
    total = len(labels.query_pids)
    matches, first, last = (np.zeros(total, np.int64) for _ in range(3))
    precision_sum = np.zeros(total)
    with_identity = np.zeros(total, np.int64)  # gallery images of the identity, whatever their camera
    finder = _PairFinder(labels)
    start = 0
    for block in blocks:
        stop = start + len(block)
        span = slice(start, stop)
        row, column, same_camera = finder.pairs(start, stop)
        with_identity[span] = np.bincount(row, minlength=len(block))
        ignored = row[same_camera], column[same_camera]
        row, column = row[~same_camera], column[~same_camera]
        rank = _match_ranks(block, row, column, ignored)
        rank = rank[np.lexsort((rank, row))]  # `row` ascends already, so only the order within a query changes

        count = np.bincount(row, minlength=len(block))
        begin = np.cumsum(count) - count
        nth = np.arange(len(row)) - begin[row] + 1  # i of r_i
        found = count > 0
        matches[span] = count
        precision_sum[span] = np.bincount(row, weights=nth / rank, minlength=len(block))
        first[span][found] = rank[begin[found]]
        last[span][found] = rank[begin[found] + count[found] - 1]
        start = stop
    assert start == total

    valid = matches > 0
    if not valid.any():
        raise DataError(
            f"none of the {total} queries has a correct gallery image from another camera "
            f"({int((with_identity == 0).sum())}: {NOT_IN_GALLERY}; {int((with_identity > 0).sum())}: "
            f"{OWN_CAMERA_ONLY}). Check the pids and camids of the query and gallery splits."
        )
    precision, penalty = np.full(total, math.nan), np.full(total, math.nan)
    precision[valid] = precision_sum[valid] / matches[valid]
    penalty[valid] = matches[valid] / last[valid]
    hits = np.bincount(np.minimum(first[valid], max_rank + 1), minlength=max_rank + 2)[1 : max_rank + 1]
    queries = tuple(
        QueryResult(
            query=i,
            pid=int(labels.query_pids[i]),
            camid=int(labels.query_camids[i]),
            n_matches=int(matches[i]),
            first_match_rank=int(first[i]) if valid[i] else None,
            average_precision=float(precision[i]),
            inverse_negative_penalty=float(penalty[i]),
            valid=bool(valid[i]),
            reason="" if valid[i] else OWN_CAMERA_ONLY if with_identity[i] else NOT_IN_GALLERY,
        )
        for i in range(total)
    )
    return RankingResult(
        mean_ap=float(precision[valid].mean()),
        mean_inp=float(penalty[valid].mean()),
        cmc=np.cumsum(hits) / valid.sum(),
        ranks=tuple(ranks),
        queries=queries,
        n_queries=total,
        n_valid=int(valid.sum()),
        n_gallery=len(labels.kept_pids),
        n_junk=labels.n_junk,
    )


class _PairFinder:
    """Finds the gallery images that share their identity with a query, without comparing every pair."""

    def __init__(self, labels: _Labels) -> None:
        self._labels = labels
        self._by_pid = np.argsort(labels.kept_pids, kind="stable")
        sorted_pids = labels.kept_pids[self._by_pid]
        self._begin = np.searchsorted(sorted_pids, labels.query_pids, "left")
        self._count = np.searchsorted(sorted_pids, labels.query_pids, "right") - self._begin

    def pairs(self, start: int, stop: int) -> tuple[Labels, Labels, NDArray[np.bool_]]:
        """For the queries start <= i < stop: row (i - start) and column of every pair, and whether cameras agree.

        Pairs come in ascending order of row.
        """
        begin, count = self._begin[start:stop], self._count[start:stop]
        row = np.repeat(np.arange(stop - start), count)
        offset = np.arange(len(row)) - (np.cumsum(count) - count)[row]
        column = self._by_pid[begin[row] + offset]
        same_camera = self._labels.query_camids[start:stop][row] == self._labels.kept_camids[column]
        return row, column, same_camera


def _match_ranks(
    block: NDArray[np.floating], row: Labels, column: Labels, ignored: tuple[Labels, Labels]
) -> NDArray[np.int64]:
    """The 1-based ranks of the images at [row, column] within their rows.

    block: (b, n_gallery).
    row, column: (n,), row ascending.
    ignored: rows and columns that take no place.
    """
    if len(row) == 0:
        return np.zeros(0, np.int64)
    distances = block.copy()
    distances[ignored] = np.inf
    wanted = distances[row, column]  # (n,)
    ordered = np.sort(distances, axis=1)
    bounds = np.searchsorted(row, np.arange(len(block) + 1))  # row i has wanted[bounds[i] : bounds[i + 1]]
    smaller, up_to_equal = np.empty_like(row), np.empty_like(row)
    for values, start, stop in zip(ordered, bounds[:-1], bounds[1:], strict=True):
        smaller[start:stop] = values.searchsorted(wanted[start:stop])
        up_to_equal[start:stop] = values.searchsorted(wanted[start:stop], "right")

    rank = smaller + 1
    tied = np.flatnonzero(up_to_equal - smaller > 1)  # someone else is at the same distance
    step = max(1, BLOCK_BYTES // distances[:1].nbytes)
    for start in range(0, len(tied), step):
        some = tied[start : start + step]
        equal = distances[row[some]] == wanted[some, None]
        earlier = np.arange(block.shape[1]) < column[some, None]
        rank[some] += (equal & earlier).sum(axis=1)
    return rank


def _matrix_in_blocks(distances: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    if distances.ndim != 2:
        raise DataError(f"distances have shape {distances.shape}; expected (queries, gallery images).")
    step = max(1, BLOCK_BYTES // (distances.itemsize * max(1, distances.shape[1])))
    return (distances[start : start + step] for start in range(0, len(distances), step))


def _checked_blocks(blocks: Iterator[NDArray[np.floating]], labels: _Labels) -> Iterator[NDArray[np.floating]]:
    """The same blocks without junk columns, in float32 or float64, after a check of shape and values."""
    keep = np.flatnonzero(labels.gallery_pids != JUNK_PID) if labels.n_junk else None
    queries, images = len(labels.query_pids), len(labels.gallery_pids)
    start = 0
    for block in blocks:
        if block.ndim != 2 or block.shape[1] != images or start + len(block) > queries:
            raise DataError(
                f"distances: the block from query {start} on has shape {block.shape}; expected at most "
                f"{queries - start} rows (of {queries} queries in all) and {images} columns (gallery images)."
            )
        if not np.isfinite(block).all():
            bad = start + int(np.flatnonzero(~np.isfinite(block).all(axis=1))[0])
            raise DataError(f"distances of query {bad} are NaN or infinite; expected finite numbers.")
        if block.dtype not in (np.float32, np.float64):
            block = block.astype(np.float32 if block.dtype == np.float16 else np.float64)
        yield block if keep is None else block[:, keep]
        start += len(block)
    if start != queries:
        raise DataError(f"distances have {start} rows; expected {queries}, one a query.")


def _check_labels(
    query_pids: ArrayLike, query_camids: ArrayLike, gallery_pids: ArrayLike, gallery_camids: ArrayLike
) -> _Labels:
    arrays = {"query pids": query_pids, "query camids": query_camids}
    arrays |= {"gallery pids": gallery_pids, "gallery camids": gallery_camids}
    checked = {name: _whole_numbers(values, name) for name, values in arrays.items()}
    q_pids, q_camids, g_pids, g_camids = checked.values()
    for split, pids, camids in (("query", q_pids, q_camids), ("gallery", g_pids, g_camids)):
        if len(pids) != len(camids):
            raise DataError(f"{split}: {len(pids)} pids and {len(camids)} camids; expected one of each an image.")
        if len(pids) == 0:
            raise DataError(f"the {split} set is empty; expected at least one image. Check the dataset's splits.")
    nobody = np.flatnonzero((q_pids == JUNK_PID) | (q_pids == DISTRACTOR_PID))
    if len(nobody):
        raise DataError(
            f"query {nobody[0]} has pid {q_pids[nobody[0]]} ({len(nobody)} such queries): junk ({JUNK_PID}) and "
            f"distractors ({DISTRACTOR_PID}) belong in the gallery only. Check the dataset's query split."
        )
    kept = g_pids != JUNK_PID
    if not kept.any():
        raise DataError(f"all {len(g_pids)} gallery images are junk (pid {JUNK_PID}); expected people.")
    return _Labels(q_pids, q_camids, g_pids, g_pids[kept], g_camids[kept])


def _whole_numbers(values: ArrayLike, name: str) -> Labels:
    array = np.asarray(values)
    if array.ndim != 1 or not (np.issubdtype(array.dtype, np.integer) or array.size == 0):
        raise DataError(
            f"{name} have shape {array.shape} and type {array.dtype}; expected a list of whole numbers, one an image."
        )
    return array.astype(np.int64)


def _check_lengths(n_query: int, n_gallery: int, labels: _Labels) -> None:
    for split, rows, pids in (
        ("query", n_query, labels.query_pids),
        ("gallery", n_gallery, labels.gallery_pids),
    ):
        if rows != len(pids):
            raise DataError(f"{split}: {rows} rows of features and {len(pids)} pids; expected one of each an image.")
