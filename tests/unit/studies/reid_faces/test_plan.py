"""What the study's reports are made of, under the shipped configurations and small ones of a user."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from anonbench.config import merge, read_config
from anonbench.data.entries import REAL_PEOPLE, built_tables, people_warning, tried_detectors
from anonbench.studies.reid_faces.figures_dose import read_families
from anonbench.studies.reid_faces.plan import Plan

ROOT = Path(__file__).parents[4]


def plan_of(overlay: str = "", **changes: Any) -> Plan:
    files = [ROOT / f"config/{overlay}.yaml"] if overlay else []
    return Plan(merge([read_config(files, ROOT), changes]))


def test_tables_by_kind() -> None:
    plan = plan_of("test")
    assert plan.built("models") == ["table3", "table5"]
    assert plan.setting_tables == ["table3", "table5", "table8"]
    assert plan.datasets() == ["market1501-rendered", "viper-rendered", "market1501-rendered"]
    assert plan.datasets("table2") == ["market1501-rendered", "viper-rendered"]


def test_tables_of_other_studies_do_not_enter() -> None:
    tables = {"theirs": {"rows": "models", "study": "another"}}
    assert plan_of(tables=tables, build=["table3", "theirs"]).setting_tables == ["table3"]


def test_the_statistics_take_every_setting_of_every_table_once() -> None:
    plan = plan_of(build=["table3", "table8"])
    runs = 5 + 2  # five models with one seed, BoT with two
    assert len(plan.metrics) == runs * 3 + 2 * 4 * 2  # table8: four more anonymizers, two settings
    assert plan.metrics == sorted(set(plan.metrics))
    assert [pair["variant"] for pair in plan.pairs] == ["blur", "zero", "blank", "pixelate", "inpaint"]
    assert set(plan.pair_detections) == {"results/detections/market1501-rendered/centerface.csv"}
    assert len(plan.pair_detections) == len(plan.pairs)
    assert plan.alpha == 0.05


def test_figures_are_those_of_the_tables_that_are_built() -> None:
    names = {Path(path).stem for path in plan_of(build=["table5", "table8"]).figures}
    assert {"cmc_table5", "faces_table5", "dose_response", "differences_map", "variants"} <= names
    assert "ranked" not in names, "it shows table3"


def test_a_table_of_ones_own_is_built_alone() -> None:
    """No page on the paper's numbers, no crowds to draw, no detector to train."""
    mine = {"dataset": "market1501-rendered", "models": ["pcb"], "variants": ["blur"], "published": None}
    plan = plan_of(tables={"mine": {"rows": "models", **mine}}, build=["mine"])
    assert plan.pages == ["results/statistics/statistics.md"]
    assert tried_detectors(plan.config) == []
    assert built_tables(plan.config) == ["mine"]
    assert not [name for name in plan.figures if "table" in name]


def test_detectors_are_tried_and_the_papers_numbers_shown_where_that_is_asked_for() -> None:
    plan = plan_of()
    assert tried_detectors(plan.config) == [("crowd-rendered", "centerface"), ("crowd-rendered", "tinyfaces_small")]
    assert "detection" not in built_tables(plan.config)
    assert plan.pages[-1] == "results/statistics/published.md"
    assert tried_detectors(plan_of("demo").config) == tried_detectors(plan_of("paper").config) == []


def test_real_people_are_shown_only_where_the_config_says_so() -> None:
    showing = {"figure1", "figure2", "variants", "ranked"}

    def shown(overlay: str, **figures: bool) -> set[str]:
        return showing & {Path(path).stem for path in plan_of(overlay, figures=figures).figures}

    assert shown("paper") == set()
    assert shown("paper", real_people=True) == showing
    assert shown("demo") == shown("") == showing, "drawn people"
    mixed = {"datasets": {"market1501-rendered": {"format": "folder", "root": "data/raw/mine"}}}
    config = merge([read_config([], ROOT), mixed])
    del config["datasets"]["market1501-rendered"]["render"]
    assert not showing & {Path(path).stem for path in Plan(config).figures}
    assert people_warning(config, "market1501-rendered") == REAL_PEOPLE
    assert people_warning(config, "viper-rendered") == people_warning(config, "crowd-rendered") == ""


def test_people_are_those_of_the_table_with_the_most_anonymizers() -> None:
    plan = plan_of("test")
    assert plan.sampled["variants"] == ["blur", "zero"]
    assert plan.details() == {"blur": "sigma_rel = 0.125"}


def test_doses_keep_their_order_as_json_with_sorted_keys() -> None:
    dose = plan_of().dose
    families = read_families(json.loads(json.dumps(dose["families"], sort_keys=True)))
    assert [list(family.values) for family in families] == [
        ["blur_32nd", "blur_16th", "blur", "blur_4th", "blur_half"],
        ["pixelate_10", "pixelate", "pixelate_4", "pixelate_3", "pixelate_2"],
    ]
    assert [family.more_hides for family in families] == [True, False]
    assert families[1].axis == "n: cells a side"


def test_doses_are_trained_on_where_the_table_does_so_anyway() -> None:
    metrics = plan_of("demo").dose_metrics
    trained = {path.split("/")[4] for path in metrics}
    assert trained == {"original", "blur", "pixelate"}
    tested = {Path(path).stem for path in metrics if "/original/" in path}
    assert tested == {f"{v}-vs-{v}" for v in ("original", "blur_16th", "blur", "blur_half", "pixelate", "pixelate_2")}


def test_ranked_lists_show_one_run_in_two_settings() -> None:
    ranked = plan_of().ranked
    assert ranked.settings == ["original → original", "original → blur"]
    assert ranked.queries[1] == "results/metrics/market1501-rendered/bot/original/seed0/blur-vs-blur.queries.csv"
    assert ranked.features[0] == "results/features/market1501-rendered/bot/original/seed0/original.npz"


@pytest.mark.parametrize("names", [(), ("table5",)])
def test_cases_are_rows_of_tables(names: tuple[str, ...]) -> None:
    cases = plan_of("test").cases(*names)
    expected = {"dataset": "viper-rendered", "model": "resnet50mid", "variant": "blur_default_box"}
    assert cases[-1] == expected
    assert len(cases) == (1 if names else 3)
