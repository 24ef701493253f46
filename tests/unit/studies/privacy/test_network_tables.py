"""Tables of Study 4 on how networks score, from results that are made up."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anonbench.config import read_config
from anonbench.core.errors import ConfigError, DataError
from anonbench.data import paths
from anonbench.report.tables import write_table
from anonbench.studies.kinds import check_table, kind_of
from anonbench.studies.privacy.kinds.distances import Distances
from anonbench.studies.privacy.kinds.matrix import Matrix
from anonbench.studies.privacy.kinds.ranking import Ranking, resampled_scores

ROOT = Path(__file__).parents[4]
CONFIG = read_config(root=ROOT)
LABEL = "toy (rendered people: a check of the pipeline, not evidence about real ones)"
MODELS = ["good", "fair", "poor"]
SPEC: dict[str, Any] = {
    "dataset": "toy",
    "models": MODELS,
    "variants": ["blur", "zero"],
    "statistics": {"confidence": 0.95, "resamples": 300, "risk_bound": 0.1},
}
PEOPLE = 20
# mAP of each model: zero lets fair and poor change places.
SCORES = {"original": (0.8, 0.5, 0.4), "blur": (0.7, 0.4, 0.3), "zero": (0.6, 0.2, 0.3)}


def write_run(folder: Path, labels: dict[str, Any], ap: np.ndarray, first: str = "q000.jpg") -> tuple[Path, Path]:
    """Metrics and queries of a run in which each person has two queries."""
    metrics = folder / ("-".join(str(value) for value in labels.values()) + ".json")
    metrics.write_text(json.dumps({**labels, "map": float(ap.mean()), "rank1": 0.5}))
    names = [first, *(f"q{n:03d}.jpg" for n in range(1, len(ap)))]
    queries = pd.DataFrame({"path": names, "pid": [n // 2 for n in range(len(ap))], "ap": ap})
    queries.to_csv(metrics.with_suffix(".queries.csv"), index=False)
    return metrics, metrics.with_suffix(".queries.csv")


def labels_of(model: str, train: str, tested: str, seed: int = 0) -> dict[str, Any]:
    return {"dataset": "toy", "model": model, "train": train, "query": tested, "gallery": tested, "seed": seed}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, list[Path]]:
    noise = np.random.default_rng(5).normal(0, 0.03, 2 * PEOPLE)
    found: dict[str, list[Path]] = {"metrics": []}
    for (variant, scores), (n, model), seed in product(SCORES.items(), enumerate(MODELS), (0, 1)):
        ap = (scores[n] + np.roll(noise, 3 * n + seed) + (0.01 if seed else -0.01)).round(6)
        metrics, queries = write_run(tmp_path, labels_of(model, "original", variant, seed), ap)
        found["metrics"].append(metrics)
        found.setdefault(f"queries {variant} {model}", []).append(queries)
    return found


def test_are_models_ranked_alike(files: dict[str, list[Path]], tmp_path: Path) -> None:
    table = Ranking().build("model_ranking", files, SPEC, LABEL)
    rows = table.frame.set_index("variant")
    assert rows.index.tolist() == ["original", "blur", "zero"]
    assert rows["tau"].tolist() == pytest.approx([1, 1, 1 / 3], abs=1e-3)
    assert rows["swapped"].tolist() == [0, 0, 1]
    assert rows.loc["zero", "swaps"] == "poor above fair"
    assert (rows["tau_low"] <= rows["tau"]).all()
    assert (rows["tau"] <= rows["tau_high"]).all()
    assert (rows["people"] == PEOPLE).all()
    assert rows.loc["zero", "map_good"] == pytest.approx(60, abs=1)
    text = write_table(table, tmp_path / "t.csv")
    assert "mAP good" in text
    assert "poor above fair" in text
    assert "each that changes places takes 2/3 = 0.67 from tau" in text
    assert "seeds 0, 1" in text
    assert LABEL in text
    assert "Re-ranked" not in text
    pairs = pd.read_csv(tmp_path / "t.runs.csv").set_index(["variant", "better", "worse"])
    assert pairs.loc[("zero", "fair", "poor"), "swapped"]
    assert pairs.loc[("zero", "fair", "poor"), "ahead_variant"] == pytest.approx(-10, abs=2)
    assert pairs.loc[("zero", "fair", "poor"), "swapped_resampled"] == 1
    assert pairs.loc[("blur", "good", "poor"), "swapped_resampled"] == 0


def test_a_model_that_alone_is_reranked_is_named(files: dict[str, list[Path]]) -> None:
    for file in files["metrics"]:
        metrics = json.loads(file.read_text())
        if metrics["model"] == "fair":
            file.write_text(json.dumps({**metrics, "reranking": {}}))
    assert "Re-ranked, while the others are not: fair." in Ranking().build("t", files, SPEC, LABEL).notes


def test_six_models_move_in_steps_of_two_fifteenths(files: dict[str, list[Path]]) -> None:
    models = [f"m{n}" for n in range(6)]
    made: dict[str, list[Path]] = {"metrics": []}
    folder = files["metrics"][0].parent
    for variant, (n, model) in product(("original", "blur"), enumerate(models)):
        place = {2: 3, 3: 2}.get(n, n) if variant == "blur" else n
        metrics, queries = write_run(folder, labels_of(model, "original", variant), np.full(8, 0.9 - 0.1 * place))
        made["metrics"].append(metrics)
        made[f"queries {variant} {model}"] = [queries]
    table = Ranking().build("t", made, {**SPEC, "models": models, "variants": ["blur"]}, LABEL)
    assert table.frame["tau"].tolist() == [1, round(1 - 2 / 15, 3)]
    assert "2/15 = 0.13" in table.notes[0]


def test_scores_of_resampled_people_against_a_naive_mean() -> None:
    """Each person's weight is how often he was drawn, in all models and variants at once."""
    rng = np.random.default_rng(1)
    runs = [pd.DataFrame({"pid": [1, 1, 2, 3, 3, 3], "ap": rng.random(6)}) for _ in range(2)]
    scores = resampled_scores({("original", "a"): runs, ("blur", "a"): runs[:1]}, ["a"], 200)
    assert scores["original"].shape == (201, 1)
    assert scores["original"][0, 0] == pytest.approx(np.mean([run["ap"].mean() for run in runs]))
    drawn = rng.choice([1, 2, 3], (4000, 3))
    by_person = {pid: run["ap"].tolist() for pid, run in runs[0].groupby("pid")}
    naive = [np.mean([ap for pid in people for ap in by_person[pid]]) for people in drawn]
    assert scores["blur"][1:].std() == pytest.approx(np.std(naive), rel=0.2)


def test_other_queries_are_refused(files: dict[str, list[Path]], tmp_path: Path) -> None:
    labels = labels_of("fair", "original", "blur", 0)
    write_run(tmp_path, labels, np.full(2 * PEOPLE, 0.5), first="other.jpg")
    with pytest.raises(DataError, match="fair: 40 queries of 'blur' and 40 of 'original' are not the same"):
        Ranking().build("t", files, SPEC, LABEL)


def test_trained_on_one_tested_on_another(tmp_path: Path) -> None:
    names = ["original", "blur", "zero"]
    metrics = []
    for (i, train), (j, tested), seed in product(enumerate(names), enumerate(names), (0, 1)):
        ap = np.full(4, 0.1 * (1 + i) + 0.02 * j + 0.01 * seed)
        metrics.append(write_run(tmp_path, labels_of("bot", train, tested, seed), ap)[0])
    spec = {"dataset": "toy", "model": "bot", "variants": names[1:]}
    table = Matrix().build("train_test_matrix", {"metrics": metrics}, spec, LABEL)
    rows = table.frame.set_index("train")
    assert rows.index.tolist() == names
    assert rows.loc["blur", "map_zero"] == pytest.approx(24.5)
    assert rows.loc["zero", "map_blur"] == pytest.approx(32.5)
    assert rows.loc["zero", "map_blur_se"] == pytest.approx(0.5)
    text = write_table(table, tmp_path / "t.csv")
    assert "| train | mAP original | mAP blur | mAP zero | runs |" in text
    assert "| blur | 20.5 ± 0.5 | 22.5 ± 0.5 | 24.5 ± 0.5 | 2 |" in text


def test_the_distance_beside_hiding(tmp_path: Path) -> None:
    scores = {"original": (0.5, 0.58), "blur": (0.49, 0.56)}  # cosine, Euclidean
    files = []
    for (variant, both), seed in product(scores.items(), (0, 1)):
        by = {name: {"map": s + 0.01 * seed, "rank1": s} for name, s in zip(("cosine", "euclidean"), both, strict=True)}
        files.append(tmp_path / f"{variant}{seed}.json")
        files[-1].write_text(json.dumps({**labels_of("bot", "original", variant, seed), **by}))
    spec = {"dataset": "toy", "models": ["bot"], "variants": ["blur"], "own": {"bot": "cosine"}}
    table = Distances().build("distances", {"metrics": files}, spec, LABEL)
    rows = table.frame.set_index(["model", "variant"])
    assert rows.loc[("bot", "original"), "map_euclidean"] == pytest.approx(58.5)
    assert rows["map_by_distance"].tolist() == pytest.approx([8, 7])
    assert rows.loc[("bot", "blur"), "map_by_hiding_cosine"] == pytest.approx(-1)
    assert rows.loc[("bot", "blur"), "rank1_by_hiding_euclidean"] == pytest.approx(-2)
    assert pd.isna(rows.loc[("bot", "original"), "map_by_hiding_cosine"])
    text = write_table(table, tmp_path / "t.csv")
    assert "| bot (cosine) | blur | 49.5 | 56.5 | +7.0 | -1.0; -2.0 |" in text
    assert "| bot (cosine) | original | 50.5 | 58.5 | +8.0 | – |" in text
    assert "Largest change in mAP: 8.0 points by the distance, 2.0 points by hiding." in text
    assert json.loads((tmp_path / "t.json").read_text())["bot, blur"]["map_cosine"] == 49.5


def test_a_cell_of_distances_names_its_evaluations() -> None:
    entry = CONFIG["tables"]["distances"]
    source = kind_of(entry).cells(CONFIG, entry)["bot, zero"]["rank1_euclidean"]
    assert source.file("seed1") == paths.distances(entry["dataset"], "bot", "original", "seed1", "zero", "zero")
    assert source.file("seed1") in kind_of(entry).inputs(CONFIG, entry)["metrics"]
    assert source.metric == "euclidean.rank1"


def test_a_cell_names_its_evaluations() -> None:
    entry = CONFIG["tables"]["train_test_matrix"]
    source = kind_of(entry).cells(CONFIG, entry)["blur"]["map_zero"]
    assert source.file("seed1") == paths.metrics(entry["dataset"], "bot", "blur", "seed1", "zero")
    assert source.file("seed1") in kind_of(entry).inputs(CONFIG, entry)["metrics"]


@pytest.mark.parametrize(
    ("table", "changes", "message"),
    [
        ("model_ranking", {"models": ["pcb", "bot"]}, r"model_ranking\.models: 2 of them; expected 3 or more"),
        ("model_ranking", {"models": ["pcb", "bot", "bott"]}, r"model_ranking\.models names 'bott'"),
        ("model_ranking", {"variants": ["original"]}, r"'original' is in every table"),
        ("model_ranking", {"dataset": "coco-rendered"}, r"model_ranking\.dataset names 'coco-rendered'"),
        ("train_test_matrix", {"model": "bott"}, r"train_test_matrix\.model names 'bott'"),
        ("train_test_matrix", {"variants": ["body_blur"]}, r"'body_blur' hides annotated people of scenes"),
        ("train_test_matrix", {"attacks": ["x"]}, r"train_test_matrix"),
    ],
)
def test_entries_that_cannot_be_used(table: str, changes: dict[str, Any], message: str) -> None:
    config = {**CONFIG, "tables": {table: {**CONFIG["tables"][table], **changes}}}
    with pytest.raises(ConfigError, match=message):
        check_table(config, table)
