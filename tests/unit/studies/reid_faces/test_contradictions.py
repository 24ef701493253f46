"""The paper's contradictions are found, and would not be found in numbers that agree."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anonbench.core.errors import DataError
from anonbench.studies.reid_faces.contradictions import COLUMNS, contradictions, matching_subsets, modified_z

PUBLISHED = Path(__file__).parents[4] / "config" / "published" / "reid_faces"
PROTOCOLS = {"cuhk03": {"query": 1400, "gallery": 5332}, "market1501": {"query": 3368, "gallery": 19732}}


@pytest.fixture
def scores() -> pd.DataFrame:
    return pd.concat([pd.read_csv(PUBLISHED / f"table{n}.csv") for n in range(3, 8)], ignore_index=True)


@pytest.fixture
def text() -> pd.DataFrame:
    return pd.read_csv(PUBLISHED / "text.csv")


@pytest.fixture
def sizes() -> pd.DataFrame:
    return pd.read_csv(PUBLISHED / "table2.csv")


def test_the_three_of_study_1(scores: pd.DataFrame, text: pd.DataFrame, sizes: pd.DataFrame):
    table = contradictions(scores, text, sizes, PROTOCOLS)
    assert tuple(table.columns) == COLUMNS
    means = table[table["check"] == "mean"]
    assert means["flagged"].all()
    assert [f"{m:.2f}" for m in means["expected"]] == ["52.94", "51.62", "52.31", "56.31", "55.05", "55.87"]
    assert means["printed"].tolist() == [58.07, 56.68, 57.44, 66.69, 65.45, 66.25]
    flagged = table[table["flagged"] & (table["check"] != "mean")]
    assert flagged["subject"].tolist() == [
        "cuhk03, bot, map_orig_anon",
        "cuhk03, bot, rank1_orig_anon",
        "cuhk03, query images",
        "cuhk03, gallery images",
    ]
    assert set(flagged["note"][flagged["check"] == "size"]) == {"query and gallery are swapped"}


def test_mended_numbers_are_not_flagged(scores: pd.DataFrame, text: pd.DataFrame, sizes: pd.DataFrame):
    bot = (scores["data"] == "cuhk03") & (scores["model"] == "bot")
    scores.loc[bot, ["map_orig_anon", "rank1_orig_anon"]] = [57.9, 60.2]
    text["mean"] = [round(scores[f"{r.metric}_{r.setting}"].mean(), 2) for r in text.itertuples()]
    sizes.loc[sizes["data"] == "cuhk03", ["gallery_images", "query_images"]] = [5332, 1400]
    assert not contradictions(scores, text, sizes, PROTOCOLS)["flagged"].any()


def test_rounding_is_no_contradiction(scores: pd.DataFrame, text: pd.DataFrame, sizes: pd.DataFrame):
    for gap, flagged in ((0.05, False), (-0.05, False), (0.06, True)):
        text["mean"] = [scores[f"{r.metric}_{r.setting}"].mean() + gap for r in text.itertuples()]
        table = contradictions(scores, text, sizes, PROTOCOLS)
        assert (table["flagged"][table["check"] == "mean"] == flagged).all()


def test_sizes_by_rule(scores: pd.DataFrame, text: pd.DataFrame):
    sizes = pd.DataFrame(
        {"data": ["cuhk03", "own", "odd"], "gallery_images": [5000, 10, 9], "query_images": [1400, 9, 10]}
    )
    table = contradictions(scores, text, sizes, PROTOCOLS)
    notes = table[table["check"] == "size"].groupby("subject", sort=False)["note"].first()
    assert notes["cuhk03, gallery images"] == "differs from the protocol"
    assert notes["own, query images"] == "no protocol known to compare with"
    assert notes["odd, query images"] == "no protocol known to compare with; more queries than gallery images"


def test_subsets_against_a_plain_loop():
    rng = np.random.default_rng(0)
    rows = [(d, m, *rng.uniform(0, 100, 2).round(1)) for d, m in product("abc", "xy")]
    frame = pd.DataFrame(rows, columns=["data", "model", "p", "q"])
    part = frame[frame["data"].isin(["a", "c"]) & (frame["model"] == "y")]
    found = matching_subsets(frame, {"p": part["p"].mean(), "q": part["q"].mean()}, 0.001)
    assert found == (1, 7 * 3, pytest.approx(0, abs=1e-9))
    gaps = []
    for data, models in product(range(1, 8), range(1, 4)):
        chosen = frame[
            frame["data"].map(lambda d, k=data: bool(k >> "abc".index(d) & 1))
            & frame["model"].map(lambda m, k=models: bool(k >> "xy".index(m) & 1))
        ]
        gaps.append(max(abs(chosen["p"].mean() - 50), abs(chosen["q"].mean() - 50)))
    assert matching_subsets(frame, {"p": 50, "q": 50}, 5)[2] == pytest.approx(min(gaps))


def test_modified_z_by_hand():
    # Median 3, deviations 2 1 0 1 97, their median 1.
    assert modified_z([1, 2, 3, 4, 100]) == pytest.approx([-1.349, -0.6745, 0, 0.6745, 65.4265])
    assert modified_z([5, 5, 5, 6]).tolist() == [0, 0, 0, np.inf]


def test_errors(scores: pd.DataFrame, text: pd.DataFrame, sizes: pd.DataFrame):
    with pytest.raises(DataError, match="published text: column mean is missing"):
        contradictions(scores, text.drop(columns="mean"), sizes, {})
    with pytest.raises(DataError, match="published sizes: column query_images is missing"):
        contradictions(scores, text, sizes.drop(columns="query_images"), {})
    text.loc[0, "setting"] = "anon_orig"
    with pytest.raises(DataError, match="map_anon_orig is in no table"):
        contradictions(scores, text, sizes, {})
