"""Make a folder ready for the next run after its Snakemake was killed (SIGKILL, a login node that went down).

    anonbench recover            # waits for the jobs that are left
    anonbench recover --cancel   # ends them

Jobs outlive their Snakemake: SLURM's in the queue, local ones as processes without a parent. Snakemake forgets them. It
may delete their finished outputs or miss a changed parameter. `recover` trusts the stamps: outputs that match their
stamp and the current code are marked complete. Nothing is removed here but Snakemake's lock.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonbench.core.errors import AnonbenchError, ConfigError, DataError
from anonbench.ops.controllers import at_work, in_words
from anonbench.ops.dag import (
    LISTING,
    SNAKEFILE,
    STAMPS,
    STAND_IN,
    job_of,
    resolved_workflow,
)
from anonbench.ops.dvc.cells import stage_name
from anonbench.ops.journal import (
    LAST_RUN,
    RUNNING,
    STATUS_FOLDER,
    process_is_here,
    read_last_run,
    read_record,
)
from anonbench.ops.verify import OK, Verifier

POLL_S = 5.0
SAY_S = 60.0  # between two lines about the same jobs
SLURM_COMMENT = "rule_"  # how the comments begin that Snakemake's plug-in gives its jobs
MARKS = ".snakemake/incomplete"
LOCKS = ".snakemake/locks"


@dataclass(frozen=True, slots=True)
class Leftover:
    """A job that outlived its Snakemake.

    slurm: its number in SLURM, or
    pid: that of its process on this machine.
    """

    what: str
    slurm: str = ""
    pid: int = 0

    def __str__(self) -> str:
        return f"SLURM job {self.slurm} ({self.what})" if self.slurm else f"process {self.pid} ({self.what})"


@dataclass(frozen=True, slots=True)
class Recovered:
    """Jobs by name.

    adopted: whole, and marked complete now.
    unfinished: begun and not whole. The next run makes them.
    was_locked: whether Snakemake's lock was there.
    """

    adopted: tuple[str, ...]
    unfinished: tuple[str, ...]
    was_locked: bool


def recover(
    root: Path,
    configfiles: Sequence[Path | str] = (),
    cancel: bool = False,
    gone: bool = False,
    say: Callable[[str], None] = print,
    poll_s: float = POLL_S,
) -> Recovered:
    """Wait for the jobs that a killed Snakemake left in a folder (or cancel them), unlock, adopt what is whole.

    configfiles: those of the killed run. Empty: as it recorded them itself.
    gone: take the user's word that a Snakemake of another machine has ended.
    say: called with what happens, line by line.
    Raises `DataError` while a Snakemake of this folder lives, and when SLURM does not answer although jobs went there.
    Raises `ConfigError` when the folder has no workflow, or its jobs cannot be listed.
    """
    if not (root / SNAKEFILE).is_file():
        raise ConfigError(f"{root}: there is no {SNAKEFILE} here. Run this in the folder of the workflow.")
    _refuse_while_alive(root, gone)
    _await_end(root, cancel, say, poll_s)
    _refuse_while_alive(root, gone)  # another may have been started meanwhile
    was_locked = any((root / LOCKS).glob("*.lock"))
    run = read_last_run(root) or {}
    files = [str(Path(file).resolve()) for file in configfiles] or [str(root / f) for f in run.get("configfiles", [])]
    found = _tell_snakemake(root, files, [str(target) for target in run.get("targets", [])])
    return Recovered(tuple(found["adopted"]), tuple(found["unfinished"]), was_locked)


def as_text(found: Recovered, root: Path) -> str:
    """What was done, and what comes next."""
    lines = [
        "unlocked" if found.was_locked else "there was no lock",
        f"{len(found.adopted)} jobs finished without being noted: taken as done",
        *(f"  {name}" for name in found.adopted),
        f"{len(found.unfinished)} jobs begun and not finished: the next run makes them",
        *(f"  {name}" for name in found.unfinished),
    ]
    run = read_last_run(root)
    if run is not None:
        words = ["snakemake", *run["targets"], "…"]
        words += ["--configfile", *run["configfiles"]] if run["configfiles"] else []
        lines.append(f"Go on with the command of before: {' '.join(words)}")
    return "\n".join(lines)


# --- who still lives ---


def _refuse_while_alive(root: Path, gone: bool) -> None:
    here = next(_snakemakes_in(root), None)
    if here is not None:
        raise DataError(
            f"{root}: Snakemake is running here (process {here}): nothing to recover. Stop it with Ctrl-C or "
            f"`kill {here}`, which tidies up, or wait for its end."
        )
    for controller in at_work(root, gone):
        nothing = "Nothing to recover." if controller.seen else ""
        raise DataError(f"{root}: {in_words(controller)} {nothing}".rstrip())
    run = read_last_run(root)
    locked = any((root / LOCKS).glob("*.lock"))
    if run is None or not locked or gone or process_is_here(run["pid"], run["born"], run["host"]) is False:
        return
    slurm, queue = run.get("slurm_job"), _queue()
    if slurm and queue is not None and slurm not in queue:
        return
    where = f"SLURM job {slurm} on {run['host']}" if slurm else f"process {run['pid']} on {run['host']}"
    raise DataError(
        f"{root}: locked by a Snakemake that was started at {run['start']} as {where}. From here its end cannot be "
        f"seen. Look there (`ps {run['pid']}`); if it is gone, or the machine is: anonbench recover --gone"
    )


def _snakemakes_in(root: Path) -> Iterator[int]:
    """The Snakemake processes of this machine that work in the folder, without those that its jobs are run by."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
            if _is_snakemake(words) and (entry / "cwd").resolve() == root.resolve():
                yield int(entry.name)
        except OSError:  # it has ended, or is another user's
            continue


def _is_snakemake(words: Sequence[str]) -> bool:
    """Whether a command line is `snakemake …` as a person types it: those of jobs say in which `--mode` they are."""
    started = [Path(word).name for word in words[:2]]
    return ("snakemake" in started or list(words[1:3]) == ["-m", "snakemake"]) and "--mode" not in words


def _await_end(root: Path, cancel: bool, say: Callable[[str], None], poll_s: float) -> None:
    """Wait until no job of the folder is queued or running. With `cancel`, end them first."""
    said: tuple[Leftover, ...] = ()
    next_word = 0.0
    while left := tuple(leftovers(root)):
        if cancel:
            _end(left)
        if set(left) != set(said) or time.monotonic() > next_word:
            doing = "ending" if cancel else "waiting for"
            say(f"{doing} {len(left)} jobs that are still queued or running" + "".join(f"\n  {job}" for job in left))
            said, next_word = left, time.monotonic() + SAY_S
        time.sleep(poll_s)


def leftovers(root: Path) -> Iterator[Leftover]:
    """The jobs of a folder that are queued or running now, in SLURM or on this machine."""
    queue = _queue()
    numbers = _submitted(root)
    if queue is None and numbers:
        raise DataError(
            f"{root}: {len(numbers)} jobs were given to a cluster (numbers {', '.join(sorted(numbers)[:5])} …), and "
            f"`squeue` does not answer here. Try again where and when it does."
        )
    listed = set()
    for number, (folder, comment) in (queue or {}).items():
        ours = Path(folder).resolve() == root.resolve() and comment.startswith(SLURM_COMMENT)
        if ours or number in numbers:
            listed.add(number)
            yield Leftover(comment.removeprefix(SLURM_COMMENT), slurm=number)
    for file in sorted((root / "results" / STATUS_FOLDER).rglob("*.json")):
        record = read_record(file)
        if record is None or record.state != RUNNING:
            continue
        # A record with another number is of a Snakemake that ran on this machine within an allocation (salloc, srun).
        if record.slurm_job not in listed and process_is_here(record.pid, record.born, record.host):
            yield Leftover(Path(record.stamp).relative_to(STAMPS).with_suffix("").as_posix(), pid=record.pid)


def _end(left: Iterable[Leftover]) -> None:
    left = list(left)
    for pid in [job.pid for job in left if job.pid]:
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        except PermissionError as error:
            raise DataError(f"process {pid} is another user's. Ask them to end it.") from error
    numbers = [job.slurm for job in left if job.slurm]
    if numbers:
        subprocess.run(["scancel", *numbers], capture_output=True, check=False, timeout=60)


def _queue() -> Mapping[str, tuple[str, str]] | None:
    """The user's jobs that SLURM has queued or running: number -> folder, comment. None where it cannot be asked."""
    command = ["squeue", "--noheader", "--user", str(os.getuid()), "--format", "%A|%Z|%k"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    rows = [line.strip().split("|", 2) for line in done.stdout.splitlines()]
    return {row[0]: (row[1], row[2]) for row in rows if len(row) == 3}


def _submitted(root: Path) -> set[str]:
    """The numbers by which a cluster knows jobs that have not begun. Snakemake writes them into its marks."""
    numbers = set()
    for mark in (root / MARKS).rglob("*"):
        try:
            number = json.loads(mark.read_text(encoding="utf-8")).get("external_jobid")
        except (OSError, ValueError, AttributeError):
            continue
        if number:
            numbers.add(str(number))
    return numbers


# --- what is whole ---


def _tell_snakemake(root: Path, configfiles: Sequence[str], targets: Sequence[str]) -> Mapping[str, list[str]]:
    """Write the metadata in a separate process, since Snakemake leaves state behind."""
    request = json.dumps({"configfiles": configfiles, "targets": sorted({"all", *targets})})
    done = subprocess.run(
        [sys.executable, "-m", __name__], input=request, cwd=root,
        env={**os.environ, LISTING: "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ConfigError(
            f"{root / SNAKEFILE}: its jobs cannot be listed, so nothing was unlocked or marked complete.\n"
            f"{done.stderr.strip()}\n"
            f"Say with --configfile which configuration the killed run had. It recorded it in {LAST_RUN}."
        )
    found: Mapping[str, list[str]] = json.loads(done.stdout)
    return found


def _unlock_and_adopt(configfiles: Sequence[str], targets: Sequence[str]) -> Mapping[str, list[str]]:
    from snakemake.settings.types import ExecutionSettings

    with resolved_workflow(configfiles, targets) as workflow:
        workflow.execution_settings = ExecutionSettings()
        notes = workflow.persistence
        jobs = [(job_of(job), job) for job in workflow.dag.jobs if job.output and job.rule.name != STAND_IN]
        verifier = Verifier([ours for ours, _ in jobs], Path())
        adopted, unfinished = [], []
        for lock in Path(LOCKS).glob("*.lock"):
            lock.unlink()
        for ours, job in jobs:
            begun = bool(asyncio.run(notes.incomplete(job)))
            if (begun or _is_unnoted(notes, job)) and _is_whole(verifier, ours):
                asyncio.run(notes.finished(job))
                adopted.append(stage_name(ours))
            elif begun:
                unfinished.append(stage_name(ours))
    return {"adopted": sorted(adopted), "unfinished": sorted(unfinished)}


def _is_unnoted(notes: Any, job: Any) -> bool:
    """Whether a job's outputs are there without metadata, or with the metadata of another run."""
    if not all(Path(output).exists() for output in job.output):
        return False
    if not notes.has_metadata(job):
        return True
    return any(notes.code_changed(job)) or any(notes.input_changed(job)) or bool(notes.params_changed(job))


def _is_whole(verifier: Verifier, job: Any) -> bool:
    """Whether every artifact of a job is the one of its stamp, and that what the tree would make."""
    stamp = verifier.stamp(job)
    return stamp is not None and all(verifier.finding(job, path).verdict == OK for path in job.artifacts)


if __name__ == "__main__":
    try:
        told = json.loads(sys.stdin.read())
        answer = _unlock_and_adopt(told["configfiles"], told["targets"])
    except AnonbenchError as problem:
        sys.exit(str(problem))
    except Exception as problem:  # Snakemake's own, and whatever a Snakefile raises
        sys.exit(str(problem) or type(problem).__name__)
    json.dump(answer, sys.stdout)
