"""What the jobs that are left will take, and what those of the past took."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from anonbench.ops.costs.estimate import Estimator
from anonbench.ops.dag import Job
from anonbench.ops.journal import DONE as SUCCEEDED
from anonbench.ops.journal import LOST, RUNNING, Event
from anonbench.ops.status.states import (
    DONE,
    KILLED,
    JobState,
    Measured,
    computes_on_gpus,
    of_state,
)


@dataclass(frozen=True, slots=True)
class Left:
    """What is expected to be left: hours of cores reserved and of GPUs, and by the clock.

    hours: None while nothing runs.
    cores, gpus: that run now.
    unknown: jobs of which nothing is known.
    """

    core_hours: float
    gpu_hours: float
    hours: float | None
    cores: int
    gpus: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Spent:
    """Hours of processor time and of GPUs spent on jobs; wasted_hours: of them in attempts that failed."""

    cpu_hours: float
    gpu_hours: float
    wasted_cpu_hours: float
    wasted_gpu_hours: float
    wasted_attempts: int


def expected(states: Sequence[JobState], estimator: Estimator) -> Callable[[Job], Measured | None]:
    """What a job is expected to take: what finished ones of its kind took, else what the rates say."""
    kinds: dict[tuple[str, ...], list[Measured]] = defaultdict(list)
    for state in of_state(states, DONE):
        if state.measured:
            for kind in _kinds(state.job):
                kinds[kind].append(state.measured)
    medians = {kind: _median(values) for kind, values in kinds.items()}

    def expect(job: Job) -> Measured | None:
        known = next((medians[kind] for kind in _kinds(job) if kind in medians), None)
        return known or _estimate(estimator, job)

    return expect


def _kinds(job: Job) -> list[tuple[str, ...]]:
    """The groups that a job is of, the closest first: its rule, dataset and method, then its rule and method."""
    untrained = job.rule == "train" and job.wildcards.get("train_variant") == "untrained"
    method = next((job.wildcards[key] for key in ("model", "variant", "detector") if key in job.wildcards), "")
    kind = ("untrained" if untrained else job.rule, method)
    return [(*kind, job.wildcards["dataset"]), kind] if "dataset" in job.wildcards else [kind]


def _median(values: Sequence[Measured]) -> Measured:
    seconds, cpu_seconds = (statistics.median(getattr(v, name) for v in values) for name in ("seconds", "cpu_seconds"))
    threads, gpus = (int(statistics.median_low(getattr(v, name) for v in values)) for name in ("threads", "gpus"))
    return Measured(seconds, cpu_seconds, threads, gpus)


def _estimate(estimator: Estimator, job: Job) -> Measured | None:
    gpus = int(estimator.config["device"] == "cuda" and computes_on_gpus(job.rule))
    try:
        seconds = estimator.estimate(job.rule, job.wildcards, gpus).seconds
    except (KeyError, ValueError, OSError):  # a guess must not keep the rest from being shown
        return None
    return Measured(seconds, seconds, 1, gpus)


def time_left(states: Sequence[JobState], expect: Callable[[Job], Measured | None]) -> Left:
    """Sums over all jobs that are not done; by the clock at the present number of cores and GPUs.

    By the clock it is the longest of three: the work over the cores, the GPUs' over the GPUs, the longest job.
    """
    running = [state.record for state in of_state(states, RUNNING) if state.record]
    cores, gpus = sum(record.threads for record in running), sum(record.gpus for record in running)
    core_s = gpu_s = longest_s = 0.0
    unknown = 0
    for state in states:
        needs = None if state.state == DONE else expect(state.job)
        if needs is not None:
            seconds = _left_of(state, needs)
            core_s, gpu_s = core_s + seconds * needs.threads, gpu_s + seconds * needs.gpus
            longest_s = max(longest_s, seconds)
        elif state.state != DONE:
            unknown += 1
    by_clock = max(core_s / max(1, cores), gpu_s / max(1, gpus) if gpus else 0.0, longest_s)
    return Left(core_s / 3600, gpu_s / 3600, by_clock / 3600 if running else None, cores, gpus, unknown)


def _left_of(state: JobState, needs: Measured) -> float:
    if state.state != RUNNING:
        return needs.seconds
    by_share = needs.seconds * (1 - state.share_done)
    return by_share if state.share_done else max(0.0, needs.seconds - state.elapsed_s)


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
        elif record and record.state == RUNNING and state.state != DONE:  # no event of its end yet
            cpu_s, gpu_s = cpu_s + record.cpu_seconds, gpu_s + state.elapsed_s * record.gpus
            if state.state == KILLED:
                wasted, wasted_cpu_s = wasted + 1, wasted_cpu_s + record.cpu_seconds
                wasted_gpu_s += state.elapsed_s * record.gpus
    return Spent(cpu_s / 3600, gpu_s / 3600, wasted_cpu_s / 3600, wasted_gpu_s / 3600, wasted)
