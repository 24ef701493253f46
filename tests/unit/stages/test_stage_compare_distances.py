"""The stage compare_distances: one pair of feature files scored by both distances, as `evaluate` scores it by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anonbench.stages.compare_distances import compare_distances
from anonbench.stages.evaluate import evaluate

LABELS = {"dataset": "toy", "model": "bot", "seed": 0, "train": "original", "query": "blur", "gallery": "blur"}
RNG = np.random.default_rng(4)


def write_features(path: Path, features: Any, pids: list[int], camids: list[int], splits: list[str]) -> Path:
    names = np.array([f"{split}/{n}.jpg" for n, split in enumerate(splits)])
    np.savez(
        path, features=np.array(features, np.float32), paths=names, pids=np.array(pids), camids=np.array(camids),
        splits=np.array(splits),
    )  # fmt: skip
    return path


def scores(features: Path) -> dict[str, Any]:
    output = features.with_name("distances.json")
    compare_distances(features, features, LABELS, output)
    return json.loads(output.read_text())


def test_a_case_in_which_length_decides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The match has the query's direction and ten times its length; somebody else is near."""
    features = write_features(
        tmp_path / "f.npz", [(1, 0), (10, 0), (1, 1)], [1, 1, 2], [1, 2, 2], ["query", "gallery", "gallery"]
    )
    found = scores(features)
    assert {key: found[key] for key in LABELS} == LABELS
    assert (found["cosine"]["map"], found["cosine"]["rank1"]) == (1, 1)
    assert (found["euclidean"]["map"], found["euclidean"]["rank1"]) == (0.5, 0)
    assert (found["n_queries"], found["n_valid"], found["n_gallery"]) == (1, 1, 2)
    assert "compare_distances: euclidean: mAP 50.0 %, rank-1 0.0 %" in capsys.readouterr().out


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_agrees_with_an_evaluation_by_one_distance(metric: str, tmp_path: Path) -> None:
    pids, camids = [n % 6 for n in range(60)], [n // 30 for n in range(60)]
    splits = ["query" if n < 12 else "gallery" for n in range(60)]
    pids = [pid + 1 for pid in pids]
    features = write_features(tmp_path / "f.npz", RNG.normal(size=(60, 5)) * RNG.uniform(0.2, 5, (60, 1)),
                              pids, camids, splits)  # fmt: skip
    evaluate(features, features, {"metric": metric, "rerank": None}, LABELS, tmp_path / "m.json", tmp_path / "q.csv")
    alone = json.loads((tmp_path / "m.json").read_text())
    found = scores(features)
    assert {key: alone[key] for key in found[metric]} == found[metric]
    assert found["cosine"] != found["euclidean"]
