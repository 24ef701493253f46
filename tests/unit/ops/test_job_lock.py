"""Two processes on one job: the later waits, and takes what it would have made itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anonbench.core import locks
from anonbench.core.command import Footprint
from anonbench.ops import job_lock
from anonbench.ops.job_lock import JobFiles
from anonbench.ops.journal import read_events
from anonbench.ops.provenance import read_stamp

STAMP = Path("results/stamps/render/people.json")
LOCK = Path("results/.status/render/people.lock")
RENDER = {"train_identities": 1, "test_identities": 1, "cameras": 2, "junk": 0, "distractors": 0, "clothes_group": 1}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are ended after the test."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


HOLD = """
import sys, time
from pathlib import Path
from anonbench.ops.job_lock import sole_process
with sole_process(Path(sys.argv[1])) as waited:
    print("waited" if waited else "had it at once", flush=True)
    sys.stdin.read()
"""


def hold(started: list[subprocess.Popen[str]]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, STAMP], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    started.append(process)
    return process


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("end", [signal.SIGKILL, None])
def test_the_second_waits_until_the_first_has_ended(started: list[subprocess.Popen[str]], end: int | None) -> None:
    first = hold(started)
    assert said(first) == "had it at once"
    second = hold(started)
    assert second.stderr is not None
    assert "another process works on the same job" in second.stderr.readline()
    time.sleep(2 * job_lock.POLL_S)
    assert second.poll() is None
    if end is None:
        first.communicate("")
    else:
        first.send_signal(end)
    assert said(second) == "waited"


def test_the_first_is_named(tmp_path: Path) -> None:
    record = {"stage": "train", "stamp": "s", "state": "running", "pid": 41, "born": 1, "host": "node7",
              "slurm_job": None, "start": "2026-01-01T00:00:00+00:00"}  # fmt: skip
    (tmp_path / "r.json").write_text(json.dumps(record))
    assert "process 41 on node7" in job_lock._waiting_text(tmp_path / "r.json")


def test_another_job_waits_for_nobody(started: list[subprocess.Popen[str]]) -> None:
    assert said(hold(started)) == "had it at once"
    with job_lock.sole_process(Path("results/stamps/render/others.json")) as waited:
        assert not waited


def test_without_locks_work_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with job_lock.sole_process(Path("people.json")) as waited:
        assert not waited
    assert not list(Path().iterdir()), "a stamp in no folder `stamps`"

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(38, "Function not implemented")

    with monkeypatch.context() as patch:
        patch.setattr(locks.fcntl, "flock", refuse)
        with job_lock.sole_process(STAMP) as waited:
            assert not waited
    blocked = tmp_path / "blocked/results"
    blocked.parent.mkdir()
    blocked.write_text("a file where a folder is needed")
    with job_lock.sole_process(blocked / "stamps/render/people.json") as waited:
        assert not waited


def render(**changes: Any) -> list[str]:
    options = {"output": "data/people", "code": "0123456789ab", "spec": json.dumps(RENDER), **changes}
    return ["render", "--stamp", str(STAMP), *(word for key, value in options.items() for word in (f"--{key}", value))]


def in_background(started: list[subprocess.Popen[str]], *arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "anonbench.cli", *arguments], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    started.append(process)
    return process


def test_a_job_started_twice_is_done_once(started: list[subprocess.Popen[str]]) -> None:
    both = [in_background(started, *render()) for _ in range(2)]
    texts = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], texts
    assert sorted(event.event for event in read_events()) == ["done", "start", "taken"]
    assert sum("another process has made this meanwhile" in text for text in texts) == 1
    assert all(read_stamp(STAMP).outputs.values())


def test_what_another_would_have_made_otherwise_is_made_anew(started: list[subprocess.Popen[str]]) -> None:
    first = in_background(started, *render())
    while not LOCK.exists() or not read_events():
        assert first.poll() is None
        time.sleep(0.01)
    second = in_background(started, *render(spec=json.dumps({**RENDER, "seed": 5})))
    texts = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), texts
    assert [event.event for event in read_events()] == ["start", "done", "start", "done"]
    assert read_stamp(STAMP).settings["spec"]["seed"] == 5
    assert "works on the same job" in texts[1]


def job(**changes: Any) -> JobFiles:
    return JobFiles("render", STAMP, Footprint((), (Path("data/people"),), {}), **{"code": "c", **changes})


def test_what_killed_processes_left_is_removed() -> None:
    theirs = [Path("data/.people.7.partial/a.jpg"), Path("results/stamps/render/.people.json.7.partial"),
              Path("results/.resume/people/.state.pt.7.partial")]  # fmt: skip
    others = [Path("data/.others.7.partial"), Path("data/people/1.jpg"), Path("results/.resume/people/state.pt"), STAMP]
    for path in [*theirs, *others]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    job_lock.remove_leftovers(job(resume_dir=Path("results/.resume/people")), waited=False)
    assert not any(path.exists() for path in theirs)
    assert not Path("data/.people.7.partial").exists()
    assert all(path.exists() for path in others)
    job_lock.remove_leftovers(job(code=""), waited=True)
    assert all(path.exists() for path in others), "a person's command removes no outputs"
    job_lock.remove_leftovers(job(), waited=True)
    assert not Path("data/people").exists()
    assert not STAMP.exists()
