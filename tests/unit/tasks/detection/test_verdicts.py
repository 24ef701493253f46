"""Verdicts: what a reviewer may write, what it adds up to, and files as spreadsheets save them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from anonbench.core.errors import DataError
from anonbench.statistics.proportion import Proportion
from anonbench.tasks.detection.audit.verdicts import (
    ByHand,
    Listed,
    Tally,
    Verdict,
    parse_verdict,
    read_listed,
    read_verdicts,
    tally,
    write_annotations,
)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("", None),
        ("  ", None),
        ("f", Verdict()),
        ("Fine", Verdict()),
        ("ok", Verdict()),
        ("m", Verdict(missed=1)),
        ("M2", Verdict(missed=2)),
        ("missed=3", Verdict(missed=3)),
        ("missed: 3", Verdict(missed=3)),
        ("w", Verdict(wrong=1)),
        ("wrong 2", Verdict(wrong=2)),
        ("m w", Verdict(1, 1)),
        ("w2, m1", Verdict(1, 2)),
        ("missed=1; wrong=2", Verdict(1, 2)),
        ("s", Verdict(skipped=True)),
        ("?", Verdict(skipped=True)),
    ],
)
def test_what_a_reviewer_may_write(text: str, verdict: Verdict | None) -> None:
    assert parse_verdict(text, 2, "a.csv:3") == verdict


@pytest.mark.parametrize("text", ["fine m", "f w", "s m", "x", "m m", "m2 m", "f2", "2", "m-1", "yes", "fine!", "mw"])
def test_what_means_nothing_is_refused_with_the_words_that_do(text: str) -> None:
    with pytest.raises(DataError, match=r"a\.csv:3: verdict '.*' is not understood; expected f \(fine\), m or m2"):
        parse_verdict(text, 2, "a.csv:3")


def test_more_wrong_boxes_than_boxes() -> None:
    with pytest.raises(DataError, match=r"a\.csv:3: verdict 'w3' speaks of 3 wrong boxes; the image has 2\."):
        parse_verdict("w3", 2, "a.csv:3")


def listed(path: str, boxes: int) -> Listed:
    return Listed(1, "sheet_01.png", 1, boxes, path)


def test_a_tally_by_hand() -> None:
    pairs = [
        (listed("fine, one face", 1), Verdict()),
        (listed("fine, nobody", 0), Verdict()),
        (listed("missed one of two", 1), Verdict(missed=1)),
        (listed("missed, nothing found", 0), Verdict(missed=2)),
        (listed("a box on a bag", 1), Verdict(wrong=1)),
        (listed("a box on a bag, the face missed", 1), Verdict(missed=1, wrong=1)),
        (listed("two right, one wrong", 3), Verdict(wrong=1)),
        (listed("too dark", 4), Verdict(skipped=True)),
        (listed("not looked at", 2), None),
    ]
    found = tally(pairs)
    # Recall .5: the images differ from it by (.5, 0, -1, -.5, 1), squared 2.5, of 8 / 4 expected; precision 4/7 by
    # (3/7, 3/7, -4/7, -4/7, 2/7), squared 54/49, of 12/7 expected.
    assert found == Tally(
        images=7, right=4, wrong=3, missed=4, with_face=5, complete=2, skipped=1, left=1, recall_effective=8 / 1.25,
        precision_effective=7.0,
    )  # fmt: skip
    assert (found.recall.hits, found.recall.n) == (4, 8)
    assert (found.precision.hits, found.precision.n) == (4, 7)
    assert (found.image_recall.hits, found.image_recall.n) == (2, 5)
    assert (found.leaks.hits, found.leaks.n) == (3, 7)
    assert tally([]).recall.n == tally([]).recall_effective == 0


def test_a_miss_of_a_whole_image_counts_as_one() -> None:
    """Three images with all four faces found, one with none: p = 3/4, sum 3 x 1 + 9 = 12 of 16 x 3/16 = 3 expected."""
    images = [(listed("a", 4), Verdict())] * 3
    found = tally([*images, (listed("b", 0), Verdict(missed=4))])
    assert (found.recall.n, found.recall_effective) == (16, 4)
    assert found.recall.wilson() == Proportion(3, 4).wilson()
    assert (found.precision.n, found.precision_effective) == (12, 3)  # no box is wrong: an image is a case
    single = tally([(listed("a", 1), Verdict())] * 9 + [(listed("b", 0), Verdict(missed=1))])
    assert single.recall.wilson() == Proportion(9, 10).wilson()


SAMPLE = {path: listed(path, boxes) for path, boxes in (("a.jpg", 1), ("b, b.jpg", 0), ("c.jpg", 2))}


def test_a_file_goes_out_and_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "annotations.csv"
    write_annotations(file, SAMPLE.values())
    assert file.read_text().splitlines()[0] == "number,sheet,camera,boxes,verdict,note,x0,y0,x1,y1,leave_out,path"
    assert read_verdicts(file, SAMPLE) == dict.fromkeys(SAMPLE)
    file.write_text(
        file.read_text().replace("1,1,,,,,,,,a", "1,1,f,,,,,,,a").replace("1,2,,,,,,,,c", "1,2,m w,dark,,,,,,c")
    )
    assert read_verdicts(file, SAMPLE) == {"a.jpg": Verdict(), "b, b.jpg": None, "c.jpg": Verdict(1, 1)}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_as_spreadsheets_save_it(delimiter: str, tmp_path: Path) -> None:
    """A byte mark, Windows line ends, other delimiters, sorted rows, moved columns, an empty row at the end."""
    rows = [["path", "verdict", "boxes"], ["c.jpg", "w", "2"], ['"b, b.jpg"', "s", "0"], ["", "", ""]]
    text = "\r\n".join(delimiter.join(row) for row in rows) + "\r\n"
    file = tmp_path / "filled.csv"
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_verdicts(file, SAMPLE) == {
        "a.jpg": None,
        "b, b.jpg": Verdict(skipped=True),
        "c.jpg": Verdict(wrong=1),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,boxes\na.jpg,1\n", r"f\.csv:1: column verdict is missing; expected number, sheet.*Keep the header"),
        ("path,boxes,verdict\nz.jpg,1,f\n", r"f\.csv:2: z\.jpg is not in the sample"),
        ("path,boxes,verdict\na.jpg,1,f\na.jpg,1,m\n", r"f\.csv:3: a\.jpg is listed twice"),
        ("path,boxes,verdict\na.jpg,2,f\n", r"f\.csv:2: boxes is '2', 1 were drawn\. Leave the column alone"),
        ("path,boxes,verdict\na.jpg,1,nice\n", r"f\.csv:2: verdict 'nice' is not understood"),
    ],
)
def test_files_that_cannot_be_right(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_verdicts(tmp_path / "f.csv", SAMPLE)


def test_a_workbook_and_no_file_at_all(tmp_path: Path) -> None:
    (tmp_path / "f.xlsx").write_bytes(b"PK\x03\x04\xff\xfe\xfa")
    with pytest.raises(DataError, match=r"f\.xlsx:1: not a UTF-8 text file: byte 0xff is not UTF-8\. Save it as text"):
        read_verdicts(tmp_path / "f.xlsx", SAMPLE)
    with pytest.raises(DataError, match=r"gone\.csv: cannot be read .* Draw the sample with `anonbench audit`\."):
        read_verdicts(tmp_path / "gone.csv", SAMPLE)


def test_all_wrong_rows_are_named(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("path,boxes,verdict\na.jpg,1,nice\nother.jpg,1,f\n")
    with pytest.raises(DataError, match=r"f\.csv:2: verdict 'nice' .*\n.*f\.csv:3: other\.jpg is not in the sample"):
        read_verdicts(tmp_path / "f.csv", SAMPLE)


# --- boxes by hand, and pictures to leave out ---

HEAD = "path,boxes,verdict,x0,y0,x1,y1,leave_out\n"


def test_boxes_by_hand_go_out_and_come_back_with_a_row_for_each(tmp_path: Path) -> None:
    file = tmp_path / "annotations.csv"
    by_hand = ByHand((("1", "2", "3", "4"), ("5", "2", "7", "4")), "x")
    rows = [replace(SAMPLE["a.jpg"], verdict="m2", note="dark", by_hand=by_hand), SAMPLE["c.jpg"]]
    write_annotations(file, rows)
    assert len(file.read_text().splitlines()) == 4
    assert read_verdicts(file, SAMPLE) == {"a.jpg": Verdict(missed=2), "b, b.jpg": None, "c.jpg": None}
    again = read_listed(file)
    assert (again["a.jpg"].verdict, again["a.jpg"].note, again["a.jpg"].by_hand) == ("m2", "dark", by_hand)
    assert not again["c.jpg"].by_hand


def test_the_verdict_may_stand_in_any_of_the_rows_of_a_picture(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(HEAD + "a.jpg,,,1,2,3,4,\nc.jpg,2,f,,,,,x\na.jpg,1,m2,5,2,7,4,\n")
    assert read_verdicts(tmp_path / "f.csv", SAMPLE) == {"a.jpg": Verdict(2), "b, b.jpg": None, "c.jpg": Verdict()}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a.jpg,1,f,1,2,3,4,\n", r"f\.csv: a\.jpg has 1 boxes by hand, and its verdict says that 0 faces were missed"),
        ("a.jpg,1,m,1,2,3,4,\na.jpg,1,,5,2,7,4,\n", r"a\.jpg has 2 boxes by hand, .* says that 1 faces were missed"),
        ("a.jpg,1,m,1,2,3,4,\na.jpg,1,m,5,2,7,4,\n", r"f\.csv:3: a\.jpg is listed twice; .* one has the verdict"),
        ("a.jpg,1,,,,,,\na.jpg,1,,,,,,\n", r"f\.csv:3: a\.jpg is listed twice"),
        ("a.jpg,1,f,,,,,perhaps\n", r"f\.csv:2: column leave_out is 'perhaps'; expected x to leave the picture out"),
    ],
)
def test_what_is_written_by_hand_must_fit(rows: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(HEAD + rows)
    with pytest.raises(DataError, match=message):
        read_verdicts(tmp_path / "f.csv", SAMPLE)
