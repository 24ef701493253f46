"""What a model brings up for a few queries: which queries, chosen by rule, and their ranked lists."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anonbench.core.errors import DataError
from anonbench.data.images import read_image
from anonbench.data.tables import read_csv
from anonbench.datasets import JUNK_PID
from anonbench.studies.reid_faces.figures_ranked import RankedImage, RankedQuery, RankedStrip
from anonbench.tasks.reid.columns import QUERY_COLUMNS
from anonbench.tasks.reid.distance import distance_matrix
from anonbench.tasks.reid.features import read_features, read_settings
from anonbench.tasks.reid.reranking import reranked_distance_blocks


@dataclass(frozen=True, slots=True)
class RankedSetting:
    """One run in one setting: its name, its features (.npz), its results of every query (CSV), the tested images."""

    name: str
    features: Path
    queries: Path
    root: Path


@dataclass(frozen=True, slots=True)
class ChosenQuery:
    """A query's path, and the rule that chose it with what changed."""

    path: str
    why: str


def ranked_queries(
    before: RankedSetting, after: RankedSetting, evaluation: Mapping[str, Any], top: int
) -> list[RankedQuery]:
    """The first `top` gallery images for three queries in two settings.

    evaluation: the model's `{metric, rerank}`, so that the lists are those that were scored.
    """
    settings = (before, after)
    precisions = [read_precisions(setting.queries) for setting in settings]
    chosen = choose_queries(*precisions)
    strips = [
        ranked_strips(setting, [query.path for query in chosen], evaluation, top, precision)
        for setting, precision in zip(settings, precisions, strict=True)
    ]
    return [RankedQuery(query.why, query.path, pair) for query, *pair in zip(chosen, *strips, strict=True)]


def read_precisions(path: Path) -> dict[str, float]:
    """Average precision, 0..1, of every valid query by path, from a file of per-query results.

    Raises `DataError` when one is no number.
    """
    found: dict[str, float] = {}
    for line, row in read_csv(path, QUERY_COLUMNS):
        try:
            found |= {row["path"]: float(row["ap"])} if row["ap"] else {}
        except ValueError:
            raise DataError(
                f"{path}:{line}: column ap is '{row['ap']}'; expected a number or nothing. Evaluate again."
            ) from None
    return found


def choose_queries(before: Mapping[str, float], after: Mapping[str, float]) -> list[ChosenQuery]:
    """The queries with the largest loss, the (lower) median change and the largest gain, each query once.

    Raises `DataError` when no query is valid in both.

    >>> [q.path for q in choose_queries({"a": 0.5, "b": 0.5, "c": 0.9}, {"a": 0.6, "b": 0.5, "c": 0.2})]
    ['c', 'b', 'a']
    """
    changes = sorted((after[path] - before[path], path) for path in before if path in after)
    if not changes:
        raise DataError("no query is valid in both settings; were they evaluated on the same dataset?")
    gain = max(changes, key=lambda entry: entry[0])  # the first path among equals
    found: dict[str, ChosenQuery] = {}
    for rule, (_, path) in (
        ("Largest loss", changes[0]),
        ("Median change", changes[(len(changes) - 1) // 2]),
        ("Largest gain", gain),
    ):
        percent = f"AP {100 * before[path]:.0f} → {100 * after[path]:.0f} %"
        found.setdefault(path, ChosenQuery(path, f"{rule}: {percent}"))
    return list(found.values())


def ranked_strips(
    setting: RankedSetting,
    paths: Sequence[str],
    evaluation: Mapping[str, Any],
    top: int,
    precisions: Mapping[str, float],
) -> list[RankedStrip]:
    """The ranked lists of some queries in one setting."""
    features, root = setting.features, setting.root
    q, g = read_features(features, "query"), read_features(features, "gallery")
    rows = [_row(q["paths"], path, features) for path in paths]
    kept = g["pids"] != JUNK_PID
    g = {name: array[kept] for name, array in g.items()}
    strips = []
    for row, distances in zip(rows, _distances(q["features"], g["features"], rows, evaluation), strict=True):
        pid, path = q["pids"][row], str(q["paths"][row])
        order = ranked_order(distances, (g["pids"] == pid) & (g["camids"] == q["camids"][row]), top)
        gallery = [RankedImage(read_image(root / str(g["paths"][i])), bool(g["pids"][i] == pid)) for i in order]
        strips.append(RankedStrip(setting.name, read_image(root / path), precisions[path], gallery))
    return strips


def ranked_order(distances: NDArray[np.float32], ignored: NDArray[np.bool_], top: int) -> NDArray[np.int64]:
    """Indices of the `top` nearest images that are not ignored; images at equal distance in the gallery's order.

    distances, ignored: (n_gallery,).
    """
    order = np.argsort(distances, kind="stable")
    return order[~ignored[order]][:top]


def _distances(
    queries: NDArray[np.float32], gallery: NDArray[np.float32], rows: Sequence[int], evaluation: Mapping[str, Any]
) -> list[NDArray[np.float32]]:
    """The distances of some queries to the gallery, as they are evaluated: (n_gallery,) each.

    Re-ranking compares every image with every other, so that all queries take part in it.
    """
    metric, rerank = read_settings(evaluation)
    if rerank is None:
        return list(distance_matrix(queries[list(rows)], gallery, metric))
    found: dict[int, NDArray[np.float32]] = {}
    start = itertools.count()
    for block in reranked_distance_blocks(queries, gallery, metric, rerank):
        for distances in block:
            if (row := next(start)) in rows:
                found[row] = distances.copy()
    return [found[row] for row in rows]


def _row(paths: NDArray[Any], path: str, source: Path) -> int:
    rows = np.flatnonzero(paths == path)
    if len(rows) != 1:
        raise DataError(
            f"{source}: {len(rows)} query images are called {path}; expected one. Do the features and the per-query "
            f"results belong together? Evaluate again."
        )
    return int(rows[0])
