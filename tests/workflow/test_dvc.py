"""DVC over Snakemake, once through on a temporary clone: record, push, clone, pull, adopt, lose, rebuild, change, try.

The tests stand in the order of docs/dvc.md and each goes on from the one before.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from anonbench.ops.dag import workflow_jobs
from anonbench.ops.dvc.cells import stage_name

REPOSITORY = Path(__file__).parents[2]
CONFIG = "config/trial.yaml"
# config/test.yaml cut down to one dataset and one network.
OVERLAY = """\
face_images:
  crowd-rendered: {detectors: []}
datasets:
  market1501-rendered:
    render: {train_identities: 6, test_identities: 6, cameras: 3, junk: 2, distractors: 3, clothes_group: 2}
recipes:
  demo: {epochs: 1, batch_size: 16}
models:
  bot: {seeds: [0]}
variants:
  zero: {box_scale: 1.0}
tables:
  table3: {models: [bot]}
  table8: {variants: [blur, zero]}
build: [table3, table8]
statistics: {resamples: 200}
figures:
  people: 2
  dose_response: {table: table5}
"""
BOT = "market1501-rendered-bot"
MODEL = "results/models/market1501-rendered/bot/blur/seed0/model.pt"
# What stands on the images of `zero`, which table3 does not show.
ZERO = {
    "anonymize@market1501-rendered-zero", f"train@{BOT}-zero-seed0",
    f"embed@{BOT}-original-zero-seed0", f"embed@{BOT}-zero-zero-seed0",
    f"evaluate@{BOT}-original-zero-seed0", f"evaluate@{BOT}-zero-zero-seed0",
    "table8", "cells", "noise", "faces", "statistics", "differences_map", "differences_rank1", "faces_table3",
    "figure2", "variants",
}  # fmt: skip
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Clone:
    """A repository in which the tools of this environment run, with the package of its own."""

    root: Path

    def run(self, *command: str, status: int = 0) -> str:
        """stdout and stderr of a command, which must end with `status`."""
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.root),
            "DVC_SITE_CACHE_DIR": str(self.root.parent / "site"),
            "OMP_NUM_THREADS": "1",
            **{
                f"GIT_{who}_{what}": "trial@example.org"
                for who in ("AUTHOR", "COMMITTER")
                for what in ("NAME", "EMAIL")
            },
        }
        done = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def planned(self) -> set[str]:
        """The stages whose jobs Snakemake would run."""
        text = self.run("snakemake", "--dry-run", "--cores", "1", "--configfile", CONFIG)
        first = set(re.findall(r"^ +output: ([^,\n]+)", text, flags=re.MULTILINE))
        if not first:
            assert "Nothing to be done" in text
        return {name for output, name in self.stages().items() if output in first}

    def stages(self) -> dict[str, str]:
        """First output of a job -> its stage."""
        return stages_of(self.root)

    def stale(self) -> set[str]:
        """The stages that DVC finds changed, those made from them not yet among them.

        `plan` always runs, which is no change.
        """
        found = json.loads(self.run("dvc", "status", "--json"))
        return {name for name, changes in found.items() if changes != ["always changed"]}

    def repro(self, *arguments: str) -> list[str]:
        """The stages that `dvc repro` ran."""
        return re.findall(r"^Running stage '(.+)'", self.run("dvc", "repro", *arguments), flags=re.MULTILINE)

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)


@functools.cache
def stages_of(root: Path) -> dict[str, str]:
    return {job.outputs[0]: stage_name(job) for job in workflow_jobs([root / CONFIG], root=root)}


def md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("dvc")
    yield path
    shutil.rmtree(path)  # 1 GB of networks


@pytest.fixture(scope="module")
def made(folder: Path) -> Clone:
    """A clone in which plain Snakemake has made everything and DVC knows nothing of it."""
    clone = Clone(folder / "made")
    files = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(files, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (REPOSITORY / name).is_file() and name != "dvc.lock":
            (clone.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, clone.root / name)
    (clone.root / CONFIG).write_text(OVERLAY)
    clone.run("git", "init", "--quiet")
    clone.run("snakemake", "--cores", "2", "--configfile", CONFIG)
    return clone


@pytest.fixture(scope="module")
def recorded(made: Clone) -> Clone:
    """The same with dvc.lock committed and everything pushed to a remote that is a folder."""
    text = made.run("anonbench", "record")
    assert f"configuration of the last run: {CONFIG}" in text
    assert "0 files are not there or not up to date" in text
    made.run("dvc", "remote", "add", "--default", "store", str(made.root.parent / "store"))
    made.commit("As made by Snakemake")
    made.run("dvc", "push", "--quiet")
    return made


@pytest.fixture(scope="module")
def pulled(recorded: Clone) -> Clone:
    """A fresh clone with everything pulled."""
    clone = Clone(recorded.root.parent / "pulled")
    recorded.run("git", "clone", "--quiet", ".", str(clone.root))
    clone.run("dvc", "pull", "--quiet")
    return clone


def test_dvc_replaces_nothing_of_another_configuration(made: Clone) -> None:
    """dvc.yaml is that of config/default.yaml as cloned, and Snakemake ran another."""
    stage = "evaluate@market1501-rendered-bot-original-original-seed0"
    before = {file: md5(file) for file in (made.root / "results").rglob("*.*") if file.is_file()}
    for command in ((stage,), ("--force", "--single-item", stage)):
        text = made.run("dvc", "repro", *command, status=255)
        assert f"the artifacts below results/ are those of {CONFIG}" in text
        assert "dvc.yaml is that of config/default.yaml" in text
    assert {file: md5(file) for file in before} == before


def test_record_runs_nothing_and_changes_nothing(recorded: Clone) -> None:
    assert recorded.stale() == set()
    assert recorded.planned() == set()


def test_a_fresh_clone_is_adopted(pulled: Clone) -> None:
    assert pulled.planned(), "Snakemake would make again what it finds dated at random"
    assert "0 stale, to be made again\n0 not here" in pulled.run("anonbench", "adopt")
    assert pulled.planned() == set()
    pulled.run("anonbench", "verify", "--configfile", CONFIG)


def test_only_what_one_cell_needs_is_pulled(recorded: Clone) -> None:
    clone = Clone(recorded.root.parent / "part")
    recorded.run("git", "clone", "--quiet", ".", str(clone.root))
    clone.run("dvc", "pull", "--quiet", f"embed@{BOT}-original-original-seed0", f"train@{BOT}-original-seed0")
    present = {
        file.relative_to(clone.root).as_posix() for file in (clone.root / "results").rglob("*.*") if file.is_file()
    }
    assert {path for path in present if not path.startswith("results/stamps/")} == {
        "results/README.md",  # git's
        "results/features/market1501-rendered/bot/original/seed0/original.npz",
        *(f"results/models/market1501-rendered/bot/original/seed0/{name}" for name in ("model.pt", "history.csv")),
    }
    shutil.rmtree(clone.root)


def test_a_lost_model_comes_back_from_the_cache_or_is_trained_again(pulled: Clone) -> None:
    model, stage = pulled.root / MODEL, f"train@{BOT}-blur-seed0"
    before = md5(model)
    model.unlink()
    pulled.run("dvc", "checkout", "--quiet", stage)
    assert md5(model) == before
    pulled.run("anonbench", "adopt")
    assert pulled.planned() == set()
    model.unlink()
    assert pulled.repro("--force", "--single-item", stage) == [stage]
    assert md5(model) == before, "the same seed gives the same weights"
    assert pulled.repro(f"evaluate@{BOT}-blur-blur-seed0") == ["plan"]
    pulled.run("anonbench", "adopt")
    assert pulled.planned() == set()


def test_a_changed_parameter_reaches_its_descendants_alone(pulled: Clone) -> None:
    config = pulled.root / CONFIG
    config.write_text(config.read_text().replace("box_scale: 1.0", "box_scale: 1.5"))
    assert pulled.planned() == ZERO, "Snakemake knows the parameters of what it adopted"
    assert pulled.stale() == {"plan"}
    pulled.run("anonbench", "dvc-settings")
    assert pulled.stale() == {"plan", "anonymize@market1501-rendered-zero"}
    assert "config/trial.yaml  variants.zero.box_scale  1.0     1.5" in pulled.run("dvc", "params", "diff")


def test_one_cell_runs_its_chain_alone(pulled: Clone) -> None:
    cell = f"evaluate@{BOT}-original-zero-seed0"
    chain = ["plan", "anonymize@market1501-rendered-zero", f"embed@{BOT}-original-zero-seed0", cell]
    assert pulled.repro(cell) == chain
    ran = {*chain[1:], *pulled.repro("table8")[1:]}
    remaining = pulled.stale() - {"plan", "report"}
    assert remaining < ZERO - ran, "what stands on them, and nothing else, is left to do"
    assert "table3" not in pulled.run("dvc", "metrics", "diff")
    changed = pulled.run("dvc", "metrics", "diff", "--all")
    assert "results/tables/table8.json" in changed
    assert "zero.map_anon_anon" in changed


def test_what_is_stale_is_not_adopted(pulled: Clone) -> None:
    shutil.rmtree(pulled.root / ".snakemake/metadata")
    text = pulled.run("anonbench", "adopt")
    assert "stale, to be made again\n  cells\n" in text
    assert {"cells", "noise", "faces", "figure2"} <= pulled.planned() <= ZERO
    pulled.run("snakemake", "--cores", "2", "--configfile", CONFIG)
    pulled.run("anonbench", "record")
    assert (pulled.stale(), pulled.planned()) == (set(), set())
    pulled.commit("Larger boxes")


def test_an_experiment_tries_another_parameter(pulled: Clone) -> None:
    stage = "anonymize@market1501-rendered-zero"
    text = pulled.run(
        "dvc", "exp", "run", "--name", "trial", "--set-param", f"{CONFIG}:variants.zero.box_scale=2.0", stage
    )
    assert re.findall(r"^Running stage '(.+)'", text, flags=re.MULTILINE) == ["plan", stage]
    assert "variants.zero.box_scale  1.5     2.0" in pulled.run("dvc", "params", "diff")
    assert "box_scale" in (pulled.root / "results/stamps/anonymize/market1501-rendered/zero.json").read_text()
    assert "trial" in pulled.run("dvc", "exp", "list")
    pulled.run("git", "checkout", "--quiet", ".")
    pulled.run("dvc", "checkout", "--quiet")
    assert pulled.stale() == set()


def test_curves_of_two_commits_are_drawn_together(pulled: Clone) -> None:
    curve = "results/metrics/market1501-rendered/bot/zero/seed0/zero-vs-zero.cmc.csv"
    pulled.run("dvc", "plots", "diff", "HEAD~1", "HEAD", "--targets", curve, "--out", "plots")
    page = (pulled.root / "plots/index.html").read_text()
    assert '"rev": "HEAD~1"' in page
    assert '"rev": "HEAD"' in page
