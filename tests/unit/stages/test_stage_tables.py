"""The stages table, untrained and ttest: metrics arranged as the papers print them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from anonbench.core.errors import DataError
from anonbench.data.pictures import Picture, write_manifest
from anonbench.stages import table as stage
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


def table(
    metrics: list[Path], name: str, entry: dict[str, Any], label: str, output: Path, **others: Path | list[Path] | None
) -> None:
    """Runs the stage. others: further files, by role."""
    files = [(path, "metrics") for path in metrics]
    for role, found in others.items():
        files += [(path, role) for path in (found if isinstance(found, list) else [found]) if path]
    stage.table([path for path, _ in files], [role for _, role in files], name, entry, label, output)


def percent(model: str, train: str, test: str, extra: float = 0.0) -> float:
    return round(100 * (value(model, train, test, 0) + value(model, train, test, 1)) / 2 + 100 * extra, 2)


def test_models_by_setting_in_percent_means_over_seeds(metrics: list[Path], tmp_path: Path) -> None:
    table(metrics, "table3", spec(), "toy", tmp_path / "t.csv")
    frame = pd.read_csv(tmp_path / "t.csv")
    scores = [f"{m}_{s}" for s in ("orig_orig", "orig_anon", "anon_anon") for m in ("map", "rank1")]
    assert list(frame.columns) == ["data", "model", *scores, "runs", *(f"{column}_se" for column in scores)]
    assert set(frame.runs) == {2}
    # Two runs a, a + 0.1 percent points apart: standard deviation 0.1 / sqrt 2, standard error 0.1 / 2.
    assert (frame[[f"{column}_se" for column in scores]] == 0.05).all(axis=None)
    assert frame.model.tolist() == ["pcb", "bot"], "the order of the config, not of the alphabet"
    for _, row in frame.iterrows():
        assert row.map_orig_orig == percent(row.model, "original", "original")
        assert row.map_orig_anon == percent(row.model, "original", "blur")
        assert row.map_anon_anon == percent(row.model, "blur", "blur")
        assert row.rank1_anon_anon == percent(row.model, "blur", "blur", 0.2)


def test_anonymizers_of_one_model(metrics: list[Path], tmp_path: Path) -> None:
    entry = spec(rows="anonymizers", models=["bot"], variants=["zero", "blur"])
    table(metrics, "table8", entry, "toy", tmp_path / "t.csv")
    frame = pd.read_csv(tmp_path / "t.csv")
    scores = ["map_orig_anon", "rank1_orig_anon", "map_anon_anon", "rank1_anon_anon"]
    assert list(frame.columns) == ["data", "anonymizer", *scores, "runs", *(f"{column}_se" for column in scores)]
    assert frame.anonymizer.tolist() == ["zero", "blur"]
    assert frame.map_orig_anon.tolist() == [percent("bot", "original", v) for v in ("zero", "blur")]


def test_the_markdown_twin_shows_the_same_numbers_and_what_they_stand_on(
    metrics: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table(metrics, "table3", spec(), "toy (rendered people)", tmp_path / "t.csv")
    text = (tmp_path / "t.md").read_text()
    assert text.startswith("# table3: 2 models in three settings, blur\n")
    header, rule, *rows = [line for line in text.splitlines() if line.startswith("|")]
    assert header.count("|") == rule.count("|") == rows[0].count("|") == 10
    assert "mAP original → anonymized" in header
    frame = pd.read_csv(tmp_path / "t.csv")
    for row, line in zip(frame.to_dict("records"), rows, strict=True):
        shown = [cell.strip() for cell in line.strip("|").split("|")]
        assert shown[:2] == ["toy", row["model"]]
        assert shown[2] == f"{row['map_orig_orig']:.1f} ± 0.1"
        assert shown[-1] == "2"
    assert "means over seeds 0, 1. Data: toy (rendered people)." in text
    assert text in capsys.readouterr().out


def test_crossed_settings_do_not_count(metrics: list[Path], tmp_path: Path) -> None:
    """Blurred queries against an original gallery are no cell of these tables."""
    content = json.loads(metrics[0].read_text()) | {"query": "blur", "gallery": "original", "map": 0.99}
    (tmp_path / "crossed.json").write_text(json.dumps(content))
    table([*metrics, tmp_path / "crossed.json"], "t", spec(), "toy", tmp_path / "t.csv")
    assert 99.0 not in pd.read_csv(tmp_path / "t.csv").map_orig_anon.tolist()


def test_a_missing_setting_is_named(metrics: list[Path], tmp_path: Path) -> None:
    some = [m for m in metrics if "pcb-blur-blur" not in m.name]
    with pytest.raises(DataError, match="no metrics for toy, pcb, trained on blur, tested on blur"):
        table(some, "t", spec(), "toy", tmp_path / "t.csv")
    assert not (tmp_path / "t.csv").exists()


@pytest.mark.parametrize("content", [b"", b'{"map": 0.', b"\xff\xfe"])
def test_a_metrics_file_that_cannot_be_read_is_named(content: bytes, metrics: list[Path], tmp_path: Path) -> None:
    metrics[3].write_bytes(content)
    with pytest.raises(DataError, match=rf"{metrics[3].name}: not a metrics file .*Delete it and evaluate again"):
        table(metrics, "t", spec(), "toy", tmp_path / "t.csv")


def test_untrained_beside_trained(tmp_path: Path) -> None:
    files = []
    for train, rank1 in (("untrained", 0.1), ("original", 0.25)):
        content = {"dataset": "toy", "model": "bot", "seed": 0, "train": train, "query": "original",
                   "gallery": "original", "map": rank1 / 2, "rank1": rank1}  # fmt: skip
        files.append(tmp_path / f"{train}.json")
        files[-1].write_text(json.dumps(content))
    table(files, "untrained", {"rows": "untrained", "pairs": [["toy", "bot"]]}, "toy", tmp_path / "u.csv")
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
    table(files, "untrained", {"rows": "untrained", "pairs": [["toy", "bot"]]}, "toy", tmp_path / "u.csv")
    assert pd.read_csv(tmp_path / "u.csv").rank1_ratio.isna().all()
    assert "| 25.0 | – |" in (tmp_path / "u.md").read_text()


def test_every_run_stands_beside_the_means(metrics: list[Path], tmp_path: Path) -> None:
    table(metrics, "table3", spec(), "toy", tmp_path / "t.csv")
    runs = pd.read_csv(tmp_path / "t.runs.csv")
    assert list(runs.columns[:5]) == ["data", "model", "variant", "split", "seed"]
    assert list(zip(runs.model, runs.seed, strict=True)) == [("pcb", 0), ("pcb", 1), ("bot", 0), ("bot", 1)]
    assert runs.split.isna().all()
    assert runs.map_orig_anon.tolist() == pytest.approx(
        [100 * value(m, "original", "blur", s) for m in ("pcb", "bot") for s in (0, 1)]
    )


def test_splits_are_runs_too(metrics: list[Path], tmp_path: Path) -> None:
    for path in metrics:
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content | {"split": content["seed"], "seed": 0}))
    table(metrics, "table5", spec(), "toy", tmp_path / "t.csv")
    assert pd.read_csv(tmp_path / "t.runs.csv").split.tolist() == [0, 1, 0, 1]
    assert "means over seed 0 and splits 0, 1." in (tmp_path / "t.md").read_text()


def test_settings_must_have_the_same_runs(metrics: list[Path], tmp_path: Path) -> None:
    some = [m for m in metrics if m.name != "pcb-blur-blur-1.json"]
    with pytest.raises(DataError, match=r"toy, pcb, blur: map_orig_orig and map_anon_anon do not have the same .*runs"):
        table(some, "t", spec(), "toy", tmp_path / "t.csv")


def test_one_run_has_no_standard_error(metrics: list[Path], tmp_path: Path) -> None:
    table([m for m in metrics if m.stem.endswith("0")], "t", spec(), "toy", tmp_path / "t.csv")
    assert pd.read_csv(tmp_path / "t.csv").map_orig_orig_se.isna().all()
    assert "±" not in (tmp_path / "t.md").read_text()


def printed(path: Path, **scores: list[float]) -> Path:
    columns = [f"{m}_{s}" for s in ("orig_orig", "orig_anon", "anon_anon") for m in ("map", "rank1")]
    rows = [["paper", model, *numbers] for model, numbers in scores.items()]
    pd.DataFrame(rows, columns=["data", "model", *columns]).to_csv(path, index=False)
    return path


def test_beside_the_published_numbers(metrics: list[Path], tmp_path: Path) -> None:
    """pcb, rebuilt: 40.05, 41.15, 42.25 mAP (gains); printed: 50, 49 (a loss), 51 (a gain). bot is not printed."""
    published = printed(tmp_path / "p.csv", pcb=[50, 60, 49, 61, 51, 60])
    table(metrics, "table3", spec(), "toy", tmp_path / "t.csv", published=published)
    lines = pd.read_csv(tmp_path / "t.compare.csv").set_index(["row", "quantity"])
    first = lines.loc[("pcb", "map_orig_orig")]
    assert (first.published, first.rebuilt, first.difference) == (50, 40.05, -9.95)
    assert pd.isna(first.direction)
    assert pd.isna(first.published_effect)
    test_only = lines.loc[("pcb", "map_orig_anon")]
    assert (test_only.published_effect, test_only.rebuilt_effect, test_only.direction) == (-1, 1.1, "differs")
    assert lines.loc[("pcb", "map_anon_anon")].direction == "agrees"
    assert lines.loc[("pcb", "rank1_orig_anon")].direction == "agrees"
    assert lines.loc[("pcb", "rank1_anon_anon")].direction == "no effect in one of them"
    assert lines.loc["bot"].published.isna().all()
    assert lines.loc["bot"].direction.isna().all()


def test_anonymizers_are_compared_with_their_models_row_for_originals(metrics: list[Path], tmp_path: Path) -> None:
    """bot, rebuilt: 30.05 for originals, 33.35 (zero) tested on; printed: 94.1 for originals, 93.4 (zero)."""
    entry = spec(rows="anonymizers", models=["bot"], variants=["zero"])
    published, baseline = (ROOT / f"config/published/reid_faces/table{n}.csv" for n in (8, 3))
    table(metrics, "table8", entry, "toy", tmp_path / "t.csv", published=published, published_baseline=baseline)
    lines = pd.read_csv(tmp_path / "t.compare.csv").set_index("quantity")
    assert set(lines.row) == {"zero"}
    assert lines.loc["map_orig_anon"].published_effect == pytest.approx(93.4 - 94.1)
    assert lines.loc["map_orig_anon"].rebuilt_effect == pytest.approx(3.3)
    assert lines.loc["map_orig_anon"].direction == "differs"


def test_the_latex_twin_groups_metrics_under_settings(metrics: list[Path], tmp_path: Path) -> None:
    table(metrics, "table3", spec(), "toy_set", tmp_path / "t.csv")
    text = (tmp_path / "t.tex").read_text()
    assert r"\toprule" in text
    assert r"\multicolumn{2}{c}{Trained on original, tested on anonymized}" in text
    assert r"$\pm$" in text
    assert r"toy\_set" in text
    assert text.count(r"\\") == 4, "two lines of headings, two models"


def test_reported_numbers_beside_rebuilt_ones(metrics: list[Path], tmp_path: Path) -> None:
    entry = {"rows": "reported", "datasets": ["toy"], "names": {"toy": "market1501"}}
    originals = [m for m in metrics if "original-original" in m.name]
    published = ROOT / "config/published/reid_faces/table1.csv"
    table(originals, "table1", entry, "toy", tmp_path / "t.csv", published=published)
    frame = pd.read_csv(tmp_path / "t.csv")
    assert frame.map_reported.tolist()[:2] == [94.2, 81.6]
    rebuilt = frame[frame.data == "toy"].set_index("model").map_rebuilt
    assert rebuilt["bot"] == percent("bot", "original", "original")
    assert pd.isna(rebuilt["mlfn"])
    assert frame[frame.data == "dukemtmcreid"].map_rebuilt.isna().all()
    lines = pd.read_csv(tmp_path / "t.compare.csv")
    assert lines.difference.notna().sum() == 4  # two models, two metrics


def write_manifest_of(path: Path, rows: list[tuple[int, int, str]]) -> Path:
    write_manifest(
        path,
        [
            Picture(f"{k}.jpg", split, 64, 128, "0", {"pid": pid, "camid": camid})
            for k, (pid, camid, split) in enumerate(rows)
        ],
    )
    return path


def test_datasets_are_counted_from_their_manifests(tmp_path: Path) -> None:
    rows = [(1, 1, "train"), (1, 2, "train"), (2, 1, "query"), (2, 3, "gallery"),
            (-1, 3, "gallery"), (0, 3, "gallery")]  # fmt: skip
    manifest = write_manifest_of(tmp_path / "m.csv", rows)
    (tmp_path / "d.csv").write_text("path,reason\nx.jpg,hidden file\n")
    entry = {"rows": "datasets", "datasets": ["toy"], "names": {"toy": "cuhk03"}}
    published = ROOT / "config/published/reid_faces/table2.csv"
    table([], "table2", entry, "toy", tmp_path / "t.csv", manifests=manifest, dropped=tmp_path / "d.csv",
          published=published)  # fmt: skip
    row = pd.read_csv(tmp_path / "t.csv").iloc[0]
    assert (row.cameras, row.identities, row.train_images, row.gallery_images, row.query_images) == (3, 2, 2, 3, 1)
    assert (row.junk_images, row.distractor_images, row.dropped_files) == (1, 1, 1)
    assert (row.published_gallery_images, row.published_query_images) == (1400, 5332)
    assert "5,332 queries outnumber a gallery of 1,400: the two are swapped" in row.note
    lines = pd.read_csv(tmp_path / "t.compare.csv").set_index("quantity")
    assert lines.loc["query_images"].difference == 1 - 5332


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
    ttest([ROOT / f"config/published/reid_faces/table{n}.csv" for n in range(3, 8)], tmp_path / "out.csv")
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
