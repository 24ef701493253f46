"""Explaining a cell, on a hand-made workflow: two runs of one model, trained and tested on blurred images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.pictures import Picture, write_manifest
from anonbench.data.regions import Region, write_regions
from anonbench.data.tables import write_csv
from anonbench.ops import explain as module
from anonbench.ops.dag import Job
from anonbench.ops.dvc.cells import stage_name
from anonbench.ops.explain import as_json, as_text, explain, find_cell
from anonbench.ops.provenance import write_stamp
from anonbench.ops.verify import asked_settings
from anonbench.tasks.reid.columns import QUERY_COLUMNS

Run = Callable[..., Any]
SETTING = {"dataset": "mine", "variants": ["blur"]}
CONFIG = {
    "tables": {
        "table1": {"rows": "reported", "datasets": ["mine"]},
        "table2": {"rows": "datasets", "datasets": ["mine"]},
        "table3": {"rows": "models", "models": ["pcb", "bot"], **SETTING},
        "table8": {"rows": "anonymizers", "models": ["bot"], "dataset": "mine", "variants": ["blur", "zero"]},
    }
}
SEEDS = (0, 1)
CODE = "0123456789ab"
MANIFEST, BLURRED = "results/manifests/mine/original.csv", "results/manifests/mine/blur.csv"
BOXES, FOLDER = "results/detections/mine/annotated.csv", "results/images/mine/blur"
TABLE = "results/tables/table3.csv"
BLUR = {"method": "gaussian_blur", "sigma_rel": 0.125, "detector": "annotated", "box_scale": 2.0}


def metrics(train: str, test: str, seed: int) -> str:
    return f"results/metrics/mine/bot/{train}/seed{seed}/{test}-vs-{test}.json"


def job(rule: str, inputs: list[str], outputs: list[str], wildcards: dict[str, str], **params: Any) -> Job:
    name = "-".join(wildcards.values())
    stamp = f"results/stamps/{rule}/{name}.json"
    folders = tuple(path for path in outputs if path == FOLDER)
    return Job(rule, name, wildcards, tuple(inputs), (*outputs, stamp), folders, {"code": CODE, **params})


def jobs() -> list[Job]:
    made = [
        job("index", ["data/raw/mine"], [MANIFEST], {"dataset": "mine"}, spec='{"format": "folder"}'),
        job("detect", [MANIFEST], [BOXES], {"dataset": "mine", "detector": "annotated"}, spec='{"upscale": 2.0}'),
        job(
            "anonymize", [MANIFEST, BOXES], [FOLDER, BLURRED], {"dataset": "mine", "variant": "blur"},
            spec=json.dumps(BLUR),
        ),
    ]  # fmt: skip
    for train, test in (("original", "original"), ("original", "blur"), ("blur", "blur")):
        for seed in SEEDS:
            names = {"dataset": "mine", "model": "bot", "train_variant": train, "query_variant": test}
            path = metrics(train, test, seed)
            read = {"original": MANIFEST, "blur": BLURRED}[test]
            wildcards = {**names, "gallery_variant": test, "run": f"seed{seed}"}
            outputs = [path, path.replace(".json", ".queries.csv")]
            made.append(job("evaluate", [read], outputs, wildcards, labels=json.dumps({"seed": seed}),
                            spec='{"metric": "cosine", "rerank": null}'))  # fmt: skip
    made.append(job("table", [m.outputs[0] for m in made if m.rule == "evaluate"], [TABLE], {"table": "table3"}))
    return made


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workflow after a run."""
    write(tmp_path, "Snakefile", "")
    write(tmp_path, "config/default.yaml", yaml.safe_dump(CONFIG))
    write(tmp_path, f"{FOLDER}/query/a.png", "blurred")
    for name in "abc":
        write(tmp_path, f"data/raw/mine/query/{name}.png", "raw")
    digest = hashlib.sha256(b"raw").hexdigest()
    rows = [Picture(f"query/{n}.png", "query", 40, 80, digest, {"pid": 1, "camid": 2}) for n in "abc"]
    for path in (MANIFEST, BLURRED):
        write_manifest(tmp_path / path, rows)
    faces = [Region((10, 4, 14, 8), score=0.9), Region((36, 70, 40, 80), score=0.5)]
    write_regions(tmp_path / BOXES, {"query/a.png": faces, "query/b.png": [], "query/c.png": []})
    for seed in SEEDS:
        for train, test, value in (("original", "original", 0.3), ("original", "blur", 0.25), ("blur", "blur", 0.2)):
            path = metrics(train, test, seed)
            write(tmp_path, path, json.dumps({"map": value + 0.02 * seed, "rank1": 0.5}))
            write_csv(tmp_path / path.replace(".json", ".queries.csv"), QUERY_COLUMNS, [
                ["query/a.png", 1, 2, 3, 4 + seed, "0.125000", "0.1", None],
                ["query/b.png", 1, 2, 3, 1, "1.000000", "1", None],
                ["query/c.png", 1, 2, 0, None, None, None, "no match in the gallery"],
            ])  # fmt: skip
    write(
        tmp_path,
        TABLE,
        "data,model,map_orig_anon,map_anon_anon,runs,map_anon_anon_se\nmine,pcb,1,2,1,\nmine,bot,26.0,21.0,2,1.0\n",
    )
    for made in jobs():
        monkeypatch.chdir(tmp_path)
        write_stamp(Path(str(made.stamp)), made.rule, asked_settings(made), map(Path, made.inputs),
                    map(Path, made.artifacts), CODE, 7.5)  # fmt: skip
    monkeypatch.setattr(module, "workflow_jobs", lambda configfiles, targets, root: jobs())
    return tmp_path


def names_of(text: str) -> list[str]:
    """The lines that name a job of the chain, with their indentation."""
    known = set(map(stage_name, jobs()))
    return [line for line in text.splitlines() if line.strip() in known]


# --- the cell ---


def test_value_error_and_runs(tree: Path) -> None:
    found = explain("table3", "BoT", "map_anon_anon")
    assert (found.value, found.standard_error) == (21.0, 1.0)
    assert found.runs == pytest.approx({"seed 0": 20.0, "seed 1": 22.0})
    text = as_text(found)
    assert text.startswith(
        "table3, row bot, column map_anon_anon: 21.0 % ± 1.0 (standard error)\n"
        "  mAP of bot on mine, trained on blur, tested on blur\n  seed 0: 20.00 %\n  seed 1: 22.00 %\n\n"
    )
    assert "Build it again" not in text


def test_a_table_older_than_its_runs(tree: Path) -> None:
    write(tree, metrics("blur", "blur", 1), json.dumps({"map": 0.3}))
    text = as_text(explain("table3", "bot", "map_anon_anon"))
    assert "The mean of these runs is 25.0 %: the table is older than they are. Build it again." in text
    assert "changed   results/metrics/mine/bot/blur/seed1/blur-vs-blur.json" in text


def test_nothing_built_yet(tree: Path) -> None:
    for path in sorted((tree / "results").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    found = explain("table3", "bot", "map_anon_anon")
    assert (found.value, found.standard_error, set(found.runs.values())) == (None, None, {None})
    text = as_text(found)
    for words in (
        "column map_anon_anon: not built yet", "seed 1: not evaluated yet", f"-             missing   {FOLDER}",
        "no stamp: settings as they would be now", "method gaussian_blur",
    ):  # fmt: skip
        assert words in text


def test_a_broken_metrics_file(tree: Path) -> None:
    write(tree, metrics("blur", "blur", 0), "{}")
    with pytest.raises(DataError, match=r"blur-vs-blur\.json: not a metrics file .* Delete it and evaluate again"):
        explain("table3", "bot", "map_anon_anon")


# --- the chain ---


def test_the_chain_holds_what_the_cell_stands_on_once_and_nothing_else(tree: Path) -> None:
    text = as_text(explain("table3", "bot", "map_anon_anon"))
    assert names_of(text) == [
        "table3",
        "  evaluate@mine-bot-blur-blur-blur-seed0",
        "    anonymize@mine-blur",
        "      index@mine",
        "      detect@mine-annotated",
        "  evaluate@mine-bot-blur-blur-blur-seed1",
    ]
    assert "original-vs-original" not in text
    assert names_of(as_text(explain("table3", "bot", "map_orig_orig")))[1:] == [
        "  evaluate@mine-bot-original-original-original-seed0",
        "    index@mine",
        "  evaluate@mine-bot-original-original-original-seed1",
    ]


def test_a_step_shows_files_hashes_settings_code_device_time(tree: Path) -> None:
    found = explain("table3", "bot", "map_anon_anon")
    step = next(s for s in found.steps if s.job == "anonymize@mine-blur")
    stamp = json.loads((tree / "results/stamps/anonymize/mine-blur.json").read_text())
    assert step.sha256 == stamp["outputs"]
    assert step.device == stamp["machine"]["device"]
    folder, manifest = (stamp["outputs"][path][:12] for path in (FOLDER, BLURRED))
    assert as_text(found).count("anonymize@mine-blur\n") == 3  # the step, and as the source of two evaluations
    assert f"""
    anonymize@mine-blur
      {folder}  ok        {FOLDER}
      {manifest}  ok        {BLURRED}
      code {CODE}, 7.5 s on {step.device}
      method gaussian_blur, sigma_rel 0.125, detector annotated, box_scale 2.0
      from index@mine, detect@mine-annotated
""" in as_text(found)
    assert "\n        from data/raw/mine\n" in as_text(found)
    assert "    seed 1, code" in as_text(found)


def test_long_settings_are_wrapped_between_them(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WIDTH", 42)
    text = as_text(explain("table3", "bot", "map_anon_anon"))
    assert "      method gaussian_blur,\n        sigma_rel 0.125,\n        detector annotated, box_scale 2.0\n" in text


def test_what_no_longer_matches_is_said_where_it_is(tree: Path) -> None:
    write(tree, f"{FOLDER}/query/a.png", "touched up")
    text = as_text(explain("table3", "bot", "map_anon_anon"))
    assert f"changed   {FOLDER}\n" in text
    assert f"ok        {MANIFEST}\n" in text


def test_the_commands(tree: Path) -> None:
    first, second = (metrics("blur", "blur", seed) for seed in SEEDS)
    stages = " ".join(f"evaluate@mine-bot-blur-blur-blur-seed{seed}" for seed in SEEDS)
    write(tree, "my.yaml", "{}")
    found = explain("table3", "bot", "map_anon_anon", [Path("my.yaml")])
    assert [command for _, command in found.commands] == [
        f"snakemake --cores all {first} {second} --configfile my.yaml",
        f"snakemake --cores all {TABLE} --configfile my.yaml",
        f"dvc repro {stages}",
        f"dvc pull {stages}",
    ]
    assert as_text(found).endswith(f"computing\ndvc pull {stages}")
    assert "--configfile" not in str(explain("table3", "bot", "map_anon_anon").commands)


def test_runs_with_splits_are_named_so() -> None:
    made = job("evaluate", [], [], {"dataset": "mine", "run": "split3-seed0"})
    assert module.run_name(made) == "split 3, seed 0"


# --- one query ---


def test_a_query(tree: Path) -> None:
    text = as_text(explain("table3", "bot", "map_anon_anon", query="query/a.png"))
    # Boxes at twice their size: 4 x 4 about (12, 6) becomes 8..15 x 2..9; 4 x 10 about (38, 75) is cut at the edges.
    hidden = (
        "  hidden: columns 8 to 15, rows 2 to 9 (score 0.90)\n  hidden: columns 34 to 39, rows 65 to 79 (score 0.50)"
    )
    for seed in SEEDS:
        assert (
            f"Query query/a.png (person 1, camera 2), seed {seed}: AP 12.5 %, first of 3 matches at rank {4 + seed}\n"
            f"{hidden}\n"
        ) in text


@pytest.mark.parametrize("mistake", [{"missed": 0.999999}, {"control": "none"}])
def test_a_query_that_a_variant_spares_on_purpose(
    mistake: dict[str, Any], tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BLUR, *mistake.popitem())
    text = as_text(explain("table3", "bot", "map_anon_anon", query="query/a.png"))
    assert "  Nothing is hidden in it: its variant leaves all 2 faces visible on purpose." in text
    assert "hidden: columns" not in text


def test_a_query_with_a_false_box(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BLUR, "false_boxes", 1)
    text = as_text(explain("table3", "bot", "map_anon_anon", query="query/b.png"))
    assert text.count("hidden: columns") == len(SEEDS), "nobody was found in it, and a box of it is hidden"


def test_a_query_in_which_nothing_is_hidden(tree: Path) -> None:
    text = as_text(explain("table3", "bot", "map_anon_anon", query="/data/mine/query/b.png"))
    assert f"rank 1\n  Nothing is hidden in it: {BOXES} has no face in it." in text
    text = as_text(explain("table3", "bot", "map_orig_orig", query="query/a.png"))
    assert "Nothing is hidden in it: this cell is tested on the originals." in text
    text = as_text(explain("table3", "bot", "map_anon_anon", query="query/c.png"))
    assert "seed 0: left out: no match in the gallery" in text


def test_an_unknown_query(tree: Path) -> None:
    with pytest.raises(DataError, match=r"has no query 'a\.png'; expected a path as in the manifest, such as query/a"):
        explain("table3", "bot", "map_anon_anon", query="a.png")


# --- what is not there ---


@pytest.mark.parametrize(
    ("table", "row", "column", "message"),
    [
        ("tabel3", "bot", "map_anon_anon", r"there is no table 'tabel3': did you mean 'table3'\? Known: table1, "),
        ("table3", "Bott", "map_anon_anon", r"table3 has no row 'Bott': did you mean 'bot'\? Known: bot, pcb"),
        ("table3", "blur", "map_anon_anon", r"table3 has no row 'blur': Known: bot, pcb"),
        ("table3", "bot", "map_anon", r"no column 'map_anon' that holds a metric: did you mean 'map_\w+'\? Known: map"),
        ("table3", "bot", "runs", r"table3 has no column 'runs' that holds a metric: Known: map_anon_anon, "),
        ("table8", "zero", "map_orig_orig", r"table8 has no column 'map_orig_orig' .* Known: map_anon_anon, map_ori"),
        ("table1", "bot", "map", r"table1 quotes numbers that others reported: .* Cells of table3, table8 can be expl"),
        ("table2", "mine", "images", r"table2 counts images: .*: anonbench verify results/tables/table2.csv"),
    ],
)  # fmt: skip
def test_unknown_cells(table: str, row: str, column: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_cell(CONFIG, table, row, column)


@pytest.mark.parametrize(
    ("table", "row", "column", "expected"),
    [
        ("table3", "BoT", "mAP orig-anon", ("table3", "bot", "map_orig_anon", "bot", "original", "blur", "map")),
        ("results/tables/table8.csv", "Zero", "rank1_anon_anon",
         ("table8", "zero", "rank1_anon_anon", "bot", "zero", "zero", "rank1")),
        ("Table3", "PCB", "rank1_orig_orig",
         ("table3", "pcb", "rank1_orig_orig", "pcb", "original", "original", "rank1")),
    ],
)  # fmt: skip
def test_cells_are_found_by_any_spelling(table: str, row: str, column: str, expected: tuple[str, ...]) -> None:
    a = find_cell(CONFIG, table, row, column)
    labels = a.source.condition.labels
    assert (a.table, a.row, a.column, labels["model"], labels["train"], labels["query"], a.source.metric) == expected
    assert labels["gallery"] == labels["query"]
    assert labels["dataset"] == "mine"


# --- the command ---


def test_the_command(tree: Path, run_command: Run) -> None:
    cell = ("explain", "table3", "--row", "BoT", "--column", "map_anon_anon")
    outcome = run_command(*cell)
    assert (outcome.status, outcome.output.splitlines()[0][:44]) == (0, "table3, row bot, column map_anon_anon: 21.0 ")
    write(tree, "my.yaml", "tables: {table3: {models: [bot]}}")
    outcome = run_command(*cell, "--json", "--query", "query/a.png", "--configfile", "my.yaml")
    found = json.loads(outcome.output)
    assert (found["value"], found["address"]["train"], found["queries"][1]["first_match_rank"]) == (21.0, "blur", 5)
    assert found["queries"][0]["hidden"][0] == [8, 2, 16, 10, 0.9]
    assert found["steps"][0]["artifacts"][0] == {"path": TABLE, "verdict": "ok", "job": "table3", "reasons": []}
    assert json.loads(as_json(explain("table3", "bot", "map_anon_anon")))["queries"] == []
    outcome = run_command("explain", "table3", "--row", "pcb", "--column", "map", "--configfile", "my.yaml")
    assert (outcome.status, outcome.output) == (2, "")
    assert outcome.errors == (
        "anonbench explain: table3 has no row 'pcb': Known: bot. (Configuration: my.yaml; another is "
        "named with --configfile.)\n"
    )


def test_outside_the_workflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_command: Run) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = run_command("explain", "table3", "--row", "bot", "--column", "map_anon_anon")
    assert outcome.status == 2
    assert outcome.errors.endswith("there is no Snakefile here. Run this in the folder of the workflow.\n")
