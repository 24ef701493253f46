"""Pairing of queries and runs, cells and their verdicts, on made-up scores whose conclusion is known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from anonbench.core.errors import DataError
from anonbench.statistics.decision import verdict
from anonbench.statistics.noise import noise_floor, training_test
from anonbench.studies.reid_faces.cells import (
    COLUMNS,
    cell_table,
    training_scores,
)
from anonbench.studies.reid_faces.settings import DESIGN
from anonbench.tasks.reid.scores import pair_runs
from anonbench.tasks.reid.settings import Condition, Contrast

QUERIES, TRAINING = "queries", "queries and training"
ORIGINAL = Condition("toy", "bot", "original", "original", "original")
TESTED = Condition("toy", "bot", "original", "blur", "blur")
RETRAINED = Condition("toy", "bot", "blur", "blur", "blur")


def queries(ap: np.ndarray, pids: np.ndarray | None = None, hits: np.ndarray | None = None) -> pd.DataFrame:
    """A per-query table; AP in percent, three queries an identity unless said otherwise."""
    pids = np.arange(len(ap)) // 3 + 1 if pids is None else pids
    hits = np.where(np.isnan(ap), np.nan, 100.0 * (ap > 50)) if hits is None else hits
    return pd.DataFrame({"path": [f"query/{n:04d}.jpg" for n in range(len(ap))], "pid": pids, "map": ap, "rank1": hits})


def scores(drop: float, spread: float, n: int = 300, seeds: int = 1, retrained_shift: float = 0.0, luck: float = 0.0):
    """Testing on anonymized images costs `drop` points +- spread; a retrained network gains `retrained_shift`."""
    rng = np.random.default_rng(0)
    base = rng.uniform(20, 80, n)
    table = {ORIGINAL: {}, TESTED: {}, RETRAINED: {}}
    for seed in range(seeds):
        own = base + luck * rng.normal()
        table[ORIGINAL][None, seed] = queries(own)
        table[TESTED][None, seed] = queries(own - drop + rng.normal(0, spread, n))
        table[RETRAINED][None, seed] = queries(base + retrained_shift + luck * rng.normal() + rng.normal(0, spread, n))
    return table


def row(table: pd.DataFrame, contrast: str, metric: str = "map") -> pd.Series:
    (found,) = table[(table["contrast"] == contrast) & (table["metric"] == metric)].to_dict("records")
    return pd.Series(found)


# --- pairing ---


def test_queries_are_paired_by_path_and_unmatched_ones_counted():
    before = queries(np.array([10.0, np.nan, 30.0, 40.0]))
    after = queries(np.array([11.0, 20.0, np.nan, 44.0])).sample(frac=1, random_state=1)
    pairs = pair_runs({(None, 0): before}, {(None, 0): after}, (ORIGINAL, TESTED))
    assert pairs.n_excluded == 2
    assert pairs.table["path"].tolist() == ["query/0000.jpg", "query/0003.jpg"]
    assert (pairs.table["map_after"] - pairs.table["map_before"]).tolist() == [1, 4]


def test_different_query_sets_are_an_error_that_names_the_first():
    one, other = queries(np.arange(5.0)), queries(np.arange(5.0))
    other.loc[3, "path"] = "query/0009.jpg"
    with pytest.raises(DataError, match=r"toy, bot, original → blur, seed 0: .*query/0003\.jpg is in the first alone"):
        pair_runs({(None, 0): one}, {(None, 0): other}, (ORIGINAL, TESTED))
    other = queries(np.arange(5.0), pids=np.array([1, 1, 1, 2, 3]))
    with pytest.raises(DataError, match=r"query/0004\.jpg is identity 2 in one and 3 in the other"):
        pair_runs({(None, 0): one}, {(None, 0): other}, (ORIGINAL, TESTED))


def test_a_run_without_its_counterpart_is_named():
    one = queries(np.arange(5.0))
    with pytest.raises(DataError, match="original → blur: no metrics of split 2, seed 1, which toy, bot, original"):
        pair_runs({(2, 0): one, (2, 1): one}, {(2, 0): one}, (ORIGINAL, TESTED))


def test_nothing_to_compare():
    lost = queries(np.full(4, np.nan))
    with pytest.raises(DataError, match="no query has a match in both"):
        pair_runs({(None, 0): lost}, {(None, 0): lost}, (ORIGINAL, TESTED))


def test_what_is_a_contrast():
    assert DESIGN.contrast_of(TESTED) == Contrast("orig_anon", ORIGINAL, {"variant": "blur"})
    assert DESIGN.contrast_of(RETRAINED) == Contrast("anon_anon", ORIGINAL, {"variant": "blur"})
    assert DESIGN.contrast_of(ORIGINAL) is None
    for train, test in (("blur", "zero"), ("blur", "original"), ("untrained", "original"), ("untrained", "blur")):
        assert DESIGN.contrast_of(Condition("toy", "bot", train, test, test)) is None
    assert DESIGN.contrast_of(Condition("toy", "bot", "original", "original", "blur")) is None


# --- cells ---


def test_numbers_of_a_cell():
    table = cell_table(scores(2.0, 1.0), margin=1.0, resamples=1000)
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 4
    cell = row(table, "orig_anon")
    assert (cell.n_runs, cell.n_pairs, cell.n_queries, cell.n_identities) == (1, 300, 300, 100)
    assert cell.difference == pytest.approx(cell.after - cell.before)
    assert cell.low < cell.difference < cell.high
    assert cell.low < cell.tost_low < cell.tost_high < cell.high
    assert (cell.basis, cell.margin) == (QUERIES, 1.0)
    assert math.isnan(cell.sd_runs)


@pytest.mark.parametrize(
    ("drop", "spread", "expected"),
    [
        (3.0, 2.0, "lower, beyond the margin"),
        (1.0, 3.0, "lower"),
        (0.3, 0.5, "lower, within the margin"),
        (0.0, 3.0, "within the margin"),
        (-3.0, 2.0, "higher, beyond the margin"),
        (-1.0, 3.0, "higher"),
        (-0.3, 0.5, "higher, within the margin"),
        (0.5, 20.0, "undecided"),
    ],
)
def test_verdicts_where_the_answer_is_known(drop: float, spread: float, expected: str):
    assert row(cell_table(scores(drop, spread), margin=1.0, resamples=2000), "orig_anon").verdict == expected


def test_verdict_needs_p_below_alpha():
    assert verdict(-1.0, 0.05, 1.0, 1.0, 0.05) == "undecided"
    assert verdict(-1.0, 0.049, 1.0, 0.05, 0.05) == "lower"
    assert verdict(-1.0, math.nan, math.nan, math.nan, 0.05) == "undecided"


def test_holm_is_over_the_cells_of_a_contrast_and_metric():
    table = {}
    for model in ("bot", "pcb", "mlfn"):
        for dataset in ("a", "b"):
            cells = scores(0.2 * len(table), 3.0)
            table.update({Condition(dataset, model, s.train, s.query, s.gallery): runs for s, runs in cells.items()})
    result = cell_table(table, margin=1.0, resamples=1000)
    for _, family in result.groupby(["contrast", "metric"]):
        assert len(family) == 6
        np.testing.assert_allclose(family["p_holm"], multipletests(family["p"], method="holm")[1])
        np.testing.assert_allclose(family["tost_p_holm"], multipletests(family["tost_p"], method="holm")[1])
        np.testing.assert_allclose(family["beyond_p_holm"], multipletests(family["beyond_p"], method="holm")[1])


def test_runs_are_averaged_and_identities_stay_clusters_across_them():
    table = cell_table(scores(2.0, 4.0, seeds=3), margin=1.0, resamples=1000)
    cell = row(table, "orig_anon")
    assert (cell.n_runs, cell.n_pairs, cell.n_queries, cell.n_identities) == (3, 900, 300, 100)
    assert cell.sd_runs > 0
    assert cell.basis == QUERIES  # the same networks: the luck of training is in both scores


def test_the_luck_of_training_enters_where_networks_are_trained_anew():
    """Retraining does nothing but seeds lift and lower whole networks: queries alone would call it an effect."""
    made = scores(0.0, 0.5, seeds=3, luck=3.0)
    cell = row(cell_table(made, margin=1.0, resamples=1000), "anon_anon")
    assert cell.p < 0.05
    assert cell.basis == TRAINING
    assert cell.training_p > 0.05
    assert cell.p_holm == cell.training_p
    assert cell.verdict == "undecided"
    assert cell.training_low < cell.low < cell.high < cell.training_high
    floor = noise_floor(training_scores(made, "map").values())
    assert cell.training_sd == floor.sd
    error = (cell.training_high - cell.training_low) / 2
    expected = training_test(cell.difference, 0.0, 100, floor, 3)
    assert error == pytest.approx(expected.high - expected.low, rel=0.6)


def test_with_one_seed_the_luck_of_training_stays_unknown():
    cell = row(cell_table(scores(0.0, 0.5, retrained_shift=-3), margin=1.0, resamples=1000), "anon_anon")
    assert (cell.basis, cell.verdict) == (QUERIES, "lower, beyond the margin")
    assert math.isnan(cell.training_p)


def test_two_seeds_with_equal_scores_are_two_seeds():
    """Networks that find everybody, or nobody: no spread is a spread of 0, not an unknown one."""
    cell = row(cell_table(scores(0.0, 0.0, seeds=2), margin=5.0, resamples=200), "anon_anon")
    assert (cell.basis, cell.training_sd, cell.sd_runs) == (TRAINING, 0, 0)
    assert (cell.training_p, cell.training_low, cell.training_high, cell.verdict) == (1, 0, 0, "within the margin")
    moved = row(cell_table(scores(0.0, 0.0, seeds=2, retrained_shift=-9), margin=5.0, resamples=200), "anon_anon")
    assert (moved.basis, moved.verdict) == (TRAINING, "lower, beyond the margin")


def test_one_identity_and_two_seeds_are_two_seeds():
    made = scores(0.0, 0.5, n=3, seeds=2, luck=1.0)
    cell = row(cell_table(made, margin=1.0, resamples=200), "anon_anon")
    assert (cell.n_identities, cell.basis, cell.verdict) == (1, TRAINING, "undecided")
    assert math.isnan(cell.training_p)


def test_training_scores_count_every_training_once():
    made = scores(1.0, 1.0, seeds=2)
    groups = training_scores(made, "map")
    assert set(groups) == {(ORIGINAL, None), (RETRAINED, None)}  # TESTED is the network of ORIGINAL again
    assert all(len(values) == 2 for values in groups.values())
    assert set(training_scores(made, "map", original_only=True)) == {(ORIGINAL, None)}
    assert training_scores(made, "map", dataset="other") == {}


def test_splits_are_different_data_not_seeds():
    made = scores(1.0, 1.0)
    by_split = {s: {(split, 0): table for split in (0, 1) for table in runs.values()} for s, runs in made.items()}
    assert set(training_scores(by_split, "map")) == {(s, k) for s in (ORIGINAL, RETRAINED) for k in (0, 1)}
    assert row(cell_table(by_split, margin=1.0, resamples=500), "anon_anon").basis == QUERIES


def test_a_cell_without_its_baseline_is_named():
    made = scores(1.0, 1.0)
    del made[ORIGINAL]
    with pytest.raises(DataError, match="no metrics of toy, bot, original → original to compare it with"):
        cell_table(made, margin=1.0)
    with pytest.raises(DataError, match="none of the metrics is of an anonymized test set"):
        cell_table({ORIGINAL: {(None, 0): queries(np.arange(5.0))}}, margin=1.0)
