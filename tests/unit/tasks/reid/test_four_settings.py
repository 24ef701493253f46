"""A made-up study of four settings, crossed ones among them: what was hidden as queries, as gallery, as both.

It shows that settings are data: its tables, statistics and files need no code that Study 1 does not use.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anonbench.core.errors import ConfigError, DataError
from anonbench.data import paths
from anonbench.data.tables import write_csv
from anonbench.report.cells import summary
from anonbench.report.layout import Headings
from anonbench.report.tables import Table, write_table
from anonbench.studies.reid_faces.cells import cell_table, no_contrast
from anonbench.tasks.reid.columns import QUERY_COLUMNS
from anonbench.tasks.reid.scores import read_scores
from anonbench.tasks.reid.setting_table import compare_settings, row_cells, runs_table
from anonbench.tasks.reid.settings import Condition, Contrast, Design, Setting

RAW, HIDDEN = "original", "{variant}"
DESIGN = Design(
    settings=(
        Setting("raw", train="{recipe}", query=RAW, gallery=RAW),
        Setting("rawtohidden", train="{recipe}", query=RAW, gallery=HIDDEN),
        Setting("hiddentoraw", train="{recipe}", query=HIDDEN, gallery=RAW),
        Setting("hidden", train="{recipe}", query=HIDDEN, gallery=HIDDEN),
    ),
    baseline="raw",
    metrics=("map", "rank1", "rank5", "minp"),
)
HEADINGS = Headings(
    metrics={"map": "mAP", "rank1": "R1", "rank5": "R5", "minp": "mINP"},
    settings={"rawtohidden": "raw → protected", "hiddentoraw": "protected → raw"},
    groups={name: f"Trained on both, {name}" for name in DESIGN.names},
)
VALUE = {("original", "original"): 60, ("original", "mosaic"): 40, ("mosaic", "original"): 35, ("mosaic", "mosaic"): 50}
QUERIES = 40


def metrics(query: str, gallery: str, seed: int) -> dict[str, object]:
    value = VALUE.get((query, gallery), 0) + seed
    return {
        "dataset": "toy", "model": "agw", "train": "both", "query": query, "gallery": gallery, "seed": seed,
        "map": value / 100, "rank1": (value + 1) / 100, "rank5": (value + 5) / 100, "minp": (value - 10) / 100,
    }  # fmt: skip


RESULTS = [metrics(*tested, seed) for tested in VALUE for seed in (0, 1)]


def test_a_row_holds_four_settings_and_four_metrics() -> None:
    row = row_cells(RESULTS, "toy", "agw", DESIGN.columns(), recipe="both", variant="mosaic")
    assert list(row)[:5] == ["map_raw", "rank1_raw", "rank5_raw", "minp_raw", "map_rawtohidden"]
    assert len(row) == 16
    assert {name: row[f"map_{name}"].mean for name in DESIGN.names} == {
        "raw": 60.5, "rawtohidden": 40.5, "hiddentoraw": 35.5, "hidden": 50.5,
    }  # fmt: skip
    assert (row["minp_hiddentoraw"].mean, row["rank5_raw"].standard_error) == (25.5, 0.5)


def test_crossed_settings_are_not_taken_for_one_another() -> None:
    some = [m for m in RESULTS if (m["query"], m["gallery"]) != ("original", "mosaic")]
    with pytest.raises(DataError, match="trained on both, tested on original queries, mosaic gallery; the table needs"):
        row_cells(some, "toy", "agw", DESIGN.columns(("rawtohidden",)), recipe="both", variant="mosaic")


def test_the_table_of_the_study_is_written_like_any_other(tmp_path: Path) -> None:
    row = row_cells(RESULTS, "toy", "agw", DESIGN.columns(), recipe="both", variant="mosaic")
    frame = pd.DataFrame([{"data": "toy", "method": "mosaic", **summary(row)}])
    printed = pd.DataFrame([{"method": "mosaic", **dict.fromkeys(DESIGN.columns(), 45.0), "map_raw": 50.0}])
    compared = compare_settings(frame, printed, "method", DESIGN)
    lines = compared.set_index("quantity")
    crossed = lines.loc["map_hiddentoraw"]
    assert (crossed.published_effect, crossed.rebuilt_effect, crossed.direction) == (-5, -25, "agrees")
    assert lines.loc["map_raw", "direction"] == ""
    write_table(Table(frame, "Base", ["Data: toy."], ("method",), HEADINGS, compared=compared), tmp_path / "t.csv")
    assert "| mAP protected → raw |" in (tmp_path / "t.md").read_text()
    assert r"\multicolumn{4}{c}{Trained on both, rawtohidden}" in (tmp_path / "t.tex").read_text()
    assert json.loads((tmp_path / "t.json").read_text())["mosaic"]["minp_hidden"] == 40.5
    assert (tmp_path / "t.runs.csv").read_text() == "method\n"


def test_conditions_have_their_place_among_the_files() -> None:
    condition = DESIGN["rawtohidden"].of("toy", "agw", recipe="both", variant="mosaic")
    assert condition == Condition("toy", "agw", "both", "original", "mosaic")
    assert str(condition) == "toy, agw, both → original queries, mosaic gallery"
    assert paths.metrics("toy", "agw", condition.train, "seed0", condition.query, condition.gallery) == (
        "results/metrics/toy/agw/both/seed0/original-vs-mosaic.json"
    )


def test_contrasts_are_found_from_the_condition_alone() -> None:
    raw = Condition("toy", "agw", "both", "original", "original")
    for query, gallery, setting in (
        ("original", "mosaic", "rawtohidden"), ("mosaic", "original", "hiddentoraw"), ("mosaic", "mosaic", "hidden"),
    ):  # fmt: skip
        found = DESIGN.contrast_of(Condition("toy", "agw", "both", query, gallery))
        assert found == Contrast(setting, raw, {"recipe": "both", "variant": "mosaic"})
    assert DESIGN.contrast_of(raw) is None
    assert DESIGN.contrast_of(Condition("toy", "agw", "both", "blur", "mosaic")) is None, "two ways of hiding"


def test_a_setting_says_what_it_was_not_given() -> None:
    with pytest.raises(ConfigError, match="setting 'hidden': recipe has no value; given \\['variant'\\]"):
        DESIGN["hidden"].of("toy", "agw", variant="mosaic")
    with pytest.raises(ConfigError, match="there is no setting 'hiden': did you mean 'hidden'"):
        DESIGN["hiden"]


def write_evaluation(folder: Path, query: str, gallery: str, ap: np.ndarray) -> Path:
    path = folder / f"{query}-vs-{gallery}.json"
    rows = [[f"q/{n}.jpg", n // 2, 1, 2, 1 if a > 0.5 else 3, f"{a:.6f}", "0.5", ""] for n, a in enumerate(ap)]
    write_csv(path.with_name(f"{path.stem}.queries.csv"), QUERY_COLUMNS, rows)
    found = {"map": float(ap.round(6).mean()), "rank1": float((ap > 0.5).mean())}
    path.write_text(json.dumps(metrics(query, gallery, 0) | found))
    return path


def test_crossed_scores_are_read_and_compared(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    base = rng.uniform(0.4, 0.9, QUERIES)
    loss = {
        ("original", "original"): 0.0,
        ("original", "mosaic"): 0.2,
        ("mosaic", "original"): 0.3,
        ("blur", "mosaic"): 0,
    }
    files = [write_evaluation(tmp_path, *tested, base - drop) for tested, drop in loss.items()]
    scores = read_scores(files)
    assert {(c.query, c.gallery) for c in scores} == set(loss), "none is dropped"
    per_query = Design(DESIGN.settings, DESIGN.baseline, ("map", "rank1"))
    table = cell_table(scores, margin=1.0, resamples=200, design=per_query).query("metric == 'map'")
    found = dict(zip(table["contrast"], table["difference"].round(3), strict=True))
    assert found == {"rawtohidden": -20.0, "hiddentoraw": -30.0}
    assert set(table["variant"]) == {"mosaic"}
    assert no_contrast(scores, per_query) == ["toy, agw, both → blur queries, mosaic gallery"]


def test_every_run_of_crossed_settings() -> None:
    columns = Design(tuple(s for s in DESIGN.settings if s.name != "raw"), "hidden", ("map",)).columns()
    columns = {name: (metric, Setting(s.name, "both", s.query, s.gallery)) for name, (metric, s) in columns.items()}
    runs = runs_table(RESULTS, "toy", columns, [("agw", "mosaic")])
    assert runs["seed"].tolist() == [0, 1]
    assert runs["map_hiddentoraw"].tolist() == [35.0, 36.0]
