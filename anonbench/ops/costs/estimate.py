"""Time and memory of single jobs, and what to ask a cluster's scheduler for."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from anonbench.ops.costs.finished import Finished, finished_trainings
from anonbench.ops.costs.rates import RATES, Rate, find_memory, find_speed, read_rates
from anonbench.ops.costs.sizes import DatasetSize, dataset_size, entry_of
from anonbench.ops.costs.work import MANY_IMAGES, Work, epochs_of, work_of

MEASURED_HERE = "benchmarks/rates.csv"  # below the folder of results: what `anonbench fit-costs` writes

# Nobody measured these: a job of a rule without rates, and the memory of the machine that a process on a GPU takes.
UNKNOWN_START_S, UNKNOWN_MEMORY_MB, CUDA_MEMORY_MB = 60.0, 2000.0, 4000.0
LOADER_MB = 500.0  # a process that reads images for a training on a GPU

# What a scheduler is asked for, so that a job that takes a third more than expected is not killed.
MEMORY_MARGIN, TIME_MARGIN = 1.3, 2.0
GPU_TIME_MARGIN = 4.0  # rates of GPUs are scaled from one published figure
NESTED_MB = 300  # the Snakemake processes around the command on a cluster
MEMORY_FLOOR_MB = 1000
START_MINUTES = 5  # imports from a cold network disk
MEMORY_GROWTH = 1.6  # at each retry


@dataclass(frozen=True)
class JobEstimate:
    """seconds: by the clock, on an otherwise idle machine. memory_mb: peak of all processes, MB of 10^6 bytes."""

    seconds: float
    memory_mb: float


class Estimator:
    """Estimates jobs of a configuration; reads manifests, histories and rates once.

    results: folder of results; what was measured there (`anonbench fit-costs`) comes before the shipped rates.
    learn: a training takes what earlier ones of the same model on the same dataset took there.
    """

    def __init__(
        self, config: Mapping[str, Any], results: Path = Path("results"), rates: Path = RATES, learn: bool = True
    ) -> None:
        self.config, self.results, self.rates_file, self.learn = config, results, rates, learn
        self._sizes: dict[str, DatasetSize] = {}

    @cached_property
    def rates(self) -> list[Rate]:
        try:
            return read_rates(self.rates_file, self.results / MEASURED_HERE)
        except FileNotFoundError:
            return []  # jobs ask for the amounts of unknown ones: a missing estimate must not stop a run

    @cached_property
    def finished(self) -> dict[tuple[str, str], Finished]:
        return finished_trainings(self.results) if self.learn else {}

    def size(self, dataset: str) -> DatasetSize:
        """How many images a dataset has; many, where nothing tells yet: its manifest may be made in this run."""
        found = self._sizes.get(dataset) or dataset_size(dataset, entry_of(self.config, dataset), self.results)
        if found is None:
            return MANY_IMAGES
        self._sizes[dataset] = found
        return found

    def work(self, rule: str, wildcards: Mapping[str, str]) -> Work:
        return work_of(rule, wildcards, self.config, self.size, self.rates)

    def estimate(self, rule: str, wildcards: Mapping[str, str], device: str = "cpu", threads: int = 1) -> JobEstimate:
        """What a job takes on a CPU with so many threads, or on one GPU (device cuda)."""
        work = self.work(rule, wildcards)
        device = device if work.on_gpu else "cpu"
        return JobEstimate(self._seconds(work, wildcards, device, threads), self._memory_mb(work, device, threads))

    def _seconds(self, work: Work, wildcards: Mapping[str, str], device: str, threads: int) -> float:
        here = self.finished.get((wildcards.get("dataset", ""), work.name)) if work.stage == "train" else None
        if here and work.units:
            return here.seconds_per_epoch * epochs_of(self.config, work.name)
        speed = find_speed(self.rates, work.stage, work.method, work.parameters, device, work.pixels)
        start = speed.start_s if speed and speed.start_s is not None else self._start(work.stage)
        parallel = 1 if device == "cuda" else max(1, threads)
        return start + (work.units * speed.seconds / parallel if speed else 0.0)

    def _start(self, stage: str) -> float:
        known = [rate.start_s for rate in self.rates if rate.stage == stage and rate.start_s is not None]
        return statistics.median(known) if known else UNKNOWN_START_S

    def _memory_mb(self, work: Work, device: str, threads: int) -> float:
        if device == "cuda":
            ranks = self.config["models"][work.name].get("gpus", 1) if work.stage == "train" else 1
            return ranks * (CUDA_MEMORY_MB + work.data_mb)
        pixels = work.pixels if work.on_gpu else None
        process = find_memory(self.rates, work.stage, work.method, work.parameters, pixels)
        if process is None:
            return UNKNOWN_MEMORY_MB + work.data_mb
        processes = threads + 1 if work.workers and threads > 1 else 1
        return process * processes + work.data_mb


def request_memory_mb(estimate: JobEstimate, attempt: int = 1) -> int:
    """Memory to ask a scheduler for; more at every further attempt."""
    wanted = estimate.memory_mb * MEMORY_MARGIN + NESTED_MB
    return math.ceil(max(MEMORY_FLOOR_MB, wanted) * MEMORY_GROWTH ** (attempt - 1))


def request_minutes(estimate: JobEstimate, attempt: int = 1, device: str = "cpu") -> int:
    """Time limit to ask a scheduler for; longer at every further attempt."""
    margin = GPU_TIME_MARGIN if device == "cuda" else TIME_MARGIN
    return math.ceil((estimate.seconds * margin / 60 + START_MINUTES) * attempt)
