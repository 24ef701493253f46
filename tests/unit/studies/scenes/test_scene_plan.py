"""What the reports of Study 3 are made of, and which sections its configuration must have."""

from __future__ import annotations

from typing import Any

import pytest
from scene_scores import scene_config

from anonbench.core.errors import ConfigError
from anonbench.studies.scenes.check import check
from anonbench.studies.scenes.plan import Plan, figure


def test_tables_that_are_built_are_compared_else_all() -> None:
    config = scene_config()
    config["tables"]["more"] = {**config["tables"]["scenes"], "variants": ["mine"]}
    assert list(Plan(config).tables) == ["scenes"]
    assert Plan(config).reports[0] == "results/statistics/scenes.md"
    config["build"] = []
    assert list(Plan(config).tables) == ["scenes", "more"]
    assert Plan(config).reports == []


def test_every_network_is_read_once() -> None:
    config = scene_config()
    config["tables"]["more"] = {**config["tables"]["scenes"], "variants": ["mine"]}
    config["build"] = ["scenes", "more"]
    scores = Plan(config).scores
    assert len(scores) == 4 * 3
    assert "results/metrics/streets/small/original/seed2/original.json" in scores
    assert Plan(config).datasets == ["streets"]
    assert Plan(config).compared[1] == {
        "dataset": "streets", "model": "small", "metrics": ["ap", "ap50", "ap_person", "ap_car"], "variants": ["mine"],
    }  # fmt: skip


def test_who_is_left_visible_is_asked_of_every_detector_of_the_built_tables() -> None:
    config = scene_config()
    names = ("face_blur", "face_grey", "body_blur", "theirs")
    detectors = ("faces", "faces", "bodies", None)
    config["variants"] = {name: {"method": "zero", "detector": d} for name, d in zip(names, detectors, strict=True)}
    config["detectors"] = {
        "faces": {"method": "matched_faces", "of": "found"}, "found": {"method": "centerface"},
        "bodies": {"method": "annotated_bodies"},
    }  # fmt: skip
    config["tables"] = {"scenes": {**config["tables"]["scenes"], "variants": list(names)}}
    left = [f"results/left_visible/streets/{name}.csv" for name in ("faces", "bodies")]
    assert Plan(config).visibility == [*left, "results/detection_metrics/streets/found.json"]
    del config["datasets"]["streets"]["render"]
    assert Plan(config).visibility == left, "of real pictures nobody knows the faces"
    config["build"] = []
    assert Plan(config).visibility == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"margin": 0}, "scene_statistics.margin"),
        ({"marign": 1.0}, "unknown key 'marign' at scene_statistics"),
        ({"resamples": 10}, "scene_statistics.resamples"),
    ],
)
def test_sections_are_checked(changes: dict[str, Any], message: str) -> None:
    config = scene_config()
    check(config)
    config["scene_statistics"] |= changes
    with pytest.raises(ConfigError) as refused:
        check(config)
    assert message in str(refused.value)


def test_figures_and_their_files() -> None:
    plan = Plan(scene_config())
    assert plan.columns("methods", "figure2")[1] == {"variant": "mine", "title": "M"}
    assert plan.predictions("found") == ["results/predictions/streets/small/body_blur/seed0/original.json"]
    assert plan.datasets_of("sizes", "figure7") == plan.datasets_of("depths", "figure8") == ["streets"]
    scores = plan.depth_scores("figure8")
    assert len(scores) == 2 * 3 + 2 * 1, "two networks on two variants, of which one has one seed"
    assert figure("figure2", ".png") == "results/figures/scenes_figure2.png"
    assert plan.warning("methods", "figure2") == ""


def test_figures_that_are_drawn_by_default() -> None:
    config = scene_config()
    assert Plan(config).reports == [
        "results/statistics/scenes.md",
        *(f"results/figures/scenes_{name}.png" for name in ("figure2", "found", "figure7")),
    ], "no built table needs the deep network"
    del config["datasets"]["streets"]["render"]
    assert [path.rpartition("_")[2] for path in Plan(config).reports[1:]] == ["figure7.png"], "people are real"
    assert "REAL PEOPLE" in Plan(config).warning("methods", "figure2")
    config["scene_figures"]["real_people"] = True
    assert len(Plan(config).reports) == 4
    config["tables"]["scenes"]["variants"] = ["body_blur"]
    assert [path.rpartition("_")[2] for path in Plan(config).reports[1:]] == ["found.png", "figure7.png"]


@pytest.mark.parametrize(
    ("kind", "entry", "message"),
    [
        ("sizes", {"figure7": {"datasets": ["people"]}}, "scene_figures.sizes.figure7 names 'people'"),
        ("sizes", {"figure2": {"datasets": ["streets"]}}, "scene_figures.sizes.figure2: another figure has that name"),
        ("methods", {"a": {"dataset": "streets", "pictures": 1, "columns": [{"variant": "mein", "title": "M"}]}},
         "scene_figures.methods.a.columns names 'mein': did you mean 'mine'"),
        ("methods", {"a": {"dataset": "streets", "columns": []}}, "'pictures' is missing at scene_figures.methods.a"),
        ("depths", {"a": {"lines": [{"title": "t", "dataset": "streets", "variant": "mine", "metric": "ap",
                                     "models": {"18": "smal"}}]}}, "scene_figures.depths.a.lines names 'smal'"),
    ],
)  # fmt: skip
def test_figures_are_checked(kind: str, entry: dict[str, Any], message: str) -> None:
    config = scene_config()
    config["scene_figures"][kind] = entry
    with pytest.raises(ConfigError) as refused:
        check(config)
    assert message in str(refused.value)
