"""DVC's pipeline as text: names of stages, places of inputs, settings; and held against Snakemake's graph by DVC's own
reading of it, for every configuration that is shipped."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from anonbench.core.errors import ConfigError
from anonbench.ops.dag import Job, workflow_jobs
from anonbench.ops.dvc import cells
from anonbench.ops.dvc.cells import (
    PLAN,
    REPORT,
    configfiles_in_force,
    pipeline_texts,
    settings_file,
    stage_name,
    write_pipeline,
    write_settings,
)
from anonbench.ops.journal import OPTIONS

ROOT = Path(__file__).parents[3]


def job(rule: str, name: str = "", inputs: tuple[str, ...] = (), outputs: tuple[str, ...] = (), **params: Any) -> Job:
    wildcards = {"dataset": name.split("-")[0]} if "-" in name else {"table": name} if name else {}
    return Job(rule, name, wildcards, inputs, (*outputs, f"results/stamps/{rule}/{name or rule}.json"), (), params)


TRAIN = [
    job("train", "toy-bot-blur-seed0", ("m.csv", "images"), ("a/model.pt",), spec='{"epochs": 1}', code="c0de"),
    job("train", "viper-bot-blur-seed0", ("v.csv", "viper", "splits.csv"), ("b/model.pt",), spec="{}", code="c0de"),
]
TABLE = job(
    "table", "table3", ("a/model.pt", "b/model.pt"), ("results/tables/table3.csv", "results/tables/table3.json")
)
TTEST = job("ttest", "", ("results/tables/table3.csv",), ("results/statistics/ttest.csv",))


# --- names and text ---


@pytest.mark.parametrize(
    ("of", "name"), [(TRAIN[0], "train@toy-bot-blur-seed0"), (TABLE, "table3"), (TTEST, "ttest")], ids=str
)
def test_a_person_can_type_a_stage(of: Job, name: str) -> None:
    assert stage_name(of) == name


def test_paths_follow_from_wildcards_or_are_listed_and_a_shorter_list_of_inputs_fills_the_template() -> None:
    train = yaml.safe_load(pipeline_texts([*TRAIN, TABLE], ["config/test.yaml"])[cells.PIPELINE])["stages"]["train"]
    assert train["foreach"] == {
        "toy-bot-blur-seed0": ["toy", "m.csv", "images", "images", "a/model.pt"],
        "viper-bot-blur-seed0": ["viper", "v.csv", "viper", "splits.csv", "b/model.pt"],
    }
    assert train["do"]["deps"] == [
        "results/settings/train/${key}.json", "${item[1]}", "${item[2]}", "${item[3]}",
    ]  # fmt: skip
    outs = [name for out in train["do"]["outs"] for name in out]
    assert outs == ["${item[4]}", "results/stamps/train/${item[0]}-bot-blur-seed0.json"]


@pytest.mark.parametrize(
    ("paths", "values", "template"),
    [
        (["m/a/b.npz", "m/c/b.npz"], [["a", "b"], ["c", "b"]], "m/${item[0]}/${item[1]}.npz"),
        (["m/a-vs-b.csv", "m/c-vs-c.csv"], [["a", "b"], ["c", "c"]], "m/${item[0]}-vs-${item[1]}.csv"),
        (["a/blur_half", "a/blur"], [["a", "blur_half"], ["a", "blur"]], "${item[0]}/${item[1]}"),
        (["blur_half/x", "blur/x"], [["blur", "x"], ["blur", "x"]], None),
        (["data/a", "other/b"], [["a"], ["b"]], None),
        (["data/a", "data/a/b"], [["a"], ["a"]], None),
    ],
)
def test_a_template_gives_every_path_or_there_is_none(
    paths: list[str], values: list[list[str]], template: str | None
) -> None:
    assert cells._composed(paths, values) == template


@pytest.mark.parametrize(("value", "text"), [("bot", "bot"), ("0001", '"0001"'), ("no", '"no"'), ("1.5", '"1.5"')])
def test_names_stay_texts(value: str, text: str) -> None:
    assert cells._text(value) == text


def test_pictures_of_real_people_are_not_uploaded() -> None:
    """Nor the originals that `unpack` writes; drawn people, numbers and networks are."""
    figure = job("figure1", "", ("m.csv",), ("results/figures/figure1.svg",), warning="REAL PEOPLE")
    drawn = job("figure2", "", ("m.csv",), ("results/figures/figure2.svg",), warning="")
    unpack = job("unpack", "cuhk-", (), ("results/images/cuhk/original",), boxes="detected")
    texts = pipeline_texts([figure, drawn, unpack, TTEST], [])
    stages = yaml.safe_load(texts[cells.PIPELINE])["stages"]

    def pushed(outs: list[dict[str, dict[str, bool]]]) -> set[bool]:
        return {settings.get("push", True) for out in outs for settings in out.values()}

    assert pushed(stages["figure1"]["outs"]) == pushed(stages["unpack"]["do"]["outs"]) == {False}
    assert pushed(stages["figure2"]["outs"]) == pushed(stages["ttest"]["outs"]) == {True}


def test_commands_hold_neither_cores_nor_the_configuration() -> None:
    texts = pipeline_texts([*TRAIN, TABLE], ["config/test.yaml"])
    command = yaml.safe_load(texts[cells.PIPELINE])["stages"]["table3"]["cmd"]
    assert command.split() == ["snakemake", "--profile", cells.PROFILE, "--force", "--allowed-rules", "table", "--",
                               "results/tables/table3.csv"]  # fmt: skip
    profile = yaml.safe_load(texts[f"{cells.PROFILE}/config.yaml"])
    assert (profile["configfile"], profile["cores"]) == (["config/test.yaml"], "all")


def test_the_report_stands_on_what_nothing_else_reads() -> None:
    stages = yaml.safe_load(pipeline_texts([*TRAIN, TABLE, TTEST], [])[cells.PIPELINE])["stages"]
    assert stages[REPORT]["deps"] == ["results/statistics/ttest.csv", "results/tables/table3.json"]


def test_two_stages_of_one_name_are_refused() -> None:
    one = job("train", "a-b-c", outputs=("x",))
    with pytest.raises(ConfigError, match=r"two stages of DVC would be named 'train@a-b-c' \(x, y\): rename"):
        pipeline_texts([one, job("train", "a-b-c", outputs=("y",))], [])
    with pytest.raises(ConfigError, match="named 'train'"):
        pipeline_texts([one, job("table", "t", outputs=("results/tables/train.csv",))], [])
    with pytest.raises(ConfigError, match="named 'plan'"):
        pipeline_texts([job("table", "t", outputs=("results/tables/plan.csv",))], [])
    with pytest.raises(ConfigError, match=r"'train@a b-c' cannot be the name of a stage"):
        pipeline_texts([job("train", "a b-c", outputs=("x",))], [])


def test_config_files_are_inside_the_repository(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"/etc/hosts: outside .* put it into config/"):
        write_pipeline(["/etc/hosts"], tmp_path)
    with pytest.raises(ConfigError, match=r"config/none.yaml: there is no such file"):
        write_pipeline(["config/none.yaml"], tmp_path)
    (tmp_path / OPTIONS).parent.mkdir(parents=True)
    (tmp_path / OPTIONS).write_text("seeds: [1]")
    with pytest.raises(ConfigError, match=r"options.yaml: what `--config` set. DVC needs it in a file below config/"):
        write_pipeline([OPTIONS], tmp_path)


# --- settings ---


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A folder with the pipeline and the settings of two trainings."""
    for file, text in pipeline_texts(TRAIN, []).items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    write_settings(tmp_path, TRAIN)
    return tmp_path


def test_settings_are_readable(written: Path) -> None:
    file = written / settings_file(TRAIN[0])
    assert file == written / "results/settings/train/toy-bot-blur-seed0.json"
    assert json.loads(file.read_text()) == {"spec": {"epochs": 1}, "code": "c0de"}


def test_settings_that_stay_the_same_are_not_touched(written: Path) -> None:
    files = [written / settings_file(training) for training in TRAIN]
    for file in files:
        os.utime(file, (1, 1))
    changed = job("train", TRAIN[0].name, TRAIN[0].inputs, ("a/model.pt",), spec='{"epochs": 2}', code="c0de")
    old = written / "results/settings/train/gone.json"
    old.write_text("{}")
    write_settings(written, [changed, TRAIN[1]])
    assert json.loads(files[0].read_text())["spec"] == {"epochs": 2}
    assert files[0].stat().st_mtime > 1
    assert files[1].stat().st_mtime == 1
    assert not old.exists()


def test_a_pipeline_of_other_jobs_is_refused(written: Path) -> None:
    with pytest.raises(ConfigError, match=r"dvc.yaml: written for another .* Run `anonbench dvc-cells`"):
        write_settings(written, TRAIN[:1])


# --- drift: DVC's own reading of the text, and Snakemake's graph ---


@functools.cache
def jobs_of(overlay: tuple[str, ...]) -> list[Job]:
    return workflow_jobs([ROOT / file for file in overlay], root=ROOT)


def test_jobs_without_parameters_are_the_same_jobs() -> None:
    overlay = ("config/test.yaml",)
    bare = workflow_jobs([ROOT / file for file in overlay], root=ROOT, params=False)
    assert all(job.params == {} for job in bare)
    assert bare == [dataclasses.replace(job, params={}) for job in jobs_of(overlay)]


def dvc_stages(root: Path) -> dict[str, tuple[str, set[str], set[str]]]:
    """Name -> command, inputs, outputs, as DVC resolves dvc.yaml."""
    from dvc.dependency.param import ParamsDependency
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        return {
            stage.name: (
                stage.cmd,
                {dep.def_path for dep in stage.deps if not isinstance(dep, ParamsDependency)},
                {out.def_path for out in stage.outs},
            )
            for stage in repo.index.stages
            if not stage.is_data_source
        }


@pytest.mark.parametrize("overlay", [(), ("config/test.yaml",), ("config/paper.yaml",)], ids=str)
def test_dvc_and_snakemake_have_one_graph(
    overlay: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    jobs = jobs_of(overlay)
    repository = tmp_path / "repository"
    for file, text in pipeline_texts(jobs, overlay).items():
        (repository / file).parent.mkdir(parents=True, exist_ok=True)
        (repository / file).write_text(text)
    subprocess.run(["git", "init", "--quiet", repository], check=True)
    (repository / ".dvc").mkdir()
    stages = dvc_stages(repository)
    assert stages.keys() == {PLAN, REPORT, *map(stage_name, jobs)}
    produced = {path for j in jobs for path in j.outputs}
    for j in jobs:
        command, inputs, outputs = stages[stage_name(j)]
        assert outputs == set(j.outputs), stage_name(j)
        assert inputs == {settings_file(j), *j.inputs}, stage_name(j)
        words = command.split()
        assert words[words.index("--allowed-rules") + 1 :] == [j.rule, "--", j.outputs[0]]
    assert stages[REPORT][1] <= produced
    if overlay == ("config/paper.yaml",):
        raw = {dep for _, inputs, _ in stages.values() for dep in inputs if dep.startswith("data/raw/")}
        assert raw == {f"data/raw/{name}" for name in ("airport", "cuhk03", "dukemtmcreid", "market1501", "viper")}


def test_the_committed_pipeline_is_that_of_the_workflow() -> None:
    files = configfiles_in_force(ROOT)
    jobs = jobs_of(tuple(files))
    for file, text in pipeline_texts(jobs, files).items():
        assert (ROOT / file).read_text() == text, f"{file} is not up to date: `anonbench dvc-cells`"


def test_a_fresh_clone_builds_what_snakemake_builds_and_no_lock_of_a_trial_is_in_git() -> None:
    assert configfiles_in_force(ROOT) == [], "dvc.yaml in git is that of config/default.yaml"
    tracked = subprocess.run(["git", "ls-files", "dvc.lock"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert tracked.stdout == "", "only locks of real studies belong in git (docs/dvc.md)"


def test_code_is_no_input_of_the_plan() -> None:
    plan = yaml.safe_load(pipeline_texts(TRAIN, [])[cells.PIPELINE])["stages"][PLAN]
    assert "deps" not in plan
    assert plan["always_changed"], "it finds out itself what the code of each cell is"


def test_dvc_removes_nothing_before_a_command_has_run() -> None:
    """A command that refuses must find everything as it was."""
    stages = yaml.safe_load(pipeline_texts([*TRAIN, TABLE, TTEST], [])[cells.PIPELINE])["stages"]
    outs = [out for stage in stages.values() for out in stage.get("do", stage).get("outs", [])]
    assert outs
    assert all(flags == {"persist": True} for out in outs for flags in out.values())
