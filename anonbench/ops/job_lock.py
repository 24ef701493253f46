"""One process at a time on a job.

A Snakemake that is killed outright (SIGKILL, power of its machine alone) leaves its jobs running, and the next one
starts them again. Two processes on one job would write the same files and the same state of a training: the later one
waits for the earlier, and takes what that has made if it is what it would make itself.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from anonbench.core.command import Footprint
from anonbench.core.locks import lock
from anonbench.ops.journal import read_record, status_path
from anonbench.ops.provenance import is_stamp_of

POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class JobFiles:
    """A command that makes files: its name, its stamp, what it reads and writes.

    code: digest of its modules, "" when a person typed it.
    resume_dir: of what it keeps while it is unfinished.
    """

    name: str
    stamp: Path
    footprint: Footprint
    code: str = ""
    resume_dir: Path | None = None


@contextlib.contextmanager
def sole_process(stamp: Path) -> Iterator[bool]:
    """Hold the lock of the job that writes a stamp; yields whether another process had it, which was waited for.

    The lock goes with its process, however that ends. Where locks cannot be had (a stamp in no folder `stamps`, a file
    system without them, a full disk) the work goes on without.
    """
    path = status_path(stamp, ".lock")
    descriptor, waited = _wait_for(path) if path else (None, False)
    try:
        yield waited
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _wait_for(path: Path) -> tuple[int | None, bool]:
    """The lock, as soon as it can be had, and whether another process had it; no lock where there are none."""
    waited = False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while (descriptor := lock(path, wait=False)) is None:
            if not waited:
                print(_waiting_text(path.with_suffix(".json")), file=sys.stderr, flush=True)
            waited = True
            time.sleep(POLL_S)
    except OSError:
        return None, False
    return descriptor, waited


def _waiting_text(record: Path) -> str:
    other = read_record(record)
    who = f"process {other.pid} on {other.host}, since {other.start}," if other else "another process"
    return (
        f"{who} works on the same job: it was left by a run that was killed, or this one was started twice. Waiting "
        f"for it to end. End it yourself to have the job done anew; a training goes on from its last saved epoch."
    )


def was_made_meanwhile(job: JobFiles) -> bool:
    """Whether the outputs of a command are there as it would make them, from another process since Snakemake's check.

    Snakemake removes the outputs of a job before it starts it, so that a stamp in their place is another process's. A
    command without a code digest was typed by a person, who wants it to run.
    """
    if not job.code or not job.stamp.exists():
        return False
    return is_stamp_of(job.stamp, job.name, job.footprint, job.code)


def remove_leftovers(job: JobFiles, waited: bool) -> None:
    """Remove what killed processes have left of this job: temporary files, and after a wait the outputs.

    For the holder of the job's lock. An output folder that is there would be refused, and nobody vouches for it; what a
    person runs by hand (without a code digest) overwrites nothing of that kind.
    """
    outputs = [*job.footprint.outputs, job.stamp]
    leftovers = [path for output in outputs for path in _partial(output.parent, output.name)]
    if job.resume_dir:
        leftovers += _partial(job.resume_dir, "*")
    for path in [*leftovers, *(outputs if waited and job.code else [])]:
        with contextlib.suppress(OSError):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _partial(folder: Path, name: str) -> Iterable[Path]:
    """The temporary files and folders of `files.atomic_file` and `atomic_folder`; `*` for those of any file."""
    start = "." if name == "*" else f".{name}."
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    return [entry for entry in entries if entry.name.startswith(start) and entry.name.endswith(".partial")]
