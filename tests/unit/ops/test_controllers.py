"""Which Snakemakes are at work in a folder: seen by our own lock, whatever became of Snakemake's."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from anonbench.core.errors import DataError
from anonbench.ops import controllers, recover
from anonbench.ops.controllers import RUNS, at_work, refuse_same_files, refuse_while_at_work
from anonbench.ops.dvc.adopt import adopt
from anonbench.ops.dvc.record import record

ENTERING = "from pathlib import Path; from anonbench.ops.controllers import enter; import sys, time; "
SNAKEFILE = """\
from pathlib import Path
from anonbench.ops import controllers

rule long:
    output: "results/long.txt"
    shell: "touch results/begun; while [ ! -e results/go ]; do sleep .05; done; touch {output}"

rule short:
    output: "results/short.txt"
    shell: "touch {output}"

rule third:
    input: "results/long.txt"
    output: "results/third.txt"
    shell: "touch {output}"

onstart:
    jobs = list(workflow.dag.needrun_jobs())
    made, read = ({str(p) for job in jobs for p in files(job)} for files in (lambda j: j.output, lambda j: j.input))
    controllers.refuse_same_files(Path.cwd(), made, read)
    controllers.enter(Path.cwd(), workflow.dag_settings.targets, made, read)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a process in the folder, which is killed at the end of the test."""
    started = []

    def run(*command: str, wait_for: Path | None = None) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        started.append(process)
        for _ in range(600):
            if wait_for is None or wait_for.exists():
                break
            time.sleep(0.05)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def sleeper(start: Callable[..., subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """A process that has entered as making a.txt from b.txt, and sleeps."""
    code = "enter(Path(), ['a.txt'], ['a.txt', 'c.txt'], ['b.txt']); print(flush=True); time.sleep(60)"
    process = start("-c", ENTERING + code)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_a_process_is_seen_until_it_is_killed(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    (found,) = at_work(tmp_path)
    assert (found.pid, found.host, found.targets, found.seen) == (sleeper.pid, socket.gethostname(), ("a.txt",), True)
    assert (found.made, found.read) == ({"a.txt", "c.txt"}, {"b.txt"})
    with pytest.raises(DataError, match=rf"Snakemake is at work here \(process {sleeper.pid} on .*`anonbench adopt`"):
        refuse_while_at_work(tmp_path, "adopt")
    sleeper.kill()
    sleeper.wait()
    assert at_work(tmp_path) == []
    assert list((tmp_path / RUNS).iterdir()) == [], "nobody needs its record"
    refuse_while_at_work(tmp_path, "adopt")


def test_a_process_that_ends_leaves_nothing(tmp_path: Path, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    assert start("-c", ENTERING + "assert enter(Path()) is not None").wait(20) == 0
    assert list((tmp_path / RUNS).iterdir()) == []


def test_files_are_not_made_by_two(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    refuse_same_files(tmp_path, {"d.txt"}, {"b.txt"})  # both read b.txt
    for made, read in (({"a.txt"}, set()), (set(), {"c.txt"}), ({"b.txt"}, set())):
        with pytest.raises(DataError, match=rf"Both would work on {re.escape(min(made | read))}\. Runs that make diff"):
            refuse_same_files(tmp_path, made, read)
    with pytest.raises(DataError, match=r"work on a.txt and 1 more files\."):
        refuse_same_files(tmp_path, {"a.txt", "c.txt"}, set())


def test_this_process_is_no_other(tmp_path: Path) -> None:
    descriptor = controllers.enter(tmp_path, [], ["a.txt"])
    assert descriptor is not None
    assert at_work(tmp_path) == []
    os.close(descriptor)


def test_where_nothing_can_be_written_the_work_goes_on(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    assert controllers.enter(tmp_path) is None
    assert at_work(tmp_path) == []


def test_without_locks_the_process_is_looked_for(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(path: Path, wait: bool) -> int | None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(controllers, "lock", no_locks)
    assert [c.pid for c in at_work(tmp_path)] == [sleeper.pid]
    sleeper.kill()
    sleeper.wait()
    assert at_work(tmp_path) == []


def test_one_of_another_machine_is_the_users_to_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock may be one that other machines do not see."""
    entry = {
        "pid": 4711, "born": 1, "host": "login7", "slurm_job": None, "start": "2026-01-02T03:04:05+00:00",
        "targets": [], "made": ["a.txt"], "read": [],
    }  # fmt: skip
    file = tmp_path / RUNS / "login7-4711.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(entry))
    with pytest.raises(DataError, match=r"process 4711 on login7, since 2026-01-02T03:04.*recover --gone"):
        refuse_while_at_work(tmp_path, "record")
    file.write_text(json.dumps({**entry, "slurm_job": "5"}))
    for queue, living in ((None, 1), ({"5"}, 1), ({"6"}, 0)):
        monkeypatch.setattr(controllers, "running_slurm_jobs", lambda queue=queue: queue)
        assert len(at_work(tmp_path)) == living, "SLURM knows it, or does not answer"
    assert at_work(tmp_path, gone=True) == []
    assert not file.exists()


def test_a_small_run_that_ends_beside_a_long_one_hides_it_from_nobody(
    tmp_path: Path, start: Callable[..., subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of the small one takes Snakemake's locks of both away."""
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    snakemake = ("-m", "snakemake", "--cores", "1", "--quiet", "all", "--")
    long = start(*snakemake, "results/long.txt", wait_for=tmp_path / "results/begun")
    assert start(*snakemake, "results/short.txt").wait(60) == 0
    assert list((tmp_path / recover.LOCKS).glob("*")) == [], "Snakemake's locks are no sign of life"
    monkeypatch.setattr(recover, "_snakemakes_in", lambda root: iter(()))  # as from another machine
    for refused in (lambda: recover.recover(tmp_path, gone=True), lambda: adopt(tmp_path), lambda: record(tmp_path)):
        with pytest.raises(DataError, match=rf"Snakemake is at work here \(process {long.pid} on "):
            refused()
    third = start(*snakemake, "results/third.txt")
    assert third.wait(60) == 1, "it would start the long job again"
    assert long.poll() is None
    (tmp_path / "results/go").touch()
    assert long.wait(60) == 0
    assert at_work(tmp_path) == []
