"""The stages table, untrained and ttest: metrics arranged as the papers print them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from anonbench.errors import DataError
from anonbench.stages.table import table, untrained
from anonbench.stages.ttest import ttest

ROOT = Path(__file__).parents[3]
SETTINGS = [("original", "original"), ("original", "blur"), ("blur", "blur"), ("original", "zero"), ("zero", "zero")]
MODELS = ("bot", "pcb")


def value(model: str, train: str, test: str, seed: int) -> float:
    """A different number for each cell."""
    return 0.1 * MODELS.index(model) + 0.011 * SETTINGS.index((train, test)) + 0.001 * seed + 0.3


@pytest.fixture
def metrics(tmp_path: Path) -> list[Path]:
    files = []
    for model in MODELS:
        for train, test in SETTINGS:
            for seed in (0, 1):
                number = value(model, train, test, seed)
                content = {"dataset": "toy", "model": model, "seed": seed, "train": train, "query": test,
                           "gallery": test, "map": number, "rank1": number + 0.2}  # fmt: skip
                files.append(tmp_path / f"{model}-{train}-{test}-{seed}.json")
                files[-1].write_text(json.dumps(content))
    return files


def spec(**changes: Any) -> dict[str, Any]:
    return {
        "rows": "models",
        "dataset": "toy",
        "models": ["pcb", "bot"],
        "variants": ["blur"],
        "published": None,
    } | changes


def percent(model: str, train: str, test: str, extra: float = 0.0) -> float:
    return round(100 * (value(model, train, test, 0) + value(model, train, test, 1)) / 2 + 100 * extra, 2)


def test_models_by_setting_in_percent_means_over_seeds(metrics: list[Path], tmp_path: Path) -> None:
    table(metrics, "table3", spec(), "toy", tmp_path / "t.csv", tmp_path / "t.md")
    frame = pd.read_csv(tmp_path / "t.csv")
    assert list(frame.columns) == ["data", "model", *(
        f"{m}_{s}" for s in ("orig_orig", "orig_anon", "anon_anon") for m in ("map", "rank1")
    )]  # fmt: skip
    assert frame.model.tolist() == ["pcb", "bot"], "the order of the config, not of the alphabet"
    for _, row in frame.iterrows():
        assert row.map_orig_orig == percent(row.model, "original", "original")
        assert row.map_orig_anon == percent(row.model, "original", "blur")
        assert row.map_anon_anon == percent(row.model, "blur", "blur")
        assert row.rank1_anon_anon == percent(row.model, "blur", "blur", 0.2)


def test_anonymizers_of_one_model(metrics: list[Path], tmp_path: Path) -> None:
    entry = spec(rows="anonymizers", models=["bot"], variants=["zero", "blur"])
    table(metrics, "table8", entry, "toy", tmp_path / "t.csv", tmp_path / "t.md")
    frame = pd.read_csv(tmp_path / "t.csv")
    assert list(frame.columns) == [
        "data", "anonymizer", "map_orig_anon", "rank1_orig_anon", "map_anon_anon", "rank1_anon_anon",
    ]  # fmt: skip
    assert frame.anonymizer.tolist() == ["zero", "blur"]
    assert frame.map_orig_anon.tolist() == [percent("bot", "original", v) for v in ("zero", "blur")]


def test_the_markdown_twin_shows_the_same_numbers_and_what_they_stand_on(
    metrics: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table(metrics, "table3", spec(), "toy (rendered people)", tmp_path / "t.csv", tmp_path / "t.md")
    text = (tmp_path / "t.md").read_text()
    assert text.startswith("# table3: models by setting\n")
    header, rule, *rows = [line for line in text.splitlines() if line.startswith("|")]
    assert header.count("|") == rule.count("|") == rows[0].count("|") == 9
    assert "mAP original → anonymized" in header
    frame = pd.read_csv(tmp_path / "t.csv")
    for row, line in zip(frame.itertuples(index=False), rows, strict=True):
        assert [c.strip() for c in line.strip("|").split("|")] == [*row[:2], *(f"{v:.1f}" for v in row[2:])]
    assert "means over seeds 0, 1. Data: toy (rendered people)." in text
    assert text in capsys.readouterr().out


def test_crossed_settings_do_not_count(metrics: list[Path], tmp_path: Path) -> None:
    """Blurred queries against an original gallery are no cell of these tables."""
    content = json.loads(metrics[0].read_text()) | {"query": "blur", "gallery": "original", "map": 0.99}
    (tmp_path / "crossed.json").write_text(json.dumps(content))
    table([*metrics, tmp_path / "crossed.json"], "t", spec(), "toy", tmp_path / "t.csv", tmp_path / "t.md")
    assert 99.0 not in pd.read_csv(tmp_path / "t.csv").map_orig_anon.tolist()


def test_a_missing_setting_is_named(metrics: list[Path], tmp_path: Path) -> None:
    some = [m for m in metrics if "pcb-blur-blur" not in m.name]
    with pytest.raises(DataError, match="no metrics for toy, pcb, trained on blur, tested on blur"):
        table(some, "t", spec(), "toy", tmp_path / "t.csv", tmp_path / "t.md")
    assert not (tmp_path / "t.csv").exists()


@pytest.mark.parametrize("content", [b"", b'{"map": 0.', b"\xff\xfe"])
def test_a_metrics_file_that_cannot_be_read_is_named(content: bytes, metrics: list[Path], tmp_path: Path) -> None:
    metrics[3].write_bytes(content)
    with pytest.raises(DataError, match=rf"{metrics[3].name}: not a metrics file .*Delete it and evaluate again"):
        table(metrics, "t", spec(), "toy", tmp_path / "t.csv", tmp_path / "t.md")


def test_untrained_beside_trained(tmp_path: Path) -> None:
    files = []
    for train, rank1 in (("untrained", 0.1), ("original", 0.25)):
        content = {"dataset": "toy", "model": "bot", "seed": 0, "train": train, "query": "original",
                   "gallery": "original", "map": rank1 / 2, "rank1": rank1}  # fmt: skip
        files.append(tmp_path / f"{train}.json")
        files[-1].write_text(json.dumps(content))
    untrained(files, [("toy", "bot")], "toy", tmp_path / "u.csv", tmp_path / "u.md")
    row = pd.read_csv(tmp_path / "u.csv").iloc[0]
    assert (row.rank1_untrained, row.rank1_trained, row.rank1_ratio) == (10, 25, 2.5)
    assert (row.map_untrained, row.map_trained) == (5, 12.5)


def test_an_untrained_network_without_a_hit_has_no_ratio(tmp_path: Path) -> None:
    files = []
    for train, rank1 in (("untrained", 0.0), ("original", 0.25)):
        content = {"dataset": "toy", "model": "bot", "seed": 0, "train": train, "query": "original",
                   "gallery": "original", "map": 0.1, "rank1": rank1}  # fmt: skip
        files.append(tmp_path / f"{train}.json")
        files[-1].write_text(json.dumps(content))
    untrained(files, [("toy", "bot")], "toy", tmp_path / "u.csv", tmp_path / "u.md")
    assert pd.read_csv(tmp_path / "u.csv").rank1_ratio.isna().all()
    assert "| 25.0 | – |" in (tmp_path / "u.md").read_text()


# --- ttest ---


def write_table(path: Path, data: str, values: dict[str, list[float]]) -> Path:
    columns = [
        "map_orig_orig",
        "rank1_orig_orig",
        "map_orig_anon",
        "rank1_orig_anon",
        "map_anon_anon",
        "rank1_anon_anon",
    ]
    rows = [[data, model, *numbers] for model, numbers in values.items()]
    pd.DataFrame(rows, columns=["data", "model", *columns]).to_csv(path, index=False)
    return path


def test_ttest_over_the_rows_of_several_tables(tmp_path: Path) -> None:
    """mAP falls by 2, 1 and 3: mean 2, standard deviation 1, t = -2 / (1 / sqrt 3)."""
    one = write_table(tmp_path / "1.csv", "a", {"bot": [80, 90, 78, 88, 79, 90], "pcb": [60, 70, 59, 68, 60, 69]})
    two = write_table(tmp_path / "2.csv", "b", {"bot": [70, 80, 67, 78, 69, 79]})
    ttest([one, two], tmp_path / "out.csv")
    tests = pd.read_csv(tmp_path / "out.csv")
    assert len(tests) == 4
    assert (tests.n == 3).all()
    first = tests[(tests.difference == -2) & (tests.mean_before == 70)].iloc[0]
    assert first.t == pytest.approx(-2 * math.sqrt(3))
    assert first.df == 2
    assert first.p == pytest.approx(0.0371, abs=1e-4)


def test_ttest_takes_the_papers_printed_tables(tmp_path: Path) -> None:
    ttest([ROOT / f"config/published/table{n}.csv" for n in range(3, 8)], tmp_path / "out.csv")
    assert (pd.read_csv(tmp_path / "out.csv").n >= 28).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"t\.csv: not a readable table \(.*No such file"),
        (b"", r"t\.csv: not a readable table"),
        (b"\xff\xfe\x00", r"t\.csv: not a readable table"),
        (b"data,model,map_orig_orig\na,bot,3\n", r"t\.csv: column rank1_orig_orig is missing; expected data, model"),
    ],
)
def test_ttest_names_a_table_that_cannot_be_used(content: bytes | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        ttest([tmp_path / "t.csv"], tmp_path / "out.csv")
