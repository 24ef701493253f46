"""Kinds of tables: each answers all questions; one from outside is one small module."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anonbench.config import read_config
from anonbench.core.errors import ConfigError
from anonbench.data.entries import data_label
from anonbench.studies import STUDIES
from anonbench.studies.kinds import by_role, check_table, kind_of, kinds_of, study_of

ROOT = Path(__file__).parents[3]
CONFIG = read_config(root=ROOT)
OWN = """
from anonbench.report.tables import Table
from anonbench.studies.reid_faces.kinds import KINDS
import pandas as pd

@KINDS.register("sizes_of_files")
class SizesOfFiles:
    key, whole = ("file",), "lists files"
    def check(self, config, entry, where):
        assert entry["files"]
    def datasets(self, config, entry):
        return []
    def inputs(self, config, entry):
        return {"files": entry["files"]}
    def spec(self, config, entry):
        return dict(entry)
    def build(self, name, files, spec, label):
        frame = pd.DataFrame([{"file": f.name, "bytes": f.stat().st_size} for f in files["files"]])
        return Table(frame, name, [f"Data: {label}."], self.key)
    def cells(self, config, entry):
        return {}
"""


@pytest.fixture
def own(write_plugin: Callable[[str, str], Path]) -> Any:
    write_plugin("own_kind", OWN)
    yield {"rows": "sizes_of_files", "files": ["a.txt", "b.txt"]}
    kinds_of("reid_faces")._entries.pop("sizes_of_files", None)


def test_every_kind_of_every_study_is_in_use() -> None:
    used = {(study_of(entry), entry["rows"]) for entry in CONFIG["tables"].values()}
    assert used == {(study, name) for study in STUDIES for name in kinds_of(study).names()}


@pytest.mark.parametrize("name", CONFIG["tables"])
def test_a_kind_answers_every_question(name: str) -> None:
    entry = CONFIG["tables"][name]
    kind = kind_of(entry)
    check_table(CONFIG, name)
    files = kind.inputs(CONFIG, entry)
    assert all(files.values())
    assert not [f for several in files.values() for f in several if not f.startswith(("results/", "config/"))]
    assert len(files.get("metrics", [])) == len(set(files.get("metrics", []))), "each file once"
    assert set(kind.datasets(CONFIG, entry)) <= set(CONFIG["datasets"])
    assert "rendered people" in data_label(CONFIG, kind.datasets(CONFIG, entry))
    assert kind.spec(CONFIG, entry).items() >= entry.items()
    assert json.loads(json.dumps(kind.spec(CONFIG, entry), sort_keys=True)) == kind.spec(CONFIG, entry)
    assert bool(kind.cells(CONFIG, entry)) != bool(kind.whole), "either its cells can be explained, or it says why not"
    for row in kind.cells(CONFIG, entry).values():
        for source in row.values():
            assert source.condition.dataset in CONFIG["datasets"]
            assert source.condition.model in [*entry.get("models", [entry.get("model")]), *entry.get("attacks", [])]


def test_the_files_of_a_table_by_role() -> None:
    entry = CONFIG["tables"]["table8"]
    files = kind_of(entry).inputs(CONFIG, entry)
    assert list(files) == ["metrics", "published", "published_baseline", "networks", "untrained"]
    assert files["published_baseline"] == ["config/published/reid_faces/table3.csv"]
    folder = "results/metrics/market1501-rendered/bot"
    assert files["metrics"][:4] == [
        f"{folder}/original/seed0/original-vs-original.json", f"{folder}/original/seed1/original-vs-original.json",
        f"{folder}/original/seed0/blur-vs-blur.json", f"{folder}/original/seed1/blur-vs-blur.json",
    ]  # fmt: skip
    assert len(files["metrics"]) == 2 * (1 + 2 * 5)
    assert files["untrained"] == [
        f"{folder}/untrained/seed0/original-vs-original.json", f"{folder}/untrained/seed1/original-vs-original.json",
    ], "those that another table shows"  # fmt: skip
    assert "untrained" not in kind_of(entry).inputs(CONFIG | {"build": ["table8"]}, entry), "none is built for a mark"
    assert "untrained" not in kind_of(CONFIG["tables"]["table5"]).inputs(CONFIG, CONFIG["tables"]["table5"])
    assert list(kind_of(CONFIG["tables"]["table2"]).inputs(CONFIG, CONFIG["tables"]["table2"])) == [
        "manifests", "dropped", "published",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="table: 1 files and 0 roles; expected a role for each file"):
        by_role([Path("a")], [])


def test_the_reported_table_uses_what_other_tables_need_anyway() -> None:
    entry = CONFIG["tables"]["table1"]
    metrics = kind_of(entry).inputs(CONFIG | {"build": ["table1", "table3"]}, entry)["metrics"]
    assert {path.split("/")[2] for path in metrics} == {"market1501-rendered"}
    assert kind_of(entry).inputs(CONFIG | {"build": ["table1"]}, entry)["metrics"] == []


def test_a_kind_from_outside(own: dict[str, Any], tmp_path: Path, run_command: Callable[..., Any]) -> None:
    files = [tmp_path / name for name in own["files"]]
    for size, file in enumerate(files, start=3):
        file.write_text("x" * size)
    outcome = run_command(
        "table", "--files", *files, "--roles", "files", "files", "--name", "mine", "--spec", json.dumps(own), "--label",
        "mine", "--output", tmp_path / "t.csv", "--plugins", '["own_kind"]', "--stamp", tmp_path / "s.json",
    )  # fmt: skip
    assert outcome.status == 0, outcome.errors
    assert (tmp_path / "t.csv").read_text() == "file,bytes\na.txt,3\nb.txt,4\n"
    stamp = json.loads((tmp_path / "s.json").read_text())
    assert [Path(name).name for name in stamp["inputs"]] == ["a.txt", "b.txt"]
    written = {"t.csv", "t.md", "t.tex", "t.json", "t.runs.csv", "t.compare.csv"}
    assert {Path(name).name for name in stamp["outputs"]} == written
    assert kinds_of("reid_faces").get(own["rows"])


def test_an_unknown_study() -> None:
    with pytest.raises(ConfigError, match="study names 'reversibel': did you mean 'reversible'"):
        kind_of({"study": "reversibel", "rows": "models"})


@pytest.mark.parametrize(
    ("table", "changes", "message"),
    [
        ("table3", {"dataset": "coco-rendered"}, r"tables\.table3\.dataset names 'coco-rendered', whose pictures are"),
        ("table2", {"datasets": ["coco-rendered"]}, r"tables\.table2\.datasets names 'coco-rendered', whose pictures"),
        ("table3", {"variants": ["body_blur"]}, r"tables\.table3\.variants: 'body_blur' hides annotated people"),
    ],
)
def test_scenes_are_no_data_of_the_first_study(table: str, changes: dict[str, Any], message: str) -> None:
    config = {**CONFIG, "tables": {table: {**CONFIG["tables"][table], **changes}}}
    with pytest.raises(ConfigError, match=message):
        check_table(config, table)
