"""What `anonbench status` reads: a record for each job while it runs, and a log of every start and end.

The process that makes `results/stamps/train/….json` keeps the record `results/.status/train/….json` from its start on
and adds lines to `results/.status/journal.csv`. A process that is killed leaves a record that says `running`;
`is_running` finds out whether it still is. When the journal cannot be written (full disk), work continues.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from anonbench.core import progress
from anonbench.core.errors import AnonbenchError

STATUS_FOLDER = ".status"
JOURNAL = f"results/{STATUS_FOLDER}/journal.csv"
LAST_RUN = f"results/{STATUS_FOLDER}/run.json"
OPTIONS = f"results/{STATUS_FOLDER}/options.yaml"
HEARTBEAT_S = 30.0  # at most so old is a living process's record
LOST_AFTER_S = 5 * HEARTBEAT_S  # network file systems show another machine's writes up to a minute late
PROGRESS_S = 2.0  # between writes of progress

RUNNING, DONE, FAILED, INTERRUPTED = "running", "done", "failed", "interrupted"  # states of a record, and events
START, LOST, TAKEN = "start", "lost", "taken"  # further events: see `Event`


@dataclass(frozen=True, slots=True)
class Record:
    """The latest attempt at a job.

    state: running, done, failed or interrupted (Ctrl-C, SIGTERM).
    start: UTC, ISO 8601.
    seconds: until `state` was last written, by a clock that does not jump.
    attempts: starts since the job last succeeded, this one included.
    pid, born, host: the process.
    born: its start in kernel ticks since boot, so that a later process of the same number is not taken for it.
    slurm_job: its SLURM_JOB_ID.
    cpu_seconds, memory_mb: like a stamp's.
    threads, gpus: how many it could use.
    device: the GPU's name, "" on a CPU.
    done, total, unit: how far it is, such as 12, 60, "epochs"; total 0: unknown.
    status: exit status at the end.
    error: last line of the message of a failure.
    """

    stage: str
    stamp: str
    state: str
    pid: int
    born: int | None
    host: str
    slurm_job: str | None
    start: str
    attempts: int = 1
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory_mb: float = 0.0
    threads: int = 1
    gpus: int = 0
    device: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    status: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the journal.

    event: one of

    - start, then done, failed or interrupted;
    - lost: a start without an end, noticed by the next start of the job;
    - taken: another process had already made the outputs; this one skipped the job.
    """

    time: str
    event: str
    stage: str
    stamp: str
    pid: int
    host: str
    slurm_job: str
    seconds: float
    cpu_seconds: float
    threads: int
    gpus: int


EVENT_COLUMNS = tuple(Event.__dataclass_fields__)


def status_path(stamp: Path, suffix: str = ".json") -> Path | None:
    """The place of a job's record: results/stamps/a/b.json -> results/.status/a/b.json. None for a stamp elsewhere."""
    parts = stamp.parts
    if "stamps" not in parts[:-1]:
        return None
    at = len(parts) - 1 - parts[::-1].index("stamps")
    return Path(*parts[:at], STATUS_FOLDER, *parts[at + 1 :]).with_suffix(suffix)


# --- writing ---


class Attempt:
    """Keeps the record of this process's work on one job, as a context manager around that work.

    stamp: the stamp that the job will write.
    threads: that it may use.
    gpus: processes of a training on several.

    Nothing is written when the stamp is in no folder `stamps`.
    """

    def __init__(self, stage: str, stamp: Path, threads: int = 1, gpus: int = 1) -> None:
        self.path = status_path(stamp)
        self.journal = _journal_of(self.path) if self.path else None
        self._wanted_gpus = gpus
        self._progress = (0, 0, "")
        self._start = self._written = time.monotonic()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self.record = Record(stage, str(stamp), RUNNING, start=_now(), threads=threads, **this_process())

    def __enter__(self) -> Attempt:
        if self.path is not None:
            before = read_record(self.path)
            if before is not None and before.state == RUNNING:
                self._log(LOST, before)
            if before is not None and before.state != DONE:
                self.record = replace(self.record, attempts=before.attempts + 1)
            self._write()
            self._log(START, self.record)
            progress.listen(self._tell)
            threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.path is not None:
            progress.listen(None)
            self._ended.set()
            self._write(**_end_of(error))
            self._log(self.record.state, self.record)

    def _tell(self, done: int, total: int, unit: str) -> None:
        is_new = unit != self._progress[2]
        self._progress = (done, total, unit)
        if is_new or time.monotonic() - self._written >= PROGRESS_S:
            self._write()

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_S):
            self._write()

    def _write(self, **changes: Any) -> None:
        assert self.path is not None
        with self._lock, contextlib.suppress(OSError):
            if self._ended.is_set() and not changes:
                return  # a heartbeat that was late must not overwrite the end
            self._written = time.monotonic()
            self.record = replace(self.record, **self._measured(), **changes)
            _replace_file(self.path, json.dumps(asdict(self.record), indent=1) + "\n")

    def _measured(self) -> dict[str, Any]:
        from anonbench.ops.provenance import resources_used

        cpu_seconds, memory_mb = resources_used(self.record.threads)
        done, total, unit = self._progress
        return {
            "done": done,
            "total": total,
            "unit": unit,
            "seconds": round(time.monotonic() - self._start, 2),
            "cpu_seconds": round(cpu_seconds, 2),
            "memory_mb": round(memory_mb, 1),
            **_gpus_in_use(self._wanted_gpus),
        }

    def _log(self, event: str, of: Record) -> None:
        if self.journal is not None:
            _append(self.journal, event, of)


def log_taken(stage: str, stamp: Path) -> None:
    """Note in the journal that another process had made this process's job."""
    path = status_path(stamp)
    if path is not None:
        _append(_journal_of(path), TAKEN, Record(stage, str(stamp), DONE, start=_now(), **this_process()))


def write_last_run(
    configfiles: Sequence[Path | str],
    targets: Sequence[str],
    root: Path = Path(),
    options: Mapping[str, Any] | None = None,
    slurm_job: str | None = None,
) -> None:
    """Leave word of a Snakemake run that begins now in this process: `anonbench status` lists its jobs.

    options: what `--config` set. It becomes a config file (`OPTIONS`), the last of the run's.
    slurm_job: in which Snakemake itself runs. Its SLURM plug-in removes SLURM_JOB_ID from the environment.
    """
    files, process = [str(file) for file in configfiles], this_process()
    process |= {"slurm_job": slurm_job} if slurm_job else {}
    with contextlib.suppress(OSError):
        if options:
            import yaml

            _replace_file(root / OPTIONS, yaml.safe_dump(dict(options)))
            files.append(str((root / OPTIONS).resolve()))
        run = {"configfiles": files, "targets": sorted(targets), "start": _now(), **process}
        _replace_file(root / LAST_RUN, json.dumps(run, indent=1) + "\n")


def _journal_of(record: Path) -> Path:
    folder = next(parent for parent in record.parents if parent.name == STATUS_FOLDER)
    return folder / Path(JOURNAL).name


def _end_of(error: BaseException | None) -> dict[str, Any]:
    """What the record says of an end: that of `main`'s exit status."""
    if error is None:
        return {"state": DONE, "status": 0}
    if isinstance(error, KeyboardInterrupt):
        return {"state": INTERRUPTED, "status": 130}
    lines = str(error).strip().splitlines() or [""]
    if isinstance(error, AnonbenchError):
        return {"state": FAILED, "status": 2, "error": lines[-1]}
    return {"state": FAILED, "status": 1, "error": f"{type(error).__name__}: {lines[-1]}"}


def this_process() -> dict[str, Any]:
    """pid, born, host and slurm_job of this process, as records name them."""
    pid = os.getpid()
    slurm = os.environ.get("SLURM_JOB_ID") or None
    return {"pid": pid, "born": _born(pid), "host": socket.gethostname(), "slurm_job": slurm}


def _gpus_in_use(wanted: int) -> dict[str, Any]:
    """How many GPUs this process or its ranks hold, and the name of its own: the parent of several ranks has none."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    try:
        if cuda is not None and cuda.is_initialized():
            return {"gpus": wanted, "device": str(cuda.get_device_name())}
        if cuda is not None and wanted > 1 and cuda.is_available():
            return {"gpus": wanted}
    except (AttributeError, AssertionError, RuntimeError):  # torch is still being imported by another thread
        pass
    return {}


def _replace_file(path: Path, text: str) -> None:
    """Write a file so that no reader sees half of it; unlike `files.write_text` without a word when it cannot be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")  # one name, so that killed processes leave one file at most
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _append(journal: Path, event: str, of: Record) -> None:
    values = asdict(of) | {"time": _now(), "event": event, "slurm_job": of.slurm_job or ""}
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([values[column] for column in EVENT_COLUMNS])
    with contextlib.suppress(OSError):
        journal.parent.mkdir(parents=True, exist_ok=True)
        with journal.open("ab", buffering=0) as stream:
            # On one machine appended lines are never mixed; on NFS they are unless the file is locked.
            for _ in range(20):
                with contextlib.suppress(OSError):
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                time.sleep(0.01)
            # Its length now: another process may have begun it while this one waited.
            head = ",".join(EVENT_COLUMNS) + "\n" if stream.seek(0, os.SEEK_END) == 0 else ""
            stream.write((head + line.getvalue()).encode())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


# --- reading ---


def read_record(path: Path) -> Record | None:
    """The record of a job; None when there is none, or none that can be read."""
    try:
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def went_on(stamp: Path) -> bool:
    """Whether a finished job had been begun before by a process that did not finish it: its time is that of a part."""
    path = status_path(stamp)
    record = read_record(path) if path else None
    return record is not None and record.attempts > 1


def read_events(root: Path = Path()) -> list[Event]:
    """The lines of the journal of a workflow's folder, oldest first. Lines that cannot be read are left out."""
    try:
        text = (root / JOURNAL).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    events = []
    for row in csv.reader(text.replace("\0", "").splitlines()):
        with contextlib.suppress(ValueError, TypeError):
            time_, event, stage, stamp, pid, host, slurm_job, seconds, cpu_seconds, threads, gpus = row
            numbers = (float(seconds), float(cpu_seconds), int(threads), int(gpus))
            events.append(Event(time_, event, stage, stamp, int(pid), host, slurm_job, *numbers))
    return events


def read_last_run(root: Path = Path()) -> Mapping[str, Any] | None:
    """What `write_last_run` wrote: configfiles, targets, start, and the process: pid, born, host, slurm_job."""
    try:
        run = json.loads((root / LAST_RUN).read_text(encoding="utf-8"))
        return run if {"configfiles", "targets", "start", "pid", "born", "host"} <= run.keys() else None
    except (OSError, ValueError, AttributeError):
        return None


def is_running(record: Record, age_s: float, slurm_jobs: set[str] | None = None) -> bool:
    """Whether the process of a record that says `running` still is.

    age_s: since the record was written.
    slurm_jobs: those that SLURM runs now. None where SLURM was not asked.

    The process is looked for on this machine, else its SLURM job. Else it counts as running if it has written lately.
    """
    here = process_is_here(record.pid, record.born, record.host)
    if here is not None:
        return here
    if record.slurm_job and slurm_jobs is not None:
        return record.slurm_job in slurm_jobs
    return age_s < LOST_AFTER_S


def process_is_here(pid: int, born: int | None, host: str) -> bool | None:
    """Whether a process of this machine is alive; None for one of another machine."""
    if host != socket.gethostname():
        return None
    if born is not None:
        return _born(pid) == born
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _born(pid: int) -> int | None:
    """The start of a process in ticks since boot; None when it has ended, or where there is no /proc."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        # pid (name) state ...: the name may hold anything, spaces and brackets too
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return None if fields[0] in "ZX" else int(fields[19])
    return None


def running_slurm_jobs() -> set[str] | None:
    """The numbers of the user's jobs that SLURM runs now; None when SLURM cannot be asked."""
    command = ["squeue", "--noheader", "--user", str(os.getuid()), "--format", "%A %T"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return set(_listed(done.stdout))


def _listed(text: str) -> Iterator[str]:
    for line in text.splitlines():
        number, _, state = line.strip().partition(" ")
        if number and state in ("RUNNING", "SUSPENDED", "STOPPED"):
            yield number
