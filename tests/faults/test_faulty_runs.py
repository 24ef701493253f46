"""Runs of the workflow that meet a damaged checkpoint, a second controller, a clock that went back, a dataset that
cannot be written to. The tests share one folder and leave it as they found it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dataset_writers import write_image

pytestmark = pytest.mark.slow
DATASET = "market1501-rendered"
CELL = f"{DATASET}/hacnn/original/seed0"
CHECKPOINT, FEATURES = f"results/models/{CELL}/model.pt", f"results/features/{CELL}/original.npz"
METRICS = f"results/metrics/{CELL}/original-vs-original.json"
IMAGES = f"results/images/{DATASET}/zero"
OVERLAY = """\
plugins: [patient]
datasets:
  market1501-rendered:
    render: {train_identities: 2, test_identities: 2, cameras: 2, junk: 0, distractors: 0, clothes_group: 2}
  mine: {format: folder, root: data/raw/mine}
variants:
  patient: {method: patient, detector: centerface, box_scale: 1.0, jpeg_quality: keep}
"""
# An anonymizer that waits for a file: a job that lasts as long as a test wants.
PATIENT = """
import os, time
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from anonbench.anonymizers import ANONYMIZERS

@ANONYMIZERS.register("patient")
@dataclass(frozen=True)
class Patient:
    def redact(self, image, region, rng):
        while not Path("go on").exists():
            time.sleep(0.02)
        x0, y0, x1, y1 = region.pixels
        return np.zeros((y1 - y0, x1 - x0, 3), np.uint8)
"""


@pytest.fixture(scope="module")
def made(copy_workflow: Callable[[Path, str], Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A folder in which one cell of a table and one variant have been made."""
    place = copy_workflow(tmp_path_factory.mktemp("faults") / "anonbench", OVERLAY)
    (place.root / "patient.py").write_text(PATIENT)
    for n, split in enumerate(("train", "train", "query", "gallery")):
        write_image(place.root / f"data/raw/mine/{split}{n}.jpg", n, 32, 64)
    rows = "train0.jpg,1,0,train\ntrain1.jpg,2,1,train\nquery2.jpg,3,0,query\ngallery3.jpg,3,1,gallery\n"
    (place.root / "data/raw/mine/images.csv").write_text("path,pid,camid,split\n" + rows)
    status, text = place.snakemake(METRICS, IMAGES)
    assert status == 0, text
    yield place
    shutil.rmtree(place.root)


def tree(folder: Path) -> dict[str, str]:
    """SHA-256 of every file but Snakemake's own and the journal."""
    files = sorted(
        p for p in folder.rglob("*") if p.is_file() and p.name != ".snakemake_timestamp" and ".status" not in p.parts
    )
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def flipped(data: bytes) -> bytes:
    """One bit in the middle is another."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 16]) + data[middle + 1 :]


def test_a_damaged_checkpoint_is_found_and_what_stands_on_it_made_again(made: Any) -> None:
    file = made.root / CHECKPOINT
    good, features, others = file.read_bytes(), (made.root / FEATURES).read_bytes(), tree(made.root / "results/images")
    (made.root / METRICS).unlink()
    file.write_bytes(flipped(good))
    status, text = made.snakemake(METRICS)
    assert status != 0
    assert f"anonbench embed: {CHECKPOINT}: not a checkpoint that this version can load" in text
    assert "in it is damaged). Remove the file and train again" in text
    status, text = made.run("anonbench.cli", "verify", METRICS)
    assert status == 1
    assert re.search(rf"^changed  train@.*\n.*\n  {CHECKPOINT}$", text, flags=re.MULTILINE), text

    file.unlink()
    assert sorted(made.planned(METRICS, IMAGES)) == ["embed", "evaluate", "train"]
    status, text = made.snakemake(METRICS, IMAGES)
    assert status == 0, text
    assert file.read_bytes() == good
    assert (made.root / FEATURES).read_bytes() == features
    assert tree(made.root / "results/images") == others


def test_of_two_controllers_the_second_is_refused_and_the_first_is_undisturbed(made: Any) -> None:
    output = f"results/images/{DATASET}/patient"
    first = made.start_snakemake(output)
    try:
        deadline = time.monotonic() + 60
        while not list((made.root / ".snakemake/locks").glob("*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        status, text = made.snakemake(output)
        assert status != 0
        assert "Directory cannot be locked. Please make sure that no other Snakemake process" in text
        assert "--unlock" in text
        assert first.poll() is None
    finally:
        (made.root / "go on").touch()  # what the job of the first waits for
        text = first.communicate(timeout=120)[0]
    assert first.returncode == 0, text
    assert tree(made.root / output) == tree(made.root / IMAGES), "black boxes, both"
    assert made.planned(output) == []


def test_lists_from_the_future_are_known_by_their_content(made: Any) -> None:
    lists = (f"results/manifests/{DATASET}/original.csv", f"results/detections/{DATASET}/centerface.csv")
    for file in lists:
        os.utime(made.root / file, (time.time() + 3600,) * 2)
    assert made.planned(METRICS, IMAGES) == []
    for file in lists:
        os.utime(made.root / file)


def test_a_folder_from_the_future_stops_the_run_before_anything_is_removed(made: Any) -> None:
    before = tree(made.root / "results")
    folder = f"data/rendered/{DATASET}"
    os.utime(made.root / folder / ".snakemake_timestamp", (time.time() + 3600,) * 2)
    status, text = made.snakemake(IMAGES)
    assert status != 0
    assert re.search(
        rf"{folder}: is dated .*, but the clock of this machine says .*`snakemake --touch --forceall`", text
    )
    assert tree(made.root / "results") == before

    status, text = made.snakemake("--touch", "--forceall", METRICS, IMAGES)
    assert status == 0, text
    assert made.planned(METRICS, IMAGES) == []
    assert tree(made.root / "results") == before, "nothing was made again"


def test_a_dataset_that_cannot_be_written_to(made: Any, read_only: Callable[[Path], None]) -> None:
    raw = made.root / "data/raw/mine"
    read_only(raw)
    with pytest.raises(OSError, match="Read-only"):
        (raw / "new").touch()
    before = {p: p.stat().st_mtime_ns for p in [raw, *raw.rglob("*")]}
    status, text = made.snakemake("results/images/mine/zero")
    assert status == 0, text
    assert sorted(tree(made.root / "results/images/mine/zero")) == sorted(tree(raw))
    assert {p: p.stat().st_mtime_ns for p in [raw, *raw.rglob("*")]} == before
    shutil.rmtree(made.root / "results/images/mine")
