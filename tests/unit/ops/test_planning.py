"""The estimate of a dry run: small cases worked by hand, the shipped rates, the paper's study planned without data."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from anonbench.config import merge, read_layer
from anonbench.ops.costs.finished import finished_trainings
from anonbench.ops.costs.rates import Rate, find_quantity, find_speed, read_rates
from anonbench.ops.costs.sizes import DatasetSize, dataset_size
from anonbench.ops.costs.work import MODEL_KEYS
from anonbench.ops.planning import PlannedJob, describe, describe_missing, estimate
from anonbench.rendered.plan import plan_crops
from anonbench.stages.render import read_spec
from anonbench.tasks.reid.checkpoint import save_network
from anonbench.tasks.reid.models._network import create_model

ROOT = Path(__file__).parents[3]
NOTHING = Rate("", "", {}, None, None, "", None, None, None, None, "measured: by hand")


def rate(stage: str, method: str, **values: Any) -> Rate:
    return dataclasses.replace(NOTHING, stage=stage, method=method, **values)


RATES = [
    rate("network", "net", feature_dim=8, model_mb=2.0),
    rate("train", "net", height=10, width=10, device="cpu", images_per_s=10.0),
    rate("train", "net", height=10, width=10, device="cuda", images_per_s=100.0, source="scaled: by hand"),
    rate("embed", "net", height=10, width=10, device="cpu", images_per_s=25.0),
    rate("embed", "net", height=10, width=10, device="cuda", images_per_s=250.0, source="scaled: by hand"),
    rate("detect", "finder", height=20, width=10, device="cpu", images_per_s=5.0),
    rate("anonymize", "blur", height=20, width=10, device="cpu", images_per_s=50.0),
    rate("image", "market1501", image_kb=4.0),
]
CONFIG: dict[str, Any] = {
    "device": "auto",
    "datasets": {"people": {"format": "market1501", "root": "data/raw/people", "published_as": "town"}},
    "detectors": {"faces": {"method": "finder", "threshold": 0.2}},
    "variants": {"blurred": {"method": "blur", "detector": "faces", "box_scale": 1.0, "jpeg_quality": 95}},
    "recipes": {"short": {"epochs": 3}},
    "models": {"small": {"method": "net", "input": [10, 10], "pretrained": False, "recipe": "short", "evaluation": {}}},
}
TRAIN = PlannedJob("train", {"dataset": "people", "model": "small", "train_variant": "original", "run": "seed0"})
UNTRAINED = PlannedJob("train", {**TRAIN.wildcards, "train_variant": "untrained"})
EMBED = PlannedJob("embed", {**TRAIN.wildcards, "any_variant": "original"})
DETECT = PlannedJob("detect", {"dataset": "people", "detector": "faces"})
ANONYMIZE = PlannedJob("anonymize", {"dataset": "people", "variant": "blurred"})


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """100 images for training, 20 + 30 for test."""
    file = tmp_path / "table2.csv"
    file.write_text("data,train_images,gallery_images,query_images\ntown,100,30,20\n")
    return file


def costs(jobs: Sequence[PlannedJob], config: dict[str, Any], tmp_path: Path, published: Path) -> Any:
    return estimate(jobs, config, RATES, tmp_path / "results", published)


# --- how many images ---


def test_a_manifest_comes_before_everything_else(tmp_path: Path, published: Path) -> None:
    manifest = tmp_path / "results/manifests/people/original.csv"
    manifest.parent.mkdir(parents=True)
    rows = ["a,1,1,train,4,8,0", "b,1,2,train,4,8,0", "c,2,1,query,4,8,0", "d,2,2,gallery,8,16,0"]
    manifest.write_text("\n".join(["path,pid,camid,split,width,height,sha256", *rows]))
    found = dataset_size("people", CONFIG["datasets"]["people"], tmp_path / "results", published)
    assert found == DatasetSize(train=2, test=2, pixels=(3 * 32 + 128) / 4, source="manifest")


@pytest.mark.parametrize(
    ("name", "train", "test"),
    [("market1501", 12_936, 23_100), ("cuhk03", 7_365, 6_732), ("viper", 316, 632)],
)
def test_table_2_counts_where_nothing_has_been_indexed(name: str, train: int, test: int, tmp_path: Path) -> None:
    found = dataset_size("any", {"format": name, "published_as": name}, tmp_path)
    assert found == DatasetSize(train, test, None, "Table II")


def test_airports_test_set_holds_everybody_else_unless_a_file_says_who(tmp_path: Path) -> None:
    entry = {"format": "airport", "published_as": "airport"}
    drawn = dataset_size("airport", entry, tmp_path)
    given = dataset_size("airport", {**entry, "split_file": "splits.csv"}, tmp_path)
    assert drawn == DatasetSize(3_493, 39_902 - 3_493, None, "Table II for training alone")
    assert given == DatasetSize(3_493, 2_420 + 1_003, None, "Table II")


RENDERED = [
    pytest.param(name, entry["render"], id=name)
    for name, entry in read_layer(ROOT / "config/default.yaml")["datasets"].items()
    if "render" in entry
]


@pytest.mark.parametrize(("name", "settings"), RENDERED)
def test_a_rendered_dataset_is_counted_from_its_settings(name: str, settings: dict, tmp_path: Path) -> None:
    found = dataset_size(name, {"render": settings, "published_as": "market1501"}, tmp_path)
    assert found is not None
    crops = plan_crops(read_spec(settings))
    assert found.images == len(crops)
    assert found.source == "rendering settings"
    if settings["layout"] in ("market1501", "dukemtmcreid"):
        assert found.train == sum(crop.path.startswith("bounding_box_train/") for crop in crops)
    assert 0 < found.train < found.images


def test_a_dataset_of_unknown_size_is_said_to_be_so(tmp_path: Path, published: Path) -> None:
    config = {**CONFIG, "datasets": {"people": {"format": "folder", "root": "/data/people"}}}
    assert dataset_size("people", config["datasets"]["people"], tmp_path) is None
    text = describe(costs([TRAIN], config, tmp_path, published))
    assert "images UNKNOWN, counted as nothing: people" in text


# --- how fast ---


def test_speed_of_the_method_itself_grows_with_the_pixels() -> None:
    same = find_speed(RATES, "train", "net", {}, "cpu", 100)
    doubled = find_speed(RATES, "train", "net", {}, "cpu", 200)
    assert same is not None
    assert doubled is not None
    assert (same.seconds, same.exact) == (0.1, True)
    assert (doubled.seconds, doubled.exact) == (0.2, True)


def test_the_nearest_input_size_is_the_one_that_is_scaled() -> None:
    rates = [*RATES, rate("train", "net", height=40, width=10, device="cpu", images_per_s=1.0)]
    found = find_speed(rates, "train", "net", {}, "cpu", 300)
    assert found is not None
    assert found.seconds == pytest.approx(1.0 * 300 / 400)


def test_other_parameters_and_other_methods_are_borrowed_and_not_called_exact() -> None:
    rates = [*RATES, rate("train", "slow", height=10, width=10, device="cpu", images_per_s=2.0)]
    other = find_speed(rates, "train", "net", {"depth": 3}, "cpu", 100)
    unknown = find_speed(rates, "train", "mine", {}, "cpu", 100)
    assert other is not None
    assert unknown is not None
    assert (other.seconds, other.exact) == (0.1, False)
    assert (unknown.seconds, unknown.exact) == (pytest.approx((0.1 + 0.5) / 2), False)
    assert find_speed(rates, "render", "render", {}, "cpu") is None


def test_a_plugin_that_nobody_measured_is_named(tmp_path: Path, published: Path) -> None:
    config = merge([CONFIG, {"models": {"small": {"method": "mine"}}}])
    plan = costs([TRAIN, EMBED], config, tmp_path, published)
    assert plan.assumed == {
        what: {"small"}
        for what in (
            "train on a GPU", "train on a CPU", "embed on a GPU", "embed on a CPU", "size of the checkpoint",
            "width of the features",
        )
    }  # fmt: skip
    assert "train on a GPU [small]" in describe(plan)


# --- what it costs ---


def test_each_kind_of_job_worked_by_hand(tmp_path: Path, published: Path) -> None:
    train, untrained, embed, detect, anonymize = costs(
        [TRAIN, UNTRAINED, EMBED, DETECT, ANONYMIZE], CONFIG, tmp_path, published
    ).costs
    assert (train.gpu_s, train.cpu_s, train.kind, train.size_bytes) == (3.0, 30.0, "models", 2e6)  # 100 x 3 / rate
    assert (untrained.gpu_s, untrained.cpu_s, untrained.size_bytes) == (0, 0, 2e6)
    assert (embed.gpu_s, embed.cpu_s) == (pytest.approx(0.2), 2.0)  # 50 / rate
    assert (embed.kind, embed.size_bytes) == ("features", 50 * 8 * 4)
    assert (detect.gpu_s, detect.cpu_s, detect.size_bytes) == (0, 30.0, 0)  # 150 / 5
    assert (anonymize.gpu_s, anonymize.cpu_s) == (0, 3.0)  # 150 / 50
    assert (anonymize.kind, anonymize.size_bytes) == ("images", 150 * 4000)


def test_jobs_of_other_rules_count_as_jobs_alone(tmp_path: Path, published: Path) -> None:
    plan = costs([PlannedJob("table", {"table": "table3"}), PlannedJob("all", {}), TRAIN], CONFIG, tmp_path, published)
    assert (plan.jobs, plan.trainings, plan.untrained, len(plan.costs)) == (3, 1, 0, 1)


@pytest.mark.parametrize(("device", "gpu_s", "cpu_s"), [("auto", 3.0, 30.0), ("cuda", 3.0, 0.0), ("cpu", 0.0, 30.0)])
def test_only_the_configured_device_is_counted(
    device: str, gpu_s: float, cpu_s: float, tmp_path: Path, published: Path
) -> None:
    plan = costs([TRAIN], {**CONFIG, "device": device}, tmp_path, published)
    assert (plan.costs[0].gpu_s, plan.costs[0].cpu_s) == (gpu_s, cpu_s)
    assert ("GPU" in describe(plan)) == (gpu_s > 0)
    assert ("core" in describe(plan)) == (cpu_s > 0)


def finish(results: Path, variant: str, run: str, seconds: float, epochs: int, epoch_s: float = 1.0) -> None:
    cell = f"people/small/{variant}/{run}"
    (results / f"benchmarks/train/{cell}.tsv").parent.mkdir(parents=True, exist_ok=True)
    (results / f"benchmarks/train/{cell}.tsv").write_text(f"s\th:m:s\n{seconds}\t0:00:01\n")
    (results / f"models/{cell}").mkdir(parents=True)
    (results / f"models/{cell}/history.csv").write_text("epoch,seconds\n" + f"1,{epoch_s}\n" * epochs)


def test_trainings_finished_here_win_over_the_rates(tmp_path: Path, published: Path) -> None:
    results = tmp_path / "results"
    finish(results, "blurred", "seed0", 40.0, 4)
    finish(results, "blurred", "seed1", 22.0, 2)
    finish(results, "blurred", "split3-seed0", 2.0, 4, epoch_s=9.0)  # went on after a crash: the benchmark's last part
    finish(results, "untrained", "seed0", 5.0, 0)
    (found,) = finished_trainings(results).items()
    assert found[0] == ("people", "small")
    assert (found[1].trainings, found[1].seconds_per_epoch) == (3, 10.0)
    plan = costs([TRAIN], CONFIG, tmp_path, published)
    assert (plan.costs[0].gpu_s, plan.costs[0].cpu_s) == (30.0, 30.0)  # three epochs
    assert "time from 3 finished trainings here, in every total: people small (3)" in describe(plan)


def test_the_text(tmp_path: Path, published: Path) -> None:
    plan = costs([TRAIN, UNTRAINED, EMBED, DETECT], CONFIG, tmp_path, published)
    text = describe(plan)
    assert max(map(len, text.splitlines())) <= 118
    assert re.split(r"\n  (?! )", re.sub(r"\n {6}", " ", text)) == [
        "Plan: 4 jobs, 1 training (and 1 network left untrained)",
        "about 0.1 GPU-minutes (training 0.1 min, embedding <0.1 min), or about 0.5 core-minutes on CPUs "
        "(training 0.5 min, embedding <0.1 min); 0.5 core-minutes for rendering, faces and anonymizing",
        "about 0.00 GB below results/ (models 0.00, features 0.00, images 0.00)",
        "images assumed as in Table II: people",
        "GPU rates scaled: by hand [small]",
        "CPU rates measured: by hand [finder, small]",
        "not counted: ranking, tables, figures, the start of each job",
    ]


def test_the_missing_datasets_are_named_with_their_folders() -> None:
    text = describe_missing({"b": "data/b", "a": "data/a"})
    assert "a (data/a), b (data/b)" in text
    assert "docs/datasets.md" in text


# --- the shipped rates ---


def test_rates_say_where_they_come_from() -> None:
    for row in read_rates():
        assert row.source.partition(":")[0] in ("measured", "fitted", "published", "scaled", "computed", "assumed"), row


@pytest.mark.parametrize("names", [("default",), ("default", "paper")], ids="+".join)
def test_every_shipped_network_was_measured_itself(names: tuple[str, ...]) -> None:
    rates = read_rates()
    for entry in merge(read_layer(ROOT / f"config/{name}.yaml") for name in names)["models"].values():
        method, parameters = entry["method"], {k: v for k, v in entry.items() if k not in MODEL_KEYS}
        height, width = entry["input"]
        for stage in ("train", "embed"):
            speed = find_speed(rates, stage, method, parameters, "cpu", height * width)
            assert speed is not None
            assert speed.exact, f"{method} {parameters}"
        for key in ("feature_dim", "model_mb"):
            assert find_quantity(rates, "network", key, method, parameters)[1], f"{method} {parameters}"


def test_scaled_gpu_rates_follow_from_the_published_one_and_the_costs_on_a_cpu() -> None:
    rates = {(r.stage, r.method, repr(r.parameters), r.device): r for r in read_rates()}
    (anchor,) = [r for r in rates.values() if r.source.startswith("published")]
    assert (anchor.method, anchor.images_per_s) == ("bot", 379)

    def ratio(to: Rate, by: Rate) -> float:
        return (to.images_per_s or 0) / (by.images_per_s or 1)

    on_cpu = rates["train", "bot", repr(anchor.parameters), "cpu"]
    checked = 0
    for (stage, method, parameters, device), row in rates.items():
        if device == "cuda" and row is not anchor:
            scale = ratio(rates[stage, method, parameters, "cpu"], on_cpu)
            assert row.images_per_s == pytest.approx(379 * scale, rel=0.01), row
            assert row.source.startswith("scaled")
            checked += 1
    assert checked == 11  # training of five models, embedding of six


def test_the_size_of_a_network_is_that_of_its_checkpoint(tmp_path: Path) -> None:
    parameters = {"channels": [64, 128, 192]}
    entry = {"method": "hacnn", **parameters, "input": [160, 64], "training": {}}
    network = create_model(entry).build(751, pretrained=False)
    save_network(tmp_path / "model.pt", network, entry, 751)
    rates = read_rates()
    assert find_quantity(rates, "network", "feature_dim", "hacnn", parameters) == (network.feature_dim, True)
    megabytes, _ = find_quantity(rates, "network", "model_mb", "hacnn", parameters)
    assert megabytes == pytest.approx((tmp_path / "model.pt").stat().st_size / 1e6, abs=0.1)


# --- the paper's study, planned without its data ---

DATASETS = ("market1501", "dukemtmcreid", "viper", "airport", "cuhk03")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a dry run needs of the repository, without any dataset."""
    root = tmp_path_factory.mktemp("plan")
    for folder in ("anonbench", "config", "workflow", "benchmarks"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "Snakefile", root / "Snakefile")
    return root


def dry_run(clone: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "snakemake", "-n", *arguments, "--configfile", "config/paper.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(clone)}
    done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_papers_study_is_planned_without_its_data(clone: Path) -> None:
    text = dry_run(clone)
    pattern = r"^ +output: results/models/([^/]+)/([^/]+)/([^/]+)/([^/]+)/model\.pt"
    networks = re.findall(pattern, text, flags=re.MULTILINE)
    trained = {network for network in networks if network[2] != "untrained"}
    blurred = {d: "blur_default_box" if d == "viper" else "blur" for d in DATASETS}
    runs = {d: "split0-seed0" if d == "viper" else "seed0" for d in DATASETS}
    models = ("pcb", "mlfn", "hacnn", "resnet50mid", "mudeep", "bot")
    tables_3_to_7 = {(d, m, v, runs[d]) for d in DATASETS for m in models for v in ("original", blurred[d])}
    table_8 = {("market1501", "bot", v, "seed0") for v in ("zero", "blank", "pixelate", "inpaint")}
    assert len(tables_3_to_7) == 60
    assert trained == tables_3_to_7 | table_8

    jobs = re.search(r"^total +(\d+)", text, flags=re.MULTILINE)
    assert jobs is not None
    untrained = len(networks) - len(trained)
    assert f"Plan: {int(jobs[1]):,} jobs, 64 trainings (and {untrained} networks left untrained)" in text
    plan = " ".join(text[text.index("Plan: ") :].split())
    assert "assumed as in Table II: cuhk03, dukemtmcreid, market1501, viper" in plan
    assert "not there yet: " + ", ".join(f"{d} (data/raw/{d})" for d in sorted(DATASETS)) in plan
    assert re.search(r"about [\d.]+ GPU-hours", plan)
    assert re.search(r"about [\d.]+ GB below results/ \(models [\d.]+, features [\d.]+, images [\d.]+\)", plan)


@pytest.mark.slow
def test_a_failing_estimate_spoils_no_dry_run(clone: Path) -> None:
    (clone / "benchmarks/rates.csv").unlink()
    text = dry_run(clone, "results/tables/table8.csv")
    assert "This was a dry-run" in text
    assert text.rstrip().splitlines()[-1].startswith("No estimate of this plan: FileNotFoundError")
    assert "Traceback" not in text
