"""Metrics by setting, and differences with intervals: what is drawn is what was given."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from figure_checks import check_layout, marks, metrics_of, three_settings, titled, words

from anonbench.core.errors import DataError
from anonbench.studies.reid_faces.cases import Case, describe_runs, runs_of
from anonbench.studies.reid_faces.figures_settings import (
    DIFFERENCE_COLUMNS,
    TRAINING_COLUMNS,
    draw_differences,
    draw_settings,
    read_differences,
)

RUNS = {"orig_orig": [0.62, 0.58], "orig_anon": [0.50, 0.54], "anon_anon": [0.57, 0.57]}
METRICS = [
    *three_settings("market", "bot", RUNS),
    *three_settings("market", "pcb", {name: [v - 0.2 for v in values] for name, values in RUNS.items()}),
    *three_settings("duke", "bot", {name: [v + 0.1 for v in values] for name, values in RUNS.items()}),
]
CASES = [Case("market", "pcb", "blur"), Case("market", "bot", "blur"), Case("duke", "bot", "blur")]


def test_runs_mean_and_standard_error() -> None:
    """62 and 58: mean 60, standard deviation 2.828, over the root of two runs: 2."""
    runs = runs_of(METRICS, CASES[1], "orig_orig", "map")
    assert runs.values == pytest.approx((62, 58))
    assert runs.mean == pytest.approx(60)
    assert runs.standard_error == pytest.approx(2)
    assert runs.bounds == pytest.approx((58, 62))
    single = runs_of(METRICS[:1], CASES[1], "orig_orig", "map")
    assert math.isnan(single.standard_error)
    assert single.bounds == pytest.approx((62, 62))


def test_crossed_settings_and_other_variants_are_no_runs() -> None:
    crossed = metrics_of("market", "bot", "original", "blur", 5, 0.99) | {"gallery": "original"}
    other = metrics_of("market", "bot", "original", "zero", 5, 0.99)
    assert runs_of([*METRICS, crossed, other], CASES[1], "orig_anon", "map").values == pytest.approx((50, 54))


def test_notes_say_how_many_runs_there_are() -> None:
    assert describe_runs([1, 1]).startswith("One run a mark")
    assert "means of 3 runs" in describe_runs([3, 3])
    assert "means of 2 to 3 runs" in describe_runs([3, 2])


def test_each_mark_stands_at_its_mean_in_its_row() -> None:
    figure = draw_settings(METRICS, CASES, "toy")
    check_layout(figure)
    assert len(figure.axes) == 4, "two datasets, two metrics"
    market, duke = titled(figure, "mAP (%)")
    assert [t.get_text() for t in market.get_yticklabels()] == ["pcb", "bot"], "the order given"
    assert market.get_ylim()[0] > market.get_ylim()[1], "from top to bottom"
    for setting, expected in (("orig_orig", 60), ("orig_anon", 52), ("anon_anon", 57)):
        (x_pcb, y_pcb), (x_bot, y_bot) = marks(market, setting)
        assert (x_pcb, x_bot) == pytest.approx((expected - 20, expected))
        assert (round(y_pcb), round(y_bot)) == (0, 1)
        assert [x for x, _ in marks(duke, setting)] == pytest.approx([expected + 10])
    first, second = marks(market, "runs-orig_anon")[2:]
    assert (first[0], second[0]) == pytest.approx((50, 54)), "the single runs of bot"
    rank1, _ = titled(figure, "Rank-1 (%)")
    assert [x for x, _ in marks(rank1, "orig_orig")] == pytest.approx([50, 70])


def test_all_datasets_share_one_scale_and_the_notes_say_what_is_shown() -> None:
    figure = draw_settings(METRICS, CASES, "toy (rendered people)")
    market, duke = titled(figure, "mAP (%)")
    assert market.get_xlim() == duke.get_xlim()
    text = " ".join(words(figure))
    for part in ("Anonymized: blur", "means of 2 runs", "Data: toy (rendered people).", "market", "duke"):
        assert part in text
    for setting in ("original → original", "original → anonymized", "anonymized → anonymized"):
        assert words(figure).count(setting) == 1


def test_a_single_run_has_no_bar() -> None:
    figure = draw_settings(METRICS[::2], CASES[1:2], "toy")
    check_layout(figure)
    assert marks(figure.axes[0], "runs-orig_orig") == []
    assert "One run a mark: the spread between runs is not known." in " ".join(words(figure))


def test_a_missing_setting_is_named() -> None:
    some = [m for m in METRICS if (m["model"], m["train"]) != ("pcb", "blur")]
    with pytest.raises(DataError, match="no metrics for market, pcb, trained on blur, tested on blur"):
        draw_settings(some, CASES, "toy")


# --- differences ---


def table(rows: list[tuple], extra: tuple[str, ...] = ()) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[*DIFFERENCE_COLUMNS, *extra])


ROWS = [
    ("market", "bot", "blur", "map", "orig_anon", -2.0, -3.0, -1.0),
    ("market", "bot", "blur", "map", "anon_anon", -0.5, -1.5, 0.6),
    ("market", "pcb", "blur", "map", "orig_anon", 0.2, -0.4, 0.9),
    ("duke", "bot", "blur", "map", "orig_anon", 1.0, 0.5, 1.5),
    ("market", "bot", "blur", "rank1", "orig_anon", -9.0, -9.5, -8.5),
]


def test_differences_of_one_metric_are_read_in_order() -> None:
    found = read_differences(table(ROWS), "cells.csv")
    assert [(d.dataset, d.row, d.contrast, d.value, d.low, d.high) for d in found] == [
        ("market", "bot", "orig_anon", -2.0, -3.0, -1.0),
        ("market", "bot", "anon_anon", -0.5, -1.5, 0.6),
        ("market", "pcb", "orig_anon", 0.2, -0.4, 0.9),
        ("duke", "bot", "orig_anon", 1.0, 0.5, 1.5),
    ]
    assert [d.value for d in read_differences(table(ROWS), "cells.csv", "rank1")] == [-9.0]


def test_rows_are_named_after_their_variant_where_there_are_several() -> None:
    rows = [*ROWS[:1], ("market", "bot", "zero", "map", "orig_anon", -3.0, -4.0, -2.0)]
    assert [d.row for d in read_differences(table(rows), "cells.csv")] == ["bot, blur", "bot, zero"]


def test_the_luck_of_training_widens_the_interval_where_it_is_known() -> None:
    rows = [(*ROWS[0], math.nan, math.nan), (*ROWS[1], -2.5, 1.5)]
    first, second = read_differences(table(rows, TRAINING_COLUMNS), "cells.csv")
    assert (first.training, first.widest) == (None, (-3.0, -1.0))
    assert (second.training, second.widest) == ((-2.5, 1.5), (-2.5, 1.5))
    figure = draw_differences([first, second], 1.0, "toy")
    assert "luck of training" in " ".join(words(figure))
    assert [x for x, _ in marks(figure.axes[1], "widest-anon_anon")] == [-2.5, 1.5]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (table(ROWS).drop(columns="low"), r"cells\.csv: column low is missing; expected dataset, model, .*among"),
        (table([ROWS[0], ROWS[0]]), r"cells\.csv: market, bot, orig_anon is listed twice for the metric map"),
        (table([(*ROWS[0][:5], -2.0, -1.0, -3.0)]), r"difference -2\.0 with the interval -1\.0 to -3\.0; expected low"),
        (table([(*ROWS[0][:5], math.nan, -1.0, 1.0)]), r"difference nan with the interval"),
        (table(ROWS[4:]), r"cells\.csv: no row for the metric map and the contrasts orig_anon, anon_anon"),
    ],
)
def test_a_table_of_differences_that_cannot_be_drawn_is_named(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_differences(frame, "cells.csv")


def test_each_difference_stands_in_its_row_with_its_interval() -> None:
    figure = draw_differences(read_differences(table(ROWS), "cells.csv"), 1.0, "toy")
    check_layout(figure)
    assert len(figure.axes) == 4, "two datasets, two contrasts"
    market_test, market_both, duke_test, duke_both = figure.axes
    assert [t.get_text() for t in market_test.get_yticklabels()] == ["bot", "pcb"]
    assert marks(market_test, "orig_anon") == [(-2.0, 0), (0.2, 1)]
    assert marks(market_both, "anon_anon") == [(-0.5, 0)]
    assert marks(duke_test, "orig_anon") == [(1.0, 0)]
    assert marks(duke_both, "anon_anon") == []
    assert [x for x, _ in marks(market_test, "widest-orig_anon")] == [-3.0, -1.0, -0.4, 0.9]
    assert len({axes.get_xlim() for axes in figure.axes}) == 1, "one scale for all"


def test_marks_are_filled_where_the_interval_excludes_zero() -> None:
    axes = draw_differences(read_differences(table(ROWS), "cells.csv"), 1.0, "toy").axes[0]
    loss, nothing = (line for line in axes.get_lines() if line.get_gid() == "orig_anon")
    assert loss.get_markerfacecolor() == loss.get_markeredgecolor()
    assert nothing.get_markerfacecolor() == "white"


def test_zero_and_the_margin_are_on_the_page_even_when_all_values_are_on_one_side() -> None:
    figure = draw_differences(read_differences(table(ROWS[:1]), "cells.csv"), 0.8, "toy")
    axes = figure.axes[0]
    assert marks(axes, "zero")[0][0] == 0
    (band,) = [patch for patch in axes.patches if patch.get_gid() == "margin"]
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((-0.8, 0.8))
    low, high = axes.get_xlim()
    assert low < -3
    assert high > 0.8
    assert "± 0.8 points, taken as equivalent" in " ".join(words(figure))


def test_without_a_margin_there_is_no_band() -> None:
    figure = draw_differences(read_differences(table(ROWS[:1]), "cells.csv"), None, "toy")
    assert [p for p in figure.axes[0].patches if p.get_gid() == "margin"] == []
    assert "equivalent" not in " ".join(words(figure))
