"""Files cut in half or with a wrong bit: named with what to do, and nothing is made from them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from anonbench.data.pictures import read_manifest
from anonbench.data.regions import Region, write_regions

MODEL = {
    "method": "hacnn",
    "input": [160, 64],
    "pretrained": False,
    "training": {"epochs": 2, "batch_size": 4, "precision": "fp32"},
}


def at_a_line_end(data: bytes) -> bytes:
    return data[: data.index(b"\n", len(data) // 2) + 1]


def in_the_middle_of_a_field(data: bytes) -> bytes:
    """The last line holds a path and half of what belongs to it."""
    kept = at_a_line_end(data)
    following = data[len(kept) :].split(b"\n")[0]
    return kept + following[: following.index(b",") + 4]


def in_the_last_field(data: bytes) -> bytes:
    return at_a_line_end(data)[:-3]


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 16]) + data[middle + 1 :]


@pytest.fixture
def anonymize(make_indexed: Callable, run_command: Callable, tmp_path: Path) -> Callable[[str, Callable], str]:
    """Damages one of the lists, anonymizes, and returns the error; nothing must have been written."""
    data = make_indexed(20)
    boxes = {i.path: [Region((1, 2, 9, 9), score=0.5)] * (n % 3) for n, i in enumerate(read_manifest(data.manifest))}
    write_regions(data.detections, boxes)

    def run(name: str, cut: Callable[[bytes], bytes]) -> str:
        file: Path = getattr(data, name)
        file.write_bytes(cut(file.read_bytes()))
        before = sorted(tmp_path.rglob("*"))
        spec = {"method": "zero", "detector": "d", "box_scale": 1.0, "jpeg_quality": 95}
        done = run_command(
            "anonymize", "--manifest", data.manifest, "--detections", data.detections, "--root", data.root,
            "--sidecars", data.sidecars, "--spec", json.dumps(spec), "--output", tmp_path / "out/zero",
            "--output-manifest", tmp_path / "out/zero.csv", "--resume-dir", tmp_path / "resume",
        )  # fmt: skip
        assert done.status == 2
        assert sorted(tmp_path.rglob("*")) == before
        return str(done.errors)

    return run


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        *((name, cut) for name in ("detections", "manifest") for cut in (in_the_middle_of_a_field, in_the_last_field)),
        ("sidecars", in_the_last_field),  # its lines have one field
    ],
)
def test_a_list_cut_in_mid_line(name: str, cut: Callable[[bytes], bytes], anonymize: Callable) -> None:
    assert re.search(r"\w+\.csv:\d+: (expected [79] fields\. Is the file|the file is) cut off", anonymize(name, cut))


def test_detections_cut_at_a_line_end(anonymize: Callable) -> None:
    text = anonymize("detections", at_a_line_end)
    assert re.search(r"detections\.csv: does not belong to .*original\.csv: 00\d\d\.png is not in it\. Run the", text)


def test_a_manifest_cut_at_a_line_end(anonymize: Callable) -> None:
    assert "is not in the manifest" in anonymize("manifest", at_a_line_end)


@pytest.fixture
def train(make_indexed: Callable, run_command: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Trains into a folder; returns its exit status. The state is saved after every epoch."""
    monkeypatch.setattr("anonbench.training.fit.SAVE_BYTES_PER_SECOND", 1e18)
    data = make_indexed(12)

    def run(output: Path, resume: Path) -> int:
        done = run_command(
            "train", "--manifest", data.manifest, "--root", data.root, "--spec", json.dumps(MODEL), "--seed", 3,
            "--output", output / "model.pt", "--history", output / "history.csv", "--resume-dir", resume,
            "--device", "cpu",
        )  # fmt: skip
        return int(done.status)

    return run


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], flipped, lambda data: b""])
def test_a_damaged_state_of_a_training_is_not_used(
    damage: Callable[[bytes], bytes], train: Callable, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = tmp_path / "resume/state.pt"
    (tmp_path / "full").mkdir()
    (tmp_path / "full/model.pt").mkdir()  # the training cannot write its checkpoint: its state stays
    assert train(tmp_path / "full", state.parent) == 2
    state.write_bytes(damage(state.read_bytes()))
    assert train(tmp_path / "out", state.parent) == 0
    assert f"{state}: cannot be read (" in caplog.text
    assert "training starts afresh." in caplog.text
    assert train(tmp_path / "whole", tmp_path / "other") == 0
    found, expected = (torch.load(tmp_path / f / "model.pt", weights_only=True)["weights"] for f in ("out", "whole"))
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert not state.exists()


@pytest.mark.parametrize(
    ("damage", "what"), [(lambda data: data[: len(data) // 2], "BadZipFile"), (flipped, "in it is damaged")]
)
def test_a_damaged_checkpoint_is_not_used(
    damage: Callable[[bytes], bytes], what: str, train: Callable, tmp_path: Path, run_command: Callable
) -> None:
    assert train(tmp_path, tmp_path / "resume") == 0
    file = tmp_path / "model.pt"
    file.write_bytes(damage(file.read_bytes()))
    done = run_command("embed", "--checkpoint", file, "--manifest", tmp_path / "lists/original.csv", "--root",
                       tmp_path / "raw", "--output", tmp_path / "f.npz", "--device", "cpu")  # fmt: skip
    assert done.status == 2
    assert f"{file}: not a checkpoint that this version can load" in done.errors
    assert what in done.errors
    assert "Remove the file and train again" in done.errors
    assert not (tmp_path / "f.npz").exists()
