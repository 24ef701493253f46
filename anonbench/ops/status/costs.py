"""What the jobs that are left will take, and what those of the past took.

A job is expected to take what finished ones of its kind took: of the same rule, model and dataset; else of the same
rule and model or dataset; else what `anonbench.ops.costs` expects of it from measured rates.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonbench.ops.costs.estimate import Estimator
from anonbench.ops.dag import Job
from anonbench.ops.journal import DONE as SUCCEEDED
from anonbench.ops.journal import LOST, RUNNING, Event
from anonbench.ops.status.states import (
    DONE,
    GPU_RULES,
    KILLED,
    JobState,
    Measured,
    of_state,
)


@dataclass(frozen=True, slots=True)
class Left:
    """What is expected to be left: hours of cores reserved and of GPUs, and by the clock.

    hours: None while nothing runs. cores, gpus: that run now. unknown: jobs of which nothing is known.
    """

    core_hours: float
    gpu_hours: float
    hours: float | None
    cores: int
    gpus: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Spent:
    """Hours of processor time and of GPUs spent on jobs; wasted_hours: of them in attempts that came to nothing."""

    cpu_hours: float
    gpu_hours: float
    wasted_cpu_hours: float
    wasted_gpu_hours: float
    wasted_attempts: int


def expected(states: Sequence[JobState], config: Mapping[str, Any], results: Path) -> Callable[[Job], Measured | None]:
    """What a job is expected to take, from those that are done."""
    kinds: dict[tuple[str, ...], list[Measured]] = defaultdict(list)
    for state in of_state(states, DONE):
        if state.measured:
            for kind in _kinds(state.job):
                kinds[kind].append(state.measured)
    medians = {kind: _median(values) for kind, values in kinds.items()}
    on_gpu = config["device"] == "cuda" or any(median.gpus for median in medians.values())
    estimator = Estimator(config, results)

    def expect(job: Job) -> Measured | None:
        known = next((medians[kind] for kind in _kinds(job) if kind in medians), None)
        return known or _estimate(estimator, job, on_gpu, config)

    return expect


def _kinds(job: Job) -> list[tuple[str, ...]]:
    """The groups that a job is of, the closest first."""
    untrained = job.rule == "train" and job.wildcards.get("train_variant") == "untrained"
    rule = "untrained" if untrained else job.rule
    model, dataset = job.wildcards.get("model"), job.wildcards.get("dataset")
    detector_or_variant = job.wildcards.get("detector") or (job.wildcards.get("variant") if not model else None)
    names = {"model": model, "dataset": dataset, "how": detector_or_variant}
    known = [f"{key}={value}" for key, value in names.items() if value]
    return [(rule, *known)] + [(rule, name) for name in known if len(known) > 1]


def _median(values: Sequence[Measured]) -> Measured:
    seconds, cpu_seconds = (statistics.median(getattr(v, name) for v in values) for name in ("seconds", "cpu_seconds"))
    threads, gpus = (int(statistics.median_low(getattr(v, name) for v in values)) for name in ("threads", "gpus"))
    return Measured(seconds, cpu_seconds, threads, gpus)


def _estimate(estimator: Estimator, job: Job, on_gpu: bool, config: Mapping[str, Any]) -> Measured | None:
    gpu = on_gpu and job.rule in GPU_RULES
    try:
        seconds = estimator.estimate(job.rule, job.wildcards, "cuda" if gpu else "cpu").seconds
        gpus = int(config["models"][job.wildcards["model"]].get("gpus", 1)) if gpu and job.rule == "train" else int(gpu)
    except (KeyError, ValueError, OSError):  # a guess must not keep the rest from being shown
        return None
    return Measured(seconds, seconds, 1, gpus)


def time_left(states: Sequence[JobState], expect: Callable[[Job], Measured | None]) -> Left:
    """Sums over all jobs that are not done; by the clock at the present number of cores and GPUs.

    By the clock it is the longest of three: the work over the cores, the GPUs' over the GPUs, the longest chain of jobs
    that wait for one another.
    """
    running = of_state(states, RUNNING)
    cores = sum(state.record.threads for state in running if state.record)
    gpus = sum(state.record.gpus for state in running if state.record)
    core_s = gpu_s = 0.0
    unknown = 0
    seconds: dict[int, float] = {}
    for number, state in enumerate(states):
        if state.state == DONE:
            continue
        needs = expect(state.job)
        if needs is None:
            unknown += 1
            continue
        seconds[number] = _left_of(state, needs)
        core_s += seconds[number] * needs.threads
        gpu_s += seconds[number] * needs.gpus
    by_clock = max(core_s / max(1, cores), gpu_s / max(1, gpus) if gpus else 0.0, _longest_chain(states, seconds))
    return Left(core_s / 3600, gpu_s / 3600, by_clock / 3600 if running else None, cores, gpus, unknown)


def _left_of(state: JobState, needs: Measured) -> float:
    if state.state != RUNNING:
        return needs.seconds
    by_share = needs.seconds * (1 - state.share_done)
    return by_share if state.share_done else max(0.0, needs.seconds - state.elapsed_s)


def _longest_chain(states: Sequence[JobState], seconds: Mapping[int, float]) -> float:
    """Seconds until the last job is done if every job could start as soon as its inputs are there."""
    makes = {path: number for number, state in enumerate(states) for path in state.job.artifacts}
    ends: dict[int, float] = {}

    def end(number: int) -> float:
        if number not in ends:
            ends[number] = 0.0  # a graph of jobs has no circles
            before = {makes[path] for path in states[number].job.inputs if path in makes} - {number}
            ends[number] = max(map(end, before), default=0.0) + seconds.get(number, 0.0)
        return ends[number]

    return max(map(end, range(len(states))), default=0.0)


def spent(states: Sequence[JobState], events: Iterable[Event]) -> Spent:
    """What the jobs took so far: attempts in the journal, stamps of jobs it knows nothing of, what runs now."""
    by_stamp = {state.job.stamp: state for state in states}
    cpu_s = gpu_s = wasted_cpu_s = wasted_gpu_s = 0.0
    wasted, told = 0, set()
    for event in events:
        if event.stamp not in by_stamp:
            continue
        cpu_s, gpu_s = cpu_s + event.cpu_seconds, gpu_s + event.seconds * event.gpus
        if event.event == SUCCEEDED:
            told.add(event.stamp)
        elif event.event in ("failed", "interrupted", LOST):
            wasted, wasted_cpu_s = wasted + 1, wasted_cpu_s + event.cpu_seconds
            wasted_gpu_s += event.seconds * event.gpus
    for stamp, state in by_stamp.items():
        record = state.record
        if state.measured and stamp not in told:
            cpu_s, gpu_s = cpu_s + state.measured.cpu_seconds, gpu_s + state.measured.seconds * state.measured.gpus
        elif record and record.state == RUNNING and state.state != DONE:  # no event tells of its end yet
            cpu_s, gpu_s = cpu_s + record.cpu_seconds, gpu_s + state.elapsed_s * record.gpus
            if state.state == KILLED:
                wasted, wasted_cpu_s = wasted + 1, wasted_cpu_s + record.cpu_seconds
                wasted_gpu_s += state.elapsed_s * record.gpus
    return Spent(cpu_s / 3600, gpu_s / 3600, wasted_cpu_s / 3600, wasted_gpu_s / 3600, wasted)
