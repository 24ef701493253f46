"""What participants send back: merged, refused with a reason, and turned into privacy values worked by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from anonbench.core.errors import ConfigError, DataError
from anonbench.statistics.crossed import crossed_proportion
from anonbench.studies.reversible.human.answers import Key, gather, read_key, read_sheet
from anonbench.studies.reversible.human.privacy import collect, group_value, privacy_table

PUBLISHED = "method,images,privacy\nnoise,base,84\nnone,upper,92\n"


def key_pair(form: int, kind: str, group: str, truth: str, number: int, of: str = "") -> dict[str, Any]:
    left, right = ({"variant": "v", "path": f"{number}{side}.png"} for side in "ab")
    return {"form": form, "kind": kind, "group": group, "truth": truth, "of": of, "left": left, "right": right}


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Two forms; each with two pairs of the groups noise and upper, two controls, and the first pair again."""
    pairs: dict[str, Any] = {}
    for form in (1, 2):
        names = [f"{form}{letter}" for letter in "abcdefg"]
        rows = [
            ("group", "noise", "same", ""), ("group", "noise", "different", ""), ("group", "upper", "same", ""),
            ("group", "upper", "different", ""), ("control", "", "same", ""), ("control", "", "different", ""),
            ("repeat", "noise", "same", names[0]),
        ]  # fmt: skip
        for n, (name, (kind, group, truth, of)) in enumerate(zip(names, rows, strict=True)):
            pairs[name] = key_pair(form, kind, group, truth, 10 * form + (0 if of else n), of)
    groups = [
        {"name": "noise", "left": "v", "right": "v", "published": {"method": "noise", "images": "base"}},
        {"name": "upper", "left": "v", "right": "v", "published": {"images": "upper"}},
    ]
    text = {
        "format": "anonbench human evaluation key", "version": 1, "kit": "abc", "label": "made-up", "pairs": pairs,
        "study": {"groups": groups, "upper": "upper"},
    }  # fmt: skip
    (tmp_path / "key.json").write_text(json.dumps(text))
    (tmp_path / "answers").mkdir()
    return tmp_path / "key.json"


@pytest.fixture
def key(key_file: Path) -> Key:
    return read_key(key_file)


Send = Callable[..., Path]


@pytest.fixture
def send(key_file: Path) -> Send:
    """Writes a participant's file: answers are letters a to g of the pairs, upper case for "different"."""

    def write(name: str, form: int, code: str, said: dict[str, str], /, **changes: Any) -> Path:
        words = {"s": "same", "d": "different"}
        answers = [
            {"pair": f"{form}{pair}", "said": words[word], "ms": 1000 + 100 * n, "undone": 0}
            for n, (pair, word) in enumerate(said.items())
        ]
        text = {
            "format": "anonbench human evaluation answers", "version": 1, "kit": "abc", "form": form, "consent": True,
            "participant": code, "revision": len(answers), "complete": len(answers) == 7, "answers": answers,
        }  # fmt: skip
        path = key_file.parent / "answers" / name
        path.write_text(json.dumps({**text, **changes}))
        return path

    return write


ALL_RIGHT = dict(zip("abcdefg", "sdsdsds", strict=True))
ALWAYS_SAME = dict.fromkeys("abcdefg", "s")


def test_values_worked_by_hand(key: Key, send: Send) -> None:
    """Two careful people and one who always says same, whose control of different people is wrong."""
    send("1.json", 1, "ANN", ALL_RIGHT)
    send("2.json", 1, "BOB", {**ALL_RIGHT, "b": "s", "g": "d"})
    send("3.json", 2, "CAT", ALWAYS_SAME)
    sheets, files = gather([send("4.json", 2, "CAT", ALWAYS_SAME).parent], key)
    assert [file.is_left_out for file in files] == [False, False, False, True]
    noise = group_value(sheets, key, "noise")
    # Right: ANN 2 of 2, BOB 1, CAT 1. Repeats do not count.
    assert (noise.n, noise.participants, noise.correct, noise.value) == (6, 3, 4, pytest.approx(100 * 4 / 6))
    assert (noise.right_same, noise.right_different) == (100, pytest.approx(100 / 3))
    # The interval, with ANN and BOB on the same two pairs: by person residuals 2/3, -1/3, -1/3.
    share = crossed_proportion([1, 1, 1, 0, 1, 0], list("AABBCC"), [1, 2, 1, 2, 3, 4])
    assert (noise.low, noise.high) == pytest.approx(tuple(100 * end for end in share.wilson()))
    table = privacy_table(sheets, key).frame.set_index("group")
    assert table.loc["noise", "careful_participants"] == 2
    assert table.loc["noise", "careful_value"] == 75
    assert table.loc["upper", "careful_value"] == 100
    assert table.loc["upper", "privacy_value"] == pytest.approx(83.33)
    assert math.isnan(table.loc["noise", "published"])


def test_the_table_its_twins_and_who_was_careless(key_file: Path, send: Send) -> None:
    send("1.json", 1, "ANN", ALL_RIGHT)
    send("2.json", 2, "CAT", ALWAYS_SAME)
    send("3.json", 2, "DAN", {"a": "s", "b": "d"})
    (key_file.parent / "published.csv").write_text(PUBLISHED)
    output = key_file.parent / "out/table2.csv"
    text = collect([key_file.parent / "answers"], key_file, output, key_file.parent / "published.csv")
    assert "Not careful, or without an answer to one: CAT, DAN." in text
    assert "3 participants, 1 of them unfinished; forms without an answer: none." in text
    assert "| noise | 83.3 |" in text
    assert "| 84.0 | -0.7 |" in text
    assert "made-up" in text
    people = pd.read_csv(output.with_suffix(".participants.csv")).set_index("participant")
    assert list(people["careful"]) == ["yes", "no", "no"]
    assert list(people["controls_right"]) == [2, 1, 0]
    assert list(people["controls"]) == [2, 2, 0]
    assert list(people["repeats_alike"]) == [1, 1, 0]
    assert list(people["answers"]) == [7, 7, 2]
    assert people.loc["ANN", "median_ms"] == 1300
    assert people.loc["CAT", "said_same"] == 100
    compared = pd.read_csv(output.with_suffix(".compare.csv")).set_index("row")
    assert compared.loc["noise", "difference"] == pytest.approx(-0.67)
    # Published 84 - 92, collected 83.33 - 75: protected people are told apart worse there, better here.
    assert compared.loc["noise", "published_effect"] == -8
    assert compared.loc["noise", "rebuilt_effect"] == pytest.approx(8.33)
    assert compared.loc["noise", "direction"] == "differs"
    runs = pd.read_csv(output.with_suffix(".runs.csv"))
    assert list(runs["participant"]) == ["ANN", "CAT", "DAN", "ANN", "CAT"]
    assert output.with_suffix(".md").read_text() in text + "\n"


def test_the_threshold_decides_who_is_careful(key_file: Path, send: Send) -> None:
    send("1.json", 1, "CAT", ALWAYS_SAME)
    output = key_file.parent / "out/t.csv"
    collect([key_file.parent / "answers"], key_file, output, careless_below=0.5)
    assert pd.read_csv(output)["careful_n"].tolist() == [2, 2]
    collect([key_file.parent / "answers"], key_file, output, careless_below=0.51)
    assert pd.read_csv(output)["careful_n"].tolist() == [0, 0]
    with pytest.raises(ConfigError, match="from 0 to 1"):
        collect([key_file.parent / "answers"], key_file, output, careless_below=80)


def test_the_newest_file_of_a_participant_counts(key: Key, send: Send) -> None:
    send("early.json", 1, "ANN", {"a": "s", "b": "s"}, revision=2)
    send("late.json", 1, "ANN", {"a": "s", "b": "d", "c": "s"}, revision=5)
    folder = send("late (1).json", 1, "ANN", {"a": "s", "b": "d", "c": "s"}, revision=5).parent
    (sheet,), files = gather([folder], key)
    assert {name: answer.said for name, answer in sheet.answers.items()} == {
        "1a": "same",
        "1b": "different",
        "1c": "same",
    }
    told = {file.path.name: file.text for file in files}
    assert told["early.json"] == "left out: older than late (1).json of the same participant (1 answers were changed)"
    assert told["late.json"] == "left out: the same answers as late (1).json"
    assert told["late (1).json"] == "3 of 7 pairs judged"


def test_files_as_new_that_contradict_each_other_are_named(key: Key, send: Send) -> None:
    send("1.json", 1, "ANN", {"a": "s", "b": "d"})
    folder = send("2.json", 1, "ANN", {"a": "d", "b": "d"}).parent
    sheets, files = gather([folder], key)
    assert len(sheets) == 1
    assert files[1].text == "left out: contradicts 1.json, of the same participant and as new, in 1 answers"


def test_the_same_code_on_two_forms_is_two_people(key: Key, send: Send) -> None:
    send("1.json", 1, "ANN", ALL_RIGHT)
    sheets, _ = gather([send("2.json", 2, "ANN", ALL_RIGHT).parent], key)
    assert [sheet.who for sheet in sheets] == ["1/ANN", "2/ANN"]
    assert group_value(sheets, key, "noise").participants == 2


def test_who_withdrew_is_not_counted(key_file: Path, key: Key, send: Send) -> None:
    send("1.json", 1, "ANN", ALL_RIGHT)
    folder = send("2.json", 2, "BOB", ALL_RIGHT).parent
    sheets, files = gather([folder], key, ["bob"])
    assert [sheet.participant for sheet in sheets] == ["ANN"]
    assert files[1].text == "left out: withdrawn"
    assert files[1].answers == 0
    text = collect([folder], key_file, key_file.parent / "t.csv", without=["BOB", "EVE"])
    assert "--without EVE: no file has this code" in text
    assert "--without BOB" not in text


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": "something"}, "not a file of answers"),
        ({"version": 2}, "answers of version 2; expected 1"),
        ({"kit": "zzz"}, "answers to another kit ('zzz'; the key is of 'abc')"),
        ({"consent": False}, "no consent in it"),
        ({"form": 3}, "form is 3; expected a number from 1 to 2"),
        ({"form": "1"}, "form is '1'"),
        ({"form": True}, "form is True"),
        ({"participant": "Ann Smith <ann@example.org>"}, "code is missing or has letters"),
        ({"participant": None}, "code is missing"),
        ({"revision": -1}, "revision or answers are missing"),
        ({"answers": {}}, "revision or answers are missing"),
        ({"answers": ["1a"]}, "answer 1 is of pair None, which form 1 does not have"),
        (
            {"answers": [{"pair": "2a", "said": "same", "ms": 1}]},
            "answer 1 is of pair '2a', which form 1 does not have",
        ),
        ({"answers": [{"pair": ["1a"], "said": "same", "ms": 1}]}, "which form 1 does not have"),
        ({"answers": [{"pair": "1a", "said": "same", "ms": 1}] * 2}, "answer 2 is a second one to pair '1a'"),
        ({"answers": [{"pair": "1a", "said": "maybe", "ms": 1}]}, "answer 1 is 'maybe'; expected same or different"),
        ({"answers": [{"pair": "1a", "said": "same", "ms": -1}]}, "answer 1 took -1 ms"),
        ({"answers": [{"pair": "1a", "said": "same", "ms": math.nan}]}, "answer 1 took nan ms"),
        ({"answers": [{"pair": "1a", "said": "same"}]}, "answer 1 took None ms"),
    ],
)
def test_a_file_that_does_not_belong_is_left_out_with_a_reason(
    key: Key, send: Send, changes: dict[str, Any], reason: str
) -> None:
    path = send("odd.json", 1, "ANN", ALL_RIGHT, **changes)
    with pytest.raises(DataError) as error:
        read_sheet(path, key)
    assert reason in str(error.value)
    sheets, (file,) = gather([path], key)
    assert sheets == []
    assert file.text == f"left out: {error.value}"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"not json", "not JSON"), (b"\xff\xfe\x00", "not JSON"), (b"[1]", "not a file of answers"), (b"", "not JSON")],
)
def test_foreign_files_do_not_stop_the_rest(key: Key, send: Send, content: bytes, reason: str) -> None:
    folder = send("1.json", 1, "ANN", ALL_RIGHT).parent
    (folder / "foreign.json").write_bytes(content)
    (folder / "picture.png").write_bytes(b"x")  # not *.json: nobody gave it
    (folder / "empty.json").write_text(json.dumps({}))
    sheets, files = gather([folder, folder / "1.json"], key)
    assert len(sheets) == 1
    assert len(files) == 3
    assert {file.path.name: reason in file.text for file in files}["foreign.json"]


def test_a_file_without_an_answer_counts_for_nothing(key: Key, send: Send) -> None:
    sheets, (file,) = gather([send("1.json", 1, "ANN", {})], key)
    assert sheets == []
    assert file.text == "left out: no answer in it"


def test_nothing_usable_is_an_error_that_says_why(key_file: Path, send: Send) -> None:
    path = send("1.json", 1, "ANN", ALL_RIGHT, kit="zzz")
    with pytest.raises(DataError, match=r"none of 1 files can be used:\n.*another kit"):
        collect([path], key_file, key_file.parent / "t.csv")
    with pytest.raises(DataError, match="is not there"):
        collect([path.with_name("absent.json")], key_file, key_file.parent / "t.csv")
    assert not (key_file.parent / "t.csv").exists()


def test_a_key_that_is_none_is_refused(key_file: Path, send: Send) -> None:
    answers = send("1.json", 1, "ANN", ALL_RIGHT)
    with pytest.raises(DataError, match="is no key of a human evaluation"):
        read_key(answers)
    text = json.loads(key_file.read_text())
    del text["pairs"]["1a"]["truth"]
    key_file.write_text(json.dumps(text))
    with pytest.raises(DataError, match="the key is damaged"):
        read_key(key_file)


def test_published_values_need_one_row_for_a_group(key_file: Path, send: Send) -> None:
    path, published = send("1.json", 1, "ANN", ALL_RIGHT), key_file.parent / "published.csv"
    for text, message in (
        ("method,privacy\nnoise,84\n", "images"),
        ("method,images,privacy\nnone,upper,92\n", "0 rows for group 'noise'"),
        (PUBLISHED + "noise,base,85\n", "2 rows for group 'noise'"),
        (PUBLISHED.replace("privacy", "value"), "with a column privacy"),
    ):
        published.write_text(text)
        with pytest.raises((DataError, ConfigError), match=message):
            collect([path], key_file, key_file.parent / "t.csv", published)


def test_the_command(key_file: Path, send: Send, run_command: Callable[..., Any]) -> None:
    path, output = send("1.json", 1, "ANN", ALL_RIGHT), key_file.parent / "t.csv"
    found = run_command("human-eval", "collect", path, "--key", key_file, "--output", output, "--without", "X", "Y")
    assert found.status == 0, found.errors
    assert "1 files counted, 0 left out" in found.output
    assert "--without Y" in found.output
    assert pd.read_csv(output)["privacy_value"].tolist() == [100, 100]
    found = run_command("human-eval", "make", path, "--key", key_file, "--output", output)
    assert found.status == 2
    assert "expected collect" in found.errors
