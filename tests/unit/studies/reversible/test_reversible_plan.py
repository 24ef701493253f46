"""What the figures of Study 2 are made of, and which of them are drawn without being asked for."""

from __future__ import annotations

from reversible_config import reversible_config

from anonbench.data.entries import REAL_PEOPLE
from anonbench.studies.reversible.plan import Plan


def test_figures_that_train_nothing_are_drawn() -> None:
    plan = Plan(reversible_config())
    assert plan.trained == {("toy", name) for name in ("base", "joint", "upgraded_blurred", "restore")}
    assert plan.figures == ["results/figures/reversible_methods.png", "results/figures/reversible_features.png"]


def test_figures_follow_the_tables_that_are_built() -> None:
    assert Plan(reversible_config(("build", ["table1"]))).figures == [
        "results/figures/reversible_methods.png", "results/figures/reversible_features.png",
    ]  # fmt: skip
    no_raw_network = ("tables.table5.upper", False)
    assert Plan(reversible_config(("build", ["table5"]), no_raw_network)).figures == [
        "results/figures/reversible_methods.png",
    ], "AGW is not trained on raw images alone for a panel of a figure"
    nothing_learned = ("tables.table3.variants", ["blurred"])
    assert Plan(reversible_config(("build", ["table3"]), nothing_learned)).figures == []
    assert Plan(reversible_config(("build", ["detection"]))).figures == []
    other = ("tables.table1.dataset", "other")
    assert Plan(reversible_config(("build", ["table1"]), other)).figures == [], "trained, but on other people"


def test_real_people_are_shown_where_the_config_says_so() -> None:
    real = ("datasets.toy.render", None)
    assert Plan(reversible_config(real)).figures == ["results/figures/reversible_features.png"]
    assert len(Plan(reversible_config(real, ("reversible_figures.real_people", True))).figures) == 2
    assert Plan(reversible_config(real)).grid("methods").warning == REAL_PEOPLE


def test_a_grid_shows_the_copies_of_the_first_run() -> None:
    config = reversible_config()
    grid = Plan(config).grid("methods")
    assert (grid.dataset, grid.run, grid.people, grid.warning) == ("toy", "seed0", 3, "")
    assert grid.title == "Raw and protected"
    assert grid.stored == ["original", "upgraded-seed0"]
    assert grid.manifests == ["results/manifests/toy/original.csv", "results/manifests/toy/upgraded-seed0.csv"]
    assert grid.columns[1] == {"variant": "upgraded", "title": "protected", "group": "blurring"}


def test_a_map_shows_raw_and_protected_features_of_each_network() -> None:
    shown = Plan(reversible_config()).map("features")
    folder = "results/features/toy/agw"
    assert shown.raw == [f"{folder}/{name}/seed0/original.npz" for name in ("original", "upgraded_blurred")]
    assert shown.protected == [
        f"{folder}/original/seed0/blurred.npz",
        f"{folder}/upgraded_blurred/seed0/upgraded.npz",
    ]
    assert shown.panels == [
        {"title": "raw alone", "protected": "blurred pictures"},
        {"title": "joint", "protected": "upgraded"},
    ]
    assert (shown.dataset, shown.model, shown.people, shown.images) == ("toy", "agw", 4, 8)
