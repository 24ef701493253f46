"""A copy of the repository in which Snakemake runs, locally or through the SLURM profile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slurm_sandbox import Sandbox
from workplace import copy_files

from anonbench.ops.journal import Event, read_events

PROFILE = "workflow/profiles/slurm"
# What differs from the shipped profile: how often it looks, how many jobs and CPUs two real cores can bear.
QUICKLY = (
    "--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "10", "--jobs", "8", "--cores", "2",
)  # fmt: skip


@dataclass
class Run:
    """A Snakemake that was started: its process, and the file with all that it prints."""

    process: subprocess.Popen[bytes]
    log: Path

    def end(self, timeout: float = 1800) -> int:
        """Its exit status."""
        return self.process.wait(timeout)

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


@dataclass
class Folder:
    """A copy of what git knows of the repository."""

    root: Path
    sandbox: Sandbox
    runs: list[Run] = field(default_factory=list)

    @classmethod
    def copy(cls, root: Path, sandbox: Sandbox) -> Folder:
        copy_files(root)
        return cls(root, sandbox)

    @property
    def environment(self) -> dict[str, str]:
        found = self.sandbox.environment
        programs = os.pathsep.join([str(self.sandbox.root / "bin"), str(Path(sys.executable).parent), found["PATH"]])
        # The package of the copy, by the environment alone: nothing is installed.
        return found | {"PATH": programs, "PYTHONPATH": str(self.root), "OMP_NUM_THREADS": "1"}

    def start(self, *arguments: str, profile: str | None = PROFILE) -> Run:
        """Start Snakemake; `profile` None means on this machine."""
        options = ["--profile", profile, *QUICKLY] if profile else []
        log = self.root / f"run{len(self.runs)}.out"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "snakemake", *options, *arguments], cwd=self.root, env=self.environment,
                stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )  # fmt: skip
        self.runs.append(Run(process, log))
        return self.runs[-1]

    def anonbench(self, *arguments: str, status: int | None = 0) -> str:
        """stdout and stderr of a command, which must end with `status`; None: with any."""
        command = [sys.executable, "-m", "anonbench.cli", *arguments]
        done = subprocess.run(
            command, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert status in (None, done.returncode), done.stdout + done.stderr
        return done.stdout + done.stderr

    def events(self, *kinds: str) -> list[Event]:
        """What the stages' journal says, oldest first: starts and ends of the commands themselves."""
        return [event for event in read_events(self.root) if not kinds or event.event in kinds]

    def done(self) -> set[str]:
        """The stamps of the jobs that have been done."""
        return {event.stamp for event in self.events("done")}

    def queue(self) -> list[str]:
        """Number and state of SLURM's jobs of this folder that are queued or running."""
        lines = self.sandbox.ask("squeue", "--noheader", "--format", "%A %T|%Z").splitlines()
        return [line.split("|")[0] for line in lines if Path(line.split("|")[1]) == self.root]

    def end_all(self) -> None:
        """End the Snakemakes that a failed test has left behind."""
        for run in self.runs:
            if run.process.poll() is None:
                run.process.send_signal(signal.SIGINT)
                try:
                    run.process.wait(60)
                except subprocess.TimeoutExpired:
                    run.process.kill()
                    run.process.wait()


def wait_until(true: Callable[[], object], what: str, seconds: float = 900, of: Run | None = None) -> None:
    """Look four times a second until something is true; fails after `seconds`, or when a run has ended before."""
    end = time.monotonic() + seconds
    while not true():
        ended = of is not None and of.process.poll() is not None
        assert not ended, f"Snakemake ended before {what}:\n{of.text()[-4000:] if of else ''}"
        assert time.monotonic() < end, f"not within {seconds} s: {what}\n{of.text()[-4000:] if of else ''}"
        time.sleep(0.25)


def show(lines: Sequence[str]) -> str:
    return "".join(f"\n  {line}" for line in lines)
