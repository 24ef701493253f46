"""Rates from what finished jobs took, and how well the rates foretell it."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from anonbench.config import read_config
from anonbench.core.errors import DataError
from anonbench.ops.costs.estimate import MEASURED_HERE, Estimator
from anonbench.ops.costs.finished import epoch_seconds
from anonbench.ops.costs.rates import Rate, write_rates
from anonbench.ops.costs.work import Work
from anonbench.ops.dag import Job, workflow_jobs
from anonbench.ops.journal import went_on
from anonbench.ops.provenance import read_stamp
from anonbench.ops.verify import asked_settings

TOLERANCE = 0.3  # an estimate counts as right when it is off by less than this share of what was measured
SPREAD = 1.5  # the largest job must have so many times the images of the smallest for its start to show
NEGLIGIBLE = 0.01  # images that take less than this share of the start say nothing of their speed
ROBUST_FROM = 0.1  # relative residuals beyond this weigh less (soft l1)


def fit_costs(configfiles: Iterable[Path], root: Path, check: bool = False) -> str:
    """Write `results/benchmarks/rates.csv` from the finished jobs of a configuration; returns a report.

    configfiles: laid over config/default.yaml. check: write nothing and hold the rates now in force against the jobs.
    Raises `DataError` when no job of the configuration has been finished here.
    """
    files = list(configfiles)
    config = read_config(files, root)
    results = root / "results"
    measured = measured_jobs(workflow_jobs(files, root=root), config, results)
    if not measured:
        raise DataError(
            f"{results}: no finished job of this configuration. Expected stamps below {results / 'stamps'} that were "
            f"made with the settings now in force: run Snakemake first, or name the same --configfile as then."
        )
    target = results / MEASURED_HERE
    if not check:
        write_rates(target, fit_rates(measured))
    rows = check_rates(measured, Estimator(config, results, learn=False))
    title = "rates now in force" if check else f"rates just fitted to these very jobs, written to {target}"
    return "\n".join([f"{len(measured)} finished jobs; {title}", *_as_table(rows)])


def _as_table(rows: Sequence[Check]) -> list[str]:
    right = f"<{TOLERANCE:.0%} off"
    lines = [
        f"{'':20} {'':5} {'time':>9} {'':26} memory",
        f"{'rule':20} {'jobs':>5} {'median s':>9} {'estimate':>9} {right:>8} {'worst':>6} {right:>9} {'worst':>6}",
    ]
    lines += [
        f"{row.rule or 'all':20} {row.jobs:5d} {row.seconds:9.1f} {row.estimated_s:9.1f} {row.time_right:8.0%} "
        f"{row.worst_time:5.1f}x {row.memory_right:9.0%} {row.worst_memory:5.1f}x"
        for row in rows
    ]
    return lines


@dataclass(frozen=True)
class Measurement:
    """A finished job: its work and what it took.

    seconds: by the clock. cpu_seconds: of its cores together. device: cpu or cuda. size: of a network's input,
    (height, width), else None.
    """

    job: Job
    work: Work
    seconds: float
    cpu_seconds: float
    memory_mb: float
    threads: int
    device: str
    size: tuple[int, int] | None

    @property
    def processes(self) -> int:
        return self.threads + 1 if self.work.workers and self.threads > 1 else 1

    @property
    def undisturbed_s(self) -> float:
        """The time it would have taken with its cores to itself: what it waited for them is left out."""
        return min(self.seconds, self.cpu_seconds / self.threads) if self.device == "cpu" else self.seconds


def measured_jobs(jobs: Iterable[Job], config: Mapping[str, Any], results: Path = Path("results")) -> list[Measurement]:
    """The jobs that were finished here with the settings that they have now; others say nothing of them.

    A job that went on after a kill shows only its last part, and is left out.
    """
    estimator = Estimator(config, results)
    found = []
    for job in jobs:
        stamp_path = Path(job.stamp) if job.stamp else None
        if stamp_path is None or not stamp_path.is_file():
            continue
        try:
            stamp = read_stamp(stamp_path)
        except DataError:
            continue
        if went_on(stamp_path) or stamp.seconds < sum(s for o in job.artifacts for s in epoch_seconds(Path(o))):
            continue
        if not stamp.memory_mb or any(stamp.settings.get(name) != value for name, value in asked_settings(job).items()):
            continue
        work = estimator.work(job.rule, job.wildcards)
        height, width = config["models"][work.name]["input"] if work.on_gpu else (0, 0)
        on_gpu = work.on_gpu and stamp.settings.get("device") != "cpu" and stamp.machine.get("kind") == "cuda"
        device = "cuda" if on_gpu else "cpu"
        size = (height, width) if work.on_gpu else None
        taken = (stamp.seconds, stamp.cpu_seconds, stamp.memory_mb, stamp.threads)
        found.append(Measurement(job, work, *taken, device, size))
    return found


def fit_rates(measured: Sequence[Measurement]) -> list[Rate]:
    """One row for each method of each rule (and device, and size of input): start, images a second, memory.

    Where a method has been run on data of about one size only, its start is that of the rule's other methods.
    """
    groups: dict[tuple[Any, ...], list[Measurement]] = {}
    for m in measured:
        groups.setdefault((m.work.stage, m.work.method, repr(m.work.parameters), m.size, m.device), []).append(m)
    fitted = {key: _start_and_slope(group) for key, group in groups.items() if _spread(group)}
    starts: dict[str, list[float]] = {}
    for key, (start, _) in fitted.items():
        starts.setdefault(key[0], []).append(start)
    rows = []
    for key, group in groups.items():
        start, slope = fitted.get(key) or _slope(group, starts.get(key[0]))
        rows.append(_row(group, start, slope))
    return sorted(rows, key=lambda row: row.key)


def _images(m: Measurement) -> float:
    """Images that one core works on."""
    return m.work.units / (m.threads if m.device == "cpu" else 1)


def _spread(group: Sequence[Measurement]) -> bool:
    images = [_images(m) for m in group]
    return len(set(images)) > 1 and max(images) > SPREAD * max(min(images), 1.0)


def _start_and_slope(group: Sequence[Measurement]) -> tuple[float, float]:
    """seconds = start + slope x images, both at least 0, least relative error, outliers weighing less."""
    images = np.array([_images(m) for m in group])
    seconds = np.array([m.undisturbed_s for m in group])
    guess = [seconds.min() / 2, float(np.median(seconds / np.maximum(images, 1))) / 2]
    solution = least_squares(
        lambda p: (p[0] + p[1] * images) / seconds - 1,
        guess, bounds=(0, np.inf), loss="soft_l1", f_scale=ROBUST_FROM, x_scale=np.maximum(guess, 1e-9),
    )  # fmt: skip
    return float(solution.x[0]), float(solution.x[1])


def _slope(group: Sequence[Measurement], starts: Sequence[float] | None) -> tuple[float, float]:
    """Of jobs with about equally many images: the rule's usual start, the rest by the images."""
    seconds = statistics.median(m.undisturbed_s for m in group)
    images = statistics.median(_images(m) for m in group)
    if not images:
        return seconds, 0.0
    start = min(statistics.median(starts), 0.9 * seconds) if starts else 0.0
    return start, (seconds - start) / images


def _row(group: Sequence[Measurement], start: float, slope: float) -> Rate:
    first = group[0].work
    if slope * max(map(_images, group)) < NEGLIGIBLE * start:
        slope = 0.0
    memory = statistics.median((m.memory_mb - m.work.data_mb) / m.processes for m in group)
    height, width = group[0].size or (None, None)
    pixels = [m.work.pixels for m in group if m.work.pixels]
    if height is None and pixels and slope:  # of the images themselves, by their mean area
        side = round(statistics.fmean(pixels) ** 0.5)
        height, width = side, side
    return Rate(
        stage=first.stage,
        method=first.method,
        parameters=first.parameters,
        height=height,
        width=width,
        device=group[0].device,
        images_per_s=float(f"{1 / slope:.4g}") if slope else None,
        start_s=float(f"{start:.3g}"),
        memory_mb=float(f"{memory:.4g}"),
        feature_dim=None,
        model_mb=None,
        image_kb=None,
        source=f"fitted: {len(group)} finished {'job' if len(group) == 1 else 'jobs'}",
    )


@dataclass(frozen=True)
class Check:
    """How the estimates of a rule's jobs compare with what was measured; shares within TOLERANCE, 0..1."""

    rule: str
    jobs: int
    seconds: float
    estimated_s: float
    time_right: float
    memory_right: float
    worst_time: float
    worst_memory: float


def check_rates(measured: Sequence[Measurement], estimator: Estimator) -> list[Check]:
    """One row a rule, and one for all of them (rule "")."""
    by_rule: dict[str, list[tuple[float, float, float, float]]] = {}
    for m in measured:
        estimate = estimator.estimate(m.job.rule, m.job.wildcards, m.device, m.threads)
        row = (m.undisturbed_s, estimate.seconds, estimate.seconds / m.undisturbed_s, estimate.memory_mb / m.memory_mb)
        by_rule.setdefault(m.job.rule, []).append(row)
    rows = [_check(rule, values) for rule, values in sorted(by_rule.items())]
    everything = [value for values in by_rule.values() for value in values]
    return [*rows, _check("", everything)] if everything else []


def _check(rule: str, values: Sequence[tuple[float, float, float, float]]) -> Check:
    def right(ratios: Sequence[float]) -> float:
        return statistics.fmean(abs(ratio - 1) <= TOLERANCE for ratio in ratios)

    times, memories = [v[2] for v in values], [v[3] for v in values]
    return Check(
        rule, len(values), statistics.median(v[0] for v in values), statistics.median(v[1] for v in values),
        right(times), right(memories), max(times, key=lambda r: abs(r - 1)), max(memories, key=lambda r: abs(r - 1)),
    )  # fmt: skip
