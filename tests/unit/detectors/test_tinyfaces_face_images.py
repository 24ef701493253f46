"""Training images: WIDER FACE's layout as text and as .mat, and CSV files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from anonbench.core.errors import DataError
from anonbench.data.wider_face import FaceImage, read_wider_face
from anonbench.detectors._tinyfaces.face_images import read_face_csv

TEXT = """\
1--B/b.jpg
2
10 20 30 40 0 0 0 1 0 0
5 6 0 9 0 0 0 0 0 0
0--A/a.jpg
0
0 0 0 0 0 0 0 0 0 0
0--A/c.jpg
1
0 1 8 9 2 1 1 0 2 1
"""


def write_images(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


@pytest.fixture
def wider(tmp_path: Path) -> Path:
    write_images(tmp_path / "WIDER_train/images", "0--A/a.jpg", "0--A/c.jpg", "1--B/b.jpg")
    (tmp_path / "wider_face_split").mkdir()
    return tmp_path


def text_file(root: Path) -> Path:
    return root / "wider_face_split/wider_face_train_bbx_gt.txt"


def described(images: list[FaceImage], root: Path) -> list[tuple[str, list[list[float]], list[bool]]]:
    return [(str(i.path.relative_to(root)), i.boxes.tolist(), i.ignore.tolist()) for i in images]


EXPECTED = [
    ("0--A/a.jpg", [], []),
    ("0--A/c.jpg", [[0, 1, 8, 10]], [False]),
    ("1--B/b.jpg", [[10, 20, 40, 60]], [True]),  # flagged invalid; the other has no width
]


def test_wider_face_as_text(wider: Path) -> None:
    text_file(wider).write_text(TEXT)
    found = read_wider_face(wider)
    assert described(found, wider / "WIDER_train/images") == EXPECTED
    assert found[0].boxes.shape == (0, 4)


def cell(*values: object) -> np.ndarray:
    made = np.empty((len(values), 1), object)
    made[:, 0] = values
    return made


def test_wider_face_as_mat_gives_the_same(wider: Path) -> None:
    savemat(
        wider / "wider_face_split/wider_face_train.mat",
        {
            "event_list": cell("0--A", "1--B"),
            "file_list": cell(cell("a", "c"), cell("b")),
            "face_bbx_list": cell(
                cell(np.zeros((1, 4), np.int32), np.array([[0, 1, 8, 9]])),
                cell(np.array([[10, 20, 30, 40], [5, 6, 0, 9]])),
            ),
            "invalid_label_list": cell(cell(np.zeros((1, 1)), np.zeros((1, 1))), cell(np.array([[1], [0]]))),
        },
    )
    assert described(read_wider_face(wider), wider / "WIDER_train/images") == EXPECTED


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0--A/a.jpg\nx\n", r"bbx_gt\.txt:2: expected the number of faces of 0--A/a\.jpg"),
        ("0--A/a.jpg\n1\n1 2 3 4\n", r":3: found '1 2 3 4'; expected 10 numbers: x y w h and flags"),
        ("0--A/a.jpg\n2\n1 2 3 4 0 0 0 0 0 0\n", "ends within the 2 faces of 0--A/a.jpg"),
        ("3\n", r":1: found '3'; expected the path of an image"),
        ("", "the annotations list no image at all"),
        (
            "0--A/z.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n0--A/a.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n",
            r"z\.jpg: missing, as are 0 more of 2",
        ),
    ],
)
def test_malformed_text_is_named_with_its_line(wider: Path, text: str, words: str) -> None:
    text_file(wider).write_text(text)
    with pytest.raises(DataError, match=words):
        read_wider_face(wider)


def test_a_missing_folder_and_a_damaged_mat_are_explained(wider: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"bbx_gt\.txt: missing, and so is wider_face_train\.mat\.\nExpected, as WIDER"):
        read_wider_face(wider)
    (wider / "wider_face_split/wider_face_train.mat").write_bytes(b"nothing")
    with pytest.raises(DataError, match="not WIDER FACE's annotations"):
        read_wider_face(wider)


def csv_file(root: Path, text: str) -> Path:
    write_images(root, "a.png", "sub/b.png")
    (root / "faces.csv").write_text(text)
    return root / "faces.csv"


def test_a_csv_with_and_without_ignored_boxes(tmp_path: Path) -> None:
    rows = "sub/b.png,1,2,3,4.5,1,front\na.png,,,,,,\nsub/b.png,5,6,7,8,0,back\n"
    found = read_face_csv(csv_file(tmp_path, "path,x0,y0,x1,y1,ignore,view\n" + rows))
    expected = [("a.png", [], []), ("sub/b.png", [[1, 2, 3, 4.5], [5, 6, 7, 8]], [True, False])]
    assert described(found, tmp_path) == expected
    found = read_face_csv(csv_file(tmp_path, "path,x0,y0,x1,y1\nb.png,1,2,3,4\n"), tmp_path / "sub")
    assert described(found, tmp_path) == [("sub/b.png", [[1, 2, 3, 4]], [False])]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,x0,y0,x1\n", "no column 'y1'"),
        ("path,x0,y0,x1,y1\na.png,1,2,3,x\n", r"faces\.csv:2: column y1 is 'x'; expected a number"),
        ("path,x0,y0,x1,y1\na.png,3,2,3,4\n", "is empty; expected x0 < x1"),
        ("path,x0,y0,x1,y1,ignore\na.png,1,2,3,4,yes\n", "ignore is 'yes'; expected 0 or 1"),
        ("path,x0,y0,x1,y1\nc.png,1,2,3,4\n", r"c\.png: missing"),
    ],
)
def test_mistakes_in_a_csv_are_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_face_csv(csv_file(tmp_path, text))


def test_a_missing_csv_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"faces\.csv: missing"):
        read_face_csv(tmp_path / "faces.csv")
