"""`anonbench train --gpus 2` on the CPU: from rendered images to a checkpoint, by two processes."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from anonbench.stages.index import index
from anonbench.stages.render import render
from anonbench.tasks.reid.checkpoint import load_network
from anonbench.training import loading as data

Run = Callable[..., "object"]
MODEL = {
    "method": "bot",
    "depth": 18,
    "input": [64, 48],
    "pretrained": False,
    "training": {
        "epochs": 1,
        "batch_size": 8,
        "precision": "fp32",
        # A rate at which rounding does not grow. At 1e-3 one process differs from itself by 1e-4 when its initial
        # weights are changed by one part in ten million and a ReLU then takes another side; at 1e-4 by 6e-6.
        "optimizer": {"method": "sgd", "lr": 1e-4},
        "augmentation": {"pad_crop": 4, "erase": 0.5},
    },
}
SIZES = {"train_identities": 4, "test_identities": 2, "cameras": 2, "images_per_camera": 2, "junk": 0, "distractors": 0}
TOLERANCE = 1e-4  # as in test_distributed


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen rendered images to train on, and eight others."""
    folder = tmp_path_factory.mktemp("rendered")
    render({"layout": "market1501", "seed": 1, "height_px": 64, "width_px": 32, **SIZES}, folder / "data", 1)
    entry = {"format": "market1501", "root": "data", "expect": "any"}
    index(folder / "data", entry, folder / "all.csv", *(folder / f"{name}.csv" for name in ("a", "b", "c")))
    return folder


@pytest.fixture
def root(rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the images and their manifest."""
    shutil.copytree(rendered, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(run_command: Run, gpus: int, out: str, model: dict = MODEL, device: str = "cpu") -> object:
    return run_command(
        *("train", "--manifest", "all.csv", "--root", "data", "--spec", json.dumps(model), "--seed", 3),
        *("--output", f"{out}/model.pt", "--history", f"{out}/history.csv", "--resume-dir", f"{out}/resume"),
        *("--stamp", f"results/stamps/train/{out}.json", "--device", device, "--gpus", gpus, "--threads", gpus),
    )


def left(root: Path, out: str) -> tuple[dict[str, torch.Tensor], list[dict[str, str]]]:
    assert sorted(path.name for path in (root / out).iterdir()) == ["history.csv", "model.pt"]
    with (root / out / "history.csv").open() as file:
        return load_network(root / out / "model.pt")[0].state_dict(), list(csv.DictReader(file))


def test_two_processes_make_what_one_makes(
    root: Path, run_command: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    together = train(run_command, 2, "two")
    assert together.status == 0
    assert [line.split(":")[0] for line in together.errors.splitlines()] == ["epoch 1/1"]
    assert train(run_command, 1, "one").status == 0
    weights, history = left(root, "two")
    expected, rows = left(root, "one")
    assert list(weights) == list(expected)
    for name, tensor in expected.items():
        difference = (weights[name].double() - tensor.double()).abs().max() / tensor.abs().max().clamp(min=1e-3)
        assert difference < TOLERANCE, name
    assert not all(torch.equal(weights[name], tensor) for name, tensor in expected.items())
    for row, other in zip(history, rows, strict=True):
        assert float(row["loss"]) == pytest.approx(float(other["loss"]), rel=TOLERANCE)
        assert row["accuracy"] == other["accuracy"]

    stamp = json.loads((root / "results/stamps/train/two.json").read_text())
    assert "gpus" not in stamp["settings"]
    assert set(stamp["outputs"]) == {"two/model.pt", "two/history.csv"}
    record = json.loads((root / "results/.status/train/two.json").read_text())
    assert (record["state"], record["done"], record["total"], record["unit"]) == ("done", 1, 1, "epochs")

    # One process again, with memory for hardly an image.
    monkeypatch.setattr(data, "available_memory", lambda: 64 * 48 * 3)
    mapped = train(run_command, 1, "mapped")
    assert mapped.status == 0
    assert "16 images of 64 x 48 take 0.00 GB, more than half of the 0.00 GB of memory" in caplog.text
    assert all(torch.equal(tensor, expected[name]) for name, tensor in left(root, "mapped")[0].items())


def test_a_users_error_in_a_rank_is_one_message(root: Path, run_command: Run) -> None:
    victim = next(iter(sorted((root / "data" / "bounding_box_train").glob("*.jpg"))))
    victim.write_bytes(victim.read_bytes()[:300])
    outcome = train(run_command, 2, "two")
    assert outcome.status == 2
    (message,) = outcome.errors.splitlines()
    assert message.startswith("anonbench train: ")
    assert f"{victim.name}: not a readable image" in message
    assert not list(root.glob("two/**/*.pt"))
    assert not (root / "results/stamps/train/two.json").exists()


def test_what_is_refused_or_done_by_one_without_starting_ranks(
    root: Path, run_command: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("anonbench.stages.train.launch", None)
    outcome = train(run_command, 3, "three")
    assert outcome.status == 2
    assert "training.batch_size is 8 and gpus is 3; expected a batch_size that is a multiple of gpus" in outcome.errors
    untrained = {**MODEL, "training": {**MODEL["training"], "epochs": 0}}
    assert train(run_command, 2, "untrained", untrained).status == 0
    if not torch.cuda.is_available():
        assert train(run_command, 2, "auto", device="auto").status == 0
        assert "no GPU here: one process trains on the CPU instead of one on each of 2 GPUs" in caplog.text
