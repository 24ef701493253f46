"""anonbench status: the state of each job, what is left and what was spent, and how it reads."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anonbench.core.errors import ConfigError
from anonbench.ops import journal
from anonbench.ops.costs.estimate import Estimator
from anonbench.ops.dag import Job
from anonbench.ops.journal import Attempt, Event, Record
from anonbench.ops.status import costs, report, states
from anonbench.ops.status.costs import Left, Spent, spent, time_left
from anonbench.ops.status.states import JobState, Measured, job_states

MACHINE = {"platform": "Linux-6-x86_64", "device": "x86_64"}


def job(rule: str, name: str, inputs: tuple[str, ...] = (), **wildcards: str) -> Job:
    outputs = (f"results/{rule}/{name}.out", f"results/stamps/{rule}/{name}.json")
    return Job(rule, name, wildcards, inputs, outputs, (), {}, f"logs/{rule}/{name}.log")


TRAIN = job("train", "small", dataset="people", model="small", train_variant="original", run="seed0")
TRAIN_2 = job("train", "small2", dataset="people", model="small", train_variant="original", run="seed1")
EMBED = job("embed", "small", TRAIN.artifacts, dataset="people", model="small", train_variant="original", run="seed0")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(of: Job, **changes: Any) -> Record:
    start = "2026-01-02T03:04:05.678+00:00"
    process = (os.getpid(), journal._born(os.getpid()), socket.gethostname())
    made = Record(of.rule, str(of.stamp), "running", *process, None, start, seconds=100.0)
    return dataclasses.replace(made, **changes)


def put_record(of: Job, age_s: float = 0.0, **changes: Any) -> None:
    path = journal.status_path(Path(str(of.stamp)))
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dataclasses.asdict(record(of, **changes))))
    written = path.stat().st_mtime - age_s
    os.utime(path, (written, written))


def finish(of: Job, seconds: float = 60.0, **changes: Any) -> None:
    for output in of.outputs:
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        Path(output).write_text("x")
    stamp = {"stage": of.rule, "seconds": seconds, "cpu_seconds": seconds / 2, "threads": 1, "machine": MACHINE}
    Path(str(of.stamp)).write_text(json.dumps({**stamp, **changes}))


def state_of(of: Job, root: Path) -> JobState:
    return job_states([of], root)[0]


# --- states ---


def test_done_is_every_output_and_the_stamp(root: Path) -> None:
    assert state_of(TRAIN, root).state == "left"
    finish(TRAIN)
    done = state_of(TRAIN, root)
    assert (done.state, done.measured) == ("done", Measured(60.0, 30.0, 1, 0))
    Path(TRAIN.outputs[0]).unlink()
    assert state_of(TRAIN, root).state == "left"


def test_an_output_removed_from_a_job_that_had_succeeded_is_left(root: Path) -> None:
    put_record(TRAIN, state="done", status=0)
    assert state_of(TRAIN, root).state == "left"


@pytest.mark.parametrize(("written", "state"), [("failed", "failed"), ("interrupted", "interrupted")])
def test_how_it_ended(root: Path, written: str, state: str) -> None:
    put_record(TRAIN, state=written)
    assert state_of(TRAIN, root).state == state
    finish(TRAIN)
    assert state_of(TRAIN, root).state == "done", "files speak last"


def test_running_and_killed_on_this_machine(root: Path) -> None:
    put_record(TRAIN, age_s=20)
    now = state_of(TRAIN, root)
    assert now.state == "running"
    assert now.elapsed_s == pytest.approx(120, abs=5)
    put_record(TRAIN, born=1)
    assert state_of(TRAIN, root).state == "killed"


@pytest.mark.parametrize(("listed", "state"), [({"8"}, "killed"), ({"8", "77"}, "running")])
def test_a_slurm_job_is_asked_for_once(
    root: Path, monkeypatch: pytest.MonkeyPatch, listed: set[str], state: str
) -> None:
    asked = []
    monkeypatch.setattr(states, "running_slurm_jobs", lambda: asked.append(1) or listed)
    for each in (TRAIN, TRAIN_2):
        put_record(each, age_s=1000, host="node7", slurm_job="77")
    assert [s.state for s in job_states([TRAIN, TRAIN_2], root)] == [state, state]
    assert len(asked) == 1


def test_elsewhere_what_counts_is_the_last_word(root: Path) -> None:
    put_record(TRAIN, age_s=10, host="node7")
    assert state_of(TRAIN, root).state == "running"
    put_record(TRAIN, age_s=1000, host="node7")
    assert state_of(TRAIN, root).state == "killed"
    put_record(TRAIN, age_s=-1000, host="node7")  # its clock is ahead
    assert (state_of(TRAIN, root).state, state_of(TRAIN, root).elapsed_s) == ("running", 100.0)


@pytest.mark.parametrize(
    ("done", "total", "unit", "share"),
    [(12, 60, "epochs", 0.2), (400, 400, "images", 0.0), (0, 0, "", 0.0)],
)
def test_a_training_is_as_far_as_its_epochs(root: Path, done: int, total: int, unit: str, share: float) -> None:
    put_record(TRAIN, done=done, total=total, unit=unit)
    assert state_of(TRAIN, root).share_done == share


def test_logs(root: Path) -> None:
    put_record(TRAIN, state="failed", slurm_job="55")
    assert states.logs_of(state_of(TRAIN, root), root) == []
    wanted = [TRAIN.log, ".snakemake/slurm_logs/rule_train/people_small/55.log"]
    for name in (*wanted, ".snakemake/slurm_logs/rule_train/people_small/56.log"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("why")
    assert states.logs_of(state_of(TRAIN, root), root) == wanted


@pytest.mark.parametrize("text", ["", "[]", '{"stage": "train"}'])
def test_a_stamp_that_tells_nothing_of_its_run(root: Path, text: str) -> None:
    finish(TRAIN)
    Path(str(TRAIN.stamp)).write_text(text)
    assert (state_of(TRAIN, root).state, state_of(TRAIN, root).measured) == ("done", None)


def test_a_stamp_from_elsewhere_tells_of_its_gpu(root: Path) -> None:
    finish(TRAIN, machine={**MACHINE, "device": "NVIDIA H100 80GB HBM3"})
    assert state_of(TRAIN, root).measured == Measured(60.0, 30.0, 1, 1)
    put_record(TRAIN, state="done", gpus=4)
    assert state_of(TRAIN, root).measured == Measured(60.0, 30.0, 1, 4)


# --- left and spent ---

HOUR = 3600.0


def test_left_is_a_sum_and_by_the_clock_the_longest_of_three() -> None:
    needs = {"train": Measured(2 * HOUR, HOUR, 1, 0), "embed": Measured(HOUR, HOUR, 2, 0)}
    running = JobState(TRAIN, "running", record(TRAIN, threads=1), elapsed_s=HOUR / 2)
    waiting = [JobState(EMBED, "left"), JobState(TRAIN_2, "failed", record(TRAIN_2))]
    found = time_left([running, *waiting], lambda job: needs[job.rule])
    assert found == Left(1.5 + 2 + 2, 0.0, 5.5, 1, 0, 0)
    many = dataclasses.replace(running, record=record(TRAIN, threads=8))
    assert time_left([many, *waiting], lambda job: needs[job.rule]).hours == 2.0, "the longest job"


def test_what_is_done_of_a_running_job_counts() -> None:
    progress = record(TRAIN, done=45, total=60, unit="epochs")
    running = JobState(TRAIN, "running", progress, elapsed_s=10.0)
    assert time_left([running], lambda job: Measured(4 * HOUR, HOUR, 1, 0)).core_hours == 1.0


def test_gpus_are_counted_apart() -> None:
    running = JobState(TRAIN, "running", record(TRAIN, gpus=2), elapsed_s=0.0)
    found = time_left([running, JobState(TRAIN_2, "left")], lambda job: Measured(HOUR, HOUR, 1, 2))
    assert (found.gpu_hours, found.gpus, found.hours) == (4.0, 2, 2.0)


def test_while_nothing_runs_the_clock_tells_nothing_and_done_jobs_count_nothing() -> None:
    found = time_left([JobState(TRAIN, "done"), JobState(TRAIN_2, "left")], lambda job: None)
    assert found == Left(0.0, 0.0, None, 0, 0, 1)


CONFIG = {"device": "cpu", "datasets": {}, "models": {"small": {}}, "recipes": {}}


def expect(given: list[JobState], wanted: Job) -> Measured | None:
    class Unknowing(Estimator):
        def estimate(self, *arguments: object) -> Any:
            raise KeyError("nothing is known")

    return costs.expected(given, Unknowing(CONFIG))(wanted)


def test_expected_is_the_median_of_the_nearest_kind() -> None:
    def done(seconds: float, **wildcards: str) -> JobState:
        each = job("train", str(seconds), **{"train_variant": "original", **wildcards})
        return JobState(each, "done", measured=Measured(seconds, seconds, 1, 0))

    known = [done(s, dataset="people", model="small") for s in (10.0, 20.0, 90.0)]
    known += [done(300.0, dataset="others", model="small"), done(700.0, dataset="others", model="large")]
    known += [done(1.0, dataset="people", model="small", train_variant="untrained")]

    def seconds(**wildcards: str) -> float | None:
        wanted = job("train", "new", **{"train_variant": "original", **wildcards})
        found = expect(known, wanted)
        return found.seconds if found else None

    assert seconds(dataset="people", model="small") == 20.0
    assert seconds(dataset="third", model="small") == (20.0 + 90.0) / 2, "the same model: 10, 20, 90, 300"
    assert seconds(dataset="people", model="small", train_variant="untrained") == 1.0
    assert seconds(dataset="third", model="third") is None
    assert expect(known, job("table", "table3", table="table3")) is None


def event(of: Job, name: str, cpu_hours: float = 0.0, hours: float = 0.0, gpus: int = 0) -> Event:
    return Event("t", name, of.rule, str(of.stamp), 1, "h", "", hours * HOUR, cpu_hours * HOUR, 1, gpus)


def test_spent_is_every_attempt_once() -> None:
    told = JobState(TRAIN, "done", measured=Measured(9 * HOUR, 9 * HOUR, 1, 0))
    stamp_alone = JobState(TRAIN_2, "done", measured=Measured(3 * HOUR, 2 * HOUR, 1, 1))
    running = JobState(EMBED, "running", record(EMBED, cpu_seconds=HOUR / 2, gpus=2), elapsed_s=HOUR)
    events = [event(TRAIN, "start", 0.0), event(TRAIN, "lost", 1.0, 1.0, 1), event(TRAIN, "start"),
              event(TRAIN, "failed", 0.5), event(TRAIN, "done", 4.0, 5.0, 1),
              event(job("train", "unasked"), "done", 100.0)]  # fmt: skip
    found = spent([told, stamp_alone, running], events)
    assert found == Spent(1.0 + 0.5 + 4.0 + 2.0 + 0.5, 1.0 + 5.0 + 3.0 + 2.0, 1.5, 1.0, 2)


def test_a_killed_attempt_is_wasted_before_the_next_notes_it() -> None:
    killed = JobState(TRAIN, "killed", record(TRAIN, cpu_seconds=HOUR), elapsed_s=HOUR)
    assert spent([killed], []) == Spent(1.0, 0.0, 1.0, 0.0, 1)


# --- text and JSON ---


@pytest.fixture
def shown(root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., report.Status]:
    """The status of three jobs in a folder whose configuration is a stand-in."""
    (root / "config").mkdir()
    (root / "config/default.yaml").write_text(json.dumps(CONFIG))
    (root / "config/mine.yaml").write_text("{}")

    def read(*configfiles: str, targets: tuple[str, ...] = ()) -> report.Status:
        called = []
        monkeypatch.setattr(report, "workflow_jobs", lambda *a, params: called.append(a) or [TRAIN, TRAIN_2, EMBED])
        status = report.read_status(configfiles, targets, root)
        ((files, wanted, folder),) = called
        assert (tuple(files), tuple(wanted), folder) == (status.configfiles, status.targets, root)
        return status

    return read


def test_text(root: Path, shown: Callable[..., report.Status]) -> None:
    finish(TRAIN)
    put_record(TRAIN, state="done")
    put_record(TRAIN_2, state="failed", status=2, error="a.csv: empty.", attempts=3)
    Path(TRAIN_2.log).parent.mkdir(parents=True)
    Path(TRAIN_2.log).write_text("a.csv: empty.")
    put_record(EMBED, done=800, total=1290, unit="images", slurm_job="7")
    text = report.as_text(shown())
    assert "everything of config/default.yaml" in text
    table = [line.split() for line in text.splitlines()[3:7]]
    assert table == [
        ["done", "running", "failed", "of"], ["train", "1", ".", "1", "2"],
        ["embed", ".", "1", ".", "1"], ["all", "1", "1", "1", "3"],
    ]  # fmt: skip
    assert (
        f"embed@small: 800 of 1,290 images, 0:01:40, pid {os.getpid()} on {socket.gethostname()}, SLURM job 7" in text
    )
    assert "  train@small2: exit status 2: a.csv: empty." in text
    assert "began 2026-01-02 03:04:05 UTC" in text
    assert "attempt 3" in text
    assert f"    log: {TRAIN_2.log}" in text
    assert "left: 60 s of cores" in text, "the failed training; nothing is known of embeddings"
    assert "spent: 30 s of processor time" in text


def test_of_many_the_first_are_named(root: Path, shown: Callable[..., report.Status]) -> None:
    many = [JobState(job("train", str(n)), "failed", record(TRAIN)) for n in range(25)]
    text = report.as_text(dataclasses.replace(shown(), states=many))
    assert text.count("log: ") == 20
    assert "and 5 more (--json lists all)" in text


def test_json(root: Path, shown: Callable[..., report.Status]) -> None:
    put_record(TRAIN, born=1)
    found = json.loads(report.as_json(shown("config/mine.yaml", targets=("a",))))
    assert found["counts"] == {"train": {"killed": 1, "left": 1}, "embed": {"left": 1}}
    assert (found["configfiles"], found["targets"], found["run"]) == (["config/mine.yaml"], ["a"], None)
    first = found["jobs"][0]
    assert (first["name"], first["state"], first["attempt"]["seconds"]) == ("train@small", "killed", 100.0)
    assert found["spent"]["wasted_attempts"] == 1


def test_the_last_run_says_what_is_asked_for(root: Path, shown: Callable[..., report.Status]) -> None:
    assert "no Snakemake run has left word" in report.as_text(shown())
    journal.write_last_run([root / "config/mine.yaml"], ["results/a.csv"])
    last = shown()
    text = report.as_text(last)
    assert text.startswith("results/a.csv of config/default.yaml + config/mine.yaml (as the last run)")
    assert f"Snakemake runs: pid {os.getpid()} on {socket.gethostname()}" in text
    assert shown(targets=("b",)).targets == ("b",)
    other = shown("config/mine.yaml")
    assert (other.targets, other.of_last_run) == ((), False)
    run = json.loads(Path(journal.LAST_RUN).read_text())
    Path(journal.LAST_RUN).write_text(json.dumps({**run, "born": 1}))
    put_record(TRAIN)
    assert "Its jobs were left running: start it again" in report.as_text(shown())
    Path(journal.LAST_RUN).write_text(json.dumps({**run, "host": "login1"}))
    assert "from this machine it cannot be seen" in report.as_text(shown())


def test_a_config_file_of_the_last_run_that_is_gone(root: Path, shown: Callable[..., report.Status]) -> None:
    journal.write_last_run([root / "config/gone.yaml"], ["all"])
    with pytest.raises(ConfigError, match=r"gone.yaml: cannot be read.*\nThese are the config files of the last run"):
        shown()


@pytest.mark.parametrize(
    ("state", "fails"),
    [("failed", True), ("killed", True), ("interrupted", False), ("left", False), ("running", False)],
)
def test_when_the_exit_status_is_1(shown: Callable[..., report.Status], state: str, fails: bool) -> None:
    status = dataclasses.replace(shown(), states=[JobState(TRAIN, state, record(TRAIN))])
    assert status.failed == fails


@pytest.mark.parametrize(("hours", "text"), [(0.01, "36 s"), (0.5, "30 min"), (1.49, "89 min"), (2.345, "2.3 h")])
def test_hours(hours: float, text: str) -> None:
    assert report._hours(hours) == text


# --- the whole, on the real workflow ---


def test_status_of_the_shipped_workflow(tmp_path: Path) -> None:
    repository = Path(__file__).parents[3]
    for name in ("Snakefile", "workflow", "config", "anonbench", "benchmarks"):
        (tmp_path / name).symlink_to(repository / name)
    with Attempt("published", tmp_path / "results/stamps/published.json"):
        command = [sys.executable, "-m", "anonbench.cli", "status", "--configfile", "config/test.yaml"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.strip()}
    assert lines["train"] == [".", ".", "15", "15"]
    assert lines["published"][:3] == [".", "1", "."]
    assert "published: " in done.stdout
    assert not list((tmp_path / ".snakemake/log").glob("*")), "looking leaves no log"
