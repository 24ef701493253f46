"""The stage left_visible: people without a region, by size and reason."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from scene_folder import HEIGHT, WIDTH, Scenes

from anonbench.stages.bodies import bodies
from anonbench.stages.left_visible import area_class, left_visible
from anonbench.statistics.proportion import Proportion

LABELS = {"dataset": "mine", "detector": "bodies"}


def test_who_is_left_and_why(tmp_path: Path, capsys: Any) -> None:
    """In the two pictures of `val`: two people and a group, an ignored person and another, and a rider."""
    scenes = Scenes(tmp_path)
    bodies(scenes.manifest, scenes.file, {"method": "annotated_bodies"}, tmp_path / "bodies.csv")
    capsys.readouterr()
    left_visible(
        scenes.manifest, scenes.file, tmp_path / "bodies.csv", tmp_path / "left.csv", LABELS, areas=[0.1, 0.12]
    )
    with (tmp_path / "left.csv").open(newline="") as file:
        rows = {(row["split"], row["category"], row["area"]): row for row in csv.DictReader(file)}
    everybody = rows["val", "person", "all"]
    numbers = ("people", "hidden", "crowd", "ignored", "no_mask", "no_region", "visible")
    assert [int(everybody[name]) for name in numbers] == [5, 3, 1, 1, 0, 0, 2]
    share = Proportion.of_clusters([(1, 3), (1, 2)])
    assert float(everybody["share"]) == 0.4
    assert float(everybody["wilson_high"]) == pytest.approx(share.wilson(0.95)[1], abs=1e-6)
    assert [int(rows["val", "rider", "all"][name]) for name in numbers] == [1, 0, 0, 0, 0, 1, 1]
    # The group's 12 x 14 pixels and the ignored person's 10 x 30 are below a tenth, 12 x 36 and 12 x 34 above.
    assert 12 * 34 / (HEIGHT * WIDTH) > 0.12
    assert {key[2]: int(row["people"]) for key, row in rows.items() if key[1] == "person"} == {
        "all": 5, "below 10 %": 2, "12 % and more": 3,
    }  # fmt: skip
    assert all(int(row["people"]) == int(row["hidden"]) + int(row["visible"]) for row in rows.values())
    assert capsys.readouterr().out == (
        "left-visible: val: 2 of 5 person instances (1 crowd, 1 ignored)\n"
        "left-visible: val: 1 of 1 rider instances (1 no region)\n"
    )


def test_a_bound_belongs_to_the_class_above_it() -> None:
    assert [area_class(share, (0.01,)) for share in (0.0, 0.00999, 0.01, 1.0)] == [
        "below 1 %", "below 1 %", "1 % and more", "1 % and more",
    ]  # fmt: skip
