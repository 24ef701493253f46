"""Which GPU a job takes: jobs keep apart, wait for each other, and free what they had however they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from anonbench.core import gpus
from anonbench.core.errors import ConfigError

JOB = """
import logging, os, sys, time
from pathlib import Path
from anonbench.core import gpus
gpus.POLL_SECONDS = 0.02
logging.basicConfig(format="%(message)s", level=logging.INFO)
count, folder = int(sys.argv[1]), Path(sys.argv[2])
gpus.claim_gpus("cuda", count, ["0", "1"], folder)
assert "torch" not in sys.modules
print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
sys.stdin.read()
"""


class Job:
    """A process that claims `count` of two pretended GPUs and holds them until it is told to end."""

    def __init__(self, folder: Path, count: int = 1) -> None:
        command = [sys.executable, "-c", JOB, str(count), str(folder)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def has(self) -> str:
        """What it got, once it has got something."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def waits(self) -> str:
        """Its message, once it has to wait."""
        assert self.process.stderr is not None
        return self.process.stderr.readline().strip()

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[list[Job]]:
    started: list[Job] = []
    yield started
    for job in started:
        job.kill()


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process has claimed nothing, and nobody tells it which GPUs it sees."""
    monkeypatch.setattr(gpus, "_claimed", {})
    monkeypatch.setattr(gpus, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(gpus, "_torch_without_cuda", lambda: False)
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    yield
    for file in gpus._claimed.values():
        os.close(file)


def test_two_jobs_get_different_gpus_and_a_third_waits_for_the_first_to_end(tmp_path: Path, jobs: list[Job]) -> None:
    jobs += [Job(tmp_path), Job(tmp_path)]
    first, second = jobs
    assert sorted([first.has(), second.has()]) == ["0", "1"]
    jobs.append(third := Job(tmp_path))
    assert third.waits() == "waiting for 1 of the GPUs 0, 1: other jobs have them"
    assert third.process.poll() is None
    first.end()
    assert third.has() in ("0", "1")


def test_a_killed_job_frees_its_gpu(tmp_path: Path, jobs: list[Job]) -> None:
    jobs.append(first := Job(tmp_path, 2))
    assert first.has() == "0,1"
    jobs.append(second := Job(tmp_path, 1))
    assert second.waits()
    first.kill()
    assert second.has() == "0"


def test_a_job_for_two_gpus_does_not_sit_on_one_while_it_waits(tmp_path: Path, jobs: list[Job]) -> None:
    jobs.append(small := Job(tmp_path))
    assert small.has() == "0"
    jobs.append(large := Job(tmp_path, 2))
    assert large.waits()
    jobs.append(another := Job(tmp_path))
    assert another.has() == "1"
    small.end()
    time.sleep(0.1)
    assert large.process.poll() is None
    another.end()
    assert large.has() == "0,1"


def test_a_job_waits_for_the_one_gpu_of_a_machine(tmp_path: Path, jobs: list[Job]) -> None:
    jobs.append(job := Job(tmp_path, 2))
    job.has()
    assert not gpus._claim(["1"], 1, tmp_path)
    job.end()
    gpus.claim_gpus("auto", 1, ["1"], tmp_path)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"


def test_claiming_again_gives_the_same(tmp_path: Path) -> None:
    gpus.claim_gpus("auto", 1, ["0", "1"], tmp_path)
    gpus.claim_gpus("auto", 1, ["0", "1"], tmp_path)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
    gpus.claim_gpus("auto", 2, ["0", "1"], tmp_path)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"


def test_no_gpu_is_claimed_for_the_cpu_or_where_there_is_none(tmp_path: Path) -> None:
    gpus.claim_gpus("cpu", 1, ["0", "1"], tmp_path)
    gpus.claim_gpus("auto", 4, [], tmp_path)
    gpus.claim_gpus("cuda", 1, [], tmp_path)  # select_device says what is missing
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    assert not list(tmp_path.iterdir())


def test_more_gpus_than_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"3 GPUs are asked for, but only 2 can be seen here \(0, 1\). Lower `gpus:`"):
        gpus.claim_gpus("auto", 3, ["0", "1"], tmp_path)


def test_slurms_choice_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: list[Job]) -> None:
    # The GPU that another job of ours has is of another number there, or SLURM would not have given it out again.
    jobs.append(job := Job(tmp_path, 2))
    assert job.has() == "0,1"
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    gpus.claim_gpus("cuda", 1, folder=tmp_path)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"


def test_jobs_that_share_slurms_choice_keep_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: list[Job]
) -> None:
    jobs.append(job := Job(tmp_path))
    assert job.has() == "0"
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    gpus.claim_gpus("cuda", 1, folder=tmp_path)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"


@pytest.mark.parametrize(
    ("visible", "expected"),
    [("2,0", ["2", "0"]), ("GPU-3f, GPU-77", ["GPU-3f", "GPU-77"]), ("", []), ("-1", []), ("1,-1,2", ["1"])],
)
def test_gpus_that_the_environment_names(visible: str, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus.gpu_ids() == expected
    assert gpus.gpu_count() == len(expected)


def write_nvidia_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, listing: str, status: int = 0) -> None:
    script = folder / "nvidia-smi"
    script.write_text(f"#!/bin/sh\n[ $1 = -L ] || exit 9\ncat <<'END'\n{listing}END\nexit {status}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def test_gpus_that_nvidia_smi_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = "GPU 0: NVIDIA A100 (UUID: GPU-5d)\nGPU 1: NVIDIA A100 (UUID: GPU-6e)\n"
    write_nvidia_smi(tmp_path, monkeypatch, listing)
    assert gpus.gpu_ids() == ["0", "1"]


def test_instances_of_a_gpu_that_is_cut_up_count_instead_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = (
        "GPU 0: NVIDIA A100 (UUID: GPU-5d)\n"
        "  MIG 3g.20gb Device 0: (UUID: MIG-c7)\n"
        "  MIG 3g.20gb Device 1: (UUID: MIG-a4)\n"
        "GPU 1: NVIDIA A100 (UUID: GPU-6e)\n"
    )
    write_nvidia_smi(tmp_path, monkeypatch, listing)
    assert gpus.gpu_ids() == ["MIG-c7", "MIG-a4", "1"]


def test_a_machine_whose_driver_does_not_answer_has_no_gpus_or_those_of_proc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_nvidia_smi(tmp_path, monkeypatch, "NVIDIA-SMI has failed\n", status=9)
    folder = Path("/proc/driver/nvidia/gpus")
    assert gpus.gpu_count() == (len(list(folder.iterdir())) if folder.is_dir() else 0)


def test_a_torch_without_cuda_is_told_apart_without_importing_it() -> None:
    code = "import sys; from anonbench.core import gpus; print(gpus._torch_without_cuda(), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    import torch

    assert done.stdout.split() == [str(torch.version.cuda is None), "False"]
