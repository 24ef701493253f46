"""Differences between networks trained on variants: by hand, against a naive bootstrap, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scene_scores import matches_of, scene_config, write_run

from anonbench.core.errors import DataError
from anonbench.stages.scene_effects import scene_effects
from anonbench.studies.scenes.effects import COLUMNS, Case, cases_of, effect_table, read_runs, resample
from anonbench.studies.scenes.settings import SceneCondition
from anonbench.tasks.instances.matches import average_precision

ENTRY = {
    "dataset": "streets",
    "model": "small",
    "variants": ["face_blur", "body_blur"],
    "metrics": ["ap50_person", "ap"],
}
PICTURES = 30


def people(share: float, seed: int) -> list[tuple[list[float], list[bool]]]:
    """Two predictions a picture, right with a probability."""
    rng = np.random.default_rng([seed, int(1000 * share)])
    return [(sorted(rng.random(2), reverse=True), list(rng.random(2) < share)) for _ in range(PICTURES)]


SHARES = {"original": 0.9, "face_blur": 0.88, "body_blur": 0.1}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [
        write_run(tmp_path, SceneCondition("streets", "small", variant), seed, matches_of(people(share, seed)))
        for variant, share in SHARES.items()
        for seed in (0, 1, 2)
    ]


def effects(files: list[Path], **changes: Any) -> pd.DataFrame:
    cases = cases_of([{**ENTRY, **changes}])
    table = effect_table(cases, read_runs(cases, files), margin=2.0, resamples=500)
    return table.set_index(["variant", "metric"])


def test_what_is_compared_comes_from_the_tables() -> None:
    other = {**ENTRY, "variants": ["body_blur", "mine"], "metrics": ["ap", "ap_small", "ap50"]}
    assert cases_of([ENTRY, other, {**ENTRY, "model": "other"}]) == [
        Case("streets", "small", ("face_blur", "body_blur", "mine"), ("ap50_person", "ap", "ap50")),
        Case("streets", "other", ("face_blur", "body_blur"), ("ap50_person", "ap")),
    ]


def test_means_and_differences(files: list[Path]) -> None:
    table = effects(files)
    line = table.loc[("body_blur", "ap50_person")]
    by_hand = [
        [100 * average_precision(matches_of(people(SHARES[v], s)), category="person", threshold=0.5) for s in (0, 1, 2)]
        for v in ("original", "body_blur")
    ]
    assert line["before"] == pytest.approx(np.mean(by_hand[0]))
    assert line["difference"] == pytest.approx(np.mean(by_hand[1]) - np.mean(by_hand[0]))
    assert line["low"] < line["difference"] < line["high"] < 0
    assert line["verdict"] == "lower, beyond the margin"
    assert line["basis"] == "pictures and training"
    assert (line["n_runs"], line["n_pictures"]) == (3, PICTURES)
    assert table.loc[("face_blur", "ap50_person"), "verdict"] == "undecided", "a margin of 2 points, 60 people"
    sd = np.sqrt(np.mean([np.var(runs, ddof=1) for runs in [*by_hand, _face_runs()]]))
    assert line["training_sd"] == pytest.approx(sd)
    assert line["noise_floor"] == pytest.approx(2.4469 * np.sqrt(2) * sd / np.sqrt(3), rel=1e-3), "t of 6 degrees"


def _face_runs() -> list[float]:
    share = SHARES["face_blur"]
    return [100 * average_precision(matches_of(people(share, s)), category="person", threshold=0.5) for s in (0, 1, 2)]


def test_the_same_network_differs_by_nothing(tmp_path: Path) -> None:
    same = [
        write_run(tmp_path, SceneCondition("streets", "small", variant), seed, matches_of(people(0.8, 7)))
        for variant in ("original", "face_blur")
        for seed in (0, 1)
    ]
    line = effects(same, variants=["face_blur"]).loc[("face_blur", "ap")]
    assert (line["difference"], line["low"], line["high"], line["training_sd"]) == (0, 0, 0, 0)
    assert line["verdict"] == "within the margin"


def test_resamples_against_a_naive_bootstrap(files: list[Path]) -> None:
    """Copies of pictures in place of weights, and one metric at a time."""
    cases = cases_of([ENTRY])
    runs = read_runs(cases, files)[SceneCondition("streets", "small", "body_blur")]
    found = resample(runs, ["ap50_person", "ap"], 100, seed=3)
    rng = np.random.default_rng(3)
    drawn = rng.integers(0, PICTURES, (100, PICTURES), dtype=np.int32)
    for r in (0, 1, 99):
        copies = [matches_of([people(0.1, seed)[p] for p in np.sort(drawn[r])]) for seed in (0, 1, 2)]
        expected = np.mean([100 * average_precision(m, category="person", threshold=0.5) for m in copies])
        assert found.values[r, 0] == pytest.approx(expected)
        assert found.values[r, 1] == pytest.approx(np.mean([100 * average_precision(m) for m in copies]))
    left = [p for p in range(PICTURES) if p != 4]
    without = [matches_of([people(0.1, seed)[p] for p in left]) for seed in (0, 1, 2)]
    assert found.without[4, 1] == pytest.approx(np.mean([100 * average_precision(m) for m in without]))
    assert found.n_changed == found.n_pictures == PICTURES


def test_runs_that_cannot_be_compared(files: list[Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no scores of the network trained on body_blur\. Evaluate it too"):
        effects(files[:6])
    with pytest.raises(DataError, match=r"trained on body_blur with the seeds \[0, 1\], on original with \[0, 1, 2\]"):
        effects(files[:8])
    write_run(tmp_path, SceneCondition("streets", "small", "body_blur"), 2, matches_of(people(0.1, 2)[1:]))
    with pytest.raises(DataError, match=r"blur/seed2/original\.json: other pictures were tested than for original"):
        effects(files)


def test_matches_of_another_evaluation(files: list[Path]) -> None:
    scores = json.loads(files[8].read_text())
    files[8].write_text(json.dumps({**scores, "AP": scores["AP"] + 0.01}))
    with pytest.raises(DataError, match=r"seed2/original\.json: AP is .* %, by the matches beside it .*\. Evaluate"):
        effects(files)


def test_a_category_that_no_network_knows(files: list[Path]) -> None:
    with pytest.raises(DataError, match="do not know 'train'"):
        effects(files, metrics=["ap_train"])


def test_the_stage(files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "scenes.csv"
    entry = {**scene_config()["tables"]["scenes"], "metrics": ["ap_person"], "variants": ["body_blur"]}
    scene_effects(files, [entry], 2.0, output, resamples=100)
    written = pd.read_csv(output)
    assert list(written.columns) == list(COLUMNS)
    assert list(written["variant"]) == ["body_blur"]
    assert "scene_effects: 1 differences; 1 lower, beyond the margin" in capsys.readouterr().out


def test_the_command(files: list[Path], tmp_path: Path, run_command: Any) -> None:
    """As the rule gives it: the tables are a list."""
    scores = [str(file) for file in files if "face" not in str(file)]
    tables = json.dumps([{**ENTRY, "variants": ["body_blur"], "metrics": ["ap_person"]}])
    output = str(tmp_path / "scenes.csv")
    outcome = run_command(
        "scene-effects",
        "--scores",
        *scores,
        "--tables",
        tables,
        "--margin",
        "1.0",
        "--output",
        output,
        "--resamples",
        "100",
    )
    assert (outcome.status, len(pd.read_csv(output))) == (0, 1)
