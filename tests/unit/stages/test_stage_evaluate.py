"""The stage evaluate: feature files in, metrics and per-query results out."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anonbench.core.errors import ConfigError, DataError
from anonbench.stages.evaluate import QUERY_COLUMNS, evaluate, read_settings
from anonbench.tasks.reid.reranking import Reranking

LABELS = {"dataset": "toy", "model": "bot", "seed": 0, "train": "original", "query": "blur", "gallery": "blur"}
# (path, pid, camid, split, feature). Query a: right image second of two; b: right image first; c: nobody to find.
ROWS = [
    ("q/a.jpg", 1, 1, "query", (0.0, 0.0)),
    ("q/b.jpg", 2, 1, "query", (5.0, 0.0)),
    ("q/c.jpg", 9, 1, "query", (9.0, 9.0)),
    ("g/same_camera.jpg", 1, 1, "gallery", (0.0, 0.01)),
    ("g/junk.jpg", -1, 2, "gallery", (0.0, 0.02)),
    ("g/distractor.jpg", 0, 2, "gallery", (0.5, 0.0)),
    ("g/a.jpg", 1, 2, "gallery", (1.0, 0.0)),
    ("g/b.jpg", 2, 2, "gallery", (5.0, 0.1)),
]


def write_features(path: Path, rows: list = ROWS, shift: float = 0.0) -> Path:
    paths, pids, camids, splits, features = zip(*rows, strict=True)
    np.savez(
        path, features=np.array(features, np.float32) + shift, paths=np.array(paths), pids=np.array(pids),
        camids=np.array(camids), splits=np.array(splits),
    )  # fmt: skip
    return path


def run(query: Path, gallery: Path, evaluation: dict[str, Any] | None = None) -> tuple[dict, list[dict[str, str]]]:
    folder = query.parent
    evaluate(query, gallery, evaluation or {"metric": "euclidean", "rerank": None}, LABELS, folder / "m.json",
             folder / "q.csv")  # fmt: skip
    with (folder / "q.csv").open(newline="") as stream:
        return json.loads((folder / "m.json").read_text()), list(csv.DictReader(stream))


def test_a_case_worked_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    features = write_features(tmp_path / "f.npz")
    metrics, queries = run(features, features)
    assert {key: metrics[key] for key in LABELS} == LABELS
    assert metrics["map"] == pytest.approx((1 / 2 + 1) / 2)
    assert metrics["minp"] == pytest.approx((1 / 2 + 1) / 2)
    assert metrics["rank1"] == 0.5
    assert metrics["rank5"] == 1
    assert (metrics["n_queries"], metrics["n_valid"], metrics["n_gallery"], metrics["n_junk"]) == (3, 2, 4, 1)
    assert metrics["evaluation"] == {"metric": "euclidean", "rerank": None}
    assert tuple(queries[0]) == QUERY_COLUMNS
    assert [q["path"] for q in queries] == ["q/a.jpg", "q/b.jpg", "q/c.jpg"]
    assert [q["first_match_rank"] for q in queries[:2]] == ["2", "1"]
    assert queries[2]["excluded_because"], "a query that counts for nothing says why"
    assert queries[2]["ap"] == ""
    assert "evaluate: mAP 75.0 %, rank-1 50.0 %, 2 queries" in capsys.readouterr().out


def test_queries_come_from_the_first_file_and_the_gallery_from_the_second(tmp_path: Path) -> None:
    one, other = write_features(tmp_path / "one.npz"), write_features(tmp_path / "other.npz", shift=0.4)
    crossed, _ = run(one, other)
    assert crossed["map"] == pytest.approx((1 / 2 + 1) / 2)
    far = write_features(tmp_path / "far.npz", [(*r[:4], (-r[4][0], r[4][1])) for r in ROWS])
    assert run(one, far)[0]["map"] != run(one, one)[0]["map"]


def test_re_ranking_and_cosine_are_used_when_asked_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        (f"{n}.jpg", 1 + n % 6, n // 6 % 2, "query" if n < 12 else "gallery", tuple(rng.normal(size=8)))
        for n in range(60)
    ]
    features = write_features(tmp_path / "f.npz", rows)
    settings = [
        {"metric": "euclidean", "rerank": None},
        {"metric": "cosine", "rerank": None},
        {"metric": "cosine", "rerank": {"k1": 5, "k2": 2, "lambda_value": 0.3}},
    ]
    plain, cosine, reranked = (run(features, features, s)[0] for s in settings)
    assert len({m["map"] for m in (plain, cosine, reranked)}) == 3
    assert "reranking" not in plain.keys() | cosine.keys()
    assert reranked["reranking"]["matches"] == 4, "of 8 gallery images an identity those of the other camera"
    scores = ("map", "minp", "rank1", "rank5", "rank10", "rank20")
    assert reranked["reranking"]["without"] == {name: cosine[name] for name in scores}, "the same features, plain order"


def test_more_neighbours_than_images_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    features = write_features(tmp_path / "f.npz")
    run(features, features, {"rerank": {"k1": 2, "k2": 500, "lambda_value": 0.3}})
    assert "asks for more neighbours (k1 2, k2 500) than images (7)" in capsys.readouterr().out
    run(features, features, {"rerank": {"k1": 2, "k2": 2, "lambda_value": 0.3}})
    assert "more neighbours" not in capsys.readouterr().out


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_a_feature_file_that_was_cut_off(share: float, tmp_path: Path) -> None:
    whole = write_features(tmp_path / "f.npz")
    cut = tmp_path / "cut.npz"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    with pytest.raises(DataError, match=r"cut\.npz: not a complete feature file .*Delete it and embed again"):
        run(whole, cut)
    assert not (tmp_path / "m.json").exists()


def test_a_feature_file_that_is_missing_or_of_another_kind(tmp_path: Path) -> None:
    features = write_features(tmp_path / "f.npz")
    with pytest.raises(DataError, match=r"gone\.npz: not a complete feature file"):
        run(features, tmp_path / "gone.npz")
    np.savez(tmp_path / "other.npz", features=np.zeros((2, 2)))
    with pytest.raises(DataError, match=r"other\.npz: not a complete feature file .*paths"):
        run(tmp_path / "other.npz", features)


@pytest.mark.parametrize("split", ["query", "gallery"])
def test_an_empty_split(split: str, tmp_path: Path) -> None:
    features = write_features(tmp_path / "f.npz", [r for r in ROWS if r[3] != split])
    with pytest.raises(
        DataError, match=rf"f\.npz: holds no image of split '{split}'\. Does the dataset's listing have one"
    ):
        run(features, features)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"metrik": "cosine"}, r"evaluation has no key 'metrik': did you mean 'metric'\?"),
        ({"metric": "cosin"}, r"evaluation\.metric is 'cosin': did you mean 'cosine'\? Known: cosine, euclidean"),
        ({"rerank": True}, r"evaluation\.rerank is True; expected null or"),
        ({"rerank": {"k3": 1}}, r"evaluation\.rerank has no key 'k3': did you mean 'k"),
        ({"rerank": {"k1": 0}}, r"evaluation\.rerank: k1 is 0; expected an integer >= 1"),
        ({"rerank": {"k1": True}}, r"evaluation\.rerank: k1 is true; expected an integer"),
        ({"rerank": {"lambda_value": 2}}, r"evaluation\.rerank: lambda_value is 2; expected >= 0 and <= 1"),
        ({"rerank": {"lambda_value": "3e-1"}}, r"evaluation\.rerank: lambda_value is the text '3e-1' .*: write 0\.3\)"),
    ],
)
def test_settings_that_cannot_be_used(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_settings(entry)


def test_settings() -> None:
    assert read_settings({}) == ("euclidean", None)
    assert read_settings({"metric": "cosine", "rerank": {"k1": 7}}) == ("cosine", Reranking(k1=7))
