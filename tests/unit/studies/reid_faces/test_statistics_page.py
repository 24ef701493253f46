"""Every sentence of the page by its rule: made-up tables whose conclusion is known."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from anonbench.report.words import VERDICT_NAMES
from anonbench.statistics.decision import VERDICTS
from anonbench.studies.reid_faces.cells import COLUMNS
from anonbench.studies.reid_faces.published_page import contradiction_sentences, published_page
from anonbench.studies.reid_faces.sentences import overall_sentences
from anonbench.studies.reid_faces.statistics_page import (
    aa_sentence,
    above_floor_sentence,
    count_sentence,
    face_sentences,
    scope_sentence,
    statistics_page,
)

QUERIES, TRAINING = "queries", "queries and training"
CAUSED = "that anonymizing caused it is *not* shown"


def cell(verdict: str = "undecided", **values: object) -> dict[str, object]:
    return {
        "dataset": "toy", "model": "bot", "variant": "blur", "contrast": "orig_anon", "metric": "map", "n_runs": 1,
        "n_pairs": 200, "n_excluded": 0, "n_queries": 200, "n_identities": 50, "n_changed": 40, "before": 50.0,
        "after": 49.0, "difference": -1.0, "low": -1.5, "high": -0.5, "p": 0.01, "sd_runs": math.nan,
        "training_sd": math.nan, "training_low": math.nan, "training_high": math.nan, "training_p": math.nan,
        "basis": QUERIES, "p_holm": 0.01, "margin": 2.0, "tost_low": -1.4, "tost_high": -0.6, "tost_p": 0.2,
        "tost_p_holm": 0.2, "beyond_p": 1.0, "beyond_p_holm": 1.0, "verdict": verdict, "note": "", **values,
    }  # fmt: skip


def cells(*rows: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS))


def noise(
    sd: float = math.nan, df: int = 0, floor: float = math.nan, tests: int = 0, rejected: int = 0
) -> pd.DataFrame:
    rows = [
        {"dataset": d, "metric": m, "n_cells": df, "n_trainings": 2 * df, "df": df, "sd": sd, "floor": floor,
         "n_pairs": df, "mean_abs": sd, "max_abs": sd, "aa_tests": tests, "aa_rejected": rejected}
        for m in ("map", "rank1") for d in ("toy", "all")
    ]  # fmt: skip
    return pd.DataFrame(rows)


def faces(gap: float = -2.0, gap_p: float = 0.01, slope: float = 0.0, slope_p: float = 0.9) -> pd.DataFrame:
    groups = {"face": (-2.0, 0.01), "no face": (-0.1, 0.5), "face minus no face": (gap, gap_p),
              "slope per 10 px": (slope, slope_p)}  # fmt: skip
    return pd.DataFrame([
        {"dataset": "toy", "model": "bot", "variant": "blur", "contrast": "orig_anon", "metric": "map",
         "summary": True, "group": g, "n_pairs": 100, "n_queries": 100, "n_identities": 30, "estimate": e,
         "low": e - 1, "high": e + 1, "p": p, "p_holm": p, "note": ""}
        for g, (e, p) in groups.items()
    ])  # fmt: skip


def effect(unit: str = "pair", n: int = 30, p: float = 0.001, equivalent: bool = False, **values: object) -> dict:
    return {"metric": "map", "before": "orig_orig", "after": "orig_anon", "unit": unit, "n": n, "mean_before": 50.0,
            "mean_after": 49.0, "difference": -1.0, "low": -1.6, "high": -0.4, "t": -3.0, "df": n - 1,
            "p_one_sided": p, "dz": -0.55, "dz_low": -0.9, "dz_high": -0.2, "gz": -0.53, "margin": 1.0,
            "tost_low": -1.5, "tost_high": -0.5, "tost_p": 0.4, "equivalent": equivalent, "note": "",
            **values}  # fmt: skip


def whole(table: pd.DataFrame, noise_table: pd.DataFrame | None = None, label: str = "toy", **kinds) -> str:
    return statistics_page(
        table,
        noise() if noise_table is None else noise_table,
        kinds.get("faces", faces()),
        kinds.get("effects", pd.DataFrame([effect()])),
        label=label,
        alpha=0.05,
        told=kinds.get("told"),
    )


# --- cells ---


def test_every_verdict_has_its_heading():
    assert set(VERDICT_NAMES) == set(VERDICTS)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_cell_is_listed_under_its_verdict_and_no_other(verdict: str):
    text = whole(cells(cell(verdict)))
    for name, heading in VERDICT_NAMES.items():
        assert (f"{heading.format(m='2 points')}:\n\n- toy, blur: bot -1.00 [" in text) == (name == verdict)


def test_the_interval_is_the_one_that_the_verdict_rests_on():
    assert "bot -1.00 [-1.50, -0.50]" in whole(cells(cell("lower")))
    assert "bot -1.00 [-1.40, -0.60]" in whole(cells(cell("within the margin")))
    trained = cell("lower", contrast="anon_anon", basis=TRAINING, training_low=-1.9, training_high=-0.1)
    assert "bot -1.00 [-1.90, -0.10]" in whole(cells(trained))


def test_one_identity_has_no_interval():
    lone = cell("undecided", n_identities=1, low=math.nan, high=math.nan, p=math.nan, p_holm=math.nan)
    text = whole(cells(lone))
    assert "bot -1.00 (no interval)" in text
    assert "nan" not in text


def test_what_is_not_shown_is_not_called_no_difference():
    text = whole(cells(cell("undecided")))
    assert "The data cannot tell: neither a difference nor equivalence within ±2 points is shown" in text
    assert "the one comparison cannot tell" in text
    for claim in ("A drop is shown", "A rise is shown", "No difference", "equivalence within ±2 points is:"):
        assert claim not in text


def test_counts():
    rows = cells(*(cell(v) for v in ("lower", "lower, within the margin", "higher", "within the margin", "undecided")))
    expected = "**mAP**: of 5 comparisons 2 show a drop, 1 a rise, 1 equivalence without a difference; 1 cannot tell."
    assert count_sentence("mAP", rows) == expected
    for verdict, words in (("lower, beyond the margin", "a drop"), ("higher", "a rise"), ("within the margin", "equi")):
        assert f"the one comparison shows {words}" in count_sentence("mAP", cells(cell(verdict)))


def test_scope():
    assert "are the same networks" in scope_sentence("orig_anon", [QUERIES])
    assert CAUSED not in scope_sentence("orig_anon", [QUERIES])
    assert CAUSED in scope_sentence("anon_anon", [QUERIES, QUERIES])
    assert "here the luck of training is unknown" in scope_sentence("anon_anon", [QUERIES])
    assert "for some of the datasets below the luck of training is unknown" in scope_sentence(
        "anon_anon", [QUERIES, TRAINING]
    )
    assert CAUSED not in scope_sentence("anon_anon", [TRAINING, TRAINING])


def test_cells_are_listed_by_dataset_and_variant():
    text = whole(cells(cell("lower"), cell("lower", model="pcb", difference=-2.0), cell("lower", dataset="other")))
    assert "- other, blur: bot -1.00 [" in text
    assert "- toy, blur: bot -1.00 [-1.50, -0.50], pcb -2.00 [-1.50, -0.50]" in text


# --- noise ---


def test_one_seed_says_what_to_configure():
    text = whole(cells(cell()))
    assert "Unknown: no network was trained twice" in text
    assert "`seeds: [0, 1, 2, 3, 4]`" in text
    assert "- One seed: all of it" in text


def test_a_known_floor():
    retrained = cell("lower", contrast="anon_anon", basis=TRAINING, training_low=-2, training_high=-0.1)
    text = whole(cells(cell(), retrained), noise(sd=0.2, df=4, floor=0.8, tests=6, rejected=0))
    assert "must differ by more than 0.80 points" in text
    assert "Of 1 difference between networks trained on anonymized and on original images 1 is above it." in text
    assert "Unknown" not in text
    assert "One seed" not in text


def test_floor_of_means_over_runs():
    rows = [cell(contrast="anon_anon", n_runs=4, difference=d) for d in (-1.0, 0.3, 0.6)]
    sentence = above_floor_sentence(cells(*rows), "toy", "map", 1.0)
    assert sentence.startswith("Of 3 differences")
    assert " 2 are above it (means over 4 runs: floor 0.50)." in sentence
    assert above_floor_sentence(cells(cell()), "toy", "map", 1.0).startswith("No network was trained on anonymized")


def test_a_dataset_with_one_seed_beside_one_with_several():
    table = noise(sd=0.2, df=4, floor=0.8, tests=6)
    lone = table[table["dataset"] == "toy"].assign(dataset="lone", df=0)
    assert "- lone, mAP: unknown, one seed only." in whole(cells(cell()), pd.concat([lone, table]))


def test_two_seeds_with_equal_scores_have_a_floor_of_zero():
    retrained = cell("within the margin", contrast="anon_anon", basis=TRAINING, difference=0.0, training_low=0.0)
    text = whole(cells(retrained), noise(sd=0.0, df=2, floor=0.0, tests=2))
    assert (
        "- toy, mAP: 2 pairs of trainings that differ in the seed alone scored exactly the same, so the floor is 0"
        in text
    )
    assert "unknown" not in text
    assert "One seed" not in text


def test_aa_sentences():
    assert "no A/A test" in aa_sentence("mAP", 0, 0, 0.05)
    assert "takes the luck of training for an effect" in aa_sentence("mAP", 6, 5, 0.05)
    assert "so few comparisons could hide" in aa_sentence("mAP", 6, 0, 0.05)
    # P(2 or more of 6) = 0.033, P(1 or more of 6) = 0.26.
    assert "too many:" in aa_sentence("mAP", 6, 2, 0.05)
    assert "not too many" in aa_sentence("mAP", 6, 1, 0.05)
    assert aa_sentence("mAP", 100, 5, 0.05).endswith("That fits.")


# --- faces ---


@pytest.mark.parametrize(
    ("gap", "p", "expected"),
    [
        (-2.0, 0.01, "Those with a face lose more (or gain less): shown (-2.00 [-3.00, -1.00])."),
        (2.0, 0.01, "Those with a face lose less (or gain more): shown (+2.00 [+1.00, +3.00])."),
        (-2.0, 0.05, "That the two groups differ is not shown (-2.00 [-3.00, -1.00])."),
        (math.nan, math.nan, "The two groups cannot be compared."),
    ],
)
def test_faces_against_no_faces(gap: float, p: float, expected: str):
    text = face_sentences(faces(gap=gap, gap_p=p).set_index("group"), 0.05)
    assert text.startswith("100 queries with a face: -2.00 [-3.00, -1.00]; 100 queries without: -0.10 [-1.10, +0.90].")
    assert expected in text


@pytest.mark.parametrize(
    ("slope", "p", "expected"),
    [
        (-1.5, 0.01, "Larger faces lose more: shown, points per 10 px of height (-1.50 [-2.50, -0.50])."),
        (1.5, 0.01, "Larger faces lose less: shown"),
        (-1.5, 0.2, "A trend over the face's height is not shown"),
        (math.nan, math.nan, "A trend over the face's height cannot be computed."),
    ],
)
def test_face_height(slope: float, p: float, expected: str):
    assert expected in face_sentences(faces(slope=slope, slope_p=p).set_index("group"), 0.05)


def test_no_face_analysis():
    assert "Who pays" not in whole(cells(cell()), faces=faces()[:0])


def test_faces_of_retrained_networks_come_with_a_warning():
    warning = "they leave out the luck of training"
    assert warning not in whole(cells(cell()))
    assert warning in whole(cells(cell()), faces=faces().assign(contrast="anon_anon"))


# --- overall ---


def test_overall_drop_and_equivalence():
    shown = overall_sentences(effect(p=0.001), pd.DataFrame([effect("dataset", 5, 0.2)]), 0.05)
    assert "over 30 pairs of model and dataset; a drop is shown (p = 0.001, one-sided; d_z -0.55" in shown
    assert "equivalence within ±1 point is not shown (p = 0.400)." in shown
    assert shown.endswith("With 5 datasets as the observations a drop is not shown (p = 0.200).")
    other = overall_sentences(effect(p=0.3, equivalent=True), pd.DataFrame([effect("model", 6, math.nan)]), 0.05)
    assert "a drop is not shown (p = 0.300" in other
    assert "equivalence within ±1 point is shown" in other
    assert "observations" not in other


def test_overall_without_a_test():
    one = effect(n=1, p=math.nan, note="one pair: a t-test needs at least two")
    text = overall_sentences(one, pd.DataFrame([effect("dataset", 1)]), 0.05)
    assert text == "1 pair of model and dataset: no test (one pair: a t-test needs at least two)."
    assert "Over all models" not in whole(cells(cell()), effects=pd.DataFrame([effect()])[:0])


# --- what to keep in mind ---


def told(trial: str = "", learnt: str = "yes: rank-1 80.0 %, untrained 10.0 %") -> pd.DataFrame:
    rows = [["toy", "bot", "cosine, re-ranked", trial, learnt], ["toy", "pcb", "euclidean", "", "yes: rank-1 50 %"]]
    return pd.DataFrame(rows, columns=["data", "model", "ranking", "trial", "learnt"])


def test_a_trial_and_a_network_that_barely_learnt_are_marked_before_and_at_every_verdict():
    table = cells(cell("within the margin"), cell("within the margin", model="pcb"))
    plain = whole(table, told=told())
    assert "†" not in plain
    assert "‡" not in plain
    assert "Re-ranked, as the tables' rows of that name: bot." in plain
    trial = whole(table, told=told("4 of 120 epochs; depth 18, not 50"))
    assert "**† A trial, no result.** 1 of 2 networks" in trial
    assert "- bot (toy): 4 of 120 epochs; depth 18, not 50" in trial
    assert "bot † -1.00 [" in trial
    assert "pcb -1.00 [" in trial
    assert "barely learnt" not in trial
    barely = whole(table, told=told("4 of 120 epochs", "barely: rank-1 7.5 %, untrained 4.5 %"))
    assert "bot † ‡ -1.00 [" in barely
    assert "**‡ Barely learnt:** rank-1 on original images is not shown to be a tenth of the way" in barely
    assert "- bot (toy): rank-1 7.5 %, untrained 4.5 %" in barely
    assert "1 network has barely learnt (‡): that draws the means towards no difference" in barely
    assert barely.index("Barely learnt") < barely.index("## Testing the same networks")


def test_caveats_follow_the_data():
    plain = whole(cells(cell()))
    assert "Rendered people" not in plain
    assert "Few people" not in plain
    assert "without a match" not in plain
    text = whole(
        cells(cell(n_identities=12, n_excluded=3), cell(metric="rank1", n_identities=12, n_excluded=3)),
        label="x (rendered people: a check of the pipeline)",
    )
    assert "- Rendered people are no evidence about real ones" in text
    assert "- Few people: 12 identities in the smallest comparison" in text
    assert "- 3 scores of queries without a match in the gallery are left out." in text
    assert "Nothing here measures privacy" in text


# --- published ---


def checks(*rows: tuple) -> pd.DataFrame:
    columns = ["check", "subject", "printed", "expected", "difference", "flagged", "note"]
    return pd.DataFrame(rows, columns=columns)


def test_contradictions_in_words():
    rows = checks(
        ("mean", "map_orig_orig", 58.0, 52.9, 5.1, True, "no subset"),
        ("mean", "map_orig_anon", 56.0, 52.0, 4.0, True, "no subset"),
        ("outlier", "d, m, map_orig_anon", 67.9, 58.4, 9.5, True, "modified z 9.7"),
        ("size", "d, query images", 5332, 1400, 3932, True, "query and gallery are swapped"),
        ("size", "d, gallery images", 1400, 5332, -3932, True, "query and gallery are swapped"),
        ("size", "e, query images", 20, math.nan, math.nan, True, "more queries than gallery images"),
    )
    found = contradiction_sentences(rows)
    assert len(found) == 4
    assert found[0].startswith("Means: 2 printed means are not those of the tables (gaps up to 5.10")
    assert found[0].endswith("no subset.")
    assert found[1].startswith("Outlier: m on d, mAP original → anonymized is 67.9, +9.5 against original → original")
    assert found[1].endswith("(58.4); modified z 9.7.")
    assert "query images 5,332 (protocol: 1,400), gallery images 1,400 (protocol: 5,332)" in found[2]
    assert found[3] == "Sizes: e: query images 20: more queries than gallery images."


def test_a_paper_without_contradictions():
    fine = checks(("mean", "map_orig_orig", 52.94, 52.94, 0.0, False, ""))
    effects = pd.DataFrame([effect()])
    text = published_page(fine, effects, effects, 0.05)
    assert "None found." in text
    assert "flagged as outlier" not in text
