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
from pathlib import Path

import pandas as pd
import pytest
import yaml
from workplace import Run, Workplace, copy_of_repository, planned

REPOSITORY = Path(__file__).parents[2]
DATASET = "market1501-rendered"
BUILT = ("table1", "table2", "table3", "table5", "table8")
TABLES = tuple(f"results/tables/{name}.csv" for name in (*BUILT, "untrained"))
STATISTICS = tuple(
    f"results/statistics/{name}"
    for name in ("ttest.csv", "effects.csv", "cells.csv", "noise.csv", "faces.csv", "published.csv", "statistics.md")
)
DRAWN = ("figure1", "figure2", "settings", "differences_map", "differences_rank1", "cmc_table3", "cmc_table5",
         "faces_table3", "faces_table5", "dose_response", "ranked")  # fmt: skip
FIGURES = ("results/figures/variants.png", *(f"results/figures/{name}.svg" for name in DRAWN))
MARKS = ("ranking", "trial", "learnt")  # how a row was ranked, and what to make of its network
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """The repository as a clone would hold it."""
    with copy_of_repository(tmp_path_factory.mktemp("workflow")) as workplace:
        yield workplace


@pytest.fixture(scope="module")
def first_plan(fresh: Workplace) -> Run:
    """A dry run when nothing has been made yet."""
    return fresh.snakemake("--dry-run")


@pytest.fixture(scope="module")
def before(first_plan: Run) -> set[str]:
    """What it lists."""
    return planned(first_plan)


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
    """Everything that stands on the images of one variant of table8: its own trainings and both of its settings."""
    models, metrics, features = (f"results/{kind}/{DATASET}/bot" for kind in ("models", "metrics", "features"))
    paths = {f"results/images/{DATASET}/{variant}"}
    for run in ("seed0", "seed1"):
        paths |= {
            f"{models}/{variant}/{run}/model.pt",
            *(f"{features}/{train}/{run}/{variant}.npz" for train in ("original", variant)),
            *(f"{metrics}/{train}/{run}/{variant}-vs-{variant}.json" for train in ("original", variant)),
        }
    return paths | SHOWING_TABLE8


# What shows the metrics of table8, its images, or statistics that they enter.
SHOWING_TABLE8 = {
    "results/tables/table8.csv",
    *(f"results/statistics/{name}" for name in ("cells.csv", "noise.csv", "faces.csv", "statistics.md")),
    "results/figures/variants.png",
    *(f"results/figures/{name}.svg" for name in ("figure2", "differences_map", "differences_rank1")),
    *(f"results/figures/faces_{table}.svg" for table in ("table3", "table5")),
}


# --- before anything has been made ---


def test_the_copy_runs_its_own_package(fresh: Workplace) -> None:
    for command in ([sys.executable, "-c", "import anonbench; print(anonbench.__file__)"],):
        done = subprocess.run(command, cwd="/", env=fresh.environment(), capture_output=True, text=True, check=True)
        assert Path(done.stdout.strip()) == fresh.root / "anonbench/__init__.py"


def test_a_dry_run_plans_everything_once(before: set[str]) -> None:
    trained = {
        (DATASET, "bot", v, run) for v in ("untrained", "original", "blur", "zero") for run in ("seed0", "seed1")
    }
    trained |= {(DATASET, "resnet50mid", v, "seed0") for v in ("untrained", "original", "blur")}
    runs = ("split0-seed0", "split1-seed0")
    trained |= {("viper-rendered", "resnet50mid", v, run) for v in ("original", "blur_default_box") for run in runs}
    assert {p for p in before if p.endswith("model.pt")} == {
        "results/face_detectors/tinyfaces_small/model.pt",
        *("/".join(("results/models", *names, "model.pt")) for names in trained),
    }
    assert {p for p in before if p.startswith("results/images/")} == {
        *(f"results/images/{DATASET}/{variant}" for variant in ("blur", "zero", "blur_half", "pixelate", "pixelate_2")),
        "results/images/viper-rendered/blur_default_box",
    }
    assert {*TABLES, *STATISTICS, *FIGURES} <= before
    assert {f"data/rendered/{DATASET}", f"results/manifests/{DATASET}/original.csv"} <= before
    assert f"results/detections/{DATASET}/centerface.csv" in before
    assert f"results/detections/{DATASET}/annotated.csv" not in before, "no table asks for it"
    assert not [p for p in before if "airport" in p], "no table that is built asks for it"


def test_no_job_is_planned_twice(first_plan: Run, before: set[str]) -> None:
    total = re.search(r"^total +(\d+)", first_plan.text, flags=re.MULTILINE)
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
    command = [sys.executable, "-m", "snakefmt", "--check", "Snakefile", "workflow"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- what it makes ---


def test_table3_has_a_row_a_model_in_the_order_of_the_config(finished: Workplace) -> None:
    table = pd.read_csv(finished.root / "results/tables/table3.csv")
    scores = [f"{m}_{s}" for s in ("orig_orig", "orig_anon", "anon_anon") for m in ("map", "rank1")]
    assert list(table.columns) == ["data", "model", *scores, "runs", *(f"{c}_se" for c in scores), *MARKS]
    assert table.model.tolist() == ["resnet50mid", "bot"]
    assert table.runs.tolist() == [1, 2]
    assert set(table.data) == {DATASET}
    assert table[scores].apply(lambda c: c.between(0, 100)).all(axis=None)
    assert table.map_anon_anon_se.notna().tolist() == [False, True]


def test_table8_has_a_row_an_anonymizer_in_the_order_of_the_config(finished: Workplace) -> None:
    table = pd.read_csv(finished.root / "results/tables/table8.csv")
    scores = [f"{m}_{s}" for s in ("orig_anon", "anon_anon") for m in ("map", "rank1")]
    errors = [f"{score}_se" for score in scores]
    assert list(table.columns) == ["data", "anonymizer", *scores, "runs", *errors, "model", *MARKS]
    assert table.anonymizer.tolist() == ["blur", "zero"]
    assert table[scores].apply(lambda c: c.between(0, 100)).all(axis=None)


def test_both_tables_show_the_same_numbers_for_the_same_setting(finished: Workplace) -> None:
    three, eight = (pd.read_csv(finished.root / f"results/tables/table{n}.csv") for n in (3, 8))
    shared = ["map_orig_anon", "rank1_orig_anon", "map_anon_anon", "rank1_anon_anon"]
    assert (
        three[three.model == "bot"][shared].values.tolist() == eight[eight.anonymizer == "blur"][shared].values.tolist()
    )


def test_cells_are_the_metrics_in_percent(finished: Workplace) -> None:
    metrics = [
        json.loads((finished.root / f"results/metrics/{DATASET}/bot/original/{run}/zero-vs-zero.json").read_text())
        for run in ("seed0", "seed1")
    ]
    table = pd.read_csv(finished.root / "results/tables/table8.csv").set_index("anonymizer")
    assert table.loc["zero", "map_orig_anon"] == round(100 * (metrics[0]["map"] + metrics[1]["map"]) / 2, 2)
    assert table.loc["zero", "rank1_orig_anon"] == round(100 * (metrics[0]["rank1"] + metrics[1]["rank1"]) / 2, 2)
    assert metrics[0]["n_valid"] > 0


def test_each_split_of_viper_is_trained_and_tested_for_itself(finished: Workplace) -> None:
    runs = pd.read_csv(finished.root / "results/tables/table5.runs.csv")
    assert list(zip(runs.split, runs.seed, strict=True)) == [(0, 0), (1, 0)]
    folder = finished.root / "results/metrics/viper-rendered/resnet50mid/original"
    queries = [
        pd.read_csv(folder / f"split{k}-seed0/original-vs-original.queries.csv").path.str[:5].unique().tolist()
        for k in (0, 1)
    ]
    assert queries == [["cam_a"], ["cam_b"]]
    stored = pd.read_csv(finished.root / "results/manifests/viper-rendered/splits.csv")
    assert list(stored.columns) == ["path", *(f"split{k}" for k in range(20))]


def test_table1_and_table2_hold_the_printed_numbers_beside_ours(finished: Workplace) -> None:
    reported = pd.read_csv(finished.root / "results/tables/table1.csv").set_index(["data", "model"])
    assert reported.loc[(DATASET, "bot"), "map_reported"] == 94.2
    three = pd.read_csv(finished.root / "results/tables/table3.csv").set_index("model")
    assert reported.loc[(DATASET, "bot"), "map_rebuilt"] == three.loc["bot", "map_orig_orig"]
    counted = pd.read_csv(finished.root / "results/tables/table2.csv").set_index("data")
    assert counted.loc[DATASET, "published_train_images"] == 12936
    assert counted.loc[DATASET, "train_images"] == 6 * 3 * 2
    assert counted.loc["viper-rendered", "identities"] == 12


def test_readable_twins_say_that_the_people_are_rendered(finished: Workplace) -> None:
    for name in TABLES:
        for suffix in (".md", ".tex"):
            assert "rendered people" in (finished.root / name).with_suffix(suffix).read_text()
    for name in ("table3", "table8"):
        assert "means over seeds 0, 1" in (finished.root / f"results/tables/{name}.md").read_text()
        assert (finished.root / f"results/tables/{name}.compare.csv").is_file()


def test_the_page_of_conclusions_speaks_of_every_dataset_and_of_the_noise(finished: Workplace) -> None:
    text = (finished.root / "results/statistics/statistics.md").read_text()
    assert "not evidence about real ones" in text
    for words in (DATASET, "viper-rendered", "## The noise floor", "differ in the seed alone", "within ±1 point"):
        assert words in text
    contradictions = (finished.root / "results/statistics/published.md").read_text()
    for words in ("52.94", "55.05", "is 67.9, +9.5", "query and gallery are swapped"):
        assert words in contradictions


def test_statistics_and_figures(finished: Workplace) -> None:
    tests = pd.read_csv(finished.root / "results/statistics/ttest.csv")
    assert (tests.n == 3).all()  # two models on one dataset, one on the other
    assert len(tests) == 4  # two metrics, two contrasts
    for name in DRAWN:
        png, svg = (finished.root / f"results/figures/{name}{suffix}" for suffix in (".png", ".svg"))
        assert png.read_bytes().startswith(b"\x89PNG"), name
        assert "rendered people" in svg.read_text(), name
    untrained = pd.read_csv(finished.root / "results/tables/untrained.csv")
    assert untrained.model.tolist() == ["resnet50mid", "bot"]


def test_every_artifact_has_a_stamp_that_fits_it(finished: Workplace, before: set[str]) -> None:
    stamped = set()
    for file in sorted((finished.root / "results/stamps").rglob("*.json")):
        stamp = json.loads(file.read_text())
        assert re.fullmatch(r"[0-9a-f]{12}", stamp["code"])
        assert stamp["seconds"] >= 0
        for name, digest in stamp["outputs"].items():
            path = finished.root / name
            if path.is_dir():
                assert re.fullmatch(r"[0-9a-f]{64}", digest), name
            else:
                assert digest == hashlib.sha256(path.read_bytes()).hexdigest(), name
        stamped.add(next(iter(stamp["outputs"])))
    assert stamped == before


def test_verify_finds_nothing_to_complain_of(finished: Workplace) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "anonbench.cli", "verify", "--configfile", "config/test.yaml"],
        cwd=finished.root, env=finished.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(r"(\d+) artifacts: \1 ok\n", done.stdout)


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
        finished.edited("anonbench/training/fit.py", "\n# an afterthought\n"),
    ):
        assert finished.plan() == set()


def test_a_reworded_page_re_runs_that_page_alone(finished: Workplace) -> None:
    with finished.edited("anonbench/studies/reid_faces/statistics_page.py", "\nCLOSING = 'That is all.'\n"):
        assert finished.plan() == {"results/statistics/statistics.md"}


def test_an_edited_ranking_re_runs_no_training(finished: Workplace) -> None:
    with finished.edited("anonbench/tasks/reid/ranking.py", "\nNEW = 1\n"):
        plan = finished.plan()
    assert {p.split("/")[1] for p in plan} == {"metrics", "tables", "statistics", "figures"}


def test_a_changed_parameter_re_runs_its_variant_only(finished: Workplace, overlay: Path) -> None:
    overlay.write_text(yaml.safe_dump({"variants": {"zero": {"box_scale": 1.3}}}))
    assert finished.plan(overlay=overlay) == settings_of("zero")


MOSAIC = """
from dataclasses import dataclass
import numpy as np
from anonbench.anonymizers import ANONYMIZERS

@ANONYMIZERS.register("shade")
@dataclass(frozen=True)
class Shade:
    shade: int = 0

    def redact(self, image, region, rng):
        x0, y0, x1, y1 = region.pixels
        return np.full((y1 - y0, x1 - x0, 3), self.shade, np.uint8)
"""


def test_an_anonymizer_from_outside_adds_its_row_and_re_runs_nothing_else(
    finished: Workplace, overlay: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside_mosaic.py").write_text(MOSAIC)
    variant = {"method": "shade", "shade": 7, "detector": "centerface", "box_scale": 1.0, "jpeg_quality": 95}
    change = {
        "plugins": ["outside_mosaic"],
        "variants": {"mosaic": variant},
        "tables": {"table8": {"variants": ["blur", "zero", "mosaic"]}},
    }
    overlay.write_text(yaml.safe_dump(change))
    settings = {"overlay": overlay, "pythonpath": (tmp_path,)}
    assert finished.plan(**settings) == settings_of("mosaic")

    run = finished.snakemake("results/tables/table8.csv", **settings)  # type: ignore[arg-type]
    assert run.status == 0, run.text
    names = [
        sorted(p.name for p in (finished.root / f"results/images/{DATASET}/{variant}").rglob("*.jpg"))
        for variant in ("mosaic", "zero")
    ]
    assert names[0] == names[1]
    table = pd.read_csv(finished.root / "results/tables/table8.csv")
    assert table.anonymizer.tolist() == ["blur", "zero", "mosaic"]
    assert table.map_anon_anon.between(1, 100).all()
    compared = pd.read_csv(finished.root / "results/tables/table8.compare.csv")
    assert compared[compared.row == "mosaic"].published.isna().all(), "the paper has no such row"
    (tmp_path / "outside_mosaic.py").write_text(MOSAIC.replace("self.shade,", "self.shade + 1,"))
    assert finished.plan(**settings) == settings_of("mosaic"), "its code is an input, too"


TWO_HALVES = """
from pathlib import Path
from anonbench.datasets._listing import DatasetInfo, adapter, complete, list_files
from anonbench.datasets import PersonImage
from anonbench.datasets import DATASETS

INFO = DatasetInfo("Two halves", "two_halves", "  1_2_3.jpg  (person, camera, number)", "none", "ours", "Make it.")

@DATASETS.register("two_halves")
@adapter(INFO)
def read(root, *, first_test_person: int = 4):
    files = list_files(root, INFO)
    images = []
    for path in files:
        person, camera, number = map(int, Path(path).stem.split("_"))
        test = "query" if number == 0 else "gallery"
        images.append(PersonImage(path, person, camera, "train" if person < first_test_person else test))
    return complete(root, INFO, images, files, lambda path: "no image of the protocol")
"""


def test_a_dataset_from_outside_gets_a_table_of_its_own(finished: Workplace, overlay: Path, tmp_path: Path) -> None:
    (tmp_path / "two_halves.py").write_text(TWO_HALVES)
    mine = tmp_path / "my people"
    mine.mkdir()
    crops = pd.read_csv(finished.root / f"results/manifests/{DATASET}/original.csv")
    crops = crops[crops.pid > 0].sort_values(["pid", "camid", "split"], ascending=[True, True, False])
    for _, seen in crops.groupby(["pid", "camid"]):
        for number, row in enumerate(seen.itertuples()):
            source = finished.root / f"data/rendered/{DATASET}/{row.path}"
            shutil.copyfile(source, mine / f"{row.pid}_{row.camid}_{number}.jpg")
    before = {p.name: p.stat().st_mtime_ns for p in mine.iterdir()}
    change = {
        "plugins": ["two_halves"],
        "datasets": {"mine": {"format": "two_halves", "root": str(mine), "first_test_person": 7}},
        "tables": {"mine": {"rows": "models", "dataset": "mine", "models": ["bot"], "variants": ["blur"],
                            "published": None}},
    }  # fmt: skip
    overlay.write_text(yaml.safe_dump(change))
    run = finished.snakemake("results/tables/mine.csv", overlay=overlay, pythonpath=(tmp_path,))
    assert run.status == 0, run.text
    table = pd.read_csv(finished.root / "results/tables/mine.csv")
    assert table[["data", "model", "runs"]].values.tolist() == [["mine", "bot", 2]]
    assert table.map_orig_orig.between(1, 100).all()
    assert "rendered people" not in (finished.root / "results/tables/mine.md").read_text()
    assert {p.name: p.stat().st_mtime_ns for p in mine.iterdir() if p.suffix == ".jpg"} == before


def test_a_training_killed_in_the_middle_goes_on_in_the_next_run(finished: Workplace, overlay: Path) -> None:
    overlay.write_text(yaml.safe_dump({"recipes": {"demo_hacnn": {"epochs": 6}}}))
    cell = f"{DATASET}/hacnn/original/seed3"
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
