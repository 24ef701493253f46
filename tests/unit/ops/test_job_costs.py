"""Time and memory of single jobs by hand, and what a scheduler is asked for."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from anonbench.config import merge, read_config
from anonbench.data.entries import built_tables
from anonbench.data.tables import write_csv
from anonbench.ops.costs.estimate import (
    CUDA_MEMORY_MB,
    LOADER_MB,
    NO_IMAGES,
    UNLISTED,
    Estimator,
    JobEstimate,
    request_memory_mb,
    request_minutes,
)
from anonbench.ops.costs.rates import RATES as RATES_FILE
from anonbench.ops.costs.rates import Rate, find_rate, read_rates

ROOT = Path(__file__).parents[3]
CONFIG: dict[str, Any] = {
    "device": "auto",
    "datasets": {"people": {"format": "folder", "root": "data/raw/people"}},
    "face_images": {
        "crowd": {
            "root": "data/rendered/crowd",
            "render": {"images": 30, "validation": 10, "height_px": 64, "width_px": 64},
        },
    },
    "face_trainings": {
        "small": {
            "images": "crowd", "seed": 0,
            "recipe": {"trunk": "resnet18", "epochs": 5, "images_per_epoch": 16, "crops": {"side": 96}},
        },
    },
    "detectors": {"faces": {"method": "finder", "threshold": 0.2}},
    "variants": {"blurred": {"method": "blur", "detector": "faces", "box_scale": 1.0, "jpeg_quality": 95}},
    "recipes": {"short": {"epochs": 3}},
    "models": {
        "small": {"method": "net", "input": [10, 10], "pretrained": False, "recipe": "short", "evaluation": {}},
    },
}  # fmt: skip
TRAIN = {"dataset": "people", "model": "small", "train_variant": "original", "run": "seed0"}


RATES = [
    Rate("train", "net", 100, images_per_s=10, gpu_images_per_s=100, start_s=4, memory_mb=500, output_kb=2000),
    Rate("build", "net", start_s=3, memory_mb=300),
    Rate("embed", "net", 100, images_per_s=25, start_s=1, memory_mb=400, output_kb=4),
    Rate("evaluate", images_per_s=100, start_s=1, memory_mb=200),
    Rate("detect", "finder", 200, images_per_s=5, start_s=2, memory_mb=100),
    Rate("render_faces", "", 64 * 64, images_per_s=2, start_s=2, memory_mb=100),
    Rate("train_detector", "resnet18", 96 * 96, images_per_s=8, start_s=3),
    Rate("table", start_s=1.5, memory_mb=150),
]


def write_rates(path: Path, rates: Iterable[Rate]) -> None:
    rows = [list(dataclasses.astuple(rate)) for rate in rates]
    write_csv(path, [field.name for field in dataclasses.fields(Rate)], rows)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """100 images for training, 50 for the test, of 10 x 10 pixels."""
    rows = [
        [f"{n:03d}.png", n, 0, "train" if n < 100 else "query" if n < 120 else "gallery", 10, 10, 0] for n in range(150)
    ]
    folder = tmp_path / "results"
    write_csv(folder / "manifests/people/original.csv",
              ("path", "pid", "camid", "split", "width", "height", "sha256"), rows)  # fmt: skip
    return folder


@pytest.fixture
def estimator(results: Path, tmp_path: Path) -> Estimator:
    write_rates(tmp_path / "rates.csv", RATES)
    return Estimator(CONFIG, results, tmp_path / "rates.csv")


def test_rates_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_rates(tmp_path / "rates.csv", RATES)
    assert read_rates(tmp_path / "rates.csv") == RATES


# --- single jobs ---


def test_a_training_worked_by_hand(estimator: Estimator) -> None:
    found = estimator.estimate("train", TRAIN)
    assert found.seconds == pytest.approx(4 + 100 * 3 / 10)
    assert found.memory_mb == pytest.approx(500 + 100 * 10 * 10 * 3 / 1e6)
    on_gpu = estimator.estimate("train", TRAIN, gpus=1, threads=4)
    assert on_gpu.seconds == pytest.approx(4 + 100 * 3 / 100)  # the start is the CPU's; threads only decode
    assert on_gpu.memory_mb == pytest.approx(CUDA_MEMORY_MB + 0.03 + 4 * LOADER_MB)


def test_an_untrained_network_is_only_built(estimator: Estimator) -> None:
    found = estimator.estimate("train", {**TRAIN, "train_variant": "untrained"})
    assert (found.seconds, found.memory_mb) == (3.0, 300.0)


def test_embedding_holds_images_and_features(estimator: Estimator) -> None:
    found = estimator.estimate("embed", {**TRAIN, "any_variant": "original"})
    assert found.seconds == pytest.approx(1 + 50 / 25)
    assert found.memory_mb == pytest.approx(400 + 50 * 300 / 1e6 + 3 * 50 * 1000 * 4 / 1e6)


def test_a_row_without_a_method_is_that_of_every_method(estimator: Estimator) -> None:
    found = estimator.estimate("evaluate", TRAIN)
    assert (found.seconds, found.memory_mb) == (pytest.approx(1.5), pytest.approx(200.6, abs=0.1))


def test_detection_is_shared_by_processes(estimator: Estimator) -> None:
    wildcards = {"dataset": "people", "detector": "faces"}
    alone, four = (estimator.estimate("detect", wildcards, threads=threads) for threads in (1, 4))
    seconds = 150 / 5 / 2  # images of half the pixels
    assert (alone.seconds, four.seconds) == (pytest.approx(2 + seconds), pytest.approx(2 + seconds / 4))
    rows = 150 * 0.002
    assert (alone.memory_mb, four.memory_mb) == (pytest.approx(100 + rows, abs=1), pytest.approx(5 * 100 + rows, abs=1))


def test_a_detector_whose_speed_on_a_gpu_nobody_measured_gets_the_time_of_a_cpu(estimator: Estimator) -> None:
    found = estimator.estimate("detect", {"dataset": "people", "detector": "faces"}, gpus=1)
    assert found.seconds == pytest.approx(2 + 150 / 5 / 2)
    assert found.memory_mb == pytest.approx(CUDA_MEMORY_MB + LOADER_MB + 150 * 0.002, abs=1)


def test_pictures_for_detectors_are_drawn_learnt_from_and_looked_at(estimator: Estimator) -> None:
    assert estimator.estimate("render_faces", {"face_images": "crowd"}).seconds == pytest.approx(2 + (30 + 10) / 2)
    assert estimator.estimate("train_detector", {"face_training": "small"}).seconds == pytest.approx(3 + 5 * 16 / 8)
    found = estimator.estimate("detect", {"dataset": "crowd", "detector": "faces"})
    assert found.seconds == pytest.approx(2 + 10 * (64 * 64) / 200 / 5)


def test_rules_without_images_take_what_they_took(estimator: Estimator) -> None:
    assert estimator.estimate("table", {"table": "table3"}) == JobEstimate(1.5, 150.0)


def test_finished_trainings_come_before_the_rates(estimator: Estimator, results: Path) -> None:
    stamp = {name: {} for name in ("settings", "inputs", "outputs", "machine", "versions")}
    file = results / "stamps/train/people/small/original/seed1.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({**stamp, "stage": "train", "code": "", "seconds": 60}))
    write_csv(results / "models/people/small/original/seed1/history.csv", ("epoch", "seconds"), [[1, 28], [2, 29]])
    assert estimator.estimate("train", TRAIN).seconds == 90.0  # 30 s an epoch


def test_without_any_rates_a_job_asks_for_what_unlisted_ones_get(results: Path, tmp_path: Path) -> None:
    found = Estimator(CONFIG, results, tmp_path / "missing.csv").estimate("embed", {**TRAIN, "any_variant": "original"})
    assert found.seconds == pytest.approx(UNLISTED.start_s + 50 / UNLISTED.images_per_s)
    assert found.memory_mb >= UNLISTED.memory_mb


def test_a_dataset_of_unknown_size_asks_for_much_until_its_manifest_is_there(results: Path, tmp_path: Path) -> None:
    manifest = results / "manifests/people/original.csv"
    manifest.rename(tmp_path / "later.csv")
    write_rates(tmp_path / "rates.csv", RATES)
    estimator = Estimator(CONFIG, results, tmp_path / "rates.csv")
    assert estimator.estimate("train", TRAIN).seconds > 3600
    (tmp_path / "later.csv").rename(manifest)  # `index` has made it, in the same run
    assert estimator.estimate("train", TRAIN).seconds == pytest.approx(34)


def test_a_network_s_memory_grows_with_the_pixels_and_does_not_shrink_below_what_was_measured(
    estimator: Estimator, results: Path
) -> None:
    def memory_mb(side: int, method: str = "net") -> float:
        changed = merge([CONFIG, {"models": {"small": {"method": method, "input": [side, side]}}}])
        return Estimator(changed, results, estimator.rates_file).estimate("train", TRAIN).memory_mb

    assert memory_mb(20) == pytest.approx(2000 + 100 * 1200 / 1e6)
    assert memory_mb(5) == pytest.approx(500, abs=0.1)
    assert memory_mb(10, "mine") == pytest.approx(500, abs=0.1), "that of the largest method"


def test_of_several_sizes_the_nearest_row_is_taken_and_of_strangers_the_slowest() -> None:
    rates = [*RATES, Rate("train", "net", 400, images_per_s=1), Rate("train", "slow", 100, images_per_s=0.5)]
    assert find_rate(rates, "train", "net", "images_per_s", 300) is rates[-2]
    assert find_rate(rates, "train", "net", "images_per_s", 120) is rates[0]
    assert find_rate(rates, "train", "mine", "images_per_s", 100) is rates[-1]
    assert find_rate(rates, "train", "net", "memory_mb", 400) is rates[0], "a row without the quantity says nothing"
    assert find_rate(rates, "nothing", "net", "images_per_s", 100) is None


# --- what a scheduler is asked for ---


def test_requests_leave_room_and_grow_at_each_attempt() -> None:
    estimate = JobEstimate(seconds=600, memory_mb=2000)
    memory = [request_memory_mb(estimate, attempt) for attempt in (1, 2, 3)]
    assert memory == [2900, 4640, 7425]  # 1.3 x 2000 + 300, x 1.6 each time
    assert [request_minutes(estimate, attempt) for attempt in (1, 2)] == [25, 50]  # 2 x 10 + 5
    assert request_minutes(estimate, 1, gpus=1) == 45
    assert request_memory_mb(JobEstimate(1, 10)) == 1000


@pytest.mark.parametrize("names", [("default",), ("default", "paper")], ids="+".join)
def test_every_training_of_the_shipped_configurations_asks_for_something_sane(names: tuple[str, ...]) -> None:
    files = [ROOT / f"config/{name}.yaml" for name in names if name != "default"]
    config = read_config(files, ROOT)
    estimator = Estimator(config, Path("no-results"))
    tables = [config["tables"][name] for name in built_tables(config)]
    for dataset in {table["dataset"] for table in tables if "dataset" in table}:
        for model in config["models"]:
            wildcards = {"dataset": dataset, "model": model, "train_variant": "original", "run": "seed0"}
            for gpus in (0, 1):
                estimate = estimator.estimate("train", wildcards, gpus)
                assert 400 < estimate.memory_mb < 60_000, (dataset, model)
                assert 0.05 < estimate.seconds < 40 * 24 * 3600, (dataset, model)


@pytest.mark.parametrize("gpus", [0, 1])
def test_a_rule_that_nobody_listed_gets_a_sane_request(gpus: int, estimator: Estimator) -> None:
    """A newcomer's rule: no row in the rates, no edit anywhere."""
    report = estimator.estimate("my_table", {"table": "mine"}, threads=8)
    assert report == JobEstimate(NO_IMAGES.start_s, NO_IMAGES.memory_mb)
    assert (request_memory_mb(report), request_minutes(report)) == (1000, 6)
    images = estimator.estimate("my_hiding", {"dataset": "people", "variant": "blurred"}, gpus)
    assert images.seconds == pytest.approx(UNLISTED.start_s + 150 / UNLISTED.images_per_s)
    assert 2000 <= images.memory_mb <= CUDA_MEMORY_MB + LOADER_MB + 1
    network = estimator.estimate("my_attack", {"dataset": "people", "model": "small"}, gpus)
    assert network.seconds == pytest.approx(UNLISTED.start_s + 50 / UNLISTED.images_per_s)


def test_rows_of_the_shipped_rates() -> None:
    with RATES_FILE.open(encoding="utf-8", newline="") as file:
        assert csv.DictReader(file).fieldnames == [field.name for field in dataclasses.fields(Rate)]
    rows = read_rates()
    assert len({(row.rule, row.method, row.pixels) for row in rows}) == len(rows)
    for row in rows:
        assert row.source.partition(":")[0] in ("measured", "published", "scaled", "computed", "assumed"), row


@pytest.mark.parametrize("threads", [1, 4])
def test_photographs_ask_for_what_the_largest_of_them_takes(threads: int, results: Path, tmp_path: Path) -> None:
    """One picture of 24 megapixels among crops: every process may hold it."""
    write_rates(tmp_path / "rates.csv", RATES)
    estimator = Estimator(CONFIG, results, tmp_path / "rates.csv")
    crops = estimator.estimate("detect", {"dataset": "people", "detector": "faces"}, threads=threads)
    manifest = results / "manifests/people/original.csv"
    head, first, *rest = manifest.read_text().splitlines()
    fields = first.split(",")
    for column, value in (("width", "6000"), ("height", "4000")):
        fields[head.split(",").index(column)] = value
    manifest.write_text("\n".join([head, ",".join(fields), *rest]) + "\n")
    photographs = Estimator(CONFIG, results, tmp_path / "rates.csv")
    asked = photographs.estimate("detect", {"dataset": "people", "detector": "faces"}, threads=threads)
    processes = 1 if threads == 1 else threads + 1
    assert asked.memory_mb - crops.memory_mb == pytest.approx(1379 * processes, rel=0.01)
    hide = photographs.estimate("anonymize", {"dataset": "people", "variant": "blurred"}, threads=1)
    assert hide.memory_mb > 24 * 40


def test_an_inpainter_is_counted_by_the_crops_that_its_recipe_asks_for(results: Path) -> None:
    """By hand: 4 epochs of 100 crops of 20 x 10 pixels, twice the rated width: 2^1.2 times the work of a pixel."""
    recipe = {"epochs": 4, "crops_per_epoch": 100, "network": {"size": [20, 10], "width": 32}, "most_crops": 50}
    config = {**CONFIG, "inpainters": {"people": {"detector": "x", "recipe": recipe}}}
    work = Estimator(config, results).work("train_inpainter", {"dataset": "people", "inpainter": "people"})
    assert work.images == 400
    assert work.pixels == pytest.approx(200 * 2**1.2)
    assert work.held_mb == pytest.approx(200 * 5 * 50 / 1e6)
