"""Tables of Study 2 from hand-made metrics: cells, runs, comparison with the printed numbers, what is explained."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from reversible_config import reversible_config

from anonbench.core.errors import ConfigError, DataError
from anonbench.report.tables import Table, write_table
from anonbench.studies.kinds import check_table, kind_of
from anonbench.studies.reversible.kinds.crossed import rows_of as crossed_rows
from anonbench.studies.reversible.trainings import describe

ROOT = Path(__file__).parents[4]
CONFIG = reversible_config()
RANK1 = {  # train, query, gallery -> percent, of seed 0; seed 1 scores 2 more
    ("original", "original", "original"): 80,
    ("original", "blurred", "blurred"): 10,
    ("original", "pixelated", "pixelated"): 12,
    ("original", "upgraded", "upgraded"): 8,
    ("original", "upgraded_q75", "upgraded_q75"): 14,
    ("original", "recovered", "recovered"): 70,
    ("original", "restored", "restored"): 40,
    ("base", "original", "original"): 60,
    ("base", "original", "blurred"): 30,
    ("base", "blurred", "original"): 20,
    ("base", "blurred", "blurred"): 50,
    ("joint", "original", "original"): 55,
    ("joint", "original", "protected"): 40,
    ("joint", "protected", "original"): 35,
    ("joint", "protected", "protected"): 52,
    ("upgraded_blurred", "original", "original"): 65,
    ("upgraded_blurred", "original", "upgraded"): 62,
    ("upgraded_blurred", "upgraded", "original"): 61,
    ("upgraded_blurred", "upgraded", "upgraded"): 45,
    ("upgraded_blurred", "recovered", "recovered"): 66,
}
QUALITY = {  # variant -> (PSNR, pooled PSNR, SSIM) a run
    "blurred": [(20.0, 19.5, 0.55)],
    "recovered": [(26.0, 25.0, 0.90), (28.0, 27.0, 0.94)],
    "recovered_q75": [(22.0, 21.0, 0.80), (22.0, 21.0, 0.80)],
}


def write_json(path: Path, values: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The metrics of every setting and the quality of every variant, where the workflow has them."""
    for (train, query, gallery), value in RANK1.items():
        for seed in (0, 1):
            rank1 = (value + 2 * seed) / 100
            scores = {"rank1": rank1, "rank5": rank1 + 0.1, "map": rank1 - 0.05, "minp": rank1 / 2}
            labels = {
                "dataset": "toy",
                "model": "agw",
                "train": train,
                "query": query,
                "gallery": gallery,
                "seed": seed,
            }
            name = f"results/metrics/toy/agw/{train}/seed{seed}/{query}-vs-{gallery}.json"
            write_json(tmp_path / name, labels | scores)
    for variant, runs in QUALITY.items():
        for seed, (psnr, pooled, ssim) in enumerate(runs):
            learned = variant != "blurred"
            labels = {"dataset": "toy", "variant": variant, **({"seed": seed} if learned else {})}
            name = f"results/quality/toy/{variant}{f'-seed{seed}' if learned else ''}.json"
            write_json(
                tmp_path / name, labels | {"n": 50, "identical": 0, "psnr": psnr, "psnr_pooled": pooled, "ssim": ssim}
            )
    return tmp_path


def build(folder: Path, name: str, config: dict[str, Any] = CONFIG) -> Table:
    """A table as the rule makes it: its kind says which files it needs, and all of them must be there."""
    entry = config["tables"][name]
    check_table(config, name)
    kind = kind_of(entry)
    files = {
        role: [(ROOT if path.startswith("config/") else folder) / path for path in several]
        for role, several in kind.inputs(config, entry).items()
    }
    assert all(path.is_file() for several in files.values() for path in several), "no file is asked for in vain"
    spec = json.loads(json.dumps(kind.spec(config, entry), sort_keys=True))
    return kind.build(name, files, spec, "toy, drawn")


def lines(table: Table, quantity: str) -> pd.DataFrame:
    compared = table.compared
    assert compared is not None
    return compared[compared["quantity"] == quantity].set_index("row")


def test_four_settings_a_training(folder: Path) -> None:
    table = build(folder, "table5")
    frame = table.frame.set_index(["training", "query", "gallery"])
    assert list(frame.index) == [
        ("base", "original", "original"), ("base", "original", "blurred"),
        ("base", "blurred", "original"), ("base", "blurred", "blurred"),
        ("joint", "original", "original"), ("joint", "original", "protected"),
        ("joint", "protected", "original"), ("joint", "protected", "protected"),
        ("upgraded_blurred", "original", "original"), ("upgraded_blurred", "original", "upgraded"),
        ("upgraded_blurred", "upgraded", "original"), ("upgraded_blurred", "upgraded", "upgraded"),
        ("original", "original", "original"),
    ]  # fmt: skip
    crossed = frame.loc[("joint", "original", "protected")]
    assert (crossed["rank1"], crossed["rank5"], crossed["map"], crossed["minp"]) == (41, 51, 36, 20.5)
    assert (crossed["runs"], crossed["rank1_se"], crossed["minp_se"]) == (2, 1.0, 0.5)
    assert (crossed["method"], crossed["role"], crossed["data"]) == ("blurring", "without_u", "toy")
    runs = table.runs
    assert runs is not None
    assert len(runs) == 2 * 13
    last = runs[(runs["training"] == "joint") & (runs["query"] == "original") & (runs["seed"] == 1)].iloc[1]
    assert (last["gallery"], last["rank1"], last["split"] is pd.NA) == ("protected", 42, True)


def test_the_printed_numbers_beside_four_settings(folder: Path) -> None:
    table = build(folder, "table5")
    ours = lines(table, "rank1")
    row = ours.loc["upgraded_blurred, original, upgraded"]
    assert (row["published"], row["rebuilt"], row["difference"]) == (88.2, 63, -25.2)
    assert (row["published_effect"], row["rebuilt_effect"], row["direction"]) == (48.1, 32, "agrees")
    worse = ours.loc["upgraded_blurred, upgraded, upgraded"]
    assert (worse["published_effect"], worse["rebuilt_effect"], worse["direction"]) == (21.9, -5, "differs")
    assert ours.loc["original, original, original", "published"] == 95.7
    assert ours.loc["original, original, original", "direction"] == ""
    assert ours.loc["base, blurred, original", "published"] == 18.3
    assert ours.loc["base, blurred, original", "direction"] == "", "Base has nothing to be compared with"
    upgraded = lines(table, "rank1 against w/o U")
    assert list(upgraded.index) == [
        f"upgraded_blurred, {q}, {g}" for q in ("original", "upgraded") for g in ("original", "upgraded")
    ]
    crossed = upgraded.loc["upgraded_blurred, upgraded, original"]
    assert (crossed["published_effect"], crossed["rebuilt_effect"], crossed["direction"]) == (35.7, 26, "agrees")
    assert upgraded.loc["upgraded_blurred, upgraded, upgraded", "direction"] == "differs"
    text = " ".join(table.notes)
    # Base -> Ours: w/o U is published and rebuilt lower on raw images (agrees), higher elsewhere; with U one differs.
    assert "Ours - Base has the published sign in 28 of 32 cells." in text
    assert "The gain by supervision upgradation has the published sign in 12 of 16 cells." in text
    assert "60 of 120 epochs (base, joint, upgraded_blurred), generator width 16 of 64, ResNet-18 of 50" in text


def test_four_settings_for_readers(folder: Path, tmp_path: Path) -> None:
    text = write_table(build(folder, "table5"), tmp_path / "reversible_table5.csv")
    assert "| method | training | query | gallery | R1 | R5 | mAP | mINP |" in text
    assert "| blurring | Ours (w/o U) | raw | protected | 41.0 ± 1.0 | 51.0 ± 1.0 | 36.0 ± 1.0 | 20.5 ± 0.5 |" in text
    numbers = json.loads((tmp_path / "reversible_table5.json").read_text())
    assert numbers["base, blurred, original"]["rank1"] == 21
    assert (tmp_path / "reversible_table5.runs.csv").read_text().count("\n") == 27


def test_a_second_key_is_shown_by_its_name_and_compared_with_nothing_printed(folder: Path) -> None:
    """It is no training of the paper; its effect is still measured from Base."""
    for query in ("original", "other"):
        for gallery in ("original", "other"):
            for seed in (0, 1):
                name = f"results/metrics/toy/agw/second/seed{seed}/{query}-vs-{gallery}.json"
                labels = {"dataset": "toy", "model": "agw", "train": "second", "query": query, "gallery": gallery}
                write_json(folder / name, {**labels, "seed": seed, "rank1": 0.7, "rank5": 0.8, "map": 0.6, "minp": 0.3})
    other = {"method": "pix2pix", "training": "second", "detector": None, "encoding": "png"}
    trainings = [*CONFIG["tables"]["table5"]["trainings"], {"training": "second", "variant": "other"}]
    changed = reversible_config(("variants.other", other), ("tables.table5.trainings", trainings))
    table = build(folder, "table5", changed)
    row = lines(table, "rank1").loc["second, original, other"]
    assert pd.isna(row["published"])
    assert (row["rebuilt"], row["rebuilt_effect"], row["direction"]) == (70, 39, "")
    assert table.shown is not None
    assert list(dict.fromkeys(table.shown["training"])) == [
        "Base", "Ours (w/o U)", "upgraded_blurred", "second", "Upper",
    ]  # fmt: skip


def test_a_base_on_pictures_that_it_never_saw_is_compared_with_nothing_printed() -> None:
    changed = [{"training": "base", "variant": "pixelated"}, {"training": "base", "variant": "blurred"}]
    entry = {**CONFIG["tables"]["table5"], "trainings": changed}
    described = describe(CONFIG, "toy", ["pixelated", "blurred"], ["base"])
    printed = {row.labels["variant"]: row.printed is not None for row in crossed_rows(entry, described)}
    assert printed == {"pixelated": False, "blurred": True, "original": True}


def test_protected_images_before_a_network_that_knows_raw_ones(folder: Path) -> None:
    table = build(folder, "table1")
    frame = table.frame
    assert list(frame["variant"]) == ["blurred", "upgraded", "upgraded_q75", "pixelated", "original"]
    assert list(frame["images"]) == ["base", "ours", "ours", "base", "raw"]
    assert list(frame["rank1"]) == [11, 9, 15, 13, 81]
    assert "minp" not in frame
    compared = lines(table, "rank1")
    ours = compared.loc["upgraded"]
    assert (ours["published"], ours["published_effect"], ours["rebuilt_effect"]) == (18.4, -2.2, -2)
    assert ours["direction"] == "agrees"
    assert pd.isna(compared.loc["upgraded_q75", "published"]), "the paper stores no JPEG"
    assert compared.loc["upgraded_q75", "rebuilt_effect"] == 4
    assert compared.loc["pixelated", "published"] == 20.2
    assert compared.loc["original", "published"] == 95.7
    assert any("Ours - Base has the published sign in 2 of 2 cells" in note for note in table.notes)


def test_recovered_images(folder: Path) -> None:
    table = build(folder, "table4")
    assert list(table.frame[["training", "variant", "rank1"]].itertuples(index=False, name=None)) == [
        ("original", "original", 81), ("original", "recovered", 71), ("original", "restored", 41),
        ("upgraded_blurred", "original", 66), ("upgraded_blurred", "recovered", 67),
    ]  # fmt: skip
    compared = lines(table, "rank1")
    common = compared.loc["original, recovered"]
    assert (common["published"], common["published_effect"], common["rebuilt_effect"]) == (93.8, -1.9, -10)
    assert common["direction"] == "agrees"
    assert compared.loc["upgraded_blurred, recovered", "direction"] == "differs"
    restored = compared.loc["original, restored"]
    assert pd.isna(restored["published"])
    assert restored["rebuilt_effect"] == -40
    assert any("does not say how the images" in note for note in table.notes)


def test_quality_of_pictures(folder: Path, tmp_path: Path) -> None:
    table = build(folder, "table3")
    frame = table.frame.set_index("variant")
    recovered = frame.loc["recovered"]
    assert (recovered["psnr"], recovered["psnr_pooled"], recovered["ssim"]) == (27, 26, 0.92)
    assert (recovered["n"], recovered["runs"], recovered["psnr_se"], recovered["ssim_se"]) == (50, 2, 1, 0.02)
    assert (frame.loc["blurred", "runs"], pd.isna(frame.loc["blurred", "psnr_se"])) == (1, True)
    pooled, ssim = lines(table, "psnr_pooled"), lines(table, "ssim")
    assert (pooled.loc["recovered", "published"], pooled.loc["recovered", "difference"]) == (26.78, -0.78)
    assert (ssim.loc["recovered", "published"], ssim.loc["recovered", "difference"]) == (0.92, 0)
    assert pooled.loc[["blurred", "recovered_q75"], "published"].isna().all()
    assert table.runs is not None
    assert list(table.runs["seed"].astype(object)) == [pd.NA, 0, 1, 0, 1]
    text = write_table(table, tmp_path / "reversible_table3.csv")
    assert "| blurring | recovered | 50 | 27.00 ± 1.00 | 26.00 ± 1.00 | 0.920 ± 0.020 |" in text
    assert "Means over seeds 0, 1. Data: toy, drawn." in text
    assert "compared with the pooled one" in text
    assert "infinite" not in text


def test_pictures_that_do_not_differ_have_an_infinite_psnr(folder: Path, tmp_path: Path) -> None:
    file = folder / "results/quality/toy/blurred.json"
    write_json(file, json.loads(file.read_text()) | {"identical": 50, "psnr": None, "psnr_pooled": None, "ssim": 1})
    table = build(folder, "table3")
    assert table.frame.set_index("variant").loc["blurred", "psnr"] == math.inf
    text = write_table(table, tmp_path / "t.csv")
    assert "| blurring | blurred | 50 | inf | inf | 1.000 |" in text
    assert "have an infinite PSNR; the mean leaves them out: blurred 50 of 50." in text


def test_metrics_that_are_not_there(folder: Path) -> None:
    entry = CONFIG["tables"]["table5"]
    kind = kind_of(entry)
    files = {"metrics": [folder / path for path in kind.inputs(CONFIG, entry)["metrics"]][2:]}
    with pytest.raises(
        DataError, match="no metrics for toy, agw, trained on base, tested on original; the table needs"
    ):
        kind.build("t", files, kind.spec(CONFIG, entry), "toy")
    quality = CONFIG["tables"]["table3"]
    files = {"quality": [folder / "results/quality/toy/blurred.json"]}
    with pytest.raises(
        DataError, match="no picture quality of toy, recovered; the table needs results/quality/toy/rec"
    ):
        kind_of(quality).build("t", files, kind_of(quality).spec(CONFIG, quality), "toy")
    (folder / "results/quality/toy/blurred.json").write_text(
        '{"dataset": "toy", "variant": "blurred", "n": 1, "identical": 0}'
    )
    with pytest.raises(DataError, match=r"blurred\.json: has no 'psnr'; expected dataset, variant, n, identical, psnr"):
        kind_of(quality).build("t", files, kind_of(quality).spec(CONFIG, quality), "toy")


def test_without_printed_numbers_nothing_is_claimed(folder: Path) -> None:
    changed = reversible_config(("tables.table5.published", None), ("tables.table5.upper", False))
    changed["tables"]["table5"]["published"] = None
    table = build(folder, "table5", changed)
    assert table.compared is not None
    assert table.compared["published"].isna().all()
    assert not any("published sign" in note for note in table.notes)
    assert len(table.frame) == 12


def test_files_by_role() -> None:
    entry = CONFIG["tables"]["table3"]
    assert kind_of(entry).inputs(CONFIG, entry) == {
        "quality": [
            "results/quality/toy/blurred.json",
            *(
                f"results/quality/toy/{name}-seed{seed}.json"
                for name in ("recovered", "recovered_q75")
                for seed in (0, 1)
            ),
        ],
        "published": ["config/published/reversible/table3.csv"],
    }
    metrics = kind_of(CONFIG["tables"]["table5"]).inputs(CONFIG, CONFIG["tables"]["table5"])["metrics"]
    assert metrics[2:4] == [f"results/metrics/toy/agw/base/seed{n}/original-vs-blurred.json" for n in (0, 1)]
    assert len(metrics) == len(set(metrics)) == 2 * 13


@pytest.mark.parametrize("name", ["table1", "table4", "table5"])
def test_every_row_can_be_explained(folder: Path, name: str) -> None:
    """A cell's row is called as `explain` joins the key columns of the CSV."""
    entry = CONFIG["tables"][name]
    kind, table = kind_of(entry), build(folder, name)
    named = [", ".join(row) for row in table.frame[list(kind.key)].itertuples(index=False, name=None)]
    cells = kind.cells(CONFIG, entry)
    assert set(named) == set(cells)
    for row, (_, line) in zip(named, table.frame.iterrows(), strict=True):
        for column, source in cells[row].items():
            condition = source.condition
            if column == "rank1":
                value = RANK1[(condition.train, condition.query, condition.gallery)]
                assert line[column] == value + 1, "mean of the two seeds"
    assert kind.whole == ""


def test_quality_says_why_it_has_no_chain() -> None:
    entry = CONFIG["tables"]["table3"]
    assert kind_of(entry).cells(CONFIG, entry) == {}
    assert kind_of(entry).whole == "compares pictures with the originals"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("tables.table1.protected", ["blurred"], "table1.protected names 'blurred', which has no training; list it"),
        ("tables.table1.desensitized", ["upgraded"], "names 'upgraded', which has a training; list it under protected"),
        ("tables.table1.model", "agv", "tables.table1.model names 'agv'"),
        ("tables.table1.metric", 1, "unknown key 'metric' at tables.table1"),
        ("tables.table3.model", None, "key 'model' is missing at tables.table3; config/studies/reversible.yaml shows"),
        ("tables.table3.variants", ["blured"], "tables.table3.variants names 'blured'"),
        ("datasets.toy.splits", [0, 1], "datasets.toy has splits, and 'blurred' has one copy for all of them"),
        ("tables.table4.variants", ["blured"], "tables.table4.variants names 'blured'"),
        ("tables.table5.dataset", "tot", "tables.table5.dataset names 'tot'"),
        ("tables.table5.model", "bot", "tables.table5.model is 'bot'; reversible_trainings.base trains 'agw'"),
        ("tables.table5.trainings", [{"training": "bass", "variant": "blurred"}], "table5.trainings names 'bass'"),
        ("tables.table5.trainings", [{"training": "base", "variant": "blured"}], "table5.trainings names 'blured'"),
        ("tables.table5.trainings", [{"training": "base"}], "key 'variant' is missing at tables.table5.trainings.0"),
        (
            "tables.table5.trainings",
            [{"training": "restore", "variant": "restored"}],
            "names 'restore', a restoration, which trains no network that recognizes people",
        ),
        (
            "tables.table5.trainings",
            [{"training": "elsewhere", "variant": "blurred"}],
            "names 'elsewhere', which is trained on other; the table is about toy",
        ),
        (
            "tables.table5.trainings",
            [{"training": "joint", "variant": "protected"}, {"training": "joint", "variant": "upgraded"}],
            "names 'joint' twice; a training has one variant in a table",
        ),
    ],
)  # fmt: skip
def test_entries_that_cannot_be_used(name: str, value: Any, message: str) -> None:
    config = reversible_config((name, value))
    with pytest.raises(ConfigError) as refused:
        check_table(config, name.split(".")[1] if name.startswith("tables") else "table3")
    assert message in str(refused.value)
