"""Scores of every query: read by condition and run, and paired between two conditions.

A *run* is one training and evaluation of a condition: (split, seed). Before and after are compared within a run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from anonbench.core.errors import DataError
from anonbench.data.results import read_frame, read_metrics
from anonbench.tasks.reid.columns import QUERY_COLUMNS
from anonbench.tasks.reid.settings import Condition, condition_of

QUERY_METRICS = ("map", "rank1")
LABELS = ("dataset", "model", "seed", "train", "query", "gallery", *QUERY_METRICS)

Run = tuple[int | None, int]
"""(split, seed); split is None where a dataset has one alone."""
Runs = Mapping[Run, pd.DataFrame]
Scores = dict[Condition, dict[Run, pd.DataFrame]]


@dataclass(frozen=True, eq=False)
class PairedQueries:
    """Queries scored before and after, over all runs.

    table: columns split, seed, path, pid, map_before, map_after, rank1_before, rank1_after; scores of a query in
        percent: 100 AP, and 100 for a hit at rank 1 or 0.
    n_excluded: rows left out, since the query has no match.
    """

    table: pd.DataFrame
    n_excluded: int

    @property
    def n_runs(self) -> int:
        return len(self.table[["split", "seed"]].drop_duplicates())


def read_scores(metrics: Sequence[Path]) -> Scores:
    """Scores of every query, by condition and run. Columns path, pid, map, rank1 (percent; NaN without a match).

    metrics: files of `evaluate`. The results of every query are beside each one as `<stem>.queries.csv`.
    Raises `DataError` for files that cannot be read, that contradict their results, or that name one run twice.
    """
    scores: Scores = {}
    for path in sorted(metrics):
        labels = read_metrics(path, LABELS)
        condition = condition_of(labels)
        run = (labels.get("split"), labels["seed"])
        if run in scores.setdefault(condition, {}):
            raise DataError(
                f"{path}: {condition}, seed {run[1]} has been read from another file already. Pass it once."
            )
        scores[condition][run] = _read_queries(path.with_name(f"{path.stem}.queries.csv"), labels)
    return scores


def pair_runs(before: Runs, after: Runs, names: tuple[Condition, Condition]) -> PairedQueries:
    """Pair the queries of two conditions run by run.

    before, after: a table a run with columns path, pid, map, rank1 (0..100, NaN for a query without a match).
    names: what they are, for messages.
    Raises `DataError` when a run is missing on one side, or the query sets of a run differ.
    """
    for run in sorted({*before, *after}, key=str):
        for runs, name, other in ((before, names[0], names[1]), (after, names[1], names[0])):
            if run not in runs:
                raise DataError(f"{name}: no metrics of {describe_run(run)}, which {other} has. Evaluate it too.")
    tables, excluded = [], 0
    for run in sorted(before, key=str):
        pairs = _pair(before[run], after[run], f"{names[0]} and {names[1]}, {describe_run(run)}")
        scored = pairs[["map_before", "map_after"]].notna().all(axis=1)
        excluded += int((~scored).sum())
        pairs = pairs[scored]
        pairs.insert(0, "seed", run[1])
        pairs.insert(0, "split", -1 if run[0] is None else run[0])
        tables.append(pairs)
    table = pd.concat(tables, ignore_index=True)
    if table.empty:
        raise DataError(f"{names[0]} and {names[1]}: no query has a match in both. Nothing can be compared.")
    return PairedQueries(table, excluded)


def describe_run(run: Run) -> str:
    split, seed = run
    return f"seed {seed}" if split is None else f"split {split}, seed {seed}"


def _read_queries(path: Path, labels: Mapping[str, Any]) -> pd.DataFrame:
    """Columns path, pid, map, rank1, in percent. Their means must be those of the metrics file."""
    frame = read_frame(path, QUERY_COLUMNS)
    if frame["path"].duplicated().any():
        raise DataError(f"{path}: {frame['path'][frame['path'].duplicated()].iloc[0]} is listed twice.")
    valid = frame["ap"].notna()
    scores = pd.DataFrame({
        "path": frame["path"],
        "pid": frame["pid"],
        "map": 100 * frame["ap"],
        "rank1": np.where(valid, 100.0 * (frame["first_match_rank"] == 1), math.nan),
    })  # fmt: skip
    for metric in QUERY_METRICS:
        found = float(scores[metric].mean())
        if not abs(found - 100 * labels[metric]) < 1e-3:
            raise DataError(
                f"{path}: its mean {metric} is {found:.4f} %, that of the metrics beside it "
                f"{100 * labels[metric]:.4f} %; they are not of one evaluation. Delete both and evaluate again."
            )
    return scores


def _pair(before: pd.DataFrame, after: pd.DataFrame, where: str) -> pd.DataFrame:
    only = sorted(set(before["path"]) ^ set(after["path"]))
    if only:
        side = "first" if only[0] in set(before["path"]) else "second"
        raise DataError(
            f"{where}: the query sets differ: {only[0]} is in the {side} alone ({len(only)} such queries). "
            f"Evaluate both on the same split."
        )
    pairs = before.merge(after, on="path", suffixes=("_before", "_after"), validate="one_to_one").sort_values("path")
    wrong = pairs[pairs["pid_before"] != pairs["pid_after"]]
    if len(wrong):
        row = wrong.iloc[0]
        raise DataError(f"{where}: {row.path} is identity {row.pid_before} in one and {row.pid_after} in the other.")
    return pairs.rename(columns={"pid_before": "pid"}).drop(columns="pid_after").reset_index(drop=True)
