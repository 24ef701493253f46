"""`anonbench train-detector`: from a folder in WIDER FACE's layout to weights that the detector loads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anonbench.data.images import encode_image
from anonbench.detectors.tinyfaces import TinyFaces

RECIPE = {
    "trunk": "resnet18",
    "pretrained": False,
    "epochs": 1,
    "batch_size": 2,
    "crops": {"side": 64, "scales": [1]},
}


@pytest.fixture
def wider(tmp_path: Path) -> Path:
    folder = tmp_path / "wider"
    (folder / "WIDER_train/images/0--A").mkdir(parents=True)
    (folder / "wider_face_split").mkdir()
    image = np.random.default_rng(0).integers(0, 256, (80, 70, 3), dtype=np.uint8)
    lines = []
    for name in ("a", "b"):
        (folder / f"WIDER_train/images/0--A/{name}.jpg").write_bytes(encode_image(image, ".jpg", 90))
        lines += [f"0--A/{name}.jpg", "2", "10 12 33 42 0 0 0 0 0 0", "50 5 9 9 0 0 0 1 0 0"]
    (folder / "wider_face_split/wider_face_train_bbx_gt.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_trains_and_leaves_weights_a_history_and_no_state(
    wider: Path, tmp_path: Path, run_command: Callable[..., Any]
) -> None:
    out = tmp_path / "out"
    outcome = run_command(
        *("train-detector", "--data", wider, "--spec", json.dumps(RECIPE), "--seed", 1, "--device", "cpu"),
        *("--output", out / "small.pt", "--history", out / "small.csv", "--resume-dir", tmp_path / "resume"),
    )
    assert outcome.status == 0, outcome
    assert outcome.output == "train-detector: 2 images, 2 faces, 2 ignored\n"
    rows = (out / "small.csv").read_text().splitlines()
    assert rows[0].startswith("epoch,classification_loss,regression_loss,positives,negatives,lr")
    assert len(rows) == 2
    assert not (tmp_path / "resume").exists()
    assert callable(TinyFaces(str(out / "small.pt"), "resnet18", device="cpu").open(tmp_path))


def test_a_mistake_in_the_recipe_is_told_without_a_traceback(
    wider: Path, tmp_path: Path, run_command: Callable[..., Any]
) -> None:
    outcome = run_command(
        *("train-detector", "--data", wider, "--spec", '{"trunc": "resnet18"}', "--seed", 1),
        *("--output", tmp_path / "small.pt", "--history", tmp_path / "h.csv", "--resume-dir", tmp_path / "resume"),
    )
    assert outcome.status == 2
    assert "detector training has no key 'trunc': did you mean 'trunk'" in outcome.errors
    assert "Traceback" not in outcome.errors
