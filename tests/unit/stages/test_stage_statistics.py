"""The stages of the statistics on made-up evaluations with known answers, files in and files out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.regions import Region, write_regions
from anonbench.data.tables import write_csv
from anonbench.stages.cells import cells
from anonbench.stages.conclusions import conclusions
from anonbench.stages.effects import effects
from anonbench.stages.evaluate import evaluate
from anonbench.stages.faces import faces
from anonbench.stages.noise_floor import noise_floor
from anonbench.stages.published import published
from anonbench.studies.reid_faces.cells import COLUMNS as CELL_COLUMNS
from anonbench.studies.reid_faces.face_groups import BINS_PX
from anonbench.studies.reid_faces.noise_table import COLUMNS as NOISE_COLUMNS
from anonbench.tasks.reid.columns import QUERY_COLUMNS
from anonbench.tasks.reid.scores import read_scores

ROOT = Path(__file__).parents[3]
SETTINGS = (("original", "original"), ("original", "blur"), ("blur", "blur"))
IDENTITIES, QUERIES = 60, 240
RESAMPLES = 500
CASES = [{"dataset": "toy", "variant": "blur"}]
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the two files of an evaluation: the metrics and the per-query results."""

    def evaluation(
        ap: np.ndarray, train: str, test: str, model: str = "bot", seed: int = 0, dataset: str = "toy", **labels: object
    ) -> Path:
        split = labels.get("split")
        path = tmp_path / f"metrics/{dataset}/{model}/{train}/seed{seed}-{split}/{test}-vs-{test}.json"
        rank = np.where(ap > 50, 1, 4)
        found = ~np.isnan(ap)
        rows = [
            [f"query/{n:03d}.jpg", 1 + n % IDENTITIES, 1, 2 if ok else 0, int(r) if ok else None,
             f"{a / 100:.6f}" if ok else None, "0.5" if ok else None, "" if ok else "identity is not in the gallery"]
            for n, (a, r, ok) in enumerate(zip(ap, rank, found, strict=True))
        ]  # fmt: skip
        write_csv(path.with_name(f"{path.stem}.queries.csv"), QUERY_COLUMNS, rows)
        content = {"dataset": dataset, "model": model, "seed": seed, "train": train, "query": test, "gallery": test,
                   **labels, "map": float(np.nanmean(ap)) / 100, "rank1": float((rank == 1)[found].mean())}  # fmt: skip
        path.write_text(json.dumps(content))
        return path

    return evaluation


def study(write: Write, seeds: int = 1, models: tuple[str, ...] = ("bot", "pcb"), luck: float = 0.0) -> list[Path]:
    """Testing on blurred images costs 3 points with a face (the first half) and none without; retraining, nothing."""
    rng = np.random.default_rng(0)
    files = []
    for model in models:
        base = rng.uniform(20, 80, QUERIES)
        cost = np.where(np.arange(QUERIES) < QUERIES // 2, 3.0, 0.0)
        for seed in range(seeds):
            own, new = (base + luck * rng.normal() + rng.normal(0, 0.5, QUERIES) for _ in range(2))
            for (train, test), ap in zip(SETTINGS, (own, own - cost, new), strict=True):
                files.append(write(ap, train, test, model, seed))
    return files


@pytest.fixture
def detections(tmp_path: Path) -> Path:
    """A face in the first half of the queries, 10 or 20 px tall; a default box of score 0 or nothing in the others."""
    path = tmp_path / "detections.csv"
    half = QUERIES // 2
    boxes = {
        f"query/{n:03d}.jpg": [Region((0, 0, 8, 10 + 10 * (n % 2)), score=0.9)]
        if n < half
        else [Region((0, 0, 20, 19), score=0.0, source="default")] * (n % 2)
        for n in range(QUERIES)
    }
    write_regions(path, boxes)
    return path


def test_cells(write: Write, tmp_path: Path) -> None:
    cells(study(write), 1.0, tmp_path / "cells.csv", resamples=RESAMPLES)
    table = pd.read_csv(tmp_path / "cells.csv")
    assert tuple(table.columns) == CELL_COLUMNS
    assert len(table) == 2 * 2 * 2
    tested = table[(table["contrast"] == "orig_anon") & (table["metric"] == "map")]
    assert tested["difference"].to_numpy() == pytest.approx([-1.5, -1.5], abs=1e-4)
    assert set(tested["verdict"]) == {"lower, beyond the margin"}
    assert set(table[(table["contrast"] == "anon_anon") & (table["metric"] == "map")]["verdict"]) == {
        "within the margin"
    }
    assert (table["n_identities"] == IDENTITIES).all()


def test_the_order_of_the_files_does_not_matter(write: Write, tmp_path: Path) -> None:
    files = study(write)
    cells(files, 1.0, tmp_path / "a.csv", resamples=RESAMPLES)
    cells(files[::-1], 1.0, tmp_path / "b.csv", resamples=RESAMPLES)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_queries_without_a_match_are_counted(write: Write, tmp_path: Path) -> None:
    ap = np.linspace(20, 80, QUERIES)
    ap[:5] = np.nan
    cells([write(ap, *s) for s in SETTINGS], 1.0, tmp_path / "cells.csv", resamples=RESAMPLES)
    table = pd.read_csv(tmp_path / "cells.csv")
    assert set(table["n_excluded"]) == {5}
    assert set(table["n_pairs"]) == {QUERIES - 5}


def test_other_settings_are_left_aside(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = study(write, models=("bot",))
    files.append(write(np.full(QUERIES, 12.0), "untrained", "original"))
    crossed = write(np.full(QUERIES, 12.0), "original", "crossed")
    crossed.write_text(crossed.read_text().replace('"query": "crossed"', '"query": "original"'))
    cells([*files, crossed], 1.0, tmp_path / "cells.csv", resamples=RESAMPLES)
    assert set(pd.read_csv(tmp_path / "cells.csv")["variant"]) == {"blur"}
    said = capsys.readouterr().out
    assert "left aside, no contrast of the study: toy, bot, untrained → original\n" in said
    assert "left aside, no contrast of the study: toy, bot, original → original queries, crossed gallery\n" in said
    assert said.count("left aside") == 2


def test_runs_are_splits_and_seeds(write: Write, tmp_path: Path) -> None:
    ap = np.linspace(20, 80, QUERIES)
    runs = [(split, seed) for split in (0, 1) for seed in (0, 1)]
    files = [write(ap + k, *s, split=split, seed=seed) for k, (split, seed) in enumerate(runs) for s in SETTINGS]
    assert {run for found in read_scores(files).values() for run in found} == set(runs)
    cells(files, 1.0, tmp_path / "cells.csv", resamples=RESAMPLES)
    assert set(pd.read_csv(tmp_path / "cells.csv")["n_runs"]) == {4}
    noise_floor(files, tmp_path / "noise.csv", resamples=RESAMPLES)
    # Splits 0 and 1 differ by 2 points, seeds within a split by 1: only the latter is luck. Original and blur, so
    # four cells of two.
    row = pd.read_csv(tmp_path / "noise.csv").query("dataset == 'toy' and metric == 'map'").iloc[0]
    assert (row.n_cells, row.df, row.aa_tests) == (4, 4, 2)
    assert row.sd == pytest.approx(np.sqrt(0.5), abs=1e-4)
    assert row.mean_abs == pytest.approx(1, abs=1e-4)


def test_noise_floor_of_one_seed_is_unknown(write: Write, tmp_path: Path) -> None:
    noise_floor(study(write), tmp_path / "noise.csv", resamples=RESAMPLES)
    table = pd.read_csv(tmp_path / "noise.csv")
    assert tuple(table.columns) == NOISE_COLUMNS
    assert table["dataset"].tolist() == ["toy", "all", "toy", "all"]
    assert (table["df"] == 0).all()
    assert table["floor"].isna().all()
    assert (table["aa_tests"] == 0).all()


def test_noise_floor_of_lucky_seeds(write: Write, tmp_path: Path) -> None:
    noise_floor(study(write, seeds=3, luck=2.0), tmp_path / "noise.csv", resamples=RESAMPLES)
    row = pd.read_csv(tmp_path / "noise.csv").query("dataset == 'all' and metric == 'map'").iloc[0]
    assert (row.n_cells, row.n_trainings, row.df, row.aa_tests) == (4, 12, 8, 6)
    assert 1 < row.sd < 4
    assert row.aa_rejected >= 4  # a lucky seed is an effect to a test that knows queries alone


def test_faces(write: Write, detections: Path, tmp_path: Path) -> None:
    faces(study(write), [detections], CASES, tmp_path / "faces.csv", [15], resamples=RESAMPLES)
    table = pd.read_csv(tmp_path / "faces.csv")
    assert set(table["model"]) == {"bot", "pcb", "all"}
    assert set(table[table["summary"]]["model"]) == {"all"}
    rows = table.query("model == 'all' and contrast == 'orig_anon' and metric == 'map'").set_index("group")
    assert rows.loc["face", "estimate"] == pytest.approx(-3, abs=1e-4)
    assert rows.loc["no face", "estimate"] == pytest.approx(0, abs=1e-4)
    assert rows.loc["face minus no face", "p_holm"] < 0.05
    assert rows.loc[["0-15 px", "15+ px"], "n_queries"].tolist() == [QUERIES // 4, QUERIES // 4]
    assert rows.loc["face", "n_pairs"] == QUERIES  # half the queries, two models
    single = table.query("model == 'bot' and contrast == 'orig_anon' and metric == 'map'").set_index("group")
    assert single.loc["face", "n_pairs"] == QUERIES // 2


def test_faces_need_the_detections_of_each_cell(write: Write, detections: Path, tmp_path: Path) -> None:
    cases = [{"dataset": "toy", "variant": "zero"}]
    with pytest.raises(DataError, match="the spec names no detections for it"):
        faces(study(write), [detections], cases, tmp_path / "faces.csv", BINS_PX, resamples=RESAMPLES)
    with pytest.raises(ConfigError, match="0 detections for 1 cases; expected one for each"):
        faces(study(write), [], cases, tmp_path / "faces.csv", BINS_PX, resamples=RESAMPLES)


def test_effects_of_the_published_tables(tmp_path: Path) -> None:
    effects([ROOT / f"config/published/reid_faces/table{n}.csv" for n in range(3, 8)], 1.0, tmp_path / "effects.csv")
    table = pd.read_csv(tmp_path / "effects.csv").set_index(["metric", "after", "unit"])
    assert table.loc[("map", "anon_anon", "pair"), "n"] == 30
    assert table.loc[("map", "orig_anon", "pair"), "difference"] == pytest.approx(-1.32)


def test_published_finds_the_contradictions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = ROOT / "config/published/reid_faces"
    tables = [printed / f"table{n}.csv" for n in range(3, 8)]
    others = [printed / f"{name}.csv" for name in ("text", "table2", "protocols")]
    published(tables, *others, 1.0, tmp_path / "published.csv", tmp_path / "published.md")
    table = pd.read_csv(tmp_path / "published.csv")
    assert table[table["flagged"]]["check"].value_counts().to_dict() == {"mean": 6, "outlier": 2, "size": 2}
    text = (tmp_path / "published.md").read_text()
    assert "| mAP, original → original | 58.07 | 52.94 | +5.13 |" in text
    assert "Outlier: bot on cuhk03, mAP original → anonymized is 67.9, +9.5 against original → original (58.4)" in text
    assert "cuhk03: query images 5,332 (protocol: 1,400), gallery images 1,400 (protocol: 5,332)" in text
    assert "Without the 1 pair flagged as outlier" in text
    assert capsys.readouterr().out.strip() == text.strip()


def everything(write: Write, detections: Path, folder: Path, label: str, seeds: int = 1, luck: float = 0.0) -> str:
    """Runs all stages and returns the page."""
    files = study(write, seeds=seeds, luck=luck)
    rows = [["toy", m, 50, 60, 48.5, 58, 50.1, 60] for m in ("bot", "pcb")]
    scores = [
        "map_orig_orig",
        "rank1_orig_orig",
        "map_orig_anon",
        "rank1_orig_anon",
        "map_anon_anon",
        "rank1_anon_anon",
    ]
    pd.DataFrame(rows, columns=["data", "model", *scores]).to_csv(folder / "table.csv", index=False)
    cells(files, 1.0, folder / "cells.csv", resamples=RESAMPLES)
    noise_floor(files, folder / "noise.csv", resamples=RESAMPLES)
    faces(files, [detections], CASES, folder / "faces.csv", BINS_PX, resamples=RESAMPLES)
    effects([folder / "table.csv"], 1.0, folder / "effects.csv")
    names = [folder / f"{name}.csv" for name in ("cells", "noise", "faces", "effects")]
    conclusions(*names, tables=[], label=label, output=folder / "statistics.md")
    return (folder / "statistics.md").read_text()


def test_the_page_of_one_seed(write: Write, detections: Path, tmp_path: Path) -> None:
    text = everything(write, detections, tmp_path, "toy (rendered people: a check of the pipeline)")
    assert "Data: toy (rendered people: a check of the pipeline)." in text
    assert "A drop is shown, and it is shown to exceed 1 point:\n\n- toy, blur: bot -1.50 [" in text
    assert "that anonymizing caused it is *not* shown" in text
    assert "Unknown: no network was trained twice" in text
    assert "120 queries with a face: -3.00 [" in text
    assert "Those with a face lose more (or gain less): shown" in text
    assert "Rendered people are no evidence about real ones" in text
    assert "One seed" in text
    assert "nan" not in text


def test_the_page_of_several_seeds(write: Write, detections: Path, tmp_path: Path) -> None:
    text = everything(write, detections, tmp_path, "toy", seeds=3, luck=1.0)
    assert "allow for the luck of training" in text
    assert "caused it is *not* shown" not in text
    assert "Unknown" not in text
    assert "that is too many" in text.lower()
    assert "One seed" not in text
    assert "Rendered" not in text
    assert "nan" not in text


def test_what_evaluate_writes_is_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pids, splits = np.repeat(np.arange(1, 21), 2), np.tile(["query", "gallery"], 20)
    features = rng.normal(size=(20, 8)).repeat(2, axis=0)
    files = []
    for number, (train, test) in enumerate(SETTINGS):
        path = tmp_path / f"{number}.npz"
        np.savez(
            path, features=(features + rng.normal(0, 0.5 + 0.3 * number, features.shape)).astype(np.float32),
            paths=np.array([f"{n:03d}.jpg" for n in range(40)]), pids=pids, camids=np.tile([0, 1], 20), splits=splits,
        )  # fmt: skip
        labels = {"dataset": "toy", "model": "bot", "seed": 0, "train": train, "query": test, "gallery": test}
        files.append(tmp_path / f"{test}-{number}.json")
        queries = tmp_path / f"{test}-{number}.queries.csv"
        evaluate(path, path, {"metric": "cosine"}, labels, files[-1], queries)
    cells(files, 1.0, tmp_path / "cells.csv", resamples=RESAMPLES)
    table = pd.read_csv(tmp_path / "cells.csv").set_index(["contrast", "metric"])
    measured = [json.loads(path.read_text())["map"] for path in files]
    assert table.loc[("orig_anon", "map"), "difference"] == pytest.approx(100 * (measured[1] - measured[0]), abs=1e-3)
    assert table.loc[("anon_anon", "map"), "after"] == pytest.approx(100 * measured[2], abs=1e-3)


# --- files that cannot be used ---


def test_a_metrics_file_that_contradicts_its_queries(write: Write) -> None:
    path = write(np.linspace(20, 80, QUERIES), "original", "blur")
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "map": content["map"] + 0.01}))
    with pytest.raises(DataError, match=r"blur-vs-blur\.queries\.csv: its mean map is 50\.0000 %, .* 51\.0000 %"):
        read_scores([path])


def test_missing_and_broken_files(write: Write, tmp_path: Path) -> None:
    path = write(np.linspace(20, 80, QUERIES), "original", "blur")
    twin = tmp_path / "twin.json"
    twin.write_text(path.read_text())
    twin.with_name("twin.queries.csv").write_text(path.with_name("blur-vs-blur.queries.csv").read_text())
    with pytest.raises(DataError, match="seed 0 has been read from another file already"):
        read_scores([path, twin])
    path.with_name("blur-vs-blur.queries.csv").unlink()
    with pytest.raises(DataError, match=r"blur-vs-blur\.queries\.csv: not a readable table"):
        read_scores([path])
    path.write_text('{"dataset": "toy"}')
    with pytest.raises(DataError, match=r"has no 'model'; expected dataset, model"):
        read_scores([path])
    path.write_text("[1, 2]")
    with pytest.raises(DataError, match=r"not a metrics file \(a list\)"):
        read_scores([path])
    path.write_text("{")
    with pytest.raises(DataError, match=r"not a metrics file .*Delete it and evaluate again"):
        read_scores([path])


def test_doubled_queries(write: Write) -> None:
    path = write(np.linspace(20, 80, QUERIES), "original", "blur")
    queries = path.with_name("blur-vs-blur.queries.csv")
    queries.write_text(queries.read_text().replace("query/001.jpg", "query/000.jpg"))
    with pytest.raises(DataError, match=r"query/000\.jpg is listed twice"):
        read_scores([path])


def test_nothing_anonymized(write: Write, detections: Path, tmp_path: Path) -> None:
    files = [write(np.linspace(20, 80, QUERIES), "original", "original")]
    with pytest.raises(DataError, match="none of the metrics is of an anonymized test set"):
        cells(files, 1.0, tmp_path / "c.csv")
    with pytest.raises(DataError, match="none of the metrics is of an anonymized test set"):
        faces(files, [], [], tmp_path / "f.csv", BINS_PX)
    assert not (tmp_path / "c.csv").exists()


def test_the_page_names_a_wrong_table(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("dataset\ntoy\n")
    with pytest.raises(DataError, match=r"x\.csv: column model is missing"):
        conclusions(*[tmp_path / "x.csv"] * 4, tables=[], label="toy", output=tmp_path / "p.md")
