"""The printed numbers of Study 2 agree with one another, except where their README says that they do not."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from anonbench.data.results import read_frame

FOLDER = Path(__file__).parents[4] / "config/published/reversible"
PLACE = ["data", "method", "query", "gallery"]
CONTRADICTION = ("pixelation", "raw", "protected")


def table(number: int) -> pd.DataFrame:
    return read_frame(FOLDER / f"table{number}.csv")


@pytest.fixture(scope="module")
def wide() -> pd.DataFrame:
    """Table 5, trainings side by side."""
    rows = table(5)
    return rows[rows["training"] != "upper"].pivot(index=PLACE, columns="training").sort_index()


def claims() -> list[dict[str, object]]:
    return read_frame(FOLDER / "text.csv").fillna("").to_dict("records")


def recomputed(wide: pd.DataFrame, claim: dict[str, object]) -> float:
    rows = wide["rank1"].reset_index()
    for column in PLACE:
        if claim[column]:
            rows = rows[rows[column] == claim[column]]
    assert len(rows) == (3 if claim["query"] else 4), "three datasets, or four settings of one"
    return float((rows[claim["after"]] - rows[claim["before"]]).mean())


def test_the_tables_are_whole() -> None:
    data = ["market1501", "msmt17", "cuhk03"]
    sizes = {1: 7, 3: 4, 4: 4, 5: 37}
    for number, rows in sizes.items():
        found = table(number)
        assert list(found["data"]) == [name for name in data for _ in range(rows)], f"table {number}"
    assert len(table(2)) == 13
    assert table(5).set_index(["training", *PLACE]).index.is_unique
    assert (table(5)["rank5"] > table(5)["rank1"]).all()
    assert (table(5)["minp"] < table(5)["map"]).all()


@pytest.mark.parametrize("claim", claims(), ids=lambda claim: f"{claim['method']} {claim['query']} {claim['gallery']}")
def test_means_in_the_text_follow_from_table_5(wide: pd.DataFrame, claim: dict[str, object]) -> None:
    gap = abs(recomputed(wide, claim) - claim["mean"])
    if (claim["method"], claim["query"], claim["gallery"]) == CONTRADICTION:
        assert gap == pytest.approx(22.4 - 66.1 / 3, abs=1e-9), "printed 22.4, 22.0 by its own table"
    else:
        assert gap <= 0.05


def test_tables_that_repeat_table_5(wide: pd.DataFrame) -> None:
    five = table(5)
    upper = five[five["training"] == "upper"].set_index("data")
    raw = table(1).query("images == 'raw'").set_index("data")
    agw = table(4).query("model == 'agw' and images == 'raw'").set_index("data")
    for metric in ("rank1", "map"):
        assert dict(upper[metric]) == dict(raw[metric]) == dict(agw[metric])
    role = {"base": "base", "ours": "with_u"}
    for row in table(2).to_dict("records"):
        if row["images"] == "upper":
            assert row["rank1"] == upper.loc["market1501", "rank1"]
            continue
        place = ("market1501", row["method"], row["first"], row["second"])
        assert row["rank1"] == wide.loc[place, ("rank1", role[row["images"]])], place


def test_ours_in_table_4_is_not_one_method(wide: pd.DataFrame) -> None:
    ours = table(4).query("model == 'ours' and images == 'raw'")
    found = {}
    for row in ours.to_dict("records"):
        raw = wide.loc[row["data"]].xs(("raw", "raw"), level=("query", "gallery"))
        same = (raw[("rank1", "with_u")] == row["rank1"]) & (raw[("map", "with_u")] == row["map"])
        found[row["data"]] = list(raw.index[same])
    assert found == {"market1501": ["noise"], "msmt17": ["pixelation"], "cuhk03": ["pixelation"]}


def test_upgradation_is_better_everywhere_and_the_joint_training_alone_is_not(wide: pd.DataFrame) -> None:
    for metric in ("rank1", "rank5", "map", "minp"):
        scores = wide[metric]
        assert (scores["with_u"] > scores[["base", "without_u"]].max(axis=1)).all()
    assert int((wide["rank1"]["without_u"] < wide["rank1"]["base"]).sum()) == 7


def test_people_are_told_apart_as_often_in_ours_as_in_base() -> None:
    means = table(2).groupby("images")["privacy"].mean().round()
    assert (means["ours"], means["base"]) == (79, 79)


def test_recovered_quality_is_not_always_above_25_and_point_9() -> None:
    rows = table(3).query("images == 'recovered'")
    assert len(rows[(rows["psnr"] < 25) | (rows["ssim"] < 0.9)]) == 3
    assert set(table(3).query("images == 'upper'")["psnr"]) == {math.inf}
