"""The test pipeline, killed again and again at random moments, ends with the bytes of a run that nobody disturbed.

Every kind of end is tried: a power cut, Snakemake alone (its jobs live on and meet their successors), single jobs, a
shutdown, Ctrl-C. What Snakemake had recorded as finished must never be started again.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from comparison import comparable
from workplace import copy_files

from anonbench.ops.dag import Job, workflow_jobs
from anonbench.ops.journal import (
    RUNNING,
    Event,
    Record,
    process_is_here,
    read_events,
    read_record,
)

REPOSITORY = Path(__file__).parents[2]
CONFIG = "config/test.yaml"
KILLS = 36  # the last of them may find no living job any more on a fast machine
MET = 24
SEED = 20201130
LIMIT_S = 1500.0  # for all runs together, after which the test fails
HELD_S = 180.0  # at most so long is a job held up
AFTER_S = (0.0, 2.5)  # between the moment when enough is done for the next kill, and that kill
COMPARED = ("results/tables/*.csv", "results/statistics/*.csv", "results/metrics/**/*.json")
POWER, ALONE, JOB, SHUTDOWN, POLITE, CTRL_C = KINDS = (
    "SIGKILL to everything", "SIGKILL to Snakemake alone", "SIGKILL to a job", "SIGTERM to everything",
    "SIGTERM to Snakemake alone", "SIGINT to everything",
)  # fmt: skip
pytestmark = [pytest.mark.slow, pytest.mark.minutes]


@dataclass
class Workplace:
    """A copy of the repository in which the pipeline runs, and what has happened to it."""

    root: Path
    jobs: list[Job] = field(default_factory=list)
    kills: list[str] = field(default_factory=list)
    # At each kill: how many events there were, and the stamps of the jobs that Snakemake had recorded as finished.
    finished: list[tuple[int, set[str]]] = field(default_factory=list)
    holding: threading.Thread = field(default_factory=threading.Thread)  # alive while jobs are held up

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Snakemake as the leader of a process group of its own, in which its jobs are too."""
        with (self.root / "output.txt").open("a") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "snakemake", "--cores", "2", *arguments, "--configfile", CONFIG],
                cwd=self.root, env={**os.environ, "PYTHONPATH": str(self.root)}, text=True,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def run(self, *arguments: str) -> int:
        return self.start(*arguments).wait(timeout=3600)

    def anonbench(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "anonbench.cli", *arguments],
            cwd=self.root, env={**os.environ, "PYTHONPATH": str(self.root)},
            capture_output=True, text=True, check=False, timeout=1800,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def mend(self) -> None:
        """After a SIGKILL of Snakemake: in turns as its own message says, and as our documents say."""
        if self.kills.count(self.kills[-1]) % 2:
            assert self.run("--unlock") == 0, self.output()
        else:
            self.anonbench("recover")

    def meetings(self) -> int:
        """How many logs tell of a process that waits for another one on its job."""
        return sum("works on the same job" in log.read_text() for log in (self.root / "logs").rglob("*.log"))

    def hold_up(self, pids: list[int]) -> None:
        """Stop processes until a successor waits for one of them: the next Snakemake is rarely as quick as a job."""
        before, deadline = self.meetings(), time.monotonic() + HELD_S

        def go_on() -> None:
            while self.meetings() == before and time.monotonic() < deadline:
                time.sleep(0.2)
            signal_all(pids, signal.SIGCONT)

        signal_all(pids, signal.SIGSTOP)
        self.holding = threading.Thread(target=go_on, daemon=True)
        self.holding.start()

    def end_all(self) -> None:
        """End what a failed test has left behind."""
        signal_all([*processes_in(self.root), *(record.pid for record in self.running())], signal.SIGKILL)

    def output(self) -> str:
        return (self.root / "output.txt").read_text()

    def done(self) -> int:
        return sum((self.root / job.stamp).exists() for job in self.jobs if job.stamp)

    def running(self) -> list[Record]:
        """The stage processes that are alive, orphans too."""
        records = map(read_record, (self.root / "results/.status").glob("*/**/*.json"))
        return [r for r in records if r and r.state == RUNNING and process_is_here(r.pid, r.born, r.host)]

    def recorded(self) -> set[str]:
        """The stamps of the jobs that Snakemake takes for finished."""
        return {str(job.stamp) for job in self.jobs if all(map(self._is_recorded, job.outputs))}

    def _is_recorded(self, output: str) -> bool:
        name = base64.urlsafe_b64encode(output.encode()).decode()
        marks = self.root / ".snakemake"
        return (
            (self.root / output).exists()
            and (marks / "metadata" / name).is_file()
            and not (marks / "incomplete" / name).exists()
        )

    def files(self) -> dict[str, bytes]:
        return comparable(self.root, (path for pattern in COMPARED for path in self.root.glob(pattern)))


def signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def copy_repository(root: Path) -> Workplace:
    copy_files(root)
    return Workplace(root)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """A run that nobody disturbs."""
    place = copy_repository(tmp_path_factory.mktemp("calm") / "anonbench")
    assert place.run() == 0, place.output()
    yield place
    shutil.rmtree(place.root)


@pytest.fixture(scope="module")
def restless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """The same with kills, at the end complete."""
    place = copy_repository(tmp_path_factory.mktemp("restless") / "anonbench")
    place.jobs = workflow_jobs([REPOSITORY / CONFIG], root=place.root)
    try:
        kill_often(place, KILLS, random.Random(SEED))
        yield place
    finally:
        place.end_all()
        shutil.rmtree(place.root)


def kill_often(place: Workplace, kills: int, chance: random.Random, *arguments: str) -> None:
    """Run the pipeline to its end through so many kills, spread evenly over its jobs and over the kinds of kills."""
    kinds = [KINDS[number % len(KINDS)] for number in range(kills)]
    chance.shuffle(kinds)
    finished, deadline = False, time.monotonic() + LIMIT_S
    while not finished:
        assert time.monotonic() < deadline, f"after {LIMIT_S} s: {place.kills}\n{place.output()[-20000:]}"
        # With --keep-going, Snakemake outlives the kill of a job until nothing is left that it can do.
        before, process = len(place.kills), place.start("--keep-going", *arguments)
        while len(place.kills) < kills and wait_for_moment(place, process, kills, chance):
            kind = kinds[len(place.kills)]
            if kill(place, process, kind, chance) and kind != JOB:
                break
        status = process.wait(timeout=1800)
        place.finished.append((len(read_events(place.root)), place.recorded()))
        finished = status == 0
        assert finished or len(place.kills) > before, "it failed by itself: " + place.output()[-20000:]
        if status == -signal.SIGKILL:
            place.mend()


def wait_for_moment(place: Workplace, process: subprocess.Popen[str], kills: int, chance: random.Random) -> bool:
    """Wait until so much is done that it is time for the next kill, and a job runs; False when Snakemake has ended.

    What is held up is to meet its successor first.
    """
    wanted = len(place.jobs) * len(place.kills) // (kills + 2)
    while process.poll() is None and (place.done() < wanted or place.holding.is_alive() or not place.running()):
        time.sleep(0.05)
    deadline = time.monotonic() + chance.uniform(*AFTER_S)
    while process.poll() is None and (time.monotonic() < deadline or not place.running()):
        time.sleep(0.02)
    return process.poll() is None


def kill(place: Workplace, process: subprocess.Popen[str], kind: str, chance: random.Random) -> bool:
    """End something; False, and nothing done, where there was no living Snakemake with a living job any more."""
    alive = sorted(place.running(), key=lambda record: record.stamp)
    if process.poll() is not None or not alive:
        return False
    if kind == JOB:
        os.kill(chance.choice(alive).pid, signal.SIGKILL)
    elif kind in (ALONE, POLITE):
        process.send_signal(signal.SIGKILL if kind == ALONE else signal.SIGTERM)
        if kind == ALONE and place.kills.count(ALONE) % 2 == 0:  # `recover`, which comes in turn, waits for them
            place.hold_up([record.pid for record in alive])
    else:
        number = {POWER: signal.SIGKILL, SHUTDOWN: signal.SIGTERM, CTRL_C: signal.SIGINT}[kind]
        os.killpg(process.pid, number)
    place.kills.append(kind)
    return True


def starts_after(events: list[Event], number: int) -> Counter[str]:
    return Counter(event.stamp for event in events[number:] if event.event == "start")


def processes_in(folder: Path) -> list[int]:
    """The processes that work in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").resolve() == folder.resolve():
                found.append(int(entry.name))
    return found


def test_enough_kills_met_a_living_run(restless: Workplace, capfd: pytest.CaptureFixture[str]) -> None:
    counts = Counter(restless.kills)
    journal = read_events(restless.root)
    events = Counter(event.event for event in journal)
    failed = [event.stamp for event in journal if event.event == "failed"]
    with capfd.disabled():
        print(f"\n{len(restless.kills)} kills: {dict(counts)}; events in the journal: {dict(events)}; failed: {failed}")
    assert len(restless.kills) >= MET
    assert set(counts) == set(KINDS)
    assert events["lost"] >= counts[POWER], "what was killed without a word was noticed"
    assert events["taken"] >= 1, "jobs that outlived their Snakemake were met by the next, and what they made was taken"


def test_the_results_are_those_of_a_run_without_kills(calm: Workplace, restless: Workplace) -> None:
    expected, found = calm.files(), restless.files()
    assert len(expected) > 40
    assert list(found) == list(expected)
    assert [name for name in expected if found[name] != expected[name]] == []


def test_nothing_that_had_finished_was_started_again(restless: Workplace) -> None:
    events = read_events(restless.root)
    assert len(restless.finished) >= 10
    assert len(restless.finished[-1][1]) > len(restless.jobs) / 2
    for number, finished in restless.finished:
        again = starts_after(events, number)
        assert {stamp: again[stamp] for stamp in finished if again[stamp]} == {}


def test_every_job_ended_well_and_nothing_is_left(restless: Workplace) -> None:
    ends = Counter(event.stamp for event in read_events(restless.root) if event.event in ("done", "taken"))
    assert set(ends) >= {job.stamp for job in restless.jobs}
    assert restless.running() == []
    assert processes_in(restless.root) == [], "workers that outlived the process that they worked for"
    assert list(restless.root.rglob("*.partial")) == []
    assert [path for path in (restless.root / "results/.resume").rglob("*") if path.is_file()] == []


def test_status_and_verify_agree(restless: Workplace) -> None:
    status = json.loads(restless.anonbench("status", "--json"))
    assert Counter(job["state"] for job in status["jobs"]) == {"done": len(restless.jobs)}
    assert status["spent"]["wasted_attempts"] >= restless.kills.count(POWER)
    restless.anonbench("verify", "--configfile", CONFIG)  # status 0: everything fits its stamp, the code and the config
