"""Marks of networks: trials beside the published recipes, networks that have barely learnt, re-ranked rows."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anonbench.config import read_config
from anonbench.data.results import read_frame
from anonbench.stages.table import table
from anonbench.studies.reid_faces import marks
from anonbench.tasks.reid.columns import QUERY_COLUMNS

ROOT = Path(__file__).parents[4]
NETWORKS = ROOT / "config/published/reid_faces/networks.csv"
PAPER = read_config([ROOT / "config/paper.yaml", ROOT / "config/paper_reversible.yaml"], ROOT)
DEMO = read_config([ROOT / "config/demo.yaml"], ROOT)
PEOPLE, QUERIES, GALLERY = 50, 200, 400


def write(folder: Path, train: str, hits: int, *, model: str = "bot", test: str = "original", **more: Any) -> Path:
    """The metrics of a network that finds the person first for so many of 200 queries, four a person."""
    first = np.ones(QUERIES, int)
    first[np.random.default_rng(0).permutation(QUERIES)[hits:]] = 2
    rows = [[f"{n}.jpg", n % PEOPLE, 1, 4, rank, 1 / rank, 1, ""] for n, rank in enumerate(first)]
    path = folder / f"{model}-{train}-{test}.json"
    with path.with_suffix(".queries.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([QUERY_COLUMNS, *rows])
    scores = {"map": float(np.mean(1 / first)), "rank1": hits / QUERIES}
    labels = {"dataset": "toy", "model": model, "seed": 0, "train": train, "query": test, "gallery": test}
    path.write_text(json.dumps({**labels, **scores, "n_gallery": GALLERY, **more}))
    return path


# --- trials ---


def test_the_published_recipes_are_those_of_the_paper_config() -> None:
    published = read_frame(NETWORKS)
    compared = [name for name in PAPER["models"] if name != "face_net"]  # Study 4's own
    described = marks.networks(PAPER, compared)
    assert set(published["method"]) == {entry["method"] for entry in PAPER["models"].values()}
    for network in described.values():
        row = published[published["method"] == network["method"]].iloc[0]
        assert network["epochs"] == row["epochs"]
        assert " ".join(map(str, network["input"])) == row["input"]
        assert network["pretrained"] == bool(row["pretrained"])
        size = network[row["size"]]
        assert " ".join(map(str, size if isinstance(size, list) else [size])) == str(row["value"])
        assert marks.trial(network, published) == ""


def test_every_network_of_the_demo_is_a_trial() -> None:
    published = read_frame(NETWORKS)
    found = {name: marks.trial(n, published) for name, n in marks.networks(DEMO, list(DEMO["models"])).items()}
    assert all(found.values())
    assert found["bot"] == "4 of 120 epochs; depth 18, not 50; input 96 x 48, not 256 x 128; no ImageNet weights"
    assert found["hacnn"] == "3 of 100 epochs; channels 64-128-192, not 128-256-384"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"epochs": 119}, "119 of 120 epochs"),
        ({"epochs": 200, "depth": 101, "input": [384, 192]}, ""),
        ({"input": [256, 64]}, "input 256 x 64, not 256 x 128"),
        ({"pretrained": False}, "no ImageNet weights"),
        ({"method": "of_mine", "epochs": 1}, ""),
    ],
)
def test_a_shorter_or_smaller_one_is_a_trial(change: dict[str, Any], text: str) -> None:
    network = {"method": "bot", "epochs": 120, "depth": 50, "input": [256, 128], "pretrained": True}
    assert marks.trial(network | change, read_frame(NETWORKS)) == text


# --- learning ---


@pytest.mark.parametrize(
    ("trained", "untrained", "barely"),
    [
        (15, 9, True),  # 7.5 % for 4.5 %
        (9, 9, True),
        (30, 9, True),  # 15 %: a tenth of the way is 14.05 %
        (60, 9, False),  # 30 %
        (115, 100, True),  # 57.5 % for 50 %: a tenth of the way is 55 %
        (160, 100, False),
    ],
)
def test_a_tenth_of_the_way_from_the_untrained_network_must_be_shown(
    trained: int, untrained: int, barely: bool, tmp_path: Path
) -> None:
    metrics, before = [write(tmp_path, "original", trained)], [write(tmp_path, "untrained", untrained)]
    metrics.append(write(tmp_path, "original", 200, test="blur"))  # another setting says nothing
    before.append(write(tmp_path, "untrained", 0, model="pcb"))
    found = marks.learning(metrics, before, "toy", "bot")
    assert found.barely == barely
    assert (found.rank1, found.before, found.against) == (trained / 2, untrained / 2, "untrained")
    assert str(found).startswith("barely: rank-1" if barely else "yes: rank-1")


def test_without_an_untrained_network_chance_takes_its_place(tmp_path: Path) -> None:
    """4 of 400 gallery images are right: 1 %."""
    found = marks.learning(
        [write(tmp_path, "original", 15)], [write(tmp_path, "untrained", 9, model="pcb")], "toy", "bot"
    )
    assert (found.before, found.against, found.barely) == (pytest.approx(1.0), "chance", True)
    assert not marks.learning([write(tmp_path, "original", 60)], [], "toy", "bot").barely


# --- in tables ---

RERANKING = {"matches": 4, "without": {"map": 0.5, "rank1": 0.25}}
EVALUATION = {"metric": "cosine", "rerank": {"k1": 20, "k2": 6, "lambda_value": 0.3}}


def metrics_of(folder: Path, model: str, hits: int, **more: Any) -> list[Path]:
    settings = [("original", "original"), ("original", "blur"), ("blur", "blur")]
    return [write(folder, train, hits, model=model, test=test, **more) for train, test in settings]


def make(folder: Path, kind: str, models: list[str], matches: int = 4) -> tuple[pd.DataFrame, str]:
    again = {"reranking": {**RERANKING, "matches": matches}, "evaluation": EVALUATION}
    files = [(path, "metrics") for path in metrics_of(folder, "bot", 60, **again)]
    files += [(path, "metrics") for path in (metrics_of(folder, "pcb", 12) if "pcb" in models else [])]
    files += [(write(folder, "untrained", 9), "untrained"), (NETWORKS, "networks")]
    printed = folder / "printed.csv"
    scores = "map_orig_orig,rank1_orig_orig,map_orig_anon,rank1_orig_anon,map_anon_anon,rank1_anon_anon"
    printed.write_text(f"data,model,anonymizer,{scores}\ntoy,bot,blur,90,91,92,93,94,95\n")
    files.append((printed, "published"))
    spec = {"rows": kind, "dataset": "toy", "models": models, "variants": ["blur"], "published": "x"}
    spec["networks"] = marks.networks(DEMO, models)
    table([path for path, _ in files], [role for _, role in files], "t", spec, "toy", folder / "t.csv")
    return read_frame(folder / "t.csv"), (folder / "t.md").read_text()


def test_a_reranked_row_says_so_and_shows_the_plain_order_below(tmp_path: Path) -> None:
    frame, text = make(tmp_path, "models", ["bot", "pcb"])
    assert list(frame["model"]) == ["bot", "pcb"], "the CSV's names are the config's: other files are joined by them"
    assert list(frame["ranking"]) == ["cosine, re-ranked", "euclidean"]
    assert "| toy | bot (re-ranked) † | 65.0 | 30.0 |" in text
    assert "| toy | bot (not re-ranked) † | 50.0 | 25.0 |" in text
    assert "| toy | pcb † ‡ |" in text, "6 % for 1 % by chance"
    assert "re-ranked (k-reciprocal, k1 20, k2 6, lambda_value 0.3)" in text
    assert "A query has 4 matches in the gallery (median), fewer than half of k1 = 20" in text
    assert "† A trial, no result" in text
    assert "‡ Barely learnt" in text
    assert "of a random order" in text
    compared = read_frame(tmp_path / "t.compare.csv").set_index(["row", "quantity"])
    assert compared.loc[("bot", "map_orig_orig"), "published"] == 90
    assert len(compared) == 12, "nothing is published of the plain order"
    assert list(json.loads((tmp_path / "t.json").read_text())) == ["bot", "pcb"]
    told = marks.read_told([tmp_path / "t.csv"])
    assert list(told["learnt"].str[:6]) == ["yes: r", "barely"]


def test_no_warning_where_a_query_has_matches_enough(tmp_path: Path) -> None:
    _, text = make(tmp_path, "models", ["bot"], matches=10)
    assert "may do harm" not in text
    assert "‡" not in text


def test_ways_of_hiding_of_a_reranked_model(tmp_path: Path) -> None:
    frame, text = make(tmp_path, "anonymizers", ["bot"])
    assert list(frame["anonymizer"]) == ["blur"]
    assert (frame["model"][0], frame["ranking"][0]) == ("bot", "cosine, re-ranked")
    assert "# t: bot (re-ranked) † under 1 ways of hiding faces" in text
    assert "| toy | blur (not re-ranked) | 50.0 | 25.0 |" in text
    assert marks.read_told([tmp_path / "t.csv"])["trial"][0].startswith("4 of 120 epochs")
