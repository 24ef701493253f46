"""The cost by the query's face: what is drawn is what was given."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from figure_checks import check_layout, marks, titled, words

from anonbench.core.errors import DataError
from anonbench.studies.reid_faces.figures_faces import COLUMNS, draw_faces_cost, read_face_groups

NAN = math.nan
ROWS = [
    ("d", "bot", "blur", "orig_anon", "face", 61, -2.0, -3.0, -1.0),
    ("d", "bot", "blur", "orig_anon", "no face", 19, 0.1, -0.5, 0.7),
    ("d", "bot", "blur", "orig_anon", "face minus no face", 80, -2.1, -3.1, -1.1),
    ("d", "bot", "blur", "orig_anon", "0-8 px", 1, NAN, NAN, NAN),
    ("d", "bot", "blur", "anon_anon", "face", 61, -1.0, -2.0, 0.0),
    ("d", "all", "blur", "orig_anon", "face", 122, -1.8, -2.5, -1.2),
    ("d", "bot", "zero", "orig_anon", "face", 61, -8.0, -9.0, -7.0),
    ("e", "bot", "blur", "orig_anon", "face", 61, -7.0, -9.0, -6.0),
]


def table(rows: list[tuple] = ROWS) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_groups_of_one_dataset_and_variant_without_comparisons() -> None:
    groups = read_face_groups(table(), "faces.csv", "d", "blur", leave_out=["face minus no face"])
    assert [(g.model, g.contrast, g.name, g.n_queries) for g in groups] == [
        ("bot", "orig_anon", "face", 61),
        ("bot", "orig_anon", "no face", 19),
        ("bot", "orig_anon", "0-8 px", 1),
        ("bot", "anon_anon", "face", 61),
        ("all", "orig_anon", "face", 122),
    ]
    assert (groups[0].estimate, groups[0].low, groups[0].high) == (-2.0, -3.0, -1.0)


def test_only_average_precision_counts() -> None:
    frame = pd.concat([table(ROWS[:1]).assign(metric="map"), table(ROWS[:1]).assign(metric="rank1", estimate=-9.0)])
    assert [g.estimate for g in read_face_groups(frame, "faces.csv", "d", "blur")] == [-2.0]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (table().drop(columns="n_queries"), r"faces\.csv: column n_queries is missing; expected dataset, model"),
        (table([ROWS[0], ROWS[0]]), r"faces\.csv: bot, orig_anon, face is listed twice"),
        (table(ROWS[6:]), r"faces\.csv: no row for d under blur; there is nothing to draw"),
    ],
)
def test_a_table_of_faces_that_cannot_be_drawn_is_named(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_face_groups(frame, "faces.csv", "d", "blur")


def test_a_panel_a_model_a_row_a_group() -> None:
    groups = read_face_groups(table(), "faces.csv", "d", "blur", leave_out=["face minus no face"])
    figure = draw_faces_cost(groups, "blur", "toy (rendered people)")
    check_layout(figure)
    (bot,), (everyone,) = titled(figure, "bot"), titled(figure, "all models")
    assert [t.get_text() for t in bot.get_yticklabels()] == ["face", "no face", "0-8 px"]
    tested = marks(bot, "orig_anon")
    assert [x for x, _ in tested] == [-2.0, 0.1]
    assert [round(y) for _, y in tested] == [0, 1]
    assert [x for x, _ in marks(bot, "anon_anon")] == [-1.0]
    assert [x for x, _ in marks(everyone, "orig_anon")] == [-1.8]
    assert bot.get_xlim() == everyone.get_xlim()
    assert bot.get_xlim()[0] < -3
    assert [t.get_text() for t in bot.texts if t.get_gid() == "none-orig_anon"] == ["–"]
    assert {"61", "19", "1", "122"} <= set(words(figure))
    assert "Data: toy (rendered people)." in words(figure)


def test_six_models_fit_on_the_page() -> None:
    bins = ["face", "no face", "0-8 px", "8-12 px", "12-16 px", "16-24 px", "24+ px"]
    models = ["pcb", "mlfn", "hacnn", "resnet50mid", "mudeep", "bot", "all"]
    rows = [
        ("d", model, "blur", contrast, name, 19281, -1.0, -2.0, 0.5)
        for model in models for contrast in ("orig_anon", "anon_anon") for name in bins
    ]  # fmt: skip
    figure = draw_faces_cost(read_face_groups(table(rows), "faces.csv", "d", "blur"), "blur", "toy")
    check_layout(figure)
    assert len(figure.axes) == 7
