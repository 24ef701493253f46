"""The journal: what a stage leaves while it runs, when it ends in every way, and what is made of a killed one."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dataset_writers import write_market1501

from anonbench.config import read_layer
from anonbench.core.errors import DataError
from anonbench.core.progress import ProgressBar, report_progress
from anonbench.ops import journal
from anonbench.ops.journal import Attempt, Record, read_events, read_record, status_path
from anonbench.ops.provenance import resources_used

STAMP = Path("results/stamps/train/people/small/seed0.json")
RECORD = Path("results/.status/train/people/small/seed0.json")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def events() -> list[str]:
    return [event.event for event in read_events()]


def record() -> Record:
    found = read_record(RECORD)
    assert found is not None
    return found


def test_a_record_lies_where_its_stamp_would_mirror_it() -> None:
    assert status_path(STAMP) == RECORD
    assert status_path(STAMP, ".lock") == RECORD.with_suffix(".lock")
    assert status_path(Path("/a/stamps/b/results/stamps/c.json")) == Path("/a/stamps/b/results/.status/c.json")
    assert status_path(Path("elsewhere/seed0.json")) is None
    assert status_path(Path("stamps.json")) is None


def test_while_it_runs_and_when_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    with Attempt("train", STAMP, threads=3):
        now = record()
        assert (now.state, now.stage, now.stamp, now.pid) == ("running", "train", str(STAMP), os.getpid())
        assert (now.slurm_job, now.threads, now.gpus, now.attempts, now.status) == ("77", 3, 0, 1, None)
        assert journal.is_running(now, age_s=0)
        time.sleep(0.05)
    end = record()
    assert (end.state, end.status, end.error) == ("done", 0, "")
    assert 0.05 <= end.seconds < 10
    # Of this very process, in which other tests may have started large ones.
    assert 20 < end.memory_mb == pytest.approx(resources_used(3)[1], rel=0.1)
    assert end.cpu_seconds > 0
    assert events() == ["start", "done"]
    start, done = read_events()
    assert (start.stamp, start.pid, start.slurm_job) == (str(STAMP), os.getpid(), "77")
    assert start.seconds < 1
    assert (done.stage, done.seconds, done.threads, done.gpus) == ("train", end.seconds, 3, 0)


@pytest.mark.parametrize(
    ("error", "state", "status", "text"),
    [
        (DataError("a.csv: empty.\nPut something there."), "failed", 2, "Put something there."),
        (ZeroDivisionError("division by zero"), "failed", 1, "ZeroDivisionError: division by zero"),
        (ValueError(), "failed", 1, "ValueError: "),
        (KeyboardInterrupt(), "interrupted", 130, ""),
    ],
)
def test_how_it_ended(error: BaseException, state: str, status: int, text: str) -> None:
    with pytest.raises(type(error)), Attempt("train", STAMP):
        raise error
    assert (record().state, record().status, record().error) == (state, status, text)
    assert events() == ["start", state]


def test_attempts_are_counted_until_one_succeeds() -> None:
    counts = []
    for succeeds in (False, False, True, False):
        try:
            with Attempt("train", STAMP):
                counts.append(record().attempts)
                if not succeeds:
                    raise DataError("no")
        except DataError:
            pass
    assert counts == [1, 2, 3, 1]
    assert not journal.went_on(STAMP)
    with Attempt("train", STAMP):
        pass
    assert journal.went_on(STAMP), "after the one that failed"
    assert not journal.went_on(Path("results/stamps/unknown.json"))


def test_progress_is_in_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "PROGRESS_S", 0.0)
    with Attempt("train", STAMP):
        report_progress(12, 60, "epochs")
        assert (record().done, record().total, record().unit) == (12, 60, "epochs")
        with ProgressBar(4, "decode", "images") as bar:
            bar.update(3)
        assert (record().done, record().total, record().unit) == (3, 4, "images")
        with ProgressBar(9, "inner", "images", silent=True) as bar:
            bar.update()
        assert record().done == 3
    report_progress(1, 2, "nobody listens")
    assert (record().done, record().unit) == (3, "images")


def tell_of_epochs() -> None:
    report_progress(7, 60, "epochs")


def test_the_progress_of_ranks_is_in_the_record_of_their_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    from anonbench.training.launch import launch

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    with Attempt("train", STAMP, gpus=2):
        report_progress(400, 400, "images")
        launch(tell_of_epochs, {}, ranks=2, threads=2)
        assert (record().done, record().total, record().unit) == (7, 60, "epochs")
    assert (record().done, record().unit, record().state) == (7, "epochs", "done")


def test_progress_is_not_written_more_often_than_useful(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    with Attempt("train", STAMP) as attempt:
        monkeypatch.setattr(attempt, "_write", lambda **changes: written.append(changes))
        for done in range(10_000):
            report_progress(done, 10_000, "images")
    assert len(written) == 2, "the first with its unit, and the end"


def test_a_living_process_is_heard_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "HEARTBEAT_S", 0.02)
    with Attempt("train", STAMP):
        before = RECORD.stat().st_mtime_ns
        seconds = record().seconds
        deadline = time.monotonic() + 10
        while RECORD.stat().st_mtime_ns == before or record().seconds == seconds:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    ended = RECORD.stat().st_mtime_ns
    time.sleep(0.1)
    assert RECORD.stat().st_mtime_ns == ended, "no heartbeat after the end"
    assert record().state == "done"


KILLED = """
import os, signal, sys
from pathlib import Path
from anonbench.ops.journal import Attempt
with Attempt("train", Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def kill_one() -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, STAMP], check=False)
    assert done.returncode == -signal.SIGKILL


def test_a_killed_process_is_told_from_a_living_one_and_noted_by_the_next() -> None:
    kill_one()
    left = record()
    assert left.state == "running"
    assert not journal.is_running(left, age_s=0)
    reused = dataclasses.replace(left, pid=os.getpid())  # its number, given to another process
    assert not journal.is_running(reused, age_s=0)
    with Attempt("train", STAMP):
        assert record().attempts == 2
    assert events() == ["start", "lost", "start", "done"]
    assert read_events()[1].pid == left.pid


@pytest.mark.parametrize(
    ("slurm_job", "age_s", "listed", "alive"),
    [
        (None, 10, None, True),
        (None, 10 * journal.HEARTBEAT_S, None, False),
        ("5", 10 * journal.HEARTBEAT_S, {"5", "6"}, True),
        ("5", 10, {"6"}, False),
        ("5", 10, None, True),  # no squeue here
    ],
)
def test_a_process_of_another_machine(
    slurm_job: str | None, age_s: float, listed: set[str] | None, alive: bool
) -> None:
    other = Record("train", "s", "running", 1, 1, "another-machine", slurm_job, "2026-01-01T00:00:00+00:00")
    assert journal.is_running(other, age_s, listed) == alive


def test_what_squeue_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "bin/squeue"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\nprintf '12 RUNNING\\n13 PENDING\\n14 COMPLETING\\n15 SUSPENDED\\n'\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    assert journal.running_slurm_jobs() == {"12", "15"}
    script.write_text("#!/bin/sh\nexit 1\n")
    assert journal.running_slurm_jobs() is None


def test_work_goes_on_when_nothing_can_be_written() -> None:
    Path("results").mkdir()
    Path("results/.status").write_text("a file where a folder is needed")
    with Attempt("train", STAMP):
        report_progress(1, 2, "epochs")
    journal.log_taken("train", STAMP)
    journal.write_last_run([], ["all"])
    assert read_events() == []
    assert read_record(RECORD) is None


def test_a_stamp_elsewhere_leaves_no_journal(tmp_path: Path) -> None:
    with Attempt("train", Path("seed0.json")):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"stage": "train"}', json.dumps({"unknown": 1})])
def test_a_record_that_cannot_be_read_is_none(text: str) -> None:
    RECORD.parent.mkdir(parents=True)
    RECORD.write_text(text)
    assert read_record(RECORD) is None
    with Attempt("train", STAMP):
        assert record().attempts == 1


def test_lines_of_many_processes_stay_whole() -> None:
    code = "import sys; from pathlib import Path; from anonbench.ops import journal\nfor _ in range(200): journal.log_taken('x', Path(sys.argv[1]))"  # noqa: E501
    processes = [subprocess.Popen([sys.executable, "-c", code, f"results/stamps/{n}.json"]) for n in range(3)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    stamps = [event.stamp for event in read_events()]
    assert sorted(stamps) == sorted(f"results/stamps/{n}.json" for n in range(3) for _ in range(200))
    assert len(Path(journal.JOURNAL).read_text().splitlines()) == 601


def test_one_header_though_another_process_began_the_file_while_this_one_waited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock, waiting = journal.fcntl.flock, []

    def late(stream: Any, operation: int) -> None:
        if not waiting:  # the file is open and empty; now another process is faster
            waiting.append(True)
            journal.log_taken("x", Path("results/stamps/other.json"))
        lock(stream, operation)

    monkeypatch.setattr(journal.fcntl, "flock", late)
    journal.log_taken("x", Path("results/stamps/mine.json"))
    assert [event.stamp for event in read_events()] == ["results/stamps/other.json", "results/stamps/mine.json"]
    assert len(Path(journal.JOURNAL).read_text().splitlines()) == 3


def test_a_torn_line_hides_no_other() -> None:
    with Attempt("train", STAMP):
        pass
    with Path(journal.JOURNAL).open("a") as file:
        file.write("2026-01-01,start,train\n\0\0\n")
    with Attempt("train", STAMP):
        pass
    assert events() == ["start", "done"] * 2


def test_the_last_run() -> None:
    assert journal.read_last_run() is None
    journal.write_last_run([Path("/a/config/test.yaml")], {"b", "all"})  # type: ignore[arg-type]
    run = journal.read_last_run()
    assert run is not None
    assert (run["configfiles"], run["targets"], run["pid"]) == (["/a/config/test.yaml"], ["all", "b"], os.getpid())
    assert journal.process_is_here(run["pid"], run["born"], run["host"])
    Path(journal.LAST_RUN).write_text("[]")
    assert journal.read_last_run() is None


def test_options_of_the_last_run_are_its_last_config_file() -> None:
    journal.write_last_run(["/a/config/test.yaml"], ["all"], options={"device": "cpu", "plugins": ["mine"]})
    run = journal.read_last_run()
    assert run is not None
    assert run["configfiles"] == ["/a/config/test.yaml", str(Path(journal.OPTIONS).resolve())]
    assert read_layer(Path(journal.OPTIONS)) == {"device": "cpu", "plugins": ["mine"]}
    journal.write_last_run([], ["all"], options={})
    run = journal.read_last_run()
    assert run is not None
    assert run["configfiles"] == []


def test_the_slurm_job_of_the_last_run_is_known_when_the_environment_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    journal.write_last_run([], ["all"], slurm_job="12")
    run = journal.read_last_run()
    assert run is not None
    assert run["slurm_job"] == "12"


def test_commands_keep_their_record(run_command: Callable[..., Any], tmp_path: Path) -> None:
    write_market1501(tmp_path / "market")
    spec = json.dumps({"format": "market1501", "root": "market", "expect": "any"})

    def index(root: str) -> list[object]:
        return ["index", "--root", root, "--spec", spec, "--output", "m.csv", "--dropped", "d.csv",
                "--sidecars", "s.csv", "--splits", "splits.csv", "--stamp", "results/stamps/index/m.json"]  # fmt: skip

    assert run_command(*index("nowhere")).status == 2
    failed = read_record(Path("results/.status/index/m.json"))
    assert failed is not None
    assert (failed.state, failed.status) == ("failed", 2)
    assert failed.error
    assert run_command(*index("market")).status == 0
    assert events() == ["start", "failed", "start", "done"]
    assert run_command("list", "models").status == 0
    assert len(events()) == 4
