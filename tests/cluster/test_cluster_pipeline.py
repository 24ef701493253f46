"""The whole of config/test.yaml through the SLURM profile, with Snakemake killed three times on the way.

The tests stand in the order of one history and each goes on from the one before.
"""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster_folder import Folder, Run, wait_until
from comparison import comparable
from slurm_sandbox import Sandbox

CONFIG = ("--configfile", "config/test.yaml")
FIRST, MORE = 8, 20  # jobs done before Snakemake is killed, and before it is killed again
# At most three CPUs of the sandbox at once: the machine has two.
PARTITIONS = "partitions: {pipeline: {max_gpu: 0}}\n"


@pytest.fixture(scope="module")
def folder(folders: Path, sandbox: Sandbox, local: Folder, trials: Run) -> Iterator[Folder]:
    """A copy in which nothing has been made. The local run is over, so that both do not fight for the cores."""
    copy = Folder.copy(folders / "slurm", sandbox)
    (copy.root / "partitions.yaml").write_text(PARTITIONS)
    yield copy
    copy.end_all()


def start(folder: Folder) -> Run:
    return folder.start("--slurm-partition-config", "partitions.yaml", *CONFIG)


def locks(folder: Folder) -> list[Path]:
    return list((folder.root / ".snakemake/locks").glob("*"))


def running(folder: Folder) -> list[str]:
    return [job for job in folder.queue() if job.endswith("RUNNING")]


def at_work(folder: Folder, jobs: int) -> bool:
    """Whether so many jobs have been done, and others are at it."""
    return len(folder.done()) >= jobs and bool(running(folder)) and bool(folder.events("start"))


def test_ctrl_c_cancels_the_jobs_and_unlocks(folder: Folder) -> None:
    run = start(folder)
    wait_until(lambda: at_work(folder, FIRST), "the first jobs done", of=run)
    run.process.send_signal(signal.SIGINT)
    assert run.end(300) != 0
    wait_until(lambda: not folder.queue(), "an empty queue", 30)
    assert locks(folder) == []


def test_sigterm_lets_running_jobs_end_and_unlocks(folder: Folder) -> None:
    before = folder.done()
    run = start(folder)
    wait_until(lambda: at_work(folder, len(before) + MORE), "more jobs done", of=run)
    run.process.send_signal(signal.SIGTERM)
    assert run.end(300) != 0
    assert folder.queue() == []
    assert locks(folder) == []
    assert {event.stamp for event in folder.events("start")} <= folder.done() | cancelled(folder)


def cancelled(folder: Folder) -> set[str]:
    return {event.stamp for event in folder.events("interrupted", "lost")}


def test_recover_refuses_while_snakemake_lives(folder: Folder) -> None:
    before = folder.done()
    run = start(folder)
    wait_until(lambda: at_work(folder, len(before) + MORE), "more jobs done", of=run)
    assert f"process {run.process.pid}" in folder.anonbench("recover", status=2)
    wait_until(lambda: slurm_jobs(status(folder)), "a status that tells of a running job", 120, of=run)
    assert status(folder)["run"]["pid"] == run.process.pid
    assert status(folder)["run"]["running"]
    run.process.kill()
    run.end()


def status(folder: Folder) -> dict[str, Any]:
    """What `anonbench status` says; it ends with 1 where jobs have been killed."""
    found: dict[str, Any] = json.loads(folder.anonbench("status", "--json", status=None))
    return found


def slurm_jobs(told: dict[str, Any]) -> list[str]:
    """The numbers of the SLURM jobs that a status tells of as running."""
    return [job["attempt"]["slurm_job"] for job in told["jobs"] if job["state"] == "running"]


def test_after_sigkill_the_folder_stays_locked_until_it_is_recovered(folder: Folder) -> None:
    assert locks(folder)
    assert folder.queue()
    run = start(folder)
    assert run.end(60) != 0
    assert "locked" in run.text()
    waiting = [job for job in folder.queue() if job.endswith("PENDING")]
    text = folder.anonbench("recover")
    assert not waiting or "still queued or running" in text
    assert folder.queue() == []
    assert "unlocked" in text
    assert locks(folder) == []
    noted = int(text.partition(" jobs finished without being noted")[0].split()[-1])
    assert noted > 0, "those that ended after Snakemake did"


def test_the_rest_is_made(folder: Folder, tell: list[str]) -> None:
    run = start(folder)
    assert run.end() == 0, run.text()[-4000:]
    states = Counter(job["state"] for job in status(folder)["jobs"])
    assert states == {"done": len(folder.done())}
    starts = Counter(event.stamp for event in folder.events("start"))
    done = Counter(event.stamp for event in folder.events("done"))
    tell.append(
        f"config/test.yaml through SLURM, with SIGINT, SIGTERM and SIGKILL on the way: {len(done)} jobs done, "
        f"{sum(starts.values())} started, {sum(n > 1 for n in starts.values())} of them started again after being "
        f"cancelled, {sum(n > 1 for n in done.values())} done twice\n"
    )


def test_nothing_that_was_finished_ran_again(folder: Folder, sandbox: Sandbox) -> None:
    # A job that SLURM cancelled between its command's end and its own has left nothing.
    cut = {job["JobId"] for job in sandbox.jobs() if job["JobState"] == "CANCELLED"}
    finished: set[str] = set()
    for event in folder.events():
        assert event.event != "start" or event.stamp not in finished, f"{event.stamp} was made twice"
        if event.event == "done" and event.slurm_job not in cut:
            finished.add(event.stamp)
    on_disk = {path.relative_to(folder.root).as_posix() for path in (folder.root / "results/stamps").rglob("*.json")}
    assert finished == on_disk, "every job has been done once"


def test_the_tables_are_those_of_a_local_run(folder: Folder, local: Folder) -> None:
    for kind in ("tables", "metrics", "manifests", "detections"):
        ours, theirs = (
            {
                name: content
                for name, content in comparable(copy.root, (copy.root / "results" / kind).rglob("*.*")).items()
                if not set(name.split("/")) & {"plain", "broken"}
            }
            for copy in (folder, local)
        )
        assert ours
        assert ours.keys() == theirs.keys()
        assert [name for name in ours if ours[name] != theirs[name]] == []


def test_snakemake_and_the_stamps_agree_that_all_is_done(folder: Folder) -> None:
    run = folder.start("--dry-run", *CONFIG)
    assert run.end(60) == 0
    assert "Nothing to be done" in run.text()
    counts = json.loads(folder.anonbench("verify", "--json", *CONFIG))["counts"]
    assert {verdict for verdict, count in counts.items() if count} == {"ok"}


def test_every_job_asked_for_the_cpus_memory_and_time_of_its_rule(folder: Folder, sandbox: Sandbox) -> None:
    jobs = [job for job in sandbox.jobs() if job.get("WorkDir") == str(folder.root)]
    assert len(jobs) > 100
    for job in jobs:
        asked = dict(item.split("=") for item in job["TRES"].split(","))
        assert job["Partition"] == "pipeline"
        assert int(asked["cpu"]) <= 2, "--cores"
        assert job["TimeLimit"] != "UNLIMITED"
        assert asked["mem"] not in ("2000M", "500M"), "an estimate, neither the profile's default nor SLURM's"
        assert job["JobName"].startswith("anonbench_")
