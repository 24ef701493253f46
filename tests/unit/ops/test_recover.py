"""A folder whose Snakemake was killed: who is waited for, what is taken as done, what is left alone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from anonbench.core.errors import ConfigError, DataError
from anonbench.ops import recover
from anonbench.ops.journal import LAST_RUN, Attempt
from anonbench.ops.provenance import write_stamp

# Two jobs like ours: an artifact and its stamp each, the second made from the first.
SNAKEFILE = """\
rule all:
    default_target: True
    input: "results/b.txt"

rule first:
    output: "results/a.txt", "results/stamps/first.json"
    params: size=config.get("size", 1), code="c0de"
    shell: "exit 1"

rule second:
    input: "results/a.txt"
    output: "results/b.txt", "results/stamps/second.json"
    params: code="c0de"
    shell: "exit 1"
"""
POLL_S = 0.03
QUEUE = """\
#!/bin/sh
[ -e {folder}/down ] && exit 1
cat {folder}/queue 2>/dev/null || true
"""
CANCEL = """\
#!/bin/sh
echo "$@" > {folder}/cancelled
rm -f {folder}/queue
"""


@dataclass(frozen=True)
class Place:
    """A workflow's folder, and a SLURM that is a file."""

    root: Path
    slurm: Path

    def make(self, name: str, text: str, size: int | None = 1) -> None:
        """What the job `first` or `second` leaves: the artifact and the stamp."""
        artifact = self.root / f"results/{'a' if name == 'first' else 'b'}.txt"
        artifact.parent.mkdir(exist_ok=True)
        artifact.write_text(text)
        settings = {} if name == "second" else {"size": size}
        inputs = [Path("results/a.txt")] if name == "second" else []
        here = Path.cwd()
        os.chdir(self.root)
        try:
            write_stamp(
                Path(f"results/stamps/{name}.json"), name, settings, inputs,
                [artifact.relative_to(self.root)], "c0de", seconds=1.0, threads=1,
            )  # fmt: skip
        finally:
            os.chdir(here)

    def mark(self, *outputs: str, slurm: str | None = None) -> None:
        """Snakemake's mark of unfinished files."""
        from base64 import urlsafe_b64encode

        for output in outputs:
            mark = self.root / recover.MARKS / urlsafe_b64encode(output.encode()).decode()
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.write_text(json.dumps({"external_jobid": slurm}))

    def lock(self) -> None:
        (self.root / recover.LOCKS).mkdir(parents=True, exist_ok=True)
        (self.root / recover.LOCKS / "0.output.lock").write_text("results/b.txt\n")

    def queue(self, *jobs: tuple[str, Path | str, str]) -> None:
        (self.slurm / "queue").write_text("".join(f"{number}|{folder}|{comment}\n" for number, folder, comment in jobs))

    def last_run(self, **changes: object) -> None:
        run = {
            "configfiles": [], "targets": [], "start": "2026-01-02T03:04:05+00:00", "pid": 2**22 + 1, "born": 1,
            "host": socket.gethostname(), "slurm_job": None,
        }  # fmt: skip
        (self.root / LAST_RUN).parent.mkdir(parents=True, exist_ok=True)
        (self.root / LAST_RUN).write_text(json.dumps(run | changes))

    def planned(self, *options: str) -> set[str]:
        """The rules that Snakemake would run."""
        command = [sys.executable, "-m", "snakemake", "-n", "--cores", "1", "--rerun-incomplete", *options]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return {name for name in ("first", "second") if f"rule {name}:" in done.stdout + done.stderr}

    def recover(self, **options: object) -> recover.Recovered:
        return recover.recover(self.root, say=self.said.append, poll_s=POLL_S, **options)  # type: ignore[arg-type]

    @property
    def said(self) -> list[str]:
        return _said


_said: list[str] = []


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    root, slurm = tmp_path / "study", tmp_path / "slurm"
    root.mkdir()
    slurm.mkdir()
    (root / "Snakefile").write_text(SNAKEFILE)
    for name, text in (("squeue", QUEUE), ("scancel", CANCEL)):
        (slurm / name).write_text(text.format(folder=slurm))
        (slurm / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{slurm}{os.pathsep}{os.environ['PATH']}")
    _said.clear()
    return Place(root, slurm)


def test_what_a_stamp_proves_is_done_and_the_rest_is_made(place: Place) -> None:
    place.make("first", "one")
    place.make("second", "two")
    (place.root / "results/b.txt").write_text("tw")  # cut off
    place.mark("results/a.txt", "results/stamps/first.json", "results/b.txt", "results/stamps/second.json")
    place.lock()
    assert place.planned() == {"first", "second"}
    found = place.recover()
    assert found == recover.Recovered(("a",), ("b",), was_locked=True)
    assert place.planned() == {"second"}
    assert (place.root / "results/b.txt").read_text() == "tw", "nothing is removed"
    assert list((place.root / recover.LOCKS).glob("*")) == []


def test_a_job_that_ended_without_its_snakemake_gets_notes(place: Place) -> None:
    """Its own part of Snakemake takes the mark away; without notes a changed parameter would be overlooked for ever."""
    place.make("first", "one")
    place.make("second", "two")
    assert place.planned("--config", "size=2") == set()
    assert place.recover().adopted == ("a", "b")
    assert place.planned() == set()
    assert place.planned("--config", "size=2") == {"first", "second"}
    assert place.recover() == recover.Recovered((), (), was_locked=False), "it is known now"


def test_what_the_tree_would_make_otherwise_is_not_taken(place: Place) -> None:
    place.make("first", "one", size=7)
    place.make("second", "two")
    place.mark("results/a.txt", "results/b.txt")
    assert place.recover() == recover.Recovered((), ("a", "b"), was_locked=False), "b stands on a"


def test_slurm_jobs_of_this_folder_are_waited_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.queue(("7", place.root, "rule_first"), ("8", "/elsewhere", "rule_second"), ("9", place.root, "mine"))
    looks = []

    def look(seconds: float) -> None:
        if seconds == POLL_S:  # subprocess sleeps too
            looks.append(1)
        if len(looks) == 3:
            place.queue(("8", "/elsewhere", "rule_second"), ("9", place.root, "mine"))

    monkeypatch.setattr(time, "sleep", look)
    place.recover()
    assert len(looks) == 3
    assert place.said == ["waiting for 1 jobs that are still queued or running\n  SLURM job 7 (first)"]


def test_slurm_jobs_are_known_by_snakemakes_marks_too(place: Place) -> None:
    place.mark("results/a.txt", slurm="11")
    place.queue(("11", "/moved", "no comment"), ("12", "/elsewhere", "rule_first"))
    place.recover(cancel=True)
    assert (place.slurm / "cancelled").read_text() == "11\n"


def test_a_slurm_that_does_not_answer_stops_where_jobs_were_given_to_it(place: Place) -> None:
    (place.slurm / "down").touch()
    assert place.recover().adopted == ()
    place.mark("results/a.txt", slurm="11")
    place.lock()
    with pytest.raises(
        DataError, match=r"1 jobs were given to a cluster \(numbers 11 …\), and `squeue` does not answer"
    ):
        place.recover()
    assert (place.root / recover.LOCKS).exists()


@pytest.fixture
def orphan(place: Place) -> Iterator[Callable[[float], subprocess.Popen[bytes]]]:
    """Starts a process that has a record of working on `first` for so many seconds."""
    started = []

    def start(seconds: float) -> subprocess.Popen[bytes]:
        code = (
            f"import signal, time; from pathlib import Path; from anonbench.ops.journal import Attempt\n"
            f"signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))\n"
            f"with Attempt('first', Path('results/stamps/first.json')):\n    print(flush=True); time.sleep({seconds})"
        )
        started.append(subprocess.Popen([sys.executable, "-c", code], cwd=place.root, stdout=subprocess.PIPE))
        assert started[-1].stdout is not None
        started[-1].stdout.readline()
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_local_processes_are_waited_for_or_ended(
    place: Place, orphan: Callable[[float], subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = orphan(60.0)
    assert [str(job) for job in recover.leftovers(place.root)] == [f"process {process.pid} (first)"]
    reap = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: (process.poll(), reap(seconds)))
    place.recover(cancel=True)
    assert process.wait(5) != 0
    assert place.said == [f"ending 1 jobs that are still queued or running\n  process {process.pid} (first)"]
    brief = orphan(0.6)
    monkeypatch.setattr(time, "sleep", lambda seconds: (brief.poll(), reap(seconds)))
    place.recover()
    assert brief.wait(0.1) == 0, "it ended by itself"


def test_processes_within_an_allocation_are_seen_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    monkeypatch.chdir(place.root)
    with Attempt("first", Path("results/stamps/first.json")):
        place.queue(("77", "/home", "interactive"))  # salloc, and Snakemake within it
        assert [str(job) for job in recover.leftovers(place.root)] == [f"process {os.getpid()} (first)"]
        place.queue(("77", place.root, "rule_first"))  # submitted by the plug-in, and on this very machine
        assert [str(job) for job in recover.leftovers(place.root)] == ["SLURM job 77 (first)"]


def test_a_record_of_a_process_that_is_no_more_is_nothing_to_wait_for(place: Place) -> None:
    stamp = place.root / "results/stamps/first.json"
    with Attempt("first", stamp):
        record = place.root / "results/.status/first.json"
        text = record.read_text()
    record.write_text(text.replace(f'"pid": {os.getpid()}', f'"pid": {2**22 + 1}'))
    assert list(recover.leftovers(place.root)) == []


def test_a_living_snakemake_is_left_alone(place: Place) -> None:
    (place.root / "Snakefile").write_text(SNAKEFILE.replace("exit 1", "sleep 30"))
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1"], cwd=place.root, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        with pytest.raises(DataError, match=rf"Snakemake is running here \(process {process.pid}\)"):
            place.recover()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_snakemake_of_another_machine_is_the_users_to_judge(place: Place) -> None:
    place.lock()
    place.last_run(host="login7")
    with pytest.raises(DataError, match=r"as process 4194305 on login7.*anonbench recover --gone"):
        place.recover()
    assert place.recover(gone=True).was_locked
    place.lock()
    place.last_run(host="node3", slurm_job="5")
    place.queue(("5", "/home", "controller"))
    with pytest.raises(DataError, match="SLURM job 5 on node3"):
        place.recover()
    place.queue()
    assert place.recover().was_locked, "SLURM knows it no more"


def test_the_command_of_before_is_named(place: Place) -> None:
    place.last_run(configfiles=["config/paper.yaml"], targets=["results/b.txt"])
    text = recover.as_text(recover.Recovered(("a",), (), was_locked=True), place.root)
    assert text.splitlines() == [
        "unlocked",
        "1 jobs finished without being noted: taken as done",
        "  a",
        "0 jobs begun and not finished: the next run makes them",
        "Go on with the command of before: snakemake results/b.txt … --configfile config/paper.yaml",
    ]


def test_elsewhere_and_with_a_broken_snakefile_nothing_is_touched(place: Place, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no Snakefile here"):
        recover.recover(tmp_path)
    (place.root / "Snakefile").write_text("rule all:\n    input: 'nowhere'\n")
    place.lock()
    with pytest.raises(ConfigError, match="nothing was unlocked or marked complete"):
        place.recover()
    assert (place.root / recover.LOCKS).exists()
