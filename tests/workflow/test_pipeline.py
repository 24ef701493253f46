"""The workflow: the whole pipeline once on config/test.yaml in a copy of the repository, then what a change re-runs.

The copy's package is the one that runs: PYTHONPATH comes before the editable installation.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
DATASET = "market1501-rendered"
TABLES = ("results/tables/table3.csv", "results/tables/table8.csv", "results/tables/untrained.csv")
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Run:
    """The end of a Snakemake run; text: stdout and stderr together."""

    status: int
    text: str


@dataclass(frozen=True)
class Workplace:
    """A copy of the repository's files in which the workflow runs."""

    root: Path

    def environment(self, *folders: Path) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (self.root, *folders)))}

    def snakemake(self, *arguments: str, config: str = "config/test.yaml", overlay: Path | None = None,
                  pythonpath: tuple[Path, ...] = ()) -> Run:  # fmt: skip
        files = [config, *([str(overlay)] if overlay else [])]
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", "2", *arguments, "--configfile", *files],
            cwd=self.root, env=self.environment(*pythonpath), capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip
        return Run(done.returncode, done.stdout + done.stderr)

    def plan(self, *arguments: str, **settings: object) -> set[str]:
        """The first output of every job that a dry run would start."""
        run = self.snakemake("--dry-run", *arguments, **settings)  # type: ignore[arg-type]
        assert run.status == 0, run.text
        return set(re.findall(r"^ +output: ([^,\n]+)", run.text, flags=re.MULTILINE))

    @contextlib.contextmanager
    def edited(self, file: str, change: str) -> Iterator[None]:
        """The text `change` at the end of a file, for a while."""
        path = self.root / file
        before = path.read_text(encoding="utf-8")
        path.write_text(before + change, encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(before, encoding="utf-8")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """The repository as a clone would hold it: nothing that git ignores."""
    root = tmp_path_factory.mktemp("workflow") / "anonbench"
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, names.split("\0")):
        if (REPOSITORY / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, root / name)
    yield Workplace(root)
    shutil.rmtree(root)  # 0.7 GB of networks


@pytest.fixture(scope="module")
def before(fresh: Workplace) -> set[str]:
    """What is planned when nothing has been made yet."""
    return fresh.plan()


@pytest.fixture(scope="module")
def finished(fresh: Workplace, before: set[str]) -> Workplace:
    """The same after the whole pipeline has run once."""
    run = fresh.snakemake()
    assert run.status == 0, run.text
    return fresh


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    return tmp_path / "overlay.yaml"


def settings_of(variant: str) -> set[str]:
    """Everything that stands on the images of one variant of table8: its own training and both of its settings."""
    models, metrics, features = (f"results/{kind}/{DATASET}/bot" for kind in ("models", "metrics", "features"))
    return {
        f"results/images/{DATASET}/{variant}",
        f"{models}/{variant}/seed0/model.pt",
        *(f"{features}/{train}/seed0/{variant}.npz" for train in ("original", variant)),
        *(f"{metrics}/{train}/seed0/{variant}-vs-{variant}.json" for train in ("original", variant)),
        "results/tables/table8.csv",
        "results/figures/variants.png",
    }


# --- before anything has been made ---


def test_the_copy_runs_its_own_package(fresh: Workplace) -> None:
    for command in ([sys.executable, "-c", "import anonbench; print(anonbench.__file__)"],):
        done = subprocess.run(command, cwd="/", env=fresh.environment(), capture_output=True, text=True, check=True)
        assert Path(done.stdout.strip()) == fresh.root / "anonbench/__init__.py"


def test_a_dry_run_plans_everything_once(before: set[str]) -> None:
    trained = {("bot", v) for v in ("untrained", "original", "blur", "zero")}
    trained |= {("resnet50mid", v) for v in ("untrained", "original", "blur")}
    assert {p for p in before if p.endswith("model.pt")} == {
        f"results/models/{DATASET}/{model}/{variant}/seed0/model.pt" for model, variant in trained
    }
    assert {p for p in before if p.startswith("results/images/")} == {
        f"results/images/{DATASET}/{variant}" for variant in ("blur", "zero")
    }
    assert {*TABLES, "results/statistics/ttest.csv", "results/figures/variants.png"} <= before
    assert {f"data/rendered/{DATASET}", f"results/manifests/{DATASET}/original.csv"} <= before
    assert f"results/detections/{DATASET}/centerface.csv" in before
    assert f"results/detections/{DATASET}/annotated.csv" not in before, "no table asks for it"


def test_no_job_is_planned_twice(fresh: Workplace, before: set[str]) -> None:
    total = re.search(r"^total +(\d+)", fresh.snakemake("--dry-run").text, flags=re.MULTILINE)
    assert total is not None
    assert int(total[1]) == len(before) + 1  # rule all has no output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"modles": {}}, "unknown key 'modles' at the top level: did you mean 'models'?"),
        ({"variants": {"blur": {"sigma_rl": 0.1}}}, "variants.blur: anonymizer 'gaussian_blur' has no parameter"),
        ({"models": {"bot": {"method": "bott"}}}, "models.bot: unknown model 'bott': did you mean 'bot'?"),
    ],
)
def test_a_config_that_cannot_be_used_stops_before_any_job(
    fresh: Workplace, overlay: Path, change: dict, message: str
) -> None:
    overlay.write_text(yaml.safe_dump(change))
    run = fresh.snakemake(overlay=overlay)
    assert run.status != 0
    assert message in run.text
    assert overlay.name in run.text
    assert "Traceback" not in run.text
    assert "rule render" not in run.text


def test_a_missing_real_dataset_stops_with_what_to_do(fresh: Workplace) -> None:
    run = fresh.snakemake("results/tables/table3.csv", config="config/paper.yaml")
    assert run.status != 0
    assert "datasets.market1501: there is no folder data/raw/market1501" in run.text
    assert "bounding_box_train" in run.text, "the layout"
    assert "http" in run.text, "who has it"
    assert "the rendered demo runs: snakemake --cores 2" in run.text
    assert "Traceback (most recent call last)" not in run.text
    assert not re.search(r"^rule \w+:", run.text, flags=re.MULTILINE), "no job was started"


def test_lint_is_clean(fresh: Workplace) -> None:
    run = fresh.snakemake("--lint")
    assert run.status == 0, run.text
    assert "your workflow is in a good condition" in run.text


def test_rules_are_formatted() -> None:
    command = [sys.executable, "-m", "snakefmt", "--check", "Snakefile", "workflow/rules"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- what it makes ---


def test_table3_has_a_row_a_model_in_the_order_of_the_config(finished: Workplace) -> None:
    table = pd.read_csv(finished.root / "results/tables/table3.csv")
    assert list(table.columns) == [
        "data", "model", "map_orig_orig", "rank1_orig_orig", "map_orig_anon", "rank1_orig_anon", "map_anon_anon",
        "rank1_anon_anon",
    ]  # fmt: skip
    assert table.model.tolist() == ["resnet50mid", "bot"]
    assert set(table.data) == {DATASET}
    assert table.drop(columns=["data", "model"]).apply(lambda c: c.between(0, 100)).all(axis=None)


def test_table8_has_a_row_an_anonymizer_in_the_order_of_the_config(finished: Workplace) -> None:
    table = pd.read_csv(finished.root / "results/tables/table8.csv")
    assert list(table.columns) == [
        "data", "anonymizer", "map_orig_anon", "rank1_orig_anon", "map_anon_anon", "rank1_anon_anon",
    ]  # fmt: skip
    assert table.anonymizer.tolist() == ["blur", "zero"]
    assert table.drop(columns=["data", "anonymizer"]).apply(lambda c: c.between(0, 100)).all(axis=None)


def test_both_tables_show_the_same_numbers_for_the_same_setting(finished: Workplace) -> None:
    three, eight = (pd.read_csv(finished.root / f"results/tables/table{n}.csv") for n in (3, 8))
    shared = ["map_orig_anon", "rank1_orig_anon", "map_anon_anon", "rank1_anon_anon"]
    assert (
        three[three.model == "bot"][shared].values.tolist() == eight[eight.anonymizer == "blur"][shared].values.tolist()
    )


def test_cells_are_the_metrics_in_percent(finished: Workplace) -> None:
    file = finished.root / f"results/metrics/{DATASET}/bot/original/seed0/zero-vs-zero.json"
    metrics = json.loads(file.read_text())
    table = pd.read_csv(finished.root / "results/tables/table8.csv").set_index("anonymizer")
    assert table.loc["zero", "map_orig_anon"] == round(100 * metrics["map"], 2)
    assert table.loc["zero", "rank1_orig_anon"] == round(100 * metrics["rank1"], 2)
    assert metrics["n_valid"] > 0


def test_markdown_twins_say_that_the_people_are_rendered(finished: Workplace) -> None:
    for name in TABLES:
        text = (finished.root / name).with_suffix(".md").read_text()
        assert "rendered people" in text
        assert "seeds 0" in text


def test_statistics_and_picture(finished: Workplace) -> None:
    tests = pd.read_csv(finished.root / "results/statistics/ttest.csv")
    assert (tests.n == 2).all()  # two models on one dataset
    assert len(tests) == 4  # two metrics, two contrasts
    assert (finished.root / "results/figures/variants.png").read_bytes().startswith(b"\x89PNG")
    untrained = pd.read_csv(finished.root / "results/tables/untrained.csv")
    assert untrained.model.tolist() == ["resnet50mid", "bot"]


def test_every_artifact_has_a_stamp_that_fits_it(finished: Workplace, before: set[str]) -> None:
    stamped = {}
    for file in sorted((finished.root / "results/stamps").rglob("*.json")):
        stamp = json.loads(file.read_text())
        assert re.fullmatch(r"[0-9a-f]{12}", stamp["code"])
        assert stamp["seconds"] >= 0
        for name, digest in stamp["outputs"].items():
            path = finished.root / name
            assert digest == (None if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest())
            stamped[name] = file
    assert set(stamped) == before


def test_nothing_half_written_or_kept_for_later_is_left(finished: Workplace) -> None:
    assert not list(finished.root.rglob("*.partial"))
    assert not list((finished.root / "results").rglob("state.pt"))


# --- what a change re-runs ---


def test_a_second_run_does_nothing(finished: Workplace) -> None:
    run = finished.snakemake()
    assert run.status == 0
    assert "Nothing to be done" in run.text


def test_an_edited_anonymizer_re_runs_only_what_stands_on_it(finished: Workplace) -> None:
    with finished.edited("anonbench/anonymizers/zero.py", "\nSHADE = 0\n"):
        assert finished.plan() == settings_of("zero")


def test_a_comment_and_a_docstring_re_run_nothing(finished: Workplace) -> None:
    with (
        finished.edited("anonbench/anonymizers/zero.py", "\n# black is beautiful\n"),
        finished.edited("anonbench/training/engine.py", "\n# an afterthought\n"),
    ):
        assert finished.plan() == set()


def test_an_edited_ranking_re_runs_no_training(finished: Workplace) -> None:
    with finished.edited("anonbench/evaluation/ranking.py", "\nNEW = 1\n"):
        plan = finished.plan()
    assert {p.split("/")[1] for p in plan} == {"metrics", "tables", "statistics"}


def test_a_changed_parameter_re_runs_its_variant_only(finished: Workplace, overlay: Path) -> None:
    overlay.write_text(yaml.safe_dump({"variants": {"zero": {"box_scale": 1.3}}}))
    assert finished.plan(overlay=overlay) == settings_of("zero")


MOSAIC = """
from dataclasses import dataclass
import numpy as np
from anonbench.registry import ANONYMIZERS

@ANONYMIZERS.register("mosaic")
@dataclass(frozen=True)
class Mosaic:
    shade: int = 0

    def redact(self, image, box, rng):
        x0, y0, x1, y1 = box
        return np.full((y1 - y0, x1 - x0, 3), self.shade, np.uint8)
"""


def test_an_anonymizer_from_outside_adds_its_row_and_re_runs_nothing_else(
    finished: Workplace, overlay: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside_mosaic.py").write_text(MOSAIC)
    variant = {"method": "mosaic", "shade": 7, "detector": "centerface", "box_scale": 1.0, "jpeg_quality": 95}
    change = {
        "plugins": ["outside_mosaic"],
        "variants": {"mosaic": variant},
        "tables": {"table8": {"variants": ["blur", "zero", "mosaic"]}},
    }
    overlay.write_text(yaml.safe_dump(change))
    settings = {"overlay": overlay, "pythonpath": (tmp_path,)}
    assert finished.plan(**settings) == settings_of("mosaic")

    target = f"results/images/{DATASET}/mosaic"
    run = finished.snakemake(target, **settings)  # type: ignore[arg-type]
    assert run.status == 0, run.text
    assert sorted(p.name for p in (finished.root / target).rglob("*.jpg")) == sorted(
        p.name for p in (finished.root / f"results/images/{DATASET}/zero").rglob("*.jpg")
    )
    (tmp_path / "outside_mosaic.py").write_text(MOSAIC.replace("self.shade,", "self.shade + 1,"))
    assert finished.plan(**settings) == settings_of("mosaic"), "its code is an input, too"


def test_a_training_killed_in_the_middle_goes_on_in_the_next_run(finished: Workplace, overlay: Path) -> None:
    overlay.write_text(yaml.safe_dump({"recipes": {"demo": {"epochs": 6}}}))
    cell = f"{DATASET}/hacnn/original/seed1"
    target, state = f"results/models/{cell}/model.pt", finished.root / f"results/.resume/{cell}/state.pt"
    log = finished.root / f"logs/train/{cell}.log"
    command = [sys.executable, "-m", "snakemake", "--cores", "2", target, "--configfile", "config/test.yaml", overlay]
    with subprocess.Popen(
        command, cwd=finished.root, env=finished.environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 240
        while not state.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        (training,) = processes_with("train", state.parent.relative_to(finished.root), finished.root)
        os.kill(training, signal.SIGKILL)
        text = process.communicate(timeout=120)[0]
    assert process.returncode != 0
    assert "Error in rule train" in text
    assert state.exists(), "what the next run goes on from"
    assert not (finished.root / target).exists()

    run = finished.snakemake(target, overlay=overlay)
    assert run.status == 0, run.text
    assert re.search(r"continuing after epoch \d+ of 6", log.read_text())
    assert not state.exists()
    assert len(pd.read_csv(finished.root / f"results/models/{cell}/history.csv")) == 6


def processes_with(stage: str, resume: Path, cwd: Path) -> list[int]:
    """The Python processes in `cwd` that run a stage with a resume folder."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").resolve() == cwd.resolve():
                words = (entry / "cmdline").read_text().split("\0")
                if len(words) > 2 and words[2] == stage and str(resume) in words:
                    found.append(int(entry.name))
    return found
