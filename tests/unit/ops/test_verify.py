"""Verdicts on artifacts, with hand-made stamps and a workflow of four jobs; one real workflow for the stamps' names."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anonbench import cli
from anonbench.core.command import footprint
from anonbench.core.hashing import content_sha256
from anonbench.data.pictures import write_manifest
from anonbench.ops import dag, verify
from anonbench.ops.dag import Job
from anonbench.ops.journal import write_last_run
from anonbench.ops.verify import (
    Finding,
    Verifier,
    absent_data,
    as_json,
    as_text,
    failed,
    foreign_files,
    upstream_first,
)

Run = Callable[..., Any]
ROOT = Path(__file__).parents[3]
CODE = "0123456789ab"
MANIFEST, MODEL, HISTORY = "results/manifests/mine/original.csv", "results/models/m.pt", "results/models/history.csv"
FOLDER, METRICS = "results/images/mine/zero", "results/metrics/m.json"
QUERIES, TABLE = "results/metrics/m.queries.csv", "results/statistics/cells.csv"


def job(rule: str, inputs: tuple[str, ...], outputs: tuple[str, ...], name: str = "mine", **params: Any) -> Job:
    folders = tuple(path for path in outputs if path == FOLDER)
    stamp = f"results/stamps/{rule}/{name}.json" if name else f"results/stamps/{rule}.json"
    return Job(
        rule, name, {"dataset": name} if name else {}, inputs, (*outputs, stamp), folders, {"code": CODE, **params}
    )


# Raw images -> manifest -> (anonymized folder) -> model -> metrics -> table.
JOBS = [
    job("index", ("data/raw/mine",), (MANIFEST,), spec='{"format": "folder"}', plugins="[]"),
    job("anonymize", (MANIFEST, "data/raw/mine"), (FOLDER,), spec='{"method": "zero", "box_scale": 1.0}'),
    job("train", (MANIFEST, FOLDER), (MODEL, HISTORY), spec='{"training": {"epochs": 2, "lr": 0.1}}', seed=3, split=""),
    job("evaluate", (MODEL,), (METRICS, QUERIES), labels='{"seed": 3}', device="auto"),
    job("cells", (METRICS,), (TABLE,), name="", margin=1.0, resume="x"),
]
INDEX, ANONYMIZE, TRAIN, EVALUATE, CELLS = JOBS


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def stamp(root: Path, made: Job, **changes: Any) -> None:
    """The stamp that a job would have written over what lies there now."""
    inputs = [*made.inputs, *([QUERIES] if made.rule == "cells" else [])]
    entry = {
        "stage": made.rule,
        "settings": {**verify.asked_settings(made), "name": "of no parameter"},
        "inputs": {p: None if (root / p).is_dir() else content_sha256(root / p) for p in inputs},
        "outputs": {p: content_sha256(root / p) for p in made.artifacts},
        "code": CODE,
        "seconds": 1.5,
        "machine": {"device": "abacus"},
        "versions": {},
        **changes,
    }
    assert made.stamp
    write(root, made.stamp, json.dumps(entry))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The workflow after a run: every artifact fits its stamp."""
    from anonbench.data.pictures import Picture

    images = {"a.png": "one", "b.png": "two"}
    for name, text in images.items():
        write(tmp_path, f"data/raw/mine/{name}", text)
        write(tmp_path, f"{FOLDER}/{name}", text)
    rows = [
        Picture(n, "train", 4, 8, hashlib.sha256(t.encode()).hexdigest(), {"pid": 1, "camid": 1})
        for n, t in images.items()
    ]
    write_manifest(tmp_path / MANIFEST, rows)
    for path in (MODEL, HISTORY, METRICS, QUERIES, TABLE):
        write(tmp_path, path, path)
    for made in JOBS:
        stamp(tmp_path, made)
    return tmp_path


def verdicts(root: Path, jobs: list[Job] = JOBS) -> dict[str, Finding]:
    return {finding.path: finding for finding in Verifier(jobs, root).findings()}


def changed_from_ok(root: Path, jobs: list[Job] = JOBS) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {f.path: (f.verdict, f.reasons) for f in verdicts(root, jobs).values() if f.verdict != "ok"}


# --- verdicts ---


def test_everything_fits(tree: Path) -> None:
    found = Verifier(JOBS, tree).findings()
    assert [f.path for f in found] == [MANIFEST, FOLDER, MODEL, HISTORY, METRICS, QUERIES, TABLE]
    assert all(f.verdict == "ok" and f.reasons == () for f in found)
    assert [f.job for f in found][-2:] == ["evaluate@mine", "cells"]
    assert foreign_files(JOBS, tree) == []
    assert not failed(found)


def test_missing_and_what_stands_on_it_is_not_stale(tree: Path) -> None:
    (tree / MODEL).unlink()
    assert changed_from_ok(tree) == {MODEL: ("missing", ())}


def test_what_the_last_run_did_not_ask_for_and_nobody_made_is_not_missing(tree: Path) -> None:
    for path in (METRICS, QUERIES, TABLE, EVALUATE.stamp, CELLS.stamp, MODEL):
        (tree / str(path)).unlink()
    for asked in ([MODEL], ["train"], [HISTORY, FOLDER]):
        found = Verifier(JOBS, tree, asked).findings()
        assert {f.path: f.verdict for f in found if f.verdict != "ok"} == {
            MODEL: "missing", METRICS: "not asked for", QUERIES: "not asked for", TABLE: "not asked for",
        }, asked  # fmt: skip
        assert as_text(found).startswith("4 artifacts: 3 ok, 1 missing, 3 not asked for\n\nmissing\n")
    for everything in ([], ["all"], ["all", MODEL]):
        assert {f.verdict for f in Verifier(JOBS, tree, everything).findings()} == {"ok", "missing"}
    write(tree, METRICS, "")  # a trace of it: then its sibling was lost
    assert {f.path: f.verdict for f in Verifier(JOBS, tree, [MODEL]).findings()}[QUERIES] == "missing"


def test_changed_bytes_and_what_read_the_file(tree: Path) -> None:
    write(tree, MODEL, "other")
    was, now = (hashlib.sha256(t.encode()).hexdigest()[:12] for t in (MODEL, "other"))
    assert changed_from_ok(tree) == {
        MODEL: ("changed", (f"is {now}, its stamp says {was}",)),
        METRICS: ("stale", (f"input {MODEL} was {was}, is {now}",)),
        QUERIES: ("stale", (f"input {MODEL} was {was}, is {now}",)),
        TABLE: ("stale", ("depends on stale evaluate@mine",)),
    }


def test_a_changed_sibling_does_not_touch_those_that_did_not_read_it(tree: Path) -> None:
    write(tree, HISTORY, "edited")
    assert list(changed_from_ok(tree)) == [HISTORY]


def test_a_file_read_beside_an_input_counts(tree: Path) -> None:
    write(tree, QUERIES, "edited")
    found = changed_from_ok(tree)
    assert list(found) == [QUERIES, TABLE]
    assert found[TABLE][1][0].startswith(f"input {QUERIES} was ")


def test_a_changed_folder_names_the_image(tree: Path) -> None:
    write(tree, f"{FOLDER}/b.png", "touched up")
    found = changed_from_ok(tree)
    assert found[FOLDER][0] == "changed"
    assert found[FOLDER][1][1:] == ()  # this job writes no manifest and nothing is indexed from it
    assert found[MODEL] == ("stale", (f"input {FOLDER} has changed",))
    with_manifest = replace(ANONYMIZE, outputs=(FOLDER, "results/manifests/mine/zero.csv", str(ANONYMIZE.stamp)))
    write(tree, "results/manifests/mine/zero.csv", (tree / MANIFEST).read_text())
    stamp(tree, with_manifest, outputs={FOLDER: "0" * 64, "results/manifests/mine/zero.csv": None})
    reasons = verdicts(tree, [with_manifest])[FOLDER].reasons
    assert "not as in results/manifests/mine/zero.csv: b.png" in reasons


def test_hidden_files_in_a_folder_do_not_count(tree: Path) -> None:
    write(tree, f"{FOLDER}/.snakemake_timestamp", "")
    assert changed_from_ok(tree) == {}


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"code": "ba9876543210"}, f"code was {CODE}, is ba9876543210"),
        ({"seed": 4}, "seed was 3, is 4"),
        ({"spec": '{"training": {"epochs": 9, "lr": 0.1}}'}, "spec.training.epochs was 2, is 9"),
        ({"spec": '{"training": {"epochs": 2}}'}, "spec.training.lr was 0.1, is not set"),
        ({"spec": '{"training": {"epochs": 2, "lr": 0.1, "flip": 0.5}}'}, "spec.training.flip was not set, is 0.5"),
        ({"split": 1}, "setting split is not in its stamp"),
    ],
)
def test_stale_by_code_or_settings_says_which(params: dict[str, Any], reason: str, tree: Path) -> None:
    jobs = [INDEX, ANONYMIZE, replace(TRAIN, params={**TRAIN.params, **params}), EVALUATE, CELLS]
    inherited = ("stale", ("depends on stale train@mine",))
    assert changed_from_ok(tree, jobs) == {
        MODEL: ("stale", (reason,)), HISTORY: ("stale", (reason,)), METRICS: inherited, QUERIES: inherited,
        TABLE: inherited,
    }  # fmt: skip


def test_spelling_of_settings_does_not_matter(tree: Path) -> None:
    spec = '{"training":{"lr":1e-1,  "epochs": 2.0}}'
    assert changed_from_ok(tree, [*JOBS[:2], replace(TRAIN, params={**TRAIN.params, "spec": spec}), *JOBS[3:]]) == {}


def test_inputs_that_were_not_read_or_are_no_longer_read(tree: Path) -> None:
    write(tree, "extra.csv", "x")
    more = [*JOBS[:3], replace(EVALUATE, inputs=(MODEL, "extra.csv")), CELLS]
    assert verdicts(tree, more)[METRICS].reasons == ("input extra.csv is not in its stamp",)
    fewer = [*JOBS[:3], replace(EVALUATE, inputs=()), CELLS]
    assert verdicts(tree, fewer)[METRICS].reasons == (f"was made from {MODEL} too, which it would not read now",)


def test_an_input_that_is_not_here_is_taken_at_its_stamps_word(tree: Path) -> None:
    (tree / MODEL).unlink()
    stamp(tree, TRAIN, outputs={MODEL: "f" * 64, HISTORY: content_sha256(tree / HISTORY)})
    assert verdicts(tree)[METRICS].reasons[0].endswith(f"is {'f' * 12}")


def test_a_raw_image_that_is_not_as_indexed(tree: Path) -> None:
    write(tree, "data/raw/mine/b.png", "another person")
    found = changed_from_ok(tree)
    assert found[MANIFEST] == ("stale", ("input data/raw/mine is not what was indexed: b.png",))
    assert found[TABLE] == ("stale", ("depends on stale index@mine",))
    assert (tree / "data/raw/mine/b.png").read_text() == "another person"


def test_raw_data_that_is_not_here_is_named_and_does_not_count(tree: Path) -> None:
    assert absent_data(JOBS, tree) == []
    for name in ("a.png", "b.png"):
        (tree / "data/raw/mine" / name).unlink()
    (tree / "data/raw/mine").rmdir()
    assert changed_from_ok(tree) == {}
    assert absent_data(JOBS, tree) == ["data/raw/mine"]
    assert "not compared, since it is not here: data/raw/mine" in as_text([], absent_data(JOBS, tree))


@pytest.mark.parametrize("text", [None, "", "{}", "[1]", '{"stage": "train"}'])
def test_no_stamp(text: str | None, tree: Path) -> None:
    (tree / str(TRAIN.stamp)).unlink()
    if text is not None:
        write(tree, str(TRAIN.stamp), text)
    reason = ("there is no readable results/stamps/train/mine.json",)
    assert changed_from_ok(tree) == {MODEL: ("no stamp", reason), HISTORY: ("no stamp", reason)}


def test_a_stamp_without_a_hash_of_the_file(tree: Path) -> None:
    stamp(tree, TRAIN, outputs={MODEL: content_sha256(tree / MODEL)})
    assert changed_from_ok(tree) == {HISTORY: ("no stamp", ("results/stamps/train/mine.json holds no hash of it",))}


def test_foreign_files(tree: Path) -> None:
    write(tree, "results/models/old/seed0/model.pt", "")
    write(tree, "results/models/old/seed1/model.pt", "")
    write(tree, "results/notes.txt", "")
    for known in (
        "benchmarks/train/x.tsv",
        ".resume/x/state.pt",
        "settings/train/a.json",
        "models/.gitignore",
        "images/mine/zero/more.png",
    ):
        write(tree, f"results/{known}", "")
    assert foreign_files(JOBS, tree) == [
        Finding("results/models/old/", "foreign", reasons=("2 files",)), Finding("results/notes.txt", "foreign"),
    ]  # fmt: skip


def test_jobs_come_after_what_they_are_made_from() -> None:
    assert upstream_first([CELLS, TRAIN, EVALUATE, ANONYMIZE, INDEX]) == JOBS


# --- what is printed ---


def test_exit_status_and_what_may_be_missing() -> None:
    for verdict, fails, fails_unless_missing in [
        ("ok", False, False), ("foreign", False, False), ("missing", True, False), ("changed", True, True),
        ("stale", True, True), ("no stamp", True, True),
    ]:  # fmt: skip
        assert failed([Finding("a", "ok"), Finding("b", verdict)]) is fails
        assert failed([Finding("b", verdict)], allow_missing=True) is fails_unless_missing


def test_text_groups_by_job_and_reason() -> None:
    above = ("depends on stale train@a",)
    findings = [
        Finding("x.csv", "ok", "index@a"), Finding("t.csv", "stale", "table@t", above),
        Finding("f.png", "stale", "figure", above), Finding("m.pt", "stale", "train@a", ("seed was 1, is 2",)),
        Finding("h.csv", "stale", "train@a", ("seed was 1, is 2",)), Finding("g.csv", "missing", "detect@a"),
        Finding("results/old/", "foreign", reasons=("2 files",)),
    ]  # fmt: skip
    assert (
        as_text(findings)
        == """\
6 artifacts: 1 ok, 1 missing, 4 stale, 1 foreign

missing
  g.csv

stale  train@a
    seed was 1, is 2
  m.pt
  h.csv

stale
    depends on stale train@a
  t.csv
  f.png

foreign: no job of this configuration makes them
  results/old/  2 files"""
    )
    counts = {"ok": 1, "missing": 1, "changed": 0, "stale": 4, "no stamp": 0, "foreign": 1, "not asked for": 0}
    found = json.loads(as_json(findings, ["data/raw/a"]))
    assert (found["counts"], found["absent"]) == (counts, ["data/raw/a"])
    assert found["artifacts"][1] == {"path": "t.csv", "verdict": "stale", "job": "table@t", "reasons": list(above)}


def test_the_command(tree: Path, run_command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def jobs(configfiles: list[Path], targets: list[str], root: Path) -> list[Job]:
        asked.append((configfiles, targets, root))
        return JOBS

    monkeypatch.setattr(dag, "workflow_jobs", jobs)
    monkeypatch.chdir(tree)
    write(tree, "results/notes.txt", "")
    outcome = run_command("verify", "--configfile", "a.yaml", "b.yaml")
    assert (outcome.status, outcome.output.splitlines()[0]) == (0, "7 artifacts: 7 ok, 1 foreign")
    (tree / MODEL).unlink()
    outcome = run_command("verify", TABLE, "--configfile", "a.yaml")
    assert (outcome.status, outcome.output) == (1, f"7 artifacts: 6 ok, 1 missing\n\nmissing\n  {MODEL}\n")
    outcome = run_command("verify", "--allow-missing", "--json")
    assert (outcome.status, json.loads(outcome.output)["counts"]["missing"]) == (0, 1)
    assert asked == [([Path("a.yaml"), Path("b.yaml")], [], tree), ([Path("a.yaml")], [TABLE], tree), ([], [], tree)]
    write_last_run([], [HISTORY], tree)
    for path in (METRICS, QUERIES, EVALUATE.stamp):
        (tree / str(path)).unlink()
    outcome = run_command("verify", "--json")
    assert json.loads(outcome.output)["counts"]["not asked for"] == 2
    assert asked[-1] == ([], ["all", HISTORY], tree), "everything, and what was asked for beside it"


# --- the workflow's own commands ---

LIST = """
import json, os
from dataclasses import asdict
from anonbench.ops import dag
listed, record = [], dag.job_of

def with_command(job):
    made = record(job)
    listed.append({**asdict(made), "command": job.shellcmd})
    return made

dag.job_of = with_command
dag._list_jobs(["config/test.yaml"], [])
print(json.dumps(listed))
"""


def test_stamps_name_what_the_workflow_says_of_every_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs' commands, parsed but not run: the stamps they would write hold the inputs, outputs and settings."""
    done = subprocess.run(
        [sys.executable, "-c", LIST], cwd=ROOT, env={**os.environ, dag.LISTING: "1"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    entries = json.loads(done.stdout.splitlines()[-1])
    assert len(entries) > 50
    for entry in entries:
        words = shlex.split(entry.pop("command"))
        called = cli.Command.from_words(words[words.index("anonbench") + 1 : words.index(">")])
        found, listed = footprint(called.declared, called.values), Job(**entry)
        assert called.name == listed.rule
        assert sorted(map(str, found.outputs)) == sorted(listed.artifacts)
        assert set(listed.inputs) <= set(map(str, found.inputs)), listed.rule
        asked = verify.asked_settings(listed)
        assert {name: found.settings.get(name) for name in asked} == asked, listed.rule
        assert called.code == listed.params["code"]
