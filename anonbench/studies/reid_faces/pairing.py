"""Per-query scores of two settings, query by query and run by run.

A *run* is one training and evaluation of a cell: (split, seed). Before and after are compared within the same run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from anonbench.core.errors import DataError

METRICS = ("map", "rank1")
BASELINE = "orig_orig"
CONTRASTS = ("orig_anon", "anon_anon")
ORIGINAL = "original"

Run = tuple[int | None, int]  # (split, seed)
Runs = Mapping[Run, pd.DataFrame]


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """What was trained and tested: queries and gallery from the same variant."""

    dataset: str
    model: str
    train: str
    test: str

    def __str__(self) -> str:
        return f"{self.dataset}, {self.model}, {self.train} → {self.test}"


@dataclass(frozen=True, eq=False)
class PairedQueries:
    """Queries scored before and after, over all runs.

    table: columns split, seed, path, pid, map_before, map_after, rank1_before, rank1_after; scores of a query in
    percent: 100 AP, and 100 for a hit at rank 1 or 0. n_excluded: rows left out for want of a match.
    """

    table: pd.DataFrame
    n_excluded: int

    @property
    def n_runs(self) -> int:
        return len(self.table[["split", "seed"]].drop_duplicates())


def pair_runs(before: Runs, after: Runs, names: tuple[Setting, Setting]) -> PairedQueries:
    """Pair the queries of two settings run by run.

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


def contrast_settings(setting: Setting) -> tuple[str, Setting] | None:
    """The contrast that a setting is the `after` of, and its baseline; None for a baseline and what is no contrast."""
    if setting.test == ORIGINAL or setting.train not in (ORIGINAL, setting.test):
        return None
    contrast = "orig_anon" if setting.train == ORIGINAL else "anon_anon"
    return contrast, Setting(setting.dataset, setting.model, ORIGINAL, ORIGINAL)


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
