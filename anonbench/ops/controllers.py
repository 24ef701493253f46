"""The Snakemakes that are at work in a folder: each holds a lock of ours, from its first job to its end.

    enter(Path(), targets, made, read)     # in Snakemake's own process, when it is about to start jobs
    refuse_while_at_work(Path(), "adopt")  # in a command that must not work beside one

Snakemake's own locks are no sign of life. From version 9.17.0 on the end of any run in a folder removes the locks of
all of them, also of those that are still at work. The lock here goes with its process, however that ends, and with no
other.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anonbench.core.errors import DataError
from anonbench.core.locks import lock
from anonbench.ops.journal import STATUS_FOLDER, process_is_here, running_slurm_jobs, this_process

RUNS = f"results/{STATUS_FOLDER}/runs"


@dataclass(frozen=True, slots=True)
class Controller:
    """A Snakemake that has started jobs and was not seen to end.

    pid, born, host, slurm_job: its process, as in `journal.Record`.
    start: UTC, ISO 8601.
    targets: what it was asked for.
    made, read: the files that its jobs make, and those that they read.
    seen: whether its lock is held, or its process is here. False: it ran on another machine, and its end cannot be seen
        from this one.
    """

    pid: int
    born: int | None
    host: str
    slurm_job: str | None
    start: str
    targets: tuple[str, ...] = ()
    made: frozenset[str] = frozenset()
    read: frozenset[str] = frozenset()
    seen: bool = True

    def __str__(self) -> str:
        where = f"SLURM job {self.slurm_job} on {self.host}" if self.slurm_job else f"process {self.pid} on {self.host}"
        return f"{where}, since {self.start[:16]}, making {', '.join(self.targets[:3]) or 'everything'}"


def enter(
    root: Path,
    targets: Collection[str] = (),
    made: Collection[str] = (),
    read: Collection[str] = (),
    slurm_job: str | None = None,
) -> int | None:
    """Enter this process as one at work in a folder, until it ends; the descriptor of its lock.

    targets: what it was asked for.
    made, read: the files that its jobs make, and those that they read.
    slurm_job: in which it runs.
    None where nothing can be written or locked: the work goes on without.
    """
    process: dict[str, Any] = this_process() | ({"slurm_job": slurm_job} if slurm_job else {})
    file = root.resolve() / RUNS / f"{process['host']}-{process['pid']}.json"
    entry = {
        **process, "start": datetime.now(UTC).isoformat(timespec="seconds"),
        "targets": sorted(targets), "made": sorted(made), "read": sorted(read),
    }  # fmt: skip
    try:
        descriptor = _own(file)
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(entry).encode(), 0)
    except OSError:
        return None
    atexit.register(leave, file, os.getpid())
    return descriptor


def leave(file: Path, pid: int) -> None:
    """Remove the record of a process that ends; a process that it has forked leaves it alone."""
    if os.getpid() == pid:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def _own(file: Path) -> int:
    """A locked file that is still there under its name: who looked in between may have taken it for a dead one's."""
    file.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = lock(file, wait=True)
        assert descriptor is not None
        with contextlib.suppress(FileNotFoundError):
            if file.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)


def at_work(root: Path, gone: bool = False) -> list[Controller]:
    """The Snakemakes at work in a folder, without this process; records of those that were killed are removed.

    gone: take the user's word that those of other machines whose end cannot be seen have ended.
    """
    looked = (_look(file, gone) for file in sorted((root / RUNS).glob("*.json")))
    found = [controller for controller in looked if controller is not None and not _is_this_process(controller)]
    unseen = {controller.slurm_job for controller in found if not controller.seen} - {None}
    queue = running_slurm_jobs() if unseen else None
    return [c for c in found if c.seen or queue is None or c.slurm_job is None or c.slurm_job in queue]


def _look(file: Path, gone: bool) -> Controller | None:
    """The living process of a record, or one whose end cannot be seen; None and no record for a dead one."""
    try:
        descriptor = lock(file, wait=False)
    except FileNotFoundError:
        return None
    except OSError:  # no locks on this disk, or another user's file
        controller = _read(file)
        here = process_is_here(controller.pid, controller.born, controller.host)
        return None if here is False or (here is None and gone) else replace(controller, seen=bool(here))
    if descriptor is None:
        return _read(file)
    try:
        controller = _read(file)
        # Some network disks have locks that other machines do not see.
        here = process_is_here(controller.pid, controller.born, controller.host)
        if here or (here is None and not gone and controller.host):
            return replace(controller, seen=bool(here))
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
        return None
    finally:
        os.close(descriptor)


def _read(file: Path) -> Controller:
    """A record; one that is just being written has no host."""
    try:
        entry: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        lists = {name: frozenset(entry[name]) for name in ("made", "read")}
        return Controller(**{**entry, "targets": tuple(entry["targets"]), **lists})
    except (OSError, ValueError, TypeError, KeyError):
        return Controller(pid=0, born=None, host="", slurm_job=None, start="just now")


def _is_this_process(controller: Controller) -> bool:
    process = this_process()
    return (controller.pid, controller.born, controller.host) == (process["pid"], process["born"], process["host"])


def refuse_while_at_work(root: Path, doing: str) -> None:
    """Raise `DataError` while a Snakemake is at work in a folder.

    doing: what must wait, for the message: "adopt".
    """
    for controller in at_work(root):
        raise DataError(f"{root}: {in_words(controller)} `anonbench {doing}` must not work beside it.")


def in_words(controller: Controller) -> str:
    """Who is at work, and what to do."""
    if controller.seen:
        stop = f" (Ctrl-C, or `kill {controller.pid}`, tidies up)" if controller.pid else ""
        return f"Snakemake is at work here ({controller}). Wait for its end or stop it{stop}."
    return (
        f"a Snakemake of another machine was started here ({controller}), and from here its end cannot be seen. Look "
        f"there (`ps {controller.pid}`); if it is gone, or the machine is: anonbench recover --gone."
    )


def refuse_same_files(root: Path, made: Collection[str], read: Collection[str]) -> None:
    """Raise `DataError` when a Snakemake at work makes a file that is to be made or read, or reads one to be made."""
    for controller in at_work(root):
        shared: Sequence[str] = sorted((controller.made & {*made, *read}) | (controller.read & set(made)))
        if shared:
            raise DataError(
                f"{root.resolve()}: {in_words(controller)} Both would work on {shared[0]}"
                f"{f' and {len(shared) - 1} more files' if shared[1:] else ''}. Runs that make different files may "
                f"work side by side."
            )
