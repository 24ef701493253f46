"""Jobs that fail, are killed for memory or time, wait for a GPU, or have lost their Snakemake."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from cluster_folder import Folder, Run, wait_until
from cluster_trials import METRICS, RESULT, TRIALS
from slurm_sandbox import Sandbox
from trial_network import NOTES

GOOD = [name for name in TRIALS if name != "broken"]


def jobs_of(sandbox: Sandbox, folder: Folder, model: str) -> list[dict[str, str]]:
    """The SLURM jobs that trained a model, in order."""
    wanted = f"rule_train_wildcards_market1501-rendered_{model}_original_seed0"
    return [job for job in sandbox.jobs() if job.get("WorkDir") == str(folder.root) and job.get("Comment") == wanted]


def states(jobs: list[dict[str, str]]) -> list[str]:
    return [job["JobState"] for job in jobs]


def log_of(folder: Folder, model: str) -> Path:
    return folder.root / f"logs/train/market1501-rendered/{model}/original/seed0.log"


def test_a_job_that_fails_for_good_stops_what_needs_it_and_nothing_else(
    local: Folder, ended_trials: Run, sandbox: Sandbox
) -> None:
    assert ended_trials.process.returncode != 0
    assert states(jobs_of(sandbox, local, "broken")) == ["FAILED"] * 3, "twice more, as the profile says"
    assert [name for name in GOOD if not (local.root / RESULT.format(name)).exists()] == []
    assert (local.root / METRICS.format("plain")).exists()
    assert not (local.root / METRICS.format("broken")).exists()


def test_snakemake_says_which_log_to_read(local: Folder, ended_trials: Run) -> None:
    errors = ended_trials.text().split("Error in rule train")[1:]
    about = [text for text in errors if "/broken/" in text[:2000]]
    assert about
    log = log_of(local, "broken")
    assert str(log.relative_to(local.root)) in about[-1]
    assert "this network was made to fail" in log.read_text()
    assert "this network was made to fail" in ended_trials.text(), "show-failed-logs"
    status = local.anonbench("status", status=1)
    assert f"log: {log.relative_to(local.root)}" in status
    assert "this network was made to fail" in status


def test_a_job_killed_for_memory_gets_more(local: Folder, ended_trials: Run, sandbox: Sandbox) -> None:
    killed, *_, last = jobs = jobs_of(sandbox, local, "hungry")
    assert states(jobs[:-1]) == [killed["JobState"]] * (len(jobs) - 1)
    assert killed["JobState"] in ("OUT_OF_MEMORY", "FAILED", "CANCELLED")
    assert "exceeded memory limit" in (sandbox.root / "log/slurmd.log").read_text() + slurm_logs(local, "hungry")
    assert last["JobState"] == "COMPLETED"
    asked = [re.search(r"mem=(\d+)M", job["TRES"]) for job in jobs]
    assert [int(found[1]) for found in asked if found] == [1400 * (n + 1) for n in range(len(jobs))]
    assert len(jobs) > 1


def slurm_logs(folder: Folder, model: str) -> str:
    logs = (folder.root / "logs/slurm/rule_train").glob(f"*_{model}_*/*.log")
    return "".join(log.read_text(errors="replace") for log in logs)


def test_a_job_killed_by_its_time_limit_goes_on_from_its_last_epoch(
    local: Folder, ended_trials: Run, sandbox: Sandbox
) -> None:
    jobs = jobs_of(sandbox, local, "patient")
    assert states(jobs) == ["TIMEOUT", "COMPLETED"]
    assert [job["TimeLimit"] for job in jobs] == ["00:01:00", "00:10:00"]
    found = re.search(r"continuing after epoch (\d+) of 30", log_of(local, "patient").read_text())
    assert found
    notes = [json.loads(line) for line in (local.root / NOTES).read_text().splitlines()]
    steps = [note for note in notes if note["name"] == "patient"]
    assert int(found[1]) >= 1
    assert len(steps) <= 32, "thirty epochs of one step; the one that was cut off is made again"


def test_gpu_jobs_get_different_gpus_and_the_third_waits(local: Folder, ended_trials: Run, sandbox: Sandbox) -> None:
    jobs = [job for name in ("gpu_a", "gpu_b", "gpu_c") for job in jobs_of(sandbox, local, name)]
    assert states(jobs) == ["COMPLETED"] * 3
    assert {job["Partition"] for job in jobs} == {"gpu"}, "partitions.yaml: only jobs with a GPU go there"
    assert {job["Partition"] for job in jobs_of(sandbox, local, "plain")} == {"cpu"}
    notes = [json.loads(line) for line in (local.root / NOTES).read_text().splitlines()]
    seen = {note["job"]: note["gpus"] for note in notes if note["name"].startswith("gpu_")}
    first, second, third = sorted(jobs, key=lambda job: job["StartTime"])
    assert {seen[first["JobId"]], seen[second["JobId"]]} == {"0", "1"}
    assert second["StartTime"] < first["EndTime"], "side by side"
    assert third["StartTime"] >= min(first["EndTime"], second["EndTime"]), "there are two GPUs"
    assert {note["gpus"] for note in notes if note["name"] == "plain"} == {"none"}


TOY = """\
rule all:
    default_target: True
    input: "results/slow.txt"

rule slow:
    output: "results/slow.txt"
    shell: "sleep 600; touch {output}"
"""


def test_recover_can_cancel_what_is_left(folders: Path, sandbox: Sandbox, ended_trials: Run) -> None:
    root = folders / "toy"
    root.mkdir()
    shutil.copytree(ended_trials.log.parent / "workflow/profiles", root / "workflow/profiles")
    (root / "Snakefile").write_text(TOY)
    folder = Folder(root, sandbox)
    run = folder.start()
    wait_until(lambda: [job for job in folder.queue() if job.endswith("RUNNING")], "a running job", 60, of=run)
    run.process.kill()
    run.end()
    assert "(slow)" in folder.anonbench("recover", "--cancel")
    assert folder.queue() == []
    assert states([job for job in sandbox.jobs() if job.get("WorkDir") == str(root)]) == ["CANCELLED"]


@pytest.fixture(scope="module", autouse=True)
def _account(local: Folder, ended_trials: Run, sandbox: Sandbox, tell: list[str]) -> None:
    for name in TRIALS:
        jobs = jobs_of(sandbox, local, name)
        tell.append(f"{name}: " + ", ".join(f"{job['JobState']} ({job['TRES']}, {job['TimeLimit']})" for job in jobs))
