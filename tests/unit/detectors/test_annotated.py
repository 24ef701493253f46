"""Face boxes that come with a dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anonbench.core.errors import DataError
from anonbench.data.regions import Region
from anonbench.detectors import Detect
from anonbench.detectors.annotated import Annotated

IMAGE = np.zeros((16, 8, 3), np.uint8)
HEADER = "path,x0,y0,x1,y1\n"


def opened(root: Path, text: str, partial: bool = False) -> Detect:
    (root / "faces.csv").write_text(text, encoding="utf-8")
    return Annotated("faces.csv", partial=partial).open(root)


def test_reads_several_faces_one_and_none(tmp_path: Path) -> None:
    detect = opened(tmp_path, HEADER + "a.jpg,1,2,3,4\nb.jpg,,,,\na.jpg,5,6,7.5,8\n")
    assert detect(IMAGE, "a.jpg") == [
        Region((1, 2, 3, 4), source="annotated"),
        Region((5, 6, 7.5, 8), source="annotated"),
    ]
    assert detect(IMAGE, "b.jpg") == []


def test_other_columns_and_another_order_are_fine(tmp_path: Path) -> None:
    detect = opened(tmp_path, "y1,x1,y0,x0,view,path\n4,3,2,1,front,a.jpg\n")
    assert detect(IMAGE, "a.jpg") == [Region((1, 2, 3, 4), source="annotated")]


def test_an_image_without_a_row_is_an_error_and_not_faceless(tmp_path: Path) -> None:
    detect = opened(tmp_path, HEADER + "a.jpg,1,2,3,4\n")
    with pytest.raises(DataError, match=r"faces\.csv: no row for c\.jpg\. Annotations must list every image"):
        detect(IMAGE, "c.jpg")


def test_boxes_by_hand_on_some_pictures(tmp_path: Path) -> None:
    """A file outside the dataset, with an empty row below the table, as spreadsheets leave it."""
    root = tmp_path / "data"
    root.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (root / name).touch()
    (tmp_path / "hand.csv").write_text("number;verdict;X0;Y0;X1;Y1;path\n1;m;1;2;3;4;a.jpg\n2;f;;;;;b.jpg\n;;;;;;\n")
    detect = Annotated(boxes=str(tmp_path / "hand.csv"), partial=True).open(root)
    assert detect(IMAGE, "a.jpg") == [Region((1, 2, 3, 4), source="annotated")]
    assert detect(IMAGE, "b.jpg") == detect(IMAGE, "c.jpg") == []
    with pytest.raises(DataError, match=r"hand\.csv: no row for c\.jpg\. .* write `partial: true`"):
        Annotated(boxes=str(tmp_path / "hand.csv")).open(root)(IMAGE, "c.jpg")


def test_a_box_by_hand_on_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    rows = "".join(f"{name},1,2,3,4\n" for name in ("a.jpg", "A.jpg", *(f"{n}.jpg" for n in range(11))))
    with pytest.raises(DataError, match=r"A\.jpg is no file of .*\n(.*\n)*.*8\.jpg is no.*\nand 2 more") as caught:
        opened(tmp_path, HEADER + rows, partial=True)
    assert ": a.jpg" not in str(caught.value)
    with pytest.raises(DataError, match=r"faces\.csv:2: column path is empty"):
        opened(tmp_path, HEADER + ",1,2,3,4\n", partial=True)


def test_a_missing_file_names_the_columns_and_another_detector(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"faces\.csv: missing\..*path, x0, y0, x1, y1.*such as centerface"):
        Annotated("faces.csv").open(tmp_path)
    with pytest.raises(DataError, match=r"hand\.csv: no such file\. It is the `boxes:` of .* \(columns path, x0"):
        Annotated(boxes="hand.csv").open(tmp_path)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"faces\.csv:1: no column 'y1': found path,x0,y0,x1; expected path,x0"):
        opened(tmp_path, "path,x0,y0,x1\na.jpg,1,2,3\n")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.jpg,1,2,3,four", "column y1 is 'four'; expected a number"),
        ("a.jpg,1,,3,4", "column y0 is ''; expected a number"),
        ("a.jpg,1,2", "column x1 is ''; expected a number"),  # cut off
        ("a.jpg,1,2,inf,4", "column x1 is 'inf'; expected a number"),
        ("a.jpg,nan,2,3,4", "column x0 is 'nan'; expected a number"),
        ("a.jpg,3,2,1,4", "box .* is empty; expected x0 < x1 and y0 < y1"),
        ("a.jpg,1,2,3,2", "box .* is empty; expected x0 < x1 and y0 < y1"),
    ],
)
def test_a_bad_box_is_reported_with_its_line(row: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"faces\.csv:3: {message}"):
        opened(tmp_path, HEADER + "0.jpg,1,2,3,4\n" + row + "\n")


def test_all_wrong_rows_are_named_and_a_mark_is_none_of_the_header(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"faces\.csv:2: box .*\n.*faces\.csv:3: column x1 is 'nan'"):
        opened(tmp_path, "\ufeffPath;x0;y0;x1;y1\na.jpg;3;2;3;4\nb.jpg;1;2;nan;4\n")
