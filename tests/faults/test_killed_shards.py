"""Region and anonymization that are killed at random times end with the bytes of an undisturbed run."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from anonbench.data.pictures import read_manifest
from anonbench.data.regions import Region, write_regions

COUNT = 240
# Ten milliseconds an image, a shard every tenth of a second: kills hit every part of the work.
SLOW = """
import os, time
from dataclasses import dataclass
from pathlib import Path
import numpy as np
import anonbench.core.shards
from anonbench.data.regions import Region
from anonbench.anonymizers import ANONYMIZERS
from anonbench.detectors import DETECTORS

anonbench.core.shards.SECONDS = 0.1
if (log := os.environ.get("SEEN")):
    stream = open(log, "a", buffering=1)

def seen(what):
    time.sleep(0.01)
    if log:
        stream.write(f"{what}\\n")

@DETECTORS.register("slow")
@dataclass(frozen=True)
class Slow:
    width: float = 2 / 3

    def open(self, root):
        return self.detect

    def detect(self, image, path):
        seen(path)
        number = int(path[:4])
        return [Region((k / 7, k / 3, k / 3 + self.width, k / 3 + 9), score=k / 11) for k in range(number % 3)]

@ANONYMIZERS.register("slow")
@dataclass(frozen=True)
class SlowNoise:
    def redact(self, image, region, rng):
        seen(region)
        x0, y0, x1, y1 = region.pixels
        return rng.integers(0, 256, (y1 - y0, x1 - x0, 3), dtype=np.uint8)
"""


@pytest.fixture
def stage(request: pytest.FixtureRequest, command, make_indexed, tmp_path: Path) -> Callable[[str], list[object]]:
    """The arguments of `detect` or `anonymize` for an output's name."""
    (command.plugins / "slow.py").write_text(SLOW)
    dataset = make_indexed(COUNT)
    shared = ["--manifest", dataset.manifest, "--root", dataset.root, "--plugins", '["slow"]']

    def detect(name: str) -> list[object]:
        return ["detect", *shared, "--spec", '{"method": "slow"}', "--output", tmp_path / name / "boxes.csv"]

    def anonymize(name: str) -> list[object]:
        images = read_manifest(dataset.manifest)
        boxes = {image.path: [Region((1, 1, 9 + n % 5, 9), score=0.5)] for n, image in enumerate(images)}
        write_regions(dataset.detections, boxes)
        spec = '{"method": "slow", "detector": "d", "box_scale": 1.0, "jpeg_quality": 95}'
        return ["anonymize", *shared, "--detections", dataset.detections, "--sidecars", dataset.sidecars,
                "--spec", spec, "--output", tmp_path / name / "images",
                "--output-manifest", tmp_path / name / "m.csv"]  # fmt: skip

    return {"detect": detect, "anonymize": anonymize}[request.param]


def tree(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.endswith(".partial"))
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.mark.parametrize("stage", ["detect", "anonymize"], indirect=True)
@pytest.mark.parametrize("workers", [1, 2])
def test_kills_at_random_times_change_nothing(stage, workers: int, command, tmp_path: Path) -> None:
    status, text = command.run(*stage("whole"))
    assert status == 0, text
    whole = tree(tmp_path / "whole")
    resume, draws = tmp_path / "resume", random.Random(f"{stage.__name__} {workers}")
    arguments = [*stage("killed"), "--resume-dir", resume, "--threads", workers]
    kills = resumed = 0
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGKILL):
        process = command.start(*arguments)
        before = sorted(resume.glob("0*.json"))
        deadline = time.monotonic() + 120
        while process.poll() is None and sorted(resume.glob("0*.json")) == before and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(draws.uniform(0, 0.15))
        if process.poll() is None:
            # as SLURM does, to the whole group, but for a SIGKILL that hits the parent alone
            (os.kill if number == signal.SIGKILL else os.killpg)(process.pid, number)
        text = process.communicate(timeout=120)[0]
        resumed += "were finished before" in text
        if process.returncode == 0:
            break
        kills += 1
        assert "Traceback" not in text, text
        left = tree(tmp_path / "killed")
        if left:  # the kill came after the last image
            assert left.items() <= whole.items(), "a file that is not whole"
            assert sum(name.startswith("images/") for name in left) in (0, COUNT), "half a variant"
            shutil.rmtree(tmp_path / "killed")  # as Snakemake does
        if number != signal.SIGKILL:
            assert process.returncode == 130, text
            assert "finished images are kept; the next run does the others" in text
    else:
        status, text = command.run(*arguments)
        assert status == 0, text
    assert kills >= 2
    assert resumed >= 1
    assert tree(tmp_path / "killed") == whole
    assert not resume.exists()
    assert not list((tmp_path / "killed").rglob("*.partial"))


@pytest.mark.parametrize("stage", ["detect"], indirect=True)
def test_what_was_finished_is_not_done_again(stage, command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    arguments = [*stage("once"), "--resume-dir", tmp_path / "resume"]
    process = command.start(*arguments)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "resume").glob("0*.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.terminate()
    assert "finished images are kept" in process.communicate(timeout=120)[0]
    before = len((tmp_path / "seen").read_text().split())
    assert 0 < before < COUNT
    status, text = command.run(*arguments)
    assert status == 0, text
    assert COUNT <= len((tmp_path / "seen").read_text().split()) <= COUNT + 1, "but for the one it was stopped at"


@pytest.mark.parametrize("stage", ["anonymize"], indirect=True)
def test_the_same_job_started_twice_is_refused_and_the_first_is_undisturbed(stage, command, tmp_path: Path) -> None:
    assert command.run(*stage("whole"))[0] == 0
    arguments = [*stage("twice"), "--resume-dir", tmp_path / "resume"]
    first = command.start(*arguments)
    deadline = time.monotonic() + 120
    while not (tmp_path / "resume/key").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)  # or it might be done before the second has begun
    try:
        status, text = command.run(*arguments)
    finally:
        first.send_signal(signal.SIGCONT)
    assert status == 2
    assert f"another run of the same job is at work (process {first.pid} on " in text
    assert first.communicate(timeout=120)[0]
    assert first.returncode == 0
    assert tree(tmp_path / "twice") == tree(tmp_path / "whole")
