"""Overall effects: each unit of observation against scipy and statsmodels."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from anonbench.core.errors import DataError
from anonbench.studies.reid_faces.overall import COLUMNS, effect_table

PUBLISHED = Path(__file__).parents[4] / "config" / "published" / "reid_faces"


@pytest.fixture
def scores() -> pd.DataFrame:
    return pd.concat([pd.read_csv(PUBLISHED / f"table{n}.csv") for n in range(3, 8)], ignore_index=True)


def test_all_units_of_the_published_tables(scores: pd.DataFrame):
    table = effect_table(scores, margin=1.0)
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 12
    for row in table.itertuples():
        columns = [f"{row.metric}_orig_orig", f"{row.metric}_{row.after}"]
        by = {"pair": ["data", "model"], "dataset": "data", "model": "model"}[row.unit]
        units = scores.groupby(by)[columns].mean()
        before, after = units[columns[0]], units[columns[1]]
        assert row.n == {"pair": 30, "dataset": 5, "model": 6}[row.unit]
        test = stats.ttest_rel(after, before, alternative="less")
        assert (row.t, row.p_one_sided) == pytest.approx((test.statistic, test.pvalue))
        assert row.tost_p == pytest.approx(ttost_paired(after, before, -1, 1)[0])
        assert row.equivalent == (row.tost_p < 0.05)
        # The mean of balanced groups is the mean of all.
        assert row.difference == pytest.approx((scores[columns[1]] - scores[columns[0]]).mean())


def test_retraining_is_within_a_point_and_testing_alone_is_not_shown_to_be(scores: pd.DataFrame):
    table = effect_table(scores, margin=1.0).set_index(["metric", "after", "unit"])
    assert table.loc[("map", "anon_anon", "pair"), "equivalent"]
    assert not table.loc[("map", "orig_anon", "pair"), "equivalent"]
    assert (
        not effect_table(scores, margin=0.5)
        .set_index(["metric", "after", "unit"])
        .loc[("map", "anon_anon", "pair"), "equivalent"]
    )


def test_one_dataset_leaves_that_unit_undefined(scores: pd.DataFrame):
    table = effect_table(scores[:6], margin=1.0)
    assert table[table["unit"] == "dataset"]["tost_p"].isna().all()
    assert set(table[table["unit"] == "dataset"]["note"]) == {"one pair: a t-test needs at least two"}
    assert table[table["unit"] == "model"]["p_one_sided"].notna().all()


def test_a_missing_column_is_named(scores: pd.DataFrame):
    with pytest.raises(DataError, match="lacks the columns map_anon_anon"):
        effect_table(scores.drop(columns="map_anon_anon"), margin=1.0)
