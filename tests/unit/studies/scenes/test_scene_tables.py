"""Tables of Study 3 from hand-made scores: cells, changes, runs, comparison with the printed numbers, explanation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scene_scores import scene_config, write_scores

from anonbench.core.errors import ConfigError, DataError
from anonbench.ops.explain import find_cell
from anonbench.report.tables import Table, write_table
from anonbench.studies.kinds import check_table, kind_of
from anonbench.studies.scenes.settings import Metric, SceneCondition

ROOT = Path(__file__).parents[4]
CONFIG = scene_config()
ENTRY = CONFIG["tables"]["scenes"]
PERSON = {"original": 0.35, "face_blur": 0.34, "body_blur": 0.02, "mine": 0.36}  # of seed 0; each seed scores .01 more


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for variant, ap in PERSON.items():
        for seed in (0, 1, 2):
            person = ap + 0.01 * seed
            condition = SceneCondition("streets", "small", variant)
            categories = {"car": {"AP": 0.25, "AP50": 0.5, "n": 3}, "person": {"AP": person, "AP50": person, "n": 9}}
            scores = {"AP": person / 2, "AP50": person, "AP_person": person}
            write_scores(tmp_path, condition, seed, **scores, categories=categories)
    return tmp_path


def build(folder: Path, **changes: Any) -> Table:
    entry = {**ENTRY, **changes}
    kind = kind_of(entry)
    files = {
        role: [folder / path if role == "metrics" else ROOT / path for path in paths]
        for role, paths in kind.inputs(CONFIG, entry).items()
    }
    return kind.build("scenes", files, kind.spec(CONFIG, entry), "drawn streets")


def test_cells_by_hand(folder: Path) -> None:
    frame = build(folder).frame.set_index("variant")
    assert list(frame.index) == ["original", "face_blur", "body_blur", "mine"]
    assert list(frame["ap_person"]) == [36.0, 35.0, 3.0, 37.0]
    assert list(frame["ap_person_change"])[1:] == [-1.0, -33.0, 1.0]
    assert list(frame["ap_person_se"]) == [0.58] * 4, "a deviation of 1 point over the root of 3"
    assert list(frame["ap_car_change"])[1:] == [0.0, 0.0, 0.0]
    assert frame["ap_change"].isna()["original"]
    assert list(frame["runs"]) == [3] * 4


def test_the_table_for_readers(folder: Path) -> None:
    text = write_table(build(folder), folder / "scenes.csv")
    assert "| hidden | method | AP | AP50 | AP person | AP car |" in text
    assert "| Body | Blur | 1.5 ± 0.3 (-16.5) | 3.0 ± 0.6 (-33.0) | 3.0 ± 0.6 (-33.0) | 25.0 ± 0.0 (0.0) |" in text
    assert "|  | Original | 18.0 ± 0.3 | 36.0 ± 0.6 | 36.0 ± 0.6 | 25.0 ± 0.0 |" in text
    assert "|  | mine |" in text
    assert "means over seeds 0, 1, 2. Data: drawn streets." in text
    assert "3.0 $\\pm$ 0.6 (-33.0)" in (folder / "scenes.tex").read_text()


def test_every_run_is_listed(folder: Path) -> None:
    runs = build(folder).runs
    assert runs is not None
    assert len(runs) == 4 * 3
    assert list(runs.query("variant == 'body_blur'")["ap_person"]) == [2.0, 3.0, 4.0]


def test_beside_the_printed_numbers(folder: Path) -> None:
    table = build(folder)
    assert table.compared is not None
    compared = table.compared.set_index(["row", "quantity"])
    line = compared.loc[("body_blur", "ap_person")]
    assert (line["published"], line["rebuilt"], line["difference"]) == (2.1, 3.0, 0.9)
    assert (line["published_effect"], line["rebuilt_effect"], line["direction"]) == (-32.9, -33.0, "agrees")
    assert compared.loc[("mine", "ap")].isna()["published"]
    assert compared.loc[("body_blur", "ap_car")].isna()["published"]
    assert compared.loc[("original", "ap_person"), "direction"] == ""
    assert "The change has the published sign in 6 of 6 cells." in table.notes
    assert not [note for note in build(folder, published=None).notes if "published sign" in note]


def test_a_network_that_has_learnt_nothing_is_told(folder: Path) -> None:
    assert not [note for note in build(folder).notes if "nothing was learnt" in note]
    for seed in (0, 1, 2):
        write_scores(folder, SceneCondition("streets", "small", "original"), seed, AP=0.001, AP50=0.3)
    told = build(folder, metrics=["ap", "ap50"]).notes[-1]
    assert told == "Trained on original pictures, AP is below 1 %: nothing was learnt, nothing follows."


def test_rows_of_other_seeds_are_refused(folder: Path) -> None:
    kind, kept = kind_of(ENTRY), [folder / path for path in kind_of(ENTRY).inputs(CONFIG, ENTRY)["metrics"]]
    files = {"metrics": [path for path in kept if "body_blur/seed2" not in str(path)]}
    with pytest.raises(DataError, match=r"trained on body_blur with the runs .*Evaluate all variants for all seeds"):
        kind.build("scenes", files, ENTRY, "drawn streets")


def test_a_score_that_is_not_there(folder: Path) -> None:
    with pytest.raises(DataError, match=r"no 'categories\.train\.AP': 'train' is not among car, person"):
        build(folder, metrics=["ap", "ap_train"])


def test_cells_can_be_explained() -> None:
    found = find_cell(CONFIG, "scenes", "Body Blur", "AP person")
    assert (found.row, found.column, found.source.metric) == ("body_blur", "ap_person", "AP_person")
    assert found.source.file("seed1") == "results/metrics/streets/small/body_blur/seed1/original.json"
    assert found.as_map()["train"] == "body_blur"
    assert found.source.condition.tested == "original"


@pytest.mark.parametrize(
    ("column", "place", "kind"),
    [
        ("ap", "AP", "masks"),
        ("ap75", "AP75", "masks"),
        ("box_ap50_person", "box_AP50_person", "boxes"),
        ("keypoint_ap_large", "keypoint_AP_large", "keypoints"),
        ("box_ap_traffic light", "box_categories.traffic light.AP", "boxes"),
    ],
)
def test_where_metrics_are(column: str, place: str, kind: str) -> None:
    assert (Metric.of(column).place, Metric.of(column).kind) == (place, kind)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("dataset", "people", "tables.scenes.dataset names 'people'"),
        ("model", "smal", "tables.scenes.model names 'smal': did you mean 'small'"),
        ("variants", ["body_blurr"], "tables.scenes.variants names 'body_blurr': did you mean 'body_blur'"),
        ("variants", ["small"], "tables.scenes.variants: the pictures of 'small' have a size of their own"),
        ("model", "again", "tables.scenes.model: 'again' starts from a network that was trained on the original pict"),
        ("metrics", ["map"], "tables.scenes.metrics: there is no metric 'map': expected ap, ap50 or ap75"),
        ("metrics", ["ap_persn"], "tables.scenes.metrics: 'ap_persn' names 'persn': did you mean 'person'"),
        (
            "metrics",
            ["keypoint_ap"],
            "tables.scenes.metrics: 'keypoint_ap' is of keypoints, but 'small' finds boxes and",
        ),
        ("published", "table9", "tables.scenes.published names 'table9'"),
        ("models", ["small"], "unknown key 'models' at tables.scenes"),
    ],
)
def test_entries_that_cannot_be_used(key: str, value: Any, message: str) -> None:
    config = scene_config()
    config["variants"]["small"] = {"method": "gaussian_blur", "detector": None, "resize": [128, 64]}
    config["instance_models"]["again"] = {"method": "mask_rcnn", "initial": {"dataset": "streets", "model": "small"}}
    config["tables"]["scenes"][key] = value
    with pytest.raises(ConfigError) as refused:
        check_table(config, "scenes")
    assert message in str(refused.value)
