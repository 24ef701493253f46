"""`anonbench index_faces`: pictures with known faces as a manifest that `detect` takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anonbench.data.images import encode_image, sha256
from anonbench.data.pictures import read_manifest


@pytest.fixture
def wider(tmp_path: Path) -> Path:
    folder = tmp_path / "wider"
    (folder / "WIDER_val/images/0--A").mkdir(parents=True)
    (folder / "wider_face_split").mkdir()
    lines = []
    for name, width in (("b", 30), ("a", 20)):
        image = np.full((40, width, 3), 90, np.uint8)
        (folder / f"WIDER_val/images/0--A/{name}.jpg").write_bytes(encode_image(image, ".jpg", 90))
        lines += [f"0--A/{name}.jpg", "1", "1 2 9 9 0 0 0 0 0 0"]
    (folder / "wider_face_split/wider_face_val_bbx_gt.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_validation_images_are_listed(wider: Path, tmp_path: Path, run_command: Callable[..., Any]) -> None:
    files = ("--root", wider, "--output", tmp_path / "m.csv", "--stamp", tmp_path / "s.json")
    outcome = run_command("index_faces", *files)
    assert outcome.status == 0, outcome.errors
    assert outcome.output == "index-faces: 2 images\n"
    images = read_manifest(tmp_path / "m.csv")
    assert [(image.path, image.width, image.height) for image in images] == [
        ("WIDER_val/images/0--A/a.jpg", 20, 40),
        ("WIDER_val/images/0--A/b.jpg", 30, 40),
    ]
    assert {(image.split, len(image.labels)) for image in images} == {("val", 0)}, "nobody has an identity"
    assert all(image.sha256 == sha256((wider / image.path).read_bytes()) for image in images)


def test_an_annotated_image_that_is_missing(wider: Path, tmp_path: Path, run_command: Callable[..., Any]) -> None:
    (wider / "WIDER_val/images/0--A/a.jpg").unlink()
    outcome = run_command(
        "index_faces", "--root", wider, "--output", tmp_path / "m.csv", "--stamp", tmp_path / "s.json"
    )
    assert outcome.status == 2
    assert "a.jpg: missing, as are 0 more of 2 annotated images" in outcome.errors
    assert not (tmp_path / "m.csv").exists()
