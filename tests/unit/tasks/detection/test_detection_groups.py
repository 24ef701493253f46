"""Ground truth files, recall by group of faces, and WIDER FACE's own files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.annotations import Annotation, read_annotations
from anonbench.data.regions import Region
from anonbench.statistics.proportion import Proportion
from anonbench.tasks.detection.groups import Group, height_classes, recall_groups
from anonbench.tasks.detection.wider_files import read_wider_detections, read_wider_truth

HEADER = "path,pid,view,x0,y0,x1,y1,face_fraction,skin_tone,face_occluded"


def write(file: Path, *lines: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def annotation(path: str, box: tuple[float, float, float, float], **attributes: str) -> Annotation:
    return Annotation(path, Region(box, source="annotated"), attributes=attributes)


def test_faces_images_without_one_and_images_with_a_part_of_one(tmp_path: Path) -> None:
    file = write(tmp_path / "t.csv", HEADER, "a.jpg,1,front,1,2,11.5,14,0.9,3,0", "a.jpg,2,profile,20,2,28,12,0.5,0,1",
                 "b.jpg,3,back,,,,,0.000,5,0", "c.jpg,4,profile,,,,,0.120,5,0", "d.jpg,0,,,,,,0.000,,0")  # fmt: skip
    truth = read_annotations(file)
    assert list(truth.regions) == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert truth.regions["a.jpg"] == (
        annotation("a.jpg", (1, 2, 11.5, 14), view="front", skin_tone="3", occluded="0"),
        annotation("a.jpg", (20, 2, 28, 12), view="profile", skin_tone="0", occluded="1"),
    )
    assert [len(truth.regions[path]) for path in ("b.jpg", "c.jpg", "d.jpg")] == [0, 0, 0]
    assert truth.unclear == {"c.jpg"}


def test_the_five_columns_are_enough(tmp_path: Path) -> None:
    truth = read_annotations(write(tmp_path / "t.csv", "path,x0,y0,x1,y1", "a.jpg,1,2,3,4", "b.jpg,,,,"))
    assert truth.regions["a.jpg"][0].attributes == {}
    assert truth.unclear == frozenset()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["path,x0,y0,x1", "a,1,2,3"], r"t\.csv:1: no column 'y1': found path,x0,y0,x1; expected path,x0"),
        (["path,x0,y0,x1,y1", "a,1,2,x,4"], r"t\.csv:2: column x1 is 'x'; expected a number"),
        (["path,x0,y0,x1,y1", "a,1,2,3,"], r"t\.csv:2: column y1 is ''; expected a number"),
        (["path,x0,y0,x1,y1", "a,1,2,1,4"], r"t\.csv:2: box 1\.0, 2\.0, 1\.0, 4\.0 is empty"),
        (["path,x0,y0,x1,y1,face_fraction", "a,,,,,much"], r"t\.csv:2: column face_fraction is 'much'"),
        (["path,x0,y0,x1,y1,ignore", "a,1,2,3,4,yes"], r"t\.csv:2: ignore is 'yes'; expected 0 or 1"),
        (["path,x0,y0,x1,y1,visible", "a,1,2,3,4,2"], r"t\.csv:2: visible is '2'; expected 0 or 1"),
    ],
)
def test_malformed_truth(lines: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read_annotations(write(tmp_path / "t.csv", *lines))
    with pytest.raises(DataError, match=r"gone\.csv: cannot be read .*columns path, x0, y0, x1, y1"):
        read_annotations(tmp_path / "gone.csv")


def face(height: float, view: str = "", tone: str = "", hidden: str = "", path: str = "a") -> Annotation:
    return annotation(path, (0, 0, 5, height), view=view, skin_tone=tone, occluded=hidden)


def test_groups_by_hand() -> None:
    faces = [face(7.9, "profile", "10", "1"), face(8, "front", "2", "0"), face(30, "front", "2", "0"), face(12)]
    groups = recall_groups(faces, [False, True, False, True], [8, 12])
    assert [(g.kind, g.name, g.found.n, g.found.hits) for g in groups] == [
        ("all", "all", 4, 2),
        ("height", "0-8 px", 1, 0),
        ("height", "8-12 px", 1, 1),
        ("height", "12+ px", 2, 1),
        ("view", "front", 2, 1),
        ("view", "profile", 1, 0),
        ("skin tone", "2", 2, 1),
        ("skin tone", "10", 1, 0),
        ("occluded", "no", 2, 1),
        ("occluded", "yes", 1, 0),
    ]
    assert recall_groups([], [], [8]) == [Group("all", "all", Proportion(0, 0, 0.0))]


def test_faces_of_one_image_are_a_cluster_in_each_group() -> None:
    """Two images of four faces, all found in one and none in the other: two cases; of two each in the group."""
    faces = [face(10 + 10 * (n % 2), path="ab"[n // 4]) for n in range(8)]
    everything, low, high = recall_groups(faces, [True] * 4 + [False] * 4, [12])
    assert (everything.found.n, everything.found.effective) == (8, 2)
    assert (low.found.n, low.found.effective) == (high.found.n, high.found.effective) == (4, 2)


def test_bounds_of_heights_must_rise() -> None:
    assert height_classes([8]) == [("0-8 px", 0.0, 8), ("8+ px", 8, np.inf)]
    for bounds in ([8, 8], [12, 8], [0, 4], [-1]):
        with pytest.raises(ConfigError, match="expected rising bounds above 0"):
            height_classes(bounds)


# --- WIDER FACE's files ---


def cell(values: list) -> np.ndarray:
    """A MATLAB cell array of one column."""
    array = np.empty((len(values), 1), object)
    for number, value in enumerate(values):
        array[number, 0] = value
    return array


@pytest.fixture
def mat_folder(tmp_path: Path) -> Path:
    """Two events: one of two images (three faces and one), one of one image."""
    three = np.array([[1, 2, 10, 20], [30, 2, 10, 20], [60, 2, 4, 5]], np.float64)
    single = np.array([[5, 6, 7, 8]], np.float64)
    truth = {
        "event_list": cell(["0--Parade", "1--Run"]),
        "file_list": cell([cell(["0_a", "0_b"]), cell(["1_c"])]),
        "face_bbx_list": cell([cell([three, single]), cell([single])]),
    }
    lists = {
        "easy": [[[[1]], []], [[]]],
        "medium": [[[[1], [2]], [[1]]], [[]]],
        "hard": [[[[1], [2], [3]], [[1]]], [[[1]]]],
    }
    folder = tmp_path / "ground_truth"
    folder.mkdir()
    scipy.io.savemat(folder / "wider_face_val.mat", truth)
    for setting, events in lists.items():
        kept = cell([cell([np.array(n, np.int32).reshape(-1, 1) for n in images]) for images in events])
        scipy.io.savemat(folder / f"wider_{setting}_val.mat", {**truth, "gt_list": kept})
    return folder


def test_the_matlab_files(mat_folder: Path) -> None:
    truth = read_wider_truth(mat_folder)
    assert list(truth) == ["easy", "medium", "hard"]
    assert list(truth["easy"]) == ["0--Parade/0_a.jpg", "0--Parade/0_b.jpg", "1--Run/1_c.jpg"]
    first = truth["easy"]["0--Parade/0_a.jpg"]
    assert first.boxes.tolist() == [[1, 2, 11, 22], [30, 2, 40, 22], [60, 2, 64, 7]]
    assert first.counted.tolist() == [True, False, False]
    counts = {name: [image.counted.sum() for image in images.values()] for name, images in truth.items()}
    assert counts == {"easy": [1, 0, 0], "medium": [2, 1, 0], "hard": [3, 1, 1]}


def test_the_text_file(tmp_path: Path) -> None:
    write(tmp_path / "wider_face_val_bbx_gt.txt", "0--Parade/0_a.jpg", "2", "1 2 10 20 0 0 0 0 0 0 ",
          "30 2 10 20 2 0 0 1 0 0 ", "0--Parade/0_b.jpg", "0", "0 0 0 0 0 0 0 0 0 0 ", "1--Run/1_c.jpg", "1",
          "5 6 7 8 0 0 0 0 0 0 ")  # fmt: skip
    truth = read_wider_truth(tmp_path)["all"]
    (tmp_path / "whole").mkdir()
    (tmp_path / "wider_face_val_bbx_gt.txt").rename(tmp_path / "whole/wider_face_val_bbx_gt.txt")
    (tmp_path / "whole").rename(tmp_path / "wider_face_split")
    assert list(read_wider_truth(tmp_path)["all"]) == list(truth)
    assert truth["0--Parade/0_a.jpg"].boxes.tolist() == [[1, 2, 11, 22], [30, 2, 40, 22]]
    assert truth["0--Parade/0_a.jpg"].counted.tolist() == [True, False]
    assert len(truth["0--Parade/0_b.jpg"].boxes) == 0
    assert truth["1--Run/1_c.jpg"].boxes.tolist() == [[5, 6, 12, 14]]


def test_the_matlab_files_go_before_the_text(mat_folder: Path, tmp_path: Path) -> None:
    """As the archives of WIDER FACE and of its tool lie in one folder."""
    text = ("0--Parade/0_a.jpg", "1", "1 2 10 20 0 0 0 0 0 0")
    write(tmp_path / "wider_face_split/wider_face_val_bbx_gt.txt", *text)
    assert mat_folder == tmp_path / "ground_truth"
    assert list(read_wider_truth(tmp_path)) == ["easy", "medium", "hard"]
    write(tmp_path / "wider_face_val_bbx_gt.txt", *text)
    assert list(read_wider_truth(tmp_path)) == ["easy", "medium", "hard"]
    (mat_folder / "wider_hard_val.mat").unlink()
    assert list(read_wider_truth(tmp_path)) == ["all"]


def test_ground_truth_that_is_not_as_wider_ships_it(mat_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no ground truth of WIDER FACE\. Expected a folder with"):
        read_wider_truth(tmp_path / "elsewhere")
    (mat_folder / "wider_hard_val.mat").write_bytes(b"not MATLAB" * 30)
    with pytest.raises(DataError, match=r"wider_hard_val\.mat: not a MATLAB file"):
        read_wider_truth(mat_folder)
    scipy.io.savemat(mat_folder / "wider_hard_val.mat", {"other": 1})
    with pytest.raises(DataError, match=r"wider_hard_val\.mat: not WIDER FACE's annotations \(KeyError"):
        read_wider_truth(mat_folder)
    write(tmp_path / "text/wider_face_val_bbx_gt.txt", "0--Parade/0_a.jpg", "2", "1 2 10 20 0 0 0 0 0 0")
    with pytest.raises(DataError, match=r"gt\.txt: ends within the 2 faces of 0--Parade/0_a\.jpg"):
        read_wider_truth(tmp_path / "text")


def test_detections_as_the_tool_takes_them(tmp_path: Path) -> None:
    write(tmp_path / "0--Parade/0_a.txt", "0_a", "2", "1 2 10 20 0.9 ", "5 5 1 1 0.1")
    write(tmp_path / "0--Parade/0_b.txt", "0_b", "0")
    found = read_wider_detections(tmp_path)
    assert found["0--Parade/0_a.jpg"].tolist() == [[1, 2, 11, 22, 0.9], [5, 5, 6, 6, 0.1]]
    assert found["0--Parade/0_b.jpg"].shape == (0, 5)
    write(tmp_path / "0--Parade/0_c.txt", "0_c", "1", "1 2 3")
    with pytest.raises(DataError, match=r"0_c\.txt:3: found '1 2 3'; expected numbers: x y w h score"):
        read_wider_detections(tmp_path)
    with pytest.raises(DataError, match="no detections below it"):
        read_wider_detections(tmp_path / "0--Parade")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("1 2 10 20 0.9", "1 2 10 20 0.8", "1 2 10 20 0.7"), r"0_a\.txt:1: found '20 0\.9'|0_a\.txt:1: found '1 2"),
        (("0_b", "1", "1 2 10 20 0.9"), r"0_a\.txt:1: found '0_b'; expected the image's name, 0_a"),
        (("0_a", "2", "1 2 10 20 0.9"), r"0_a\.txt: holds 1 boxes, its line 2 says 2\. Is the file cut off"),
        (("0_a", "1", "1 2 10 20 nan"), r"0_a\.txt:3: found '1 2 10 20 nan'"),
        (("0_a",), r"0_a\.txt:2: found ''; expected the number of boxes"),
    ],
)
def test_detections_that_are_not_as_they_say(lines: tuple[str, ...], message: str, tmp_path: Path) -> None:
    write(tmp_path / "0--Parade/0_a.txt", *lines)
    with pytest.raises(DataError, match=message):
        read_wider_detections(tmp_path)


def test_a_setting_counts_no_face_0(mat_folder: Path) -> None:
    """Numbers begin at 1 in MATLAB: 0 would count the last face."""
    content = scipy.io.loadmat(mat_folder / "wider_hard_val.mat")
    content["gt_list"][0, 0][0, 0][0, 0] = 0
    scipy.io.savemat(mat_folder / "wider_hard_val.mat", {k: v for k, v in content.items() if not k.startswith("__")})
    with pytest.raises(DataError, match=r"wider_hard_val\.mat: counts a face number 0 of 0--Parade/0_a\.jpg"):
        read_wider_truth(mat_folder)


def test_numbers_of_the_text_file_are_finite(tmp_path: Path) -> None:
    write(tmp_path / "wider_face_val_bbx_gt.txt", "0--Parade/0_a.jpg", "1", "1 2 inf 20 0 0 0 0 0 0")
    with pytest.raises(DataError, match=r"gt\.txt:3: found '1 2 inf 20"):
        read_wider_truth(tmp_path)
