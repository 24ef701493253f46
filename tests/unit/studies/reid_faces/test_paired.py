"""Paired t-tests against the formula by hand, statsmodels, and the published tables."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from anonbench.core.errors import DataError
from anonbench.studies.reid_faces.paired import COLUMNS, paired_t_test, paired_tests

PUBLISHED = Path(__file__).parents[4] / "config" / "published" / "reid_faces"
MODELS = ["pcb", "mlfn", "hacnn", "resnet50mid", "mudeep", "bot"]
DATASETS = {3: "market1501", 4: "dukemtmcreid", 5: "viper", 6: "airport", 7: "cuhk03"}


@pytest.fixture
def published() -> pd.DataFrame:
    return pd.concat([pd.read_csv(PUBLISHED / f"table{n}.csv") for n in DATASETS], ignore_index=True)


def test_worked_by_hand():
    # Differences -2, -1, -3: mean -2, variance ((0) + 1 + 1) / 2 = 1, standard error 1 / sqrt(3), t = -2 sqrt(3).
    # With 2 degrees of freedom P(T < t) = 1/2 + t / (2 sqrt(2 + t^2)), t^2 = 12.
    result = paired_t_test([80, 60, 70], [78, 59, 67])
    assert (result.n, result.df, result.note) == (3, 2, "")
    assert result.mean_before == pytest.approx(70)
    assert result.mean_after == pytest.approx(68)
    assert result.difference == pytest.approx(-2)
    assert result.standard_error == pytest.approx(1 / math.sqrt(3))
    assert result.t == pytest.approx(-2 * math.sqrt(3))
    assert result.p == pytest.approx(0.5 - math.sqrt(12) / (2 * math.sqrt(14)))


def test_one_sided_the_other_way_round():
    up, down = paired_t_test([1, 2, 3], [2, 3, 5]), paired_t_test([2, 3, 5], [1, 2, 3])
    assert up.p > 0.5 > down.p
    assert up.p + down.p == pytest.approx(1)


def test_agrees_with_statsmodels_and_the_plain_formula():
    rng = np.random.default_rng(4)
    for n in (2, 5, 30):
        before = rng.uniform(20, 95, n)
        after = before + rng.normal(-1, 2, n)
        result = paired_t_test(before, after)
        t, p, df = DescrStatsW(after - before).ttest_mean(0, alternative="smaller")
        assert (result.t, result.p, result.df) == pytest.approx((t, p, df))
        d = after - before
        error = math.sqrt(sum((d - d.mean()) ** 2) / (n - 1) / n)
        assert result.standard_error == pytest.approx(error)
        assert result.p == pytest.approx(stats.t.cdf(d.mean() / error, n - 1))


@pytest.mark.parametrize(
    ("before", "after", "n", "note"),
    [
        ([], [], 0, "no pairs"),
        ([70.0], [69.0], 1, "one pair: a t-test needs at least two"),
        ([70.1, 50.3, 33.7], [69.1, 49.3, 32.7], 3, "all differences are equal: t is undefined"),
        ([70.0, 50.0], [70.0, 50.0], 2, "all differences are equal: t is undefined"),
    ],
)
def test_degenerate_input_gives_nan_and_a_note(before, after, n, note, recwarn):
    result = paired_t_test(before, after)
    assert (result.n, result.note) == (n, note)
    assert math.isnan(result.t)
    assert math.isnan(result.p)
    assert not recwarn.list


def test_lengths_and_missing_scores():
    with pytest.raises(DataError, match=r"shapes \(2,\) and \(1,\)"):
        paired_t_test([1, 2], [1])
    with pytest.raises(DataError, match="missing or infinite"):
        paired_t_test([1, math.nan], [1, 2])


def test_published_means_recomputed(published):
    assert len(published) == 30
    tests = paired_tests(published).set_index(["metric", "after"])
    assert list(tests["n"]) == [30] * 4
    assert list(tests["df"]) == [29] * 4
    means = [
        tests.loc[("map", "orig_anon"), "mean_before"],
        tests.loc[("map", "orig_anon"), "mean_after"],
        tests.loc[("map", "anon_anon"), "mean_after"],
        tests.loc[("rank1", "orig_anon"), "mean_before"],
        tests.loc[("rank1", "orig_anon"), "mean_after"],
        tests.loc[("rank1", "anon_anon"), "mean_after"],
    ]
    assert [f"{m:.2f}" for m in means] == ["52.94", "51.62", "52.31", "56.31", "55.05", "55.87"]
    # The paper's verdicts hold on its own tables: p < 0.01 for mAP after retraining, p < 0.05 for rank-1.
    assert tests.loc[("map", "anon_anon"), "p"] < 0.01
    assert tests.loc[("rank1", "anon_anon"), "p"] < 0.05


def test_published_tests_against_statsmodels(published):
    for row in paired_tests(published).itertuples():
        differences = published[f"{row.metric}_{row.after}"] - published[f"{row.metric}_{row.before}"]
        t, p, df = DescrStatsW(differences).ttest_mean(0, alternative="smaller")
        assert (row.t, row.p, row.df) == pytest.approx((t, p, df))


def test_published_tables_are_as_printed(published):
    for number, data in DATASETS.items():
        table = pd.read_csv(PUBLISHED / f"table{number}.csv")
        assert tuple(table.columns) == (
            "data",
            "model",
            "map_orig_orig",
            "rank1_orig_orig",
            "map_orig_anon",
            "rank1_orig_anon",
            "map_anon_anon",
            "rank1_anon_anon",
        )
        assert list(table["model"]) == MODELS
        assert set(table["data"]) == {data}
    # The suspected misprint stays as printed: higher after anonymizing than before.
    bot = published[(published["data"] == "cuhk03") & (published["model"] == "bot")].iloc[0]
    assert (bot.map_orig_orig, bot.map_orig_anon) == (58.4, 67.9)
    # Table III's BoT row is Table VIII's blur row: the paper prints the same experiment twice.
    blur = pd.read_csv(PUBLISHED / "table8.csv").set_index("anonymizer").loc["blur"]
    market_bot = pd.read_csv(PUBLISHED / "table3.csv").set_index("model").loc["bot"]
    for column in ("map_orig_anon", "rank1_orig_anon", "map_anon_anon", "rank1_anon_anon"):
        assert blur[column] == market_bot[column]


def test_published_table8_order():
    assert list(pd.read_csv(PUBLISHED / "table8.csv")["anonymizer"]) == ["blur", "zero", "blank", "pixelate", "inpaint"]


def test_published_swap_in_table2_is_kept():
    cuhk03 = pd.read_csv(PUBLISHED / "table2.csv").set_index("data").loc["cuhk03"]
    assert (cuhk03["gallery_images"], cuhk03["query_images"]) == (1400, 5332)


def test_table_errors_name_the_cell(published):
    with pytest.raises(DataError, match="lacks the columns rank1_anon_anon"):
        paired_tests(published.drop(columns="rank1_anon_anon"))
    with pytest.raises(DataError, match="pcb on market1501 is listed twice"):
        paired_tests(pd.concat([published, published[:1]]))
    for bad in (math.nan, 101.0, -1.0):
        table = published.copy()
        table.loc[8, "map_orig_anon"] = bad
        with pytest.raises(DataError, match=r"map_orig_anon of hacnn on dukemtmcreid is .*; expected a percentage"):
            paired_tests(table)


def test_one_row_table_is_not_a_crash(published):
    tests = paired_tests(published[:1])
    assert set(tests["note"]) == {"one pair: a t-test needs at least two"}
    assert tests["p"].isna().all()


def test_empty_table_says_so():
    assert set(paired_tests(pd.DataFrame(columns=list(COLUMNS)))["note"]) == {"no pairs"}
