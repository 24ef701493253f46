"""Writing a rendered dataset: complete, in the native layout, the same bytes with any number of workers."""

from __future__ import annotations

import csv
import hashlib

import numpy as np
import pytest
from PIL import Image

from anonbench.errors import ConfigError, DataError
from anonbench.rendering import RenderSpec, dataset, plan_crops, render_dataset

SPEC = RenderSpec(
    seed=2, train_identities=3, test_identities=2, cameras=3, images_per_camera=2, junk=2, distractors=3,
    backdrops_per_camera=1,
)  # fmt: skip


def tree_hash(folder) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    output = tmp_path_factory.mktemp("rendered") / "market"
    render_dataset(SPEC, output, workers=2, progress=False)
    return output


def read(file):
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_planned_image_is_there_with_its_truth_and_nothing_else(rendered):
    paths = [p.path for p in plan_crops(SPEC)]
    images = sorted(str(p.relative_to(rendered)) for p in rendered.rglob("*.jpg"))
    assert images == paths
    assert [r["path"] for r in read(rendered / "ground_truth/annotations.csv")] == paths
    assert [r["path"] for r in read(rendered / "ground_truth/keypoints.csv")] == paths
    assert sorted(p.name for p in rendered.iterdir()) == [
        "bounding_box_test",
        "bounding_box_train",
        "ground_truth",
        "query",
    ]
    assert "rendered" in (rendered / "ground_truth/README.txt").read_text()
    for path in paths:
        with Image.open(rendered / path) as image:
            assert image.size == (64, 128)
        with Image.open((rendered / "ground_truth/masks" / path).with_suffix(".png")) as mask:
            assert mask.size == (64, 128)
            assert set(np.unique(np.array(mask))) <= {0, 255}


def test_annotations_are_plain_numbers_that_agree_with_each_other(rendered):
    for row in read(rendered / "ground_truth/annotations.csv"):
        corners = [row[c] for c in ("x0", "y0", "x1", "y1")]
        if float(row["face_fraction"]) >= 0.3:
            x0, y0, x1, y1 = map(float, corners)
            assert 0 <= x0 < x1 <= 64
            assert 0 <= y0 < y1 <= 128
        else:
            assert corners == [""] * 4
        if row["view"]:
            assert -180 <= float(row["yaw"]) <= 180
            assert 0 <= int(row["skin_tone"]) <= 6
        assert row["occluded"] in "01"
        assert row["face_occluded"] in "01"


def test_one_worker_and_two_workers_write_the_same_bytes(rendered, tmp_path):
    render_dataset(SPEC, tmp_path / "again", workers=1, progress=False)
    assert tree_hash(tmp_path / "again") == tree_hash(rendered)


def test_a_folder_with_content_is_kept_and_an_empty_one_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "_render_parallel", lambda *_: [])
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(DataError, match="not empty"):
        render_dataset(SPEC, tmp_path, workers=1)
    assert (tmp_path / "mine.txt").read_text() == "precious"
    (tmp_path / "new").mkdir()
    render_dataset(SPEC, tmp_path / "new", workers=1)
    assert (tmp_path / "new/ground_truth/README.txt").is_file()


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("disk on fire")

    monkeypatch.setattr(dataset, "_render_parallel", fail)
    with pytest.raises(RuntimeError, match="disk on fire"):
        render_dataset(SPEC, tmp_path / "market", workers=1)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_worker_stops_the_run(tmp_path, monkeypatch):
    # A plan for a camera that does not exist makes the worker process itself raise.
    plans = plan_crops(SPEC)
    broken = [*plans[:2], dataset.CropPlan("query/0001_c9s1_000001_01.jpg", 1, 9, 0)]
    monkeypatch.setattr(dataset, "plan_crops", lambda _: broken)
    with pytest.raises(KeyError):
        render_dataset(SPEC, tmp_path / "market", workers=1, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_no_workers_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="workers must be at least 1, got 0"):
        render_dataset(SPEC, tmp_path / "market", workers=0)
