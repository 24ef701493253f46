"""How long one waits: `make demo`, `make test` or `make quick` of any revision, in a fresh clone, after installation.

    python -m benchmarks.waiting demo                              the tree as committed
    python -m benchmarks.waiting demo e1b423f HEAD --write         before and after, one after the other
    python -m benchmarks.waiting test HEAD --keep /tmp/clones      the clone and its log stay there

The target's own commands run, with the packages beside this interpreter (they must suit the revision) and, by
PYTHONPATH, with the revision's package. Measured are wall time, processor time of all processes together, and the
largest memory that they held at one moment (PSS: a page that several share counts once). Other programs slow everything
down: how much processor time they took meanwhile is measured, too, and printed.

The Markdown goes to standard output and, with `--write`, into benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psutil

from benchmarks.report import machine, versions, write_block

REPOSITORY = Path(__file__).parents[1]
TARGETS = ("demo", "test", "quick")
PACKAGES = ("torch", "numpy", "snakemake", "pytest")
# Targets of the Makefile that install; `make -o` takes them as done.
INSTALLED = ("setup", "setup-dev", ".venv/installed", ".venv/installed-dev")
SAMPLE_S = 0.5


@dataclass(frozen=True)
class Waiting:
    """What one run of a target took.

    seconds: by the clock.
    cpu_seconds: of all its processes together.
    memory_mb: largest PSS of all its processes at one moment, in MB of 10^6 bytes.
    others_cpu_seconds: processor time that other programs took meanwhile.
    status: exit status of make.
    """

    target: str
    revision: str
    seconds: float
    cpu_seconds: float
    memory_mb: float
    others_cpu_seconds: float
    status: int


def run(target: str, revision: str, folder: Path, cores: int) -> Waiting:
    """Clone a revision into `folder` and make a target there; what it prints goes to `folder`.log."""
    _git("clone", "--quiet", "--no-hardlinks", str(REPOSITORY), str(folder))
    _git("-C", str(folder), "checkout", "--quiet", "--detach", revision)
    bin_folder = Path(sys.executable).parent
    command = [
        "make",
        "--no-print-directory",
        *(f"--assume-old={name}" for name in INSTALLED),
        f"BIN={bin_folder}",
        f"CORES={cores}",
        target,
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
    }
    before, busy, started = _cpu_of_children(), _busy_seconds(), time.monotonic()
    with folder.with_suffix(".log").open("w") as log:
        process = psutil.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        peak = 0
        while process.poll() is None:
            peak = max(peak, _memory(process))
            with contextlib.suppress(psutil.TimeoutExpired):
                process.wait(SAMPLE_S)
    seconds, own = time.monotonic() - started, _cpu_of_children() - before
    others = max(0.0, _busy_seconds() - busy - own)
    return Waiting(target, revision, seconds, own, peak / 1e6, others, process.returncode)


def _memory(process: psutil.Process) -> int:
    """PSS in bytes of a process and everything that it has started."""
    total = 0
    for one in _family(process):
        with contextlib.suppress(psutil.Error, FileNotFoundError):
            total += one.memory_full_info().pss
    return total


def _family(process: psutil.Process) -> Iterator[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        yield from [process, *process.children(recursive=True)]


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _busy_seconds() -> float:
    """Processor time that the whole machine has spent on programs since it was started."""
    times = psutil.cpu_times()
    return float(times.user + times.system + times.nice)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, cwd=REPOSITORY).stdout


def _short(revision: str) -> str:
    return _git("rev-parse", "--short", revision).strip()


def describe(found: Sequence[Waiting], cores: int) -> str:
    """A Markdown table, with each run relative to the first of the same target."""
    first = {w.target: w for w in reversed(found)}
    lines = [
        f"`make TARGET CORES={cores}` in a fresh clone, after installation; {date.today()}.",
        f"{machine()}; {versions(*PACKAGES)}.",
        "",
        "| target | revision | wall s | | processor s | | peak memory, GB | processor s of other programs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for w in found:
        base = first[w.target]
        note = "" if w.status == 0 else f" (failed: {w.status})"
        lines.append(
            f"| {w.target}{note} | {w.revision} | {w.seconds:.0f} | {w.seconds / base.seconds:.2f}x "
            f"| {w.cpu_seconds:.0f} | {w.cpu_seconds / base.cpu_seconds:.2f}x | {w.memory_mb / 1000:.1f} "
            f"| {w.others_cpu_seconds:.0f} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Status 1 when a target failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("revisions", nargs="*", default=["HEAD"], help="commits, tags or branches; HEAD when left out")
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--keep", type=Path, help="folder in which clones and logs stay")
    parser.add_argument("--write", action="store_true", help="into benchmarks/RESULTS.md")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = []
        for number, revision in enumerate(map(_short, a.revisions)):
            folder = (a.keep or Path(temporary)).absolute() / f"{a.target}-{number}-{revision}"
            folder.parent.mkdir(parents=True, exist_ok=True)
            found.append(run(a.target, revision, folder, a.cores))
            print(found[-1], file=sys.stderr)
    text = describe(found, a.cores)
    print(text)
    if a.write:
        write_block(f"waiting-{a.target}", text)
    return int(any(w.status for w in found))


if __name__ == "__main__":
    sys.exit(main())
