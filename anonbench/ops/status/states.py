"""The state of every job, from the files that are there and from the journal.

- `done`: all its outputs and its stamp are there. Whether they are still right is answered by `verify`.
- `running`: a process works on it.
- `failed`: its last attempt ended with an error.
- `killed`: its last attempt ended without a message: SIGKILL, out of memory, a machine that was lost.
- `interrupted`: its last attempt was stopped by Ctrl-C or SIGTERM, which is how a cluster announces its time limit.
- `left`: all others.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from anonbench.ops.catalog import declaration
from anonbench.ops.dag import Job
from anonbench.ops.dvc.cells import stage_name
from anonbench.ops.journal import (
    LOST_AFTER_S,
    RUNNING,
    Record,
    is_running,
    process_is_here,
    read_record,
    running_slurm_jobs,
    status_path,
)

DONE, FAILED, KILLED, INTERRUPTED, LEFT = "done", "failed", "killed", "interrupted", "left"
STATES = (DONE, RUNNING, FAILED, KILLED, INTERRUPTED, LEFT)
UNFINISHED = (FAILED, KILLED, INTERRUPTED)
SLURM_LOGS = (".snakemake/slurm_logs", "logs/slurm")


@dataclass(frozen=True, slots=True)
class JobState:
    """A job and how it stands.

    record: of its latest attempt, None where there is none.
    elapsed_s: of that attempt so far.
    measured: what its stamp says of the run that made it, for a job that is done.
    """

    job: Job
    state: str
    record: Record | None = None
    elapsed_s: float = 0.0
    measured: Measured | None = None

    @property
    def name(self) -> str:
        """As DVC's stages are named: train@market1501-bot-original-seed0, table3."""
        return stage_name(self.job)

    @property
    def share_done(self) -> float:
        """0..1, of the attempt that runs; 0 while nothing is known."""
        record = self.record
        # A training counts images before it counts epochs: decoding them is no part of the work.
        if record is None or not record.total or (self.job.rule == "train" and record.unit != "epochs"):
            return 0.0
        return min(1.0, record.done / record.total)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a job took: seconds by the clock and of all cores together, and the threads and GPUs that it had."""

    seconds: float
    cpu_seconds: float
    threads: int
    gpus: int


def job_states(jobs: Iterable[Job], root: Path) -> list[JobState]:
    """The states of jobs, in their order.

    root: the folder that their paths are relative to.
    """
    return _Reader(root).states(jobs)


class _Reader:
    """Asks SLURM once, and only when a record calls for it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._slurm: set[str] | None = None
        self._asked = False

    def states(self, jobs: Iterable[Job]) -> list[JobState]:
        return [self._state(job) for job in jobs]

    def _state(self, job: Job) -> JobState:
        stamp = self.root / job.stamp if job.stamp else None
        record, age_s = _record_and_age(status_path(stamp) if stamp else None)
        if all((self.root / output).exists() for output in job.outputs):
            return JobState(job, DONE, record, measured=read_measured(stamp, record) if stamp else None)
        if record is None or record.state == DONE:  # done once, and its outputs were removed
            return JobState(job, LEFT)
        if record.state != RUNNING:
            return JobState(job, record.state, record, record.seconds)
        if is_running(record, age_s, self._slurm_jobs(record)):
            return JobState(job, RUNNING, record, record.seconds + min(age_s, LOST_AFTER_S))
        return JobState(job, KILLED, record, record.seconds)

    def _slurm_jobs(self, record: Record) -> set[str] | None:
        elsewhere = process_is_here(record.pid, record.born, record.host) is None
        if record.slurm_job and elsewhere and not self._asked:
            self._slurm, self._asked = running_slurm_jobs(), True
        return self._slurm


def _record_and_age(path: Path | None) -> tuple[Record | None, float]:
    if path is None or (record := read_record(path)) is None:
        return None, 0.0
    try:
        return record, max(0.0, time.time() - path.stat().st_mtime)  # below 0: the clocks of two machines differ
    except OSError:
        return record, 0.0


def computes_on_gpus(rule: str) -> bool:
    """Whether a rule's command uses a GPU where it is given one."""
    try:
        return declaration(rule).gpu
    except LookupError:  # a rule that somebody else has added
        return False


def read_measured(stamp: Path, record: Record | None) -> Measured | None:
    """What the run took that wrote a stamp. None for a stamp that does not say.

    Stamps name the device and the record the number of GPUs. A stamp without a record (from DVC) is taken for one GPU.
    """
    try:
        entry = json.loads(stamp.read_text(encoding="utf-8"))
        seconds, machine = float(entry["seconds"]), entry["machine"]
        on_gpu = computes_on_gpus(entry["stage"]) and machine["device"] not in machine["platform"]
        gpus = record.gpus if record and record.state == DONE else int(on_gpu)
        return Measured(seconds, float(entry.get("cpu_seconds", seconds)), int(entry.get("threads", 1)), gpus)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def logs_of(state: JobState, root: Path) -> list[str]:
    """Where to read why a job ended: its log, and SLURM's copy of its standard output, as far as they are there."""
    found = [state.job.log] if state.job.log and (root / state.job.log).is_file() else []
    number = state.record.slurm_job if state.record else None
    if number:
        for folder in SLURM_LOGS:
            found += sorted(file.relative_to(root).as_posix() for file in (root / folder).rglob(f"*{number}*.log"))
    return found


def of_state(states: Sequence[JobState], *wanted: str) -> list[JobState]:
    """Those in one of these states."""
    return [state for state in states if state.state in wanted]
