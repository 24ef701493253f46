"""Study 3 in the workflow: tables, statistics and a figure, once on config/test.yaml in a copy of the repository."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from workplace import Workplace, copy_of_repository

TABLES = tuple(f"results/tables/scenes_table{n}.csv" for n in (1, 3))
STATISTICS = "results/statistics/scenes.md"
FIGURE = "results/figures/scenes_figure7.png"
TARGETS = (*TABLES, STATISTICS, FIGURE)
ROADS = "cityscapes-rendered"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two tables are built by default: statistics are about those."""
    file = tmp_path_factory.mktemp("overlay") / "scenes.yaml"
    file.write_text(yaml.safe_dump({"build": ["scenes_table1", "scenes_table3"]}))
    return file


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, overlay: Path) -> Iterator[Workplace]:
    with copy_of_repository(tmp_path_factory.mktemp("scenes")) as workplace:
        run = workplace.snakemake(*TARGETS, overlay=overlay)
        assert run.status == 0, run.text
        yield workplace


def test_tables_have_a_row_a_variant(finished: Workplace) -> None:
    roads, keypoints = (pd.read_csv(finished.root / name) for name in TABLES)
    assert list(roads["variant"]) == ["original", "face_blur", "body_realistic"]
    assert list(keypoints["variant"]) == ["original", "body_mask_out"]
    assert roads["ap"].between(0, 100).all()
    assert keypoints["keypoint_ap"].between(0, 100).all()


def test_nothing_is_left_to_be_done(finished: Workplace, overlay: Path) -> None:
    assert finished.plan(*TARGETS, overlay=overlay) == set()


def test_copies_take_the_originals_place_and_count_who_is_visible(finished: Workplace) -> None:
    """Same names, same annotations; nobody is trained on a picture of the validation set."""
    root = finished.root
    original, copy = (pd.read_csv(root / f"results/manifests/{ROADS}/{v}.csv") for v in ("original", "body_realistic"))
    assert list(copy["path"]) == list(original["path"])
    assert (copy["hidden"] + copy["visible"] == copy["people"]).all()
    changed = copy["sha256"] != original["sha256"]
    assert changed.sum() == (copy["hidden"] > 0).sum() > 0
    drawn, copied = root / f"data/rendered/{ROADS}", root / f"results/images/{ROADS}/body_realistic"
    for file in sorted(drawn.glob("gtFine/*/*/*_instanceIds.png")):
        assert (copied / file.relative_to(drawn)).read_bytes() == file.read_bytes()


def test_a_cell_can_be_explained(finished: Workplace, overlay: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "anonbench", "explain", "scenes_table1", "--row", "body_realistic", "--column", "ap",
         "--configfile", "config/test.yaml", str(overlay)],
        cwd=finished.root, env=finished.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
    for stage in ("render_scenes", "bodies", "train_inpainter", "anonymize", "train_instances", "evaluate_instances"):
        assert stage in told.stdout


def test_another_generator_reruns_what_it_reaches(finished: Workplace, overlay: Path, tmp_path: Path) -> None:
    changed = {**yaml.safe_load(overlay.read_text()), "inpainters": {"bodies": {"seed": 1}}}
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(changed))
    again = finished.plan(*TABLES, overlay=other)
    assert f"results/images/{ROADS}/body_realistic" in again
    assert f"results/models/{ROADS}/mask_rcnn/body_realistic/seed0/model.pt" in again
    assert not [target for target in again if "face_blur" in target or "/original/" in target]
