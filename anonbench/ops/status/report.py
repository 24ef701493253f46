"""`anonbench status`: the states of a workflow's jobs as text and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anonbench.config import read_config
from anonbench.core.errors import ConfigError
from anonbench.data.paths import DEFAULT_CONFIG
from anonbench.ops.costs.estimate import Estimator
from anonbench.ops.dag import upstream_first, workflow_jobs
from anonbench.ops.journal import process_is_here, read_events, read_last_run
from anonbench.ops.last_run import overlays
from anonbench.ops.status.costs import Left, Spent, expected, spent, time_left
from anonbench.ops.status.states import (
    DONE,
    FAILED,
    KILLED,
    RUNNING,
    STATES,
    UNFINISHED,
    JobState,
    job_states,
    logs_of,
    of_state,
)

SNAKEMAKE_LOGS = ".snakemake/log"
SHOWN = 20  # jobs listed of a state; --json lists all


@dataclass(frozen=True, slots=True)
class Status:
    """What `anonbench status` says.

    of_last_run: config files and targets are those of the last Snakemake run.
    """

    root: Path
    configfiles: tuple[str, ...]
    targets: tuple[str, ...]
    of_last_run: bool
    run: Mapping[str, Any] | None
    states: list[JobState]
    left: Left
    spent: Spent

    @property
    def failed(self) -> bool:
        return bool(of_state(self.states, FAILED, KILLED))


def read_status(configfiles: Sequence[Path | str], targets: Sequence[str], root: Path) -> Status:
    """The status of the jobs of some targets.

    configfiles: laid over config/default.yaml. Without config files, and without targets, those of the last Snakemake
    run in this folder. Needs no lock: a run may be under way.
    Raises `ConfigError` when the workflow cannot be resolved.
    """
    run = read_last_run(root)
    of_last_run = run is not None and not configfiles
    files = list(map(str, overlays(run, root) if run and of_last_run else configfiles))
    targets = run["targets"] if run and of_last_run and not targets else targets
    try:
        jobs = workflow_jobs(files, targets, root, params=False)
        config = read_config(map(Path, files), root)
    except ConfigError as error:
        hint = "\nThese are the config files of the last run; name others with --configfile." if of_last_run else ""
        raise ConfigError(f"{error}{hint if files else ''}") from error
    states = job_states(jobs, root)
    left = time_left(states, expected(states, Estimator(config, root / "results")))
    return Status(root, tuple(files), tuple(targets), of_last_run, run, states, left, spent(states, read_events(root)))


def as_text(status: Status) -> str:
    """A table by rule, then what runs, what did not succeed and where to read why, then hours left and spent."""
    lines = [_heading(status), *_run_lines(status), "", *_table(status.states)]
    running = of_state(status.states, RUNNING)
    lines += ["", "running", *map(_running_line, running[:SHOWN]), *_more(running)] if running else []
    for name in UNFINISHED:
        some = of_state(status.states, name)
        lines += ["", name] if some else []
        for state in some[:SHOWN]:
            lines += _unfinished_lines(state, status.root)
        lines += _more(some)
    lines += ["", *_cost_lines(status)]
    lines.append("done: files and stamps are there; whether they fit code and settings, `anonbench verify` tells")
    return "\n".join(lines)


def as_json(status: Status) -> str:
    """`{configfiles, targets, run, counts: {rule: {state: n}}, jobs: [...], left, spent}`"""
    counts: dict[str, Counter[str]] = {}
    for state in status.states:
        counts.setdefault(state.job.rule, Counter())[state.state] += 1
    jobs = [
        {
            "name": state.name,
            "rule": state.job.rule,
            "state": state.state,
            "elapsed_s": round(state.elapsed_s, 1),
            "logs": logs_of(state, status.root) if state.state in UNFINISHED else [state.job.log],
            "attempt": asdict(state.record) if state.record else None,
        }
        for state in status.states
    ]
    content = {
        "configfiles": status.configfiles,
        "targets": status.targets,
        "run": {**status.run, "running": _is_under_way(status)} if status.run else None,
        "counts": counts,
        "jobs": jobs,
        "left": asdict(status.left),
        "spent": asdict(status.spent),
    }
    return json.dumps(content, indent=1)


def _heading(status: Status) -> str:
    files = " + ".join([DEFAULT_CONFIG, *(file.removeprefix(f"{status.root}/") for file in status.configfiles)])
    source = " (as the last run)" if status.of_last_run else ""
    return f"{', '.join(status.targets) or 'everything'} of {files}{source}"


def _is_under_way(status: Status) -> bool | None:
    """Whether the last run is still running. None when it was started on another machine."""
    run = status.run
    return process_is_here(run["pid"], run["born"], run["host"]) if run else False


def _run_lines(status: Status) -> list[str]:
    if status.run is None:
        return ["no Snakemake run has left word here: what runs is not known, files are"]
    under_way = _is_under_way(status)
    who = f"pid {status.run['pid']} on {status.run['host']}, since {_readable(status.run['start'])}"
    if under_way is None:
        return [f"Snakemake: {who}; from this machine it cannot be seen whether it still runs"]
    if under_way:
        return [f"Snakemake runs: {who}"]
    alone = " Its jobs were left running: start it again." if of_state(status.states, RUNNING) else ""
    return [f"no Snakemake runs; the last was {who}.{alone}"]


def _table(states: Sequence[JobState]) -> list[str]:
    rules = dict.fromkeys(job.rule for job in upstream_first(state.job for state in states))
    shown = [state for state in STATES if state == DONE or of_state(states, state)]
    rows = [["", *shown, "of"]]
    for rule in [*rules, ""]:
        counts = Counter(state.state for state in states if rule in ("", state.job.rule))
        rows.append([rule or "all", *(str(counts[state] or ".") for state in shown), str(counts.total())])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    aligned = [[cell.rjust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return ["  ".join([row[0].ljust(widths[0]), *cells[1:]]) for row, cells in zip(rows, aligned, strict=True)]


def _running_line(state: JobState) -> str:
    record = state.record
    assert record is not None
    progress = f"{record.done:,} of {record.total:,} {record.unit}, " if record.total else ""
    again = f", attempt {record.attempts}" if record.attempts > 1 else ""
    return f"  {state.name}: {progress}{_duration(state.elapsed_s)}, {_where(state)}{again}"


def _unfinished_lines(state: JobState, root: Path) -> list[str]:
    record = state.record
    assert record is not None
    if state.state == FAILED:
        what = f"exit status {record.status}: {record.error}"
    else:
        progress = f" at {record.done:,} of {record.total:,} {record.unit}" if record.total else ""
        what = f"after {_duration(record.seconds)}{progress}"
    again = f", attempt {record.attempts}" if record.attempts > 1 else ""
    began = f"began {_readable(record.start)}, {_where(state)}{again}"
    logs = logs_of(state, root) or [f"{state.job.log} (not there)"]
    return [f"  {state.name}: {what}", f"    {began}", *(f"    log: {log}" for log in logs)]


def _where(state: JobState) -> str:
    record = state.record
    assert record is not None
    slurm = f", SLURM job {record.slurm_job}" if record.slurm_job else ""
    return f"pid {record.pid} on {record.host}{slurm}"


def _cost_lines(status: Status) -> list[str]:
    left, past = status.left, status.spent
    gpu = f" and {_hours(left.gpu_hours)} of GPUs" if left.gpu_hours else ""
    lines = [f"left: {_hours(left.core_hours)} of cores{gpu}"]
    if left.hours is not None:
        on = f"{left.cores} cores" + (f" and {left.gpus} GPUs" if left.gpus else "")
        lines[0] += f"; {_hours(left.hours)} by the clock with {on} at work as now"
    if left.unknown:
        lines[0] += f"; {left.unknown} jobs of unknown length not counted"
    gpu = f", {_hours(past.gpu_hours)} of GPUs" if past.gpu_hours else ""
    lines.append(f"spent: {_hours(past.cpu_hours)} of processor time{gpu}")
    if past.wasted_attempts:
        gpu = f", {_hours(past.wasted_gpu_hours)} of GPUs" if past.wasted_gpu_hours else ""
        lost = f"{_hours(past.wasted_cpu_hours)}{gpu}"
        lines[-1] += f"; of it {lost} in {past.wasted_attempts} attempts that failed or were killed"
    logs = sorted((status.root / SNAKEMAKE_LOGS).glob("*.log"))
    if status.failed and logs:
        lines.append(f"Snakemake's own log: {logs[-1].relative_to(status.root).as_posix()}")
    return lines


def _more(states: Sequence[JobState]) -> list[str]:
    return [f"  and {len(states) - SHOWN} more (--json lists all)"] if len(states) > SHOWN else []


def _duration(seconds: float) -> str:
    """3725 -> 1:02:05"""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _hours(hours: float) -> str:
    """Two figures: 41 s, 12 min, 3.4 h"""
    seconds = hours * 3600
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{hours:.1f} h"


def _readable(start: str) -> str:
    """2026-11-21T15:16:21.346+00:00 -> 2026-11-21 15:16:21 UTC"""
    return start[:19].replace("T", " ") + " UTC"
