"""The estimate of a dry run: small cases worked by hand, the shipped rates, the paper's study planned without data."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from anonbench.config import merge, read_layer
from anonbench.ops.costs import sizes
from anonbench.ops.costs.estimate import Estimator, finished_trainings
from anonbench.ops.costs.rates import Rate, find_rate, read_rates
from anonbench.ops.costs.sizes import DatasetSize, dataset_size
from anonbench.ops.planning import Plan, PlannedJob, describe, describe_missing, estimate, missing_gpus
from anonbench.rendered.plan import plan_crops
from anonbench.stages.render import read_spec
from anonbench.tasks.reid.checkpoint import save_network
from anonbench.tasks.reid.models._network import create_model

ROOT = Path(__file__).parents[3]
RATES = [
    Rate("train", "net", 100, images_per_s=10, gpu_images_per_s=100, output_kb=2000),
    Rate("build", "net", start_s=3, output_kb=2000),
    Rate("embed", "net", 100, images_per_s=25, gpu_images_per_s=250, output_kb=0.032),
    Rate("detect", "finder", 200, images_per_s=5),
    Rate("anonymize", "blur", 200, images_per_s=50, output_kb=4),
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


@pytest.fixture(autouse=True)
def published(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """100 images for training, 20 + 30 for test; but for tests of the shipped table."""
    if "shipped" not in request.node.name:
        (tmp_path / "published").mkdir()
        text = "data,train_images,gallery_images,query_images\ntown,100,30,20\n"
        (tmp_path / "published/table2.csv").write_text(text)
        monkeypatch.setattr(sizes, "PUBLISHED", tmp_path / "published")


def plan_of(jobs: Sequence[PlannedJob], config: dict[str, Any], folder: Path) -> Plan:
    estimator = Estimator(config, folder / "results")
    estimator.rates = RATES
    return estimate(jobs, estimator)


# --- how many images ---


def test_a_manifest_comes_before_everything_else(tmp_path: Path) -> None:
    manifest = tmp_path / "results/manifests/people/original.csv"
    manifest.parent.mkdir(parents=True)
    rows = ["a,1,1,train,4,8,0", "b,1,2,train,4,8,0", "c,2,1,query,4,8,0", "d,2,2,gallery,8,16,0"]
    manifest.write_text("\n".join(["path,pid,camid,split,width,height,sha256", *rows]))
    found = dataset_size("people", CONFIG["datasets"]["people"], tmp_path / "results")
    assert found == DatasetSize(train=2, test=2, pixels=(3 * 32 + 128) / 4, source="counted here", largest=128)


@pytest.mark.parametrize(
    ("name", "train", "test"),
    [("market1501", 12_936, 23_100), ("cuhk03", 7_365, 6_732), ("viper", 316, 632)],
)
def test_the_shipped_table_2_counts_what_nobody_indexed(name: str, train: int, test: int, tmp_path: Path) -> None:
    found = dataset_size("any", {"format": name, "published_as": name}, tmp_path)
    assert found == DatasetSize(train, test, None, "assumed as in Table II")


def test_airports_shipped_test_set_holds_everybody_else_unless_a_file_says_who(tmp_path: Path) -> None:
    entry = {"format": "airport", "published_as": "airport"}
    drawn = dataset_size("airport", entry, tmp_path)
    given = dataset_size("airport", {**entry, "split_file": "splits.csv"}, tmp_path)
    assert drawn == DatasetSize(3_493, 39_902 - 3_493, None, sizes.TABLE_2_TRAIN)
    assert given == DatasetSize(3_493, 2_420 + 1_003, None, sizes.TABLE_2)


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
    assert found.source == "from the rendering settings"
    if settings["layout"] in ("market1501", "dukemtmcreid"):
        assert found.train == sum(crop.path.startswith("bounding_box_train/") for crop in crops)
    assert 0 < found.train < found.images


def test_drawn_scenes_are_counted_from_their_settings(tmp_path: Path) -> None:
    entry = {"format": "coco", "render": {"layout": "coco", "train": 7, "val": 3, "height_px": 100, "width_px": 200}}
    assert dataset_size("scenes", entry, tmp_path) == DatasetSize(7, 3, 20_000.0, sizes.RENDERED, 20_000.0)


def test_scenes_that_say_nothing_are_of_the_published_size(tmp_path: Path) -> None:
    entry = {"format": "cityscapes", "root": "data/raw/cityscapes"}
    found = dataset_size("mine", entry, tmp_path)
    assert (found.train, found.test) == (2975, 500)
    assert found == dataset_size("mine", {**entry, "expect": "published"}, tmp_path)
    assert dataset_size("mine", {**entry, "expect": "any"}, tmp_path) == sizes.UNKNOWN


def test_a_dataset_of_unknown_size_counts_much_and_is_said_to_do_so(tmp_path: Path) -> None:
    config = {**CONFIG, "datasets": {"people": {"format": "folder", "root": "/data/people"}}}
    plan = plan_of([TRAIN], config, tmp_path)
    assert plan.costs[0].cpu_s == 33_000 * 3 / 10
    assert "images UNKNOWN, counted like MSMT17's 127,000: people" in describe(plan)


def test_a_real_dataset_that_is_there_is_listed(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    rows = ["a.png,1,0,train", "b.png,1,1,train", "c.png,2,0,query", "d.png,2,1,gallery"]
    (root / "people.csv").write_text("\n".join(["path,pid,camid,split", *rows]))
    for row in rows:
        (root / row.split(",")[0]).write_bytes(b"")  # no picture is opened
    entry = {"format": "folder", "root": str(root), "csv": "people.csv", "published_as": "town"}
    assert dataset_size("mine", entry, tmp_path / "results") == DatasetSize(2, 2, None, "listed in its folder")
    plan = plan_of([TRAIN], {**CONFIG, "datasets": {"people": entry}}, tmp_path)
    assert plan.costs[0].cpu_s == 2 * 3 / 10
    assert "images listed in its folder: people" in describe(plan)
    (root / "d.png").unlink()  # `index` will say what is wrong
    assert dataset_size("mine", {**entry, "published_as": "none"}, tmp_path / "results") == sizes.UNKNOWN


# --- how fast ---


def test_speed_grows_with_the_pixels(tmp_path: Path) -> None:
    doubled = merge([CONFIG, {"models": {"small": {"input": [20, 10]}}}])
    same, larger = (plan_of([TRAIN], config, tmp_path).costs[0].cpu_s for config in (CONFIG, doubled))
    assert (same, larger) == (30.0, 60.0)


def test_a_plugin_that_nobody_measured_is_named(tmp_path: Path) -> None:
    config = merge([CONFIG, {"models": {"small": {"method": "mine"}}}])
    plan = plan_of([TRAIN, EMBED], config, tmp_path)
    assert plan.assumed == {
        what: {"small"}
        for what in ("speed of train", "speed of embed", "size of train's files", "size of embed's files")
    }
    assert "assumed as the most expensive method known: size of embed's files [small]" in describe(plan)


# --- what it costs ---


def test_each_kind_of_job_worked_by_hand(tmp_path: Path) -> None:
    train, untrained, embed, detect, anonymize = plan_of(
        [TRAIN, UNTRAINED, EMBED, DETECT, ANONYMIZE], CONFIG, tmp_path
    ).costs
    assert (train.gpu_s, train.cpu_s, train.size_bytes) == (3.0, 30.0, 2e6)  # 100 x 3 / rate
    assert (untrained.gpu_s, untrained.cpu_s, untrained.size_bytes) == (0, 0, 2e6)
    assert (embed.gpu_s, embed.cpu_s) == (pytest.approx(0.2), 2.0)  # 50 / rate
    assert embed.size_bytes == pytest.approx(50 * 8 * 4)
    assert (detect.gpu_s, detect.cpu_s, detect.size_bytes) == (0, 30.0, 0)  # 150 / 5
    assert (anonymize.gpu_s, anonymize.cpu_s) == (0, 3.0)  # 150 / 50
    assert anonymize.size_bytes == 150 * 4000


def test_jobs_of_other_rules_count_as_jobs_alone(tmp_path: Path) -> None:
    plan = plan_of([PlannedJob("table", {"table": "table3"}), PlannedJob("all", {}), TRAIN], CONFIG, tmp_path)
    assert (plan.jobs, plan.trainings.total(), plan.untrained, len(plan.costs)) == (3, 1, 0, 1)


GENERATORS: dict[str, Any] = {
    "variants": {"kept": {"method": "blur", "detector": None, "encoding": "png"},
                 "sized": {"method": "blur", "detector": None, "encoding": "png", "resize": [20, 10]},
                 "again": {"method": "net", "training": "undo", "detector": None, "encoding": "png", "of": "sized"}},
    "reversible_recipes": {"short": {"epochs": 3, "generator": {"width": 16}}},
    "reversible_trainings": {name: {"method": "restoration", "of": shown, "recipe": "short"}
                             for name, shown in (("undo", "sized"), ("undo_kept", "kept"), ("redo", "again"))},
}  # fmt: skip


def test_restorations_take_pictures_as_large_as_those_that_they_learn_from(tmp_path: Path) -> None:
    """Of the size in the entry, of what a copy is made of, or of the originals: here nobody knows."""
    estimator = Estimator(merge([CONFIG, GENERATORS]), tmp_path / "results")
    wildcards = {"dataset": "people", "run": "seed0"}
    found = [
        estimator.work("train_restoration", {**wildcards, "training": training})
        for training in ("undo", "redo", "undo_kept")
    ]
    assert [work.pixels for work in found] == [200, 200, None]
    assert {work.images for work in found} == {300}


def test_trainings_of_which_nobody_knows_the_time_are_said_to_be_missing(tmp_path: Path) -> None:
    """A plan of minutes for a day of work would be worse than none."""
    job = PlannedJob("train_restoration", {"dataset": "people", "training": "undo", "run": "seed0"})
    plan = plan_of([TRAIN, job, job], merge([CONFIG, GENERATORS]), tmp_path)
    text = re.sub(r"\s+", " ", describe(plan))
    assert "NOT COUNTED, since benchmarks/rates.csv has no row of them: 2 trainings (train_restoration 2)" in text
    assert "NOT COUNTED" not in describe(plan_of([TRAIN], CONFIG, tmp_path))


@pytest.mark.parametrize(("device", "gpu_s", "cpu_s"), [("auto", 3.0, 30.0), ("cuda", 3.0, 0.0), ("cpu", 0.0, 30.0)])
def test_only_the_configured_device_is_counted(device: str, gpu_s: float, cpu_s: float, tmp_path: Path) -> None:
    plan = plan_of([TRAIN], {**CONFIG, "device": device}, tmp_path)
    assert (plan.costs[0].gpu_s, plan.costs[0].cpu_s) == (gpu_s, cpu_s)
    assert ("GPU" in describe(plan)) == (gpu_s > 0)
    assert ("core" in describe(plan)) == (cpu_s > 0)


@pytest.mark.parametrize(("here", "gpu_s", "cpu_s"), [(True, 3.0, 0.0), (False, 0.0, 30.0), (None, 3.0, 30.0)])
def test_an_open_device_is_the_one_that_is_here(here: bool | None, gpu_s: float, cpu_s: float, tmp_path: Path) -> None:
    estimator = Estimator(CONFIG, tmp_path / "results")
    estimator.rates = RATES
    plan = estimate([TRAIN], estimator, here)
    assert (plan.costs[0].gpu_s, plan.costs[0].cpu_s) == (gpu_s, cpu_s)
    assert ("GPU-" in describe(plan)) == bool(gpu_s)
    assert ("this machine shows no GPU: networks run on CPUs" in describe(plan)) == (here is False)
    estimator.config = {**CONFIG, "device": "cuda"}
    assert estimate([TRAIN], estimator, here).costs[0].gpu_s == 3.0, "said to be elsewhere"


def test_jobs_for_which_there_is_no_gpu_are_named_before_they_run() -> None:
    assert missing_gpus([("table", 0), ("detect", 0)], here=0) == ""
    assert missing_gpus([("train", 1), ("embed", 1)], here=1) == ""
    text = missing_gpus([("train", 1), ("train", 1), ("embed", 1), ("table", 0)], here=0)
    assert text.startswith("device is 'cuda', and this machine shows no GPU, which 1 job `embed`, 2 jobs `train` would")
    assert "--config device=cpu" in text
    assert "docs/cluster.md" in text
    assert missing_gpus([("train", 4), ("train", 1)], here=2).startswith(
        "this machine has 2 GPUs, and 1 job `train` ask"
    )


def finish(results: Path, variant: str, run: str, seconds: float, epochs: int, epoch_s: float = 1.0) -> None:
    cell = f"people/small/{variant}/{run}"
    stamp = {name: {} for name in ("settings", "inputs", "outputs", "machine", "versions")}
    (results / f"stamps/train/{cell}.json").parent.mkdir(parents=True, exist_ok=True)
    (results / f"stamps/train/{cell}.json").write_text(
        json.dumps({**stamp, "stage": "train", "code": "", "seconds": seconds})
    )
    (results / f"models/{cell}").mkdir(parents=True)
    (results / f"models/{cell}/history.csv").write_text("epoch,seconds\n" + f"1,{epoch_s}\n" * epochs)


def test_trainings_finished_here_win_over_the_rates(tmp_path: Path) -> None:
    results = tmp_path / "results"
    finish(results, "blurred", "seed0", 40.0, 4)
    finish(results, "blurred", "seed1", 22.0, 2)
    finish(results, "blurred", "split3-seed0", 2.0, 4, epoch_s=9.0)  # resumed: the stamp is of its last part
    finish(results, "untrained", "seed0", 5.0, 0)
    (found,) = finished_trainings(results).items()
    assert found == (("people", "small"), [10.0, 11.0, 9.0])
    plan = plan_of([TRAIN], CONFIG, tmp_path)
    assert (plan.costs[0].gpu_s, plan.costs[0].cpu_s) == (30.0, 30.0)  # three epochs
    assert "time from 3 finished trainings here, in every total: people small (3)" in describe(plan)


def test_the_text(tmp_path: Path) -> None:
    plan = plan_of([TRAIN, UNTRAINED, EMBED, DETECT], CONFIG, tmp_path)
    text = describe(plan)
    assert max(map(len, text.splitlines())) <= 118
    assert re.split(r"\n  (?! )", re.sub(r"\n {6}", " ", text)) == [
        "Plan: 4 jobs, 1 training (and 1 network left untrained)",
        "about 0.1 GPU-minutes (train 0.1 min, embed <0.1 min), or about 0.5 core-minutes on CPUs "
        "(train 0.5 min, embed <0.1 min); 0.5 core-minutes for everything else",
        "about 0.00 GB below results/ (models 0.00, features 0.00, images 0.00)",
        "images assumed as in Table II: people",
        "rates from benchmarks/rates.csv, which names their sources; those of GPUs are scaled from one published "
        "figure",
        "not counted: tables, figures, the start of each job",
    ]


def test_the_missing_datasets_are_named_with_their_folders() -> None:
    text = describe_missing({"b": "data/b", "a": "data/a"})
    assert "a (data/a), b (data/b)" in text
    assert "docs/datasets.md" in text


# --- the shipped rates ---


@pytest.mark.parametrize("names", [("default",), ("default", "paper")], ids="+".join)
def test_every_shipped_network_was_measured_itself(names: tuple[str, ...]) -> None:
    rates = read_rates()
    for entry in merge(read_layer(ROOT / f"config/{name}.yaml") for name in names)["models"].values():
        method, (height, width) = entry["method"], entry["input"]
        for rule, quantity in (("train", "images_per_s"), ("embed", "images_per_s"), ("train", "output_kb")):
            found = find_rate(rates, rule, method, quantity, height * width)
            assert found is not None
            assert (found.method, found.pixels) == (method, height * width)


def test_scaled_gpu_rates_follow_from_the_published_one_and_the_costs_on_a_cpu() -> None:
    on_gpu = [row for row in read_rates() if row.gpu_images_per_s and "GPU assumed" not in row.source]
    (anchor,) = [row for row in on_gpu if "published" in row.source]
    assert (anchor.rule, anchor.method, anchor.gpu_images_per_s) == ("train", "bot", 379)
    assert len(on_gpu) == 14
    for row in on_gpu:
        assert row.gpu_images_per_s == pytest.approx(379 * row.images_per_s / anchor.images_per_s, rel=0.01), row
        assert row is anchor or "GPU scaled" in row.source


def test_the_size_of_a_network_is_that_of_its_checkpoint(tmp_path: Path) -> None:
    entry = {"method": "hacnn", "channels": [128, 256, 384], "input": [160, 64], "training": {}}
    network = create_model(entry).build(751, pretrained=False)
    save_network(tmp_path / "model.pt", network, entry, 751)
    rates = read_rates()
    feature, checkpoint = (find_rate(rates, rule, "hacnn", "output_kb", 160 * 64) for rule in ("embed", "train"))
    assert feature is not None
    assert checkpoint is not None
    assert feature.output_kb == pytest.approx(network.feature_dim * 4 / 1e3, abs=0.001)
    assert checkpoint.output_kb == pytest.approx((tmp_path / "model.pt").stat().st_size / 1e3, abs=100)


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


def test_before_a_dataset_is_indexed_the_headers_of_its_images_say_how_large_they_are(tmp_path: Path) -> None:
    rows = ["path,pid,camid,split"]
    for number, split in enumerate(("train", "train", "query", "gallery")):
        Image.new("L", (10 + number, 20)).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{min(number, 2) + 1},{number},{split}")
    (tmp_path / "images.csv").write_text("\n".join(rows))
    (tmp_path / "1.png").write_bytes(b"cut off")  # `index` says so
    found = dataset_size("mine", {"format": "folder", "root": str(tmp_path)}, tmp_path)
    assert found == DatasetSize(2, 2, pixels=(200 + 240 + 260) / 3, source="listed in its folder", largest=260)


def test_scenes_whose_published_counts_are_demanded_are_counted_without_a_look(tmp_path: Path) -> None:
    entry = {"format": "cityscapes", "root": "nowhere", "expect": "published"}
    size = dataset_size("cityscapes", entry, tmp_path / "results")
    assert (size.train, size.test, size.pixels) == (2975, 500, 2048 * 1024)


def test_a_training_of_instances_is_planned_by_its_recipe(tmp_path: Path) -> None:
    config = {
        "device": "cuda", "datasets": {"streets": {"format": "cityscapes", "root": "nowhere", "expect": "published"}},
        "instance_models": {"masks": {"method": "mask_rcnn", "recipe": "long", "short_side": 1024, "long_side": 2048},
                            "points": {"method": "keypoint_rcnn", "recipe": "passes"}},
        "instance_recipes": {"long": {"iterations": 1000, "batch_size": 16}, "passes": {"epochs": 2}},
    }  # fmt: skip
    estimator = Estimator(config, tmp_path / "results")
    wildcards = {"dataset": "streets", "scene_variant": "original", "run": "seed0"}
    work = estimator.work("train_instances", {**wildcards, "instance_model": "masks"})
    assert (work.images, work.pixels) == (16_000, 2048 * 1024)
    assert estimator.work("train_instances", {**wildcards, "instance_model": "points"}).images == 2 * 2975
    assert estimator.work("evaluate_instances", {**wildcards, "instance_model": "points"}).images == 500
