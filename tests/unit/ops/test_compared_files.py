"""The files that `dvc plots diff` and `dvc metrics diff` read: CMC curves a row a rank, table cells as JSON."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from anonbench.stages.evaluate import evaluate
from anonbench.stages.table import table


def test_the_curve_is_that_of_the_metrics(tmp_path: Path) -> None:
    features = tmp_path / "f.npz"
    np.savez(
        features, features=np.array([[0.0], [3.0], [0.9], [1.1], [2.8]], np.float32), paths=np.array(list("abcde")),
        pids=np.array([1, 2, 2, 1, 2]), camids=np.array([0, 0, 1, 1, 1]),
        splits=np.array(["query", "query", "gallery", "gallery", "gallery"]),
    )  # fmt: skip
    metrics, curve = tmp_path / "m.json", tmp_path / "m.cmc.csv"
    evaluate(features, features, {"metric": "euclidean"}, {}, metrics, tmp_path / "q.csv", cmc=curve)
    with curve.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["rank"] for row in rows[:3]] == ["1", "2", "3"]
    assert [float(row["cmc"]) for row in rows[:2]] == [0.5, 1.0], "query a finds c before its own d, query b finds e"
    assert [float(row["cmc"]) for row in rows] == json.loads(metrics.read_text())["cmc"]


def test_the_cells_of_a_table_by_row_and_column(tmp_path: Path) -> None:
    files = []
    for train, test, value in (("original", "original", 0.5), ("original", "blur", 0.25), ("blur", "blur", 0.4)):
        files.append(tmp_path / f"{train}-{test}.json")
        labels = {"dataset": "toy", "model": "bot", "seed": 0, "train": train, "query": test, "gallery": test}
        files[-1].write_text(json.dumps({**labels, "map": value, "rank1": value / 2}))
    spec = {"rows": "models", "dataset": "toy", "models": ["bot"], "variants": ["blur"]}
    table(files, ["metrics"] * 3, "t", spec, "toy", tmp_path / "t.csv")
    row = json.loads((tmp_path / "t.json").read_text())["bot"]
    assert (row["map_orig_orig"], row["map_orig_anon"], row["rank1_anon_anon"]) == pytest.approx((50, 25, 20))
    assert all(isinstance(value, int | float) for value in row.values()), "DVC compares numbers"
