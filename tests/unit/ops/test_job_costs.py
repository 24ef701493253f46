"""Time and memory of single jobs by hand, what a scheduler is asked for, and rates learnt from finished jobs."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anonbench.config import merge, read_layer
from anonbench.data.tables import write_csv
from anonbench.ops.costs.estimate import (
    CUDA_MEMORY_MB,
    MEASURED_HERE,
    UNKNOWN_MEMORY_MB,
    UNKNOWN_START_S,
    Estimator,
    JobEstimate,
    request_memory_mb,
    request_minutes,
)
from anonbench.ops.costs.fit import Measurement, check_rates, fit_rates, measured_jobs
from anonbench.ops.costs.rates import COLUMNS, Rate, find_memory, read_rates, write_rates
from anonbench.ops.costs.work import Work
from anonbench.ops.dag import Job

ROOT = Path(__file__).parents[3]
NOTHING = Rate("", "", {}, None, None, "", None, None, None, None, "measured: by hand")
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
        "again": {
            "method": "net", "input": [10, 10], "pretrained": False, "recipe": "short",
            "evaluation": {"rerank": {"k1": 20}},
        },
    },
}  # fmt: skip
TRAIN = {"dataset": "people", "model": "small", "train_variant": "original", "run": "seed0"}


def rate(stage: str, method: str, **values: Any) -> Rate:
    return dataclasses.replace(NOTHING, stage=stage, method=method, **values)


RATES = [
    rate("network", "net", feature_dim=1000, model_mb=2.0),
    rate("train", "net", height=10, width=10, device="cpu", images_per_s=10.0, start_s=4.0, memory_mb=500.0),
    rate("train", "net", height=10, width=10, device="cuda", images_per_s=100.0, source="scaled: by hand"),
    rate("build", "net", device="cpu", start_s=3.0, memory_mb=300.0),
    rate("embed", "net", height=10, width=10, device="cpu", images_per_s=25.0, start_s=1.0, memory_mb=400.0),
    rate("evaluate", "rank", device="cpu", images_per_s=100.0, start_s=1.0, memory_mb=200.0),
    rate("evaluate", "rerank", device="cpu", images_per_s=50.0, start_s=1.0, memory_mb=250.0),
    rate("detect", "finder", height=20, width=10, device="cpu", images_per_s=5.0, start_s=2.0, memory_mb=100.0),
    rate("render_faces", "crowd", height=64, width=64, device="cpu", images_per_s=2.0, start_s=2.0, memory_mb=100.0),
    rate("train_detector", "resnet18", height=96, width=96, device="cpu", images_per_s=8.0, start_s=3.0),
    rate("table", "", device="cpu", start_s=1.5, memory_mb=150.0),
]


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
    rates = [*RATES, rate("train", "net", parameters={"layers": [1, 2], "depth": 18}, start_s=0.0)]
    write_rates(tmp_path / "rates.csv", rates)
    assert read_rates(tmp_path / "rates.csv") == rates


def test_what_was_measured_here_replaces_the_shipped_row_of_the_same_thing(tmp_path: Path) -> None:
    write_rates(tmp_path / "shipped.csv", RATES)
    here = dataclasses.replace(RATES[1], images_per_s=7.0, source="fitted: 3 finished jobs")
    write_rates(tmp_path / "here.csv", [here])
    rates = read_rates(tmp_path / "shipped.csv", tmp_path / "here.csv")
    assert len(rates) == len(RATES)
    assert [r.images_per_s for r in rates if r.key == here.key] == [7.0]
    assert read_rates(tmp_path / "shipped.csv", tmp_path / "missing.csv") == RATES


# --- single jobs ---


def test_a_training_worked_by_hand(estimator: Estimator) -> None:
    found = estimator.estimate("train", TRAIN)
    assert found.seconds == pytest.approx(4 + 100 * 3 / 10)
    assert found.memory_mb == pytest.approx(500 + 100 * 10 * 10 * 3 / 1e6)
    on_gpu = estimator.estimate("train", TRAIN, "cuda", threads=4)
    assert on_gpu.seconds == pytest.approx(4 + 100 * 3 / 100)  # the start is the CPU's; threads only decode
    assert on_gpu.memory_mb == pytest.approx(CUDA_MEMORY_MB + 0.03)


def test_an_untrained_network_is_only_built(estimator: Estimator) -> None:
    found = estimator.estimate("train", {**TRAIN, "train_variant": "untrained"})
    assert (found.seconds, found.memory_mb) == (3.0, 300.0)


def test_embedding_holds_images_and_features(estimator: Estimator) -> None:
    found = estimator.estimate("embed", {**TRAIN, "any_variant": "original"})
    assert found.seconds == pytest.approx(1 + 50 / 25)
    assert found.memory_mb == pytest.approx(400 + 50 * 300 / 1e6 + 2 * 50 * 1000 * 4 / 1e6)


@pytest.mark.parametrize(("model", "seconds", "memory_mb"), [("small", 1.5, 200.6), ("again", 2.0, 250.6)])
def test_re_ranking_is_a_method_of_its_own(model: str, seconds: float, memory_mb: float, estimator: Estimator) -> None:
    found = estimator.estimate("evaluate", {**TRAIN, "model": model})
    assert (found.seconds, found.memory_mb) == (pytest.approx(seconds), pytest.approx(memory_mb))


def test_detection_is_shared_by_processes(estimator: Estimator) -> None:
    wildcards = {"dataset": "people", "detector": "faces"}
    alone, four = (estimator.estimate("detect", wildcards, threads=threads) for threads in (1, 4))
    seconds = 150 / 5 / 2  # images of half the pixels
    assert (alone.seconds, four.seconds) == (pytest.approx(2 + seconds), pytest.approx(2 + seconds / 4))
    rows = 150 * 0.002
    assert (alone.memory_mb, four.memory_mb) == (pytest.approx(100 + rows), pytest.approx(5 * 100 + rows))


def test_pictures_for_detectors_are_drawn_learnt_from_and_looked_at(estimator: Estimator) -> None:
    assert estimator.estimate("render_faces", {"face_images": "crowd"}).seconds == pytest.approx(2 + (30 + 10) / 2)
    assert estimator.estimate("train_detector", {"face_training": "small"}).seconds == pytest.approx(3 + 5 * 16 / 8)
    found = estimator.estimate("detect", {"dataset": "crowd", "detector": "faces"})
    assert found.seconds == pytest.approx(2 + 10 * (64 * 64) / 200 / 5)


def test_rules_without_images_take_what_they_took(estimator: Estimator) -> None:
    assert estimator.estimate("table", {"table": "table3"}) == JobEstimate(1.5, 150.0)
    assert estimator.estimate("new_rule", {}) == JobEstimate(UNKNOWN_START_S, UNKNOWN_MEMORY_MB)


def test_finished_trainings_come_before_the_rates_unless_told_otherwise(estimator: Estimator, results: Path) -> None:
    (results / "benchmarks/train/people/small/original").mkdir(parents=True)
    (results / "benchmarks/train/people/small/original/seed1.tsv").write_text("s\th:m:s\n60\t0:01:00\n")
    write_csv(results / "models/people/small/original/seed1/history.csv", ("epoch", "seconds"), [[1, 28], [2, 29]])
    assert estimator.estimate("train", TRAIN).seconds == 90.0  # 30 s an epoch
    blind = Estimator(CONFIG, results, estimator.rates_file, learn=False)
    assert blind.estimate("train", TRAIN).seconds == pytest.approx(34)


def test_without_any_rates_a_job_asks_for_what_unknown_ones_get(results: Path, tmp_path: Path) -> None:
    found = Estimator(CONFIG, results, tmp_path / "missing.csv").estimate("embed", {**TRAIN, "any_variant": "original"})
    assert found.seconds == UNKNOWN_START_S
    assert found.memory_mb >= UNKNOWN_MEMORY_MB


def test_a_dataset_of_unknown_size_asks_for_much_until_its_manifest_is_there(results: Path, tmp_path: Path) -> None:
    manifest = results / "manifests/people/original.csv"
    manifest.rename(tmp_path / "later.csv")
    write_rates(tmp_path / "rates.csv", RATES)
    estimator = Estimator(CONFIG, results, tmp_path / "rates.csv")
    assert estimator.estimate("train", TRAIN).seconds > 3600
    (tmp_path / "later.csv").rename(manifest)  # `index` has made it, in the same run
    assert estimator.estimate("train", TRAIN).seconds == pytest.approx(34)


def test_memory_grows_with_the_pixels_and_does_not_shrink_below_what_was_measured() -> None:
    assert find_memory(RATES, "train", "net", {}, 400.0) == 2000.0
    assert find_memory(RATES, "train", "net", {}, 25.0) == 500.0
    assert find_memory(RATES, "train", "mine", {}, 100.0) == 500.0  # the most of any method
    assert find_memory(RATES, "nothing", "net", {}) is None


# --- what a scheduler is asked for ---


def test_requests_leave_room_and_grow_at_each_attempt() -> None:
    estimate = JobEstimate(seconds=600, memory_mb=2000)
    memory = [request_memory_mb(estimate, attempt) for attempt in (1, 2, 3)]
    assert memory == [2900, 4640, 7425]  # 1.3 x 2000 + 300, x 1.6 each time
    assert [request_minutes(estimate, attempt) for attempt in (1, 2)] == [25, 50]  # 2 x 10 + 5
    assert request_minutes(estimate, 1, "cuda") == 45
    assert request_memory_mb(JobEstimate(1, 10)) == 1000


@pytest.mark.parametrize("names", [("default",), ("default", "paper")], ids="+".join)
def test_every_training_of_the_shipped_configurations_asks_for_something_sane(names: tuple[str, ...]) -> None:
    config = merge(read_layer(ROOT / f"config/{name}.yaml") for name in names)
    estimator = Estimator(config, Path("no-results"))
    for dataset in {config["tables"][t]["dataset"] for t in config["build"] if "dataset" in config["tables"][t]}:
        for model in config["models"]:
            wildcards = {"dataset": dataset, "model": model, "train_variant": "original", "run": "seed0"}
            for device in ("cpu", "cuda"):
                estimate = estimator.estimate("train", wildcards, device)
                assert 400 < estimate.memory_mb < 60_000, (dataset, model)
                assert 0.05 < estimate.seconds < 40 * 24 * 3600, (dataset, model)


# --- learning ---


def job(rule: str, wildcards: Mapping[str, str]) -> Job:
    return Job(rule, "-".join(wildcards.values()), wildcards, (), (f"results/stamps/{rule}.json",), (), {})


def measurement(images: float, seconds: float, **values: Any) -> Measurement:
    work = Work("train", "net", {}, 100.0, images, images * 300 / 1e6, "small", on_gpu=True)
    given = {"threads": 1, "device": "cpu", "size": (10, 10), "cpu_seconds": seconds, "memory_mb": 500 + work.data_mb}
    return Measurement(job("train", TRAIN), work, seconds, **{**given, **values})


def test_start_rate_and_memory_are_found_again() -> None:
    rng = np.random.default_rng(0)
    jobs = [measurement(n, (5 + n / 20) * rng.uniform(0.97, 1.03)) for n in (100, 200, 400, 800, 1600) for _ in "ab"]
    (row,) = fit_rates(jobs)
    assert row.start_s == pytest.approx(5, rel=0.1)
    assert row.images_per_s == pytest.approx(20, rel=0.05)
    assert row.memory_mb == pytest.approx(500)
    assert row.source == "fitted: 10 finished jobs"


def test_an_outlier_hardly_moves_the_fit() -> None:
    jobs = [measurement(n, 5 + n / 20) for n in (100, 200, 400, 800, 1600)]
    (row,) = fit_rates([*jobs, measurement(400, 250)])
    assert row.images_per_s == pytest.approx(20, rel=0.1)


def test_waiting_for_a_core_does_not_count() -> None:
    (row,) = fit_rates([measurement(n, 3 * (5 + n / 20), cpu_seconds=5 + n / 20) for n in (100, 400, 1600)])
    assert row.images_per_s == pytest.approx(20, rel=0.02)


def test_a_method_seen_at_one_size_borrows_the_start_of_its_rule() -> None:
    other = [
        dataclasses.replace(measurement(n, 5 + n / 20), work=Work("train", "other", {}, 100.0, n)) for n in (100, 900)
    ]
    rows = fit_rates([measurement(400, 25), measurement(400, 25), *other])
    (row,) = [r for r in rows if r.method == "net"]
    assert row.start_s == pytest.approx(5, rel=0.05)
    assert row.images_per_s == pytest.approx(400 / 20, rel=0.05)


def test_workers_share_images_and_multiply_memory() -> None:
    work = [Work("detect", "finder", {}, 200.0, n, 0.0, "finder", workers=True) for n in (100, 1000)]
    finding = job("detect", {"dataset": "people", "detector": "faces"})
    jobs = [Measurement(finding, w, 2 + w.units / 10 / 4, 999, 500, 4, "cpu", None) for w in work]
    (row,) = fit_rates(jobs)
    assert row.images_per_s == pytest.approx(10, rel=0.01)
    assert row.memory_mb == 100  # four workers and the process that feeds them


def test_the_check_counts_what_is_within_a_third(estimator: Estimator) -> None:
    right, wrong = measurement(300, 34), measurement(300, 60, memory_mb=900)
    train, everything = check_rates([right, right, right, wrong], estimator)
    assert (train.rule, train.jobs, train.time_right, train.memory_right) == ("train", 4, 0.75, 0.75)
    assert train.worst_time == pytest.approx(34 / 60)
    assert (everything.rule, everything.jobs) == ("", 4)


def test_only_jobs_with_the_present_settings_are_learnt_from(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp = {
        "stage": "train", "settings": {"seed": 0, "spec": {"a": 1}}, "inputs": {}, "outputs": {}, "code": "",
        "seconds": 9.0, "cpu_seconds": 8.0, "memory_mb": 700.0, "threads": 1,
        "machine": {"device": "x86_64"}, "versions": {},
    }  # fmt: skip
    stamps = Path("results/stamps/x.json")
    (tmp_path / stamps).parent.mkdir(parents=True)
    (tmp_path / stamps).write_text(json.dumps(stamp))
    jobs = [Job("train", "", TRAIN, (), (str(stamps),), (), {"seed": 0, "spec": s}) for s in ('{"a": 1}', '{"a": 2}')]
    monkeypatch.chdir(tmp_path)
    (found,) = measured_jobs(jobs, CONFIG, results)
    assert (found.seconds, found.memory_mb, found.device, found.size) == (9.0, 700.0, "cpu", (10, 10))
    assert found.work.units == 300

    history = results / "models/history.csv"
    (went_on,) = [dataclasses.replace(jobs[0], outputs=(str(history), str(stamps)))]
    write_csv(history, ("epoch", "seconds"), [[1, 4.0], [2, 4.5]])
    assert len(measured_jobs([went_on], CONFIG, results)) == 1
    write_csv(history, ("epoch", "seconds"), [[1, 4.0], [2, 400.0]])
    assert measured_jobs([went_on], CONFIG, results) == [], "nine seconds were its last part"


def test_the_shipped_rates_have_the_documented_columns() -> None:
    with (ROOT / "benchmarks/rates.csv").open(encoding="utf-8", newline="") as file:
        assert tuple(csv.DictReader(file).fieldnames or ()) == COLUMNS
    assert MEASURED_HERE == "benchmarks/rates.csv"
