"""A full disk: the error names it, no half file stays, and after making room the run goes on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from anonbench.data.pictures import read_manifest
from anonbench.data.regions import Region, write_regions

ZERO = '{"method": "zero", "detector": "d", "box_scale": 1.0, "jpeg_quality": 95}'
MODEL = {
    "method": "hacnn",  # the smallest: its checkpoint has 14 MB, the state of its training three times that
    "input": [160, 64],
    "pretrained": False,
    "training": {"epochs": 2, "batch_size": 4, "precision": "fp32"},
}


def full(disk: Path) -> str:
    """The pattern of the message about a full disk."""
    return (
        rf"cannot be written \(No space left on device.*; {disk} has 0\.\d of [\d.]+ MB.* left\)\. "
        rf"Make room on that disk\."
    )


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.mark.parametrize("workers", [1, 2])
def test_anonymize(
    workers: int,
    small_disk: Callable,
    make_indexed: Callable,
    run_command: Callable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("anonbench.core.shards.SECONDS", 0.02)
    data = make_indexed(300)
    write_regions(data.detections, {i.path: [Region((1, 1, 9, 9), score=0.5)] for i in read_manifest(data.manifest)})
    disk = small_disk(0.9)

    def anonymize(folder: Path) -> tuple[int, str]:
        done = run_command(
            "anonymize", "--manifest", data.manifest, "--detections", data.detections, "--root", data.root,
            "--sidecars", data.sidecars, "--spec", ZERO, "--output", folder / "images/zero", "--output-manifest",
            folder / "zero.csv", "--resume-dir", folder / ".resume/zero", "--threads", workers,
        )  # fmt: skip
        return done.status, done.errors

    assert anonymize(tmp_path / "whole")[0] == 0
    status, text = anonymize(disk.folder)
    assert status == 2
    assert re.search(full(disk.folder), text), text
    assert not (disk.folder / "images/zero").exists()
    assert not (disk.folder / "zero.csv").exists()
    assert "finished images are kept" in caplog.text

    disk.grow(8)
    status, text = anonymize(disk.folder)
    assert status == 0, text
    assert "images were finished before" in caplog.text
    assert hashes(disk.folder) == hashes(tmp_path / "whole")


@pytest.fixture
def train(
    make_indexed: Callable, run_command: Callable, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path, Path], tuple[int, str]]:
    """Trains to `output`/model.pt with a state in another folder, saved after the first epoch."""
    monkeypatch.setattr("anonbench.training.fit.SAVE_BYTES_PER_SECOND", 1e18)
    data = make_indexed(12)

    def run(output: Path, resume: Path) -> tuple[int, str]:
        done = run_command(
            "train", "--manifest", data.manifest, "--root", data.root, "--spec", json.dumps(MODEL), "--seed", 3,
            "--output", output / "model.pt", "--history", output / "history.csv", "--resume-dir", resume,
            "--device", "cpu",
        )  # fmt: skip
        return done.status, done.errors

    return run


def test_train_without_room_for_its_state(train: Callable, small_disk: Callable) -> None:
    disk = small_disk(4)
    status, text = train(disk.folder / "out", disk.folder / "resume")
    assert status == 2
    assert re.search(r"resume/state\.pt: " + full(disk.folder), text), text
    assert "Traceback" not in text
    assert disk.files() == []
    disk.grow(120)
    assert train(disk.folder / "out", disk.folder / "resume")[0] == 0
    assert disk.files() == ["out/history.csv", "out/model.pt"]


def test_train_without_room_for_its_checkpoint(
    train: Callable, small_disk: Callable, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = small_disk(4)
    assert train(tmp_path / "whole", tmp_path / "resume0")[0] == 0
    status, text = train(disk.folder, tmp_path / "resume")
    assert status == 2
    assert re.search(rf"{disk.folder}/model\.pt: " + full(disk.folder), text), text
    assert disk.files() == []
    assert (tmp_path / "resume/state.pt").exists(), "what the next run goes on from"
    disk.grow(40)
    status, text = train(disk.folder, tmp_path / "resume")
    assert status == 0, text
    assert re.search(r"continuing after epoch \d of 2", caplog.text)
    found, expected = (
        torch.load(f / "model.pt", weights_only=True)["weights"] for f in (disk.folder, tmp_path / "whole")
    )
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert not (tmp_path / "resume").exists()


def test_table(small_disk: Callable, run_command: Callable, tmp_path: Path) -> None:
    disk = small_disk(0.5)
    files = []
    for train, test in (("original", "original"), ("original", "blur"), ("blur", "blur")):
        labels = {"dataset": "toy", "model": "bot", "seed": 0, "train": train, "query": test, "gallery": test}
        files.append(tmp_path / f"{train}-{test}.json")
        files[-1].write_text(json.dumps({**labels, "map": 0.5, "rank1": 0.7}))
    spec = {"rows": "models", "dataset": "toy", "models": ["bot"], "variants": ["blur"], "published": None}

    def table(folder: Path) -> tuple[int, str]:
        roles = ["metrics"] * len(files)
        done = run_command("table", "--files", *files, "--roles", *roles, "--name", "table3", "--label", "toy",
                           "--spec", json.dumps(spec), "--output", folder / "table3.csv",
                           "--stamp", folder / "stamps/table3.json")  # fmt: skip
        return done.status, done.errors

    (disk.folder / "table3.csv").write_text("the table of before\n")
    disk.fill()
    status, text = table(disk.folder)
    assert status == 2
    assert re.search(r"table3\.[\w.]+: " + full(disk.folder), text), text
    assert (disk.folder / "table3.csv").read_text() == "the table of before\n"
    assert [f for f in disk.files() if not f.startswith(".status/")] == ["of somebody else", "table3.csv"]
    disk.free()
    assert table(disk.folder)[0] == 0
    assert table(tmp_path / "whole")[0] == 0
    names = ("table3.csv", "table3.md", "table3.tex", "table3.json")
    assert [(disk.folder / n).read_bytes() for n in names] == [(tmp_path / "whole" / n).read_bytes() for n in names]
