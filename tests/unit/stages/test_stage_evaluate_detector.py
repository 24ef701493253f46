"""The stages evaluate-detector and detection: files in, metrics, groups, curve, figure and table out."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat
from statsmodels.stats.proportion import proportion_confint

from anonbench.core.errors import ConfigError, DataError
from anonbench.core.hashing import file_sha256
from anonbench.data.pictures import DroppedImage, write_dropped
from anonbench.data.regions import Region, write_regions
from anonbench.stages.detection import detection
from anonbench.stages.evaluate_detector import evaluate_detector

LABELS = {"dataset": "made-up", "detector": "finder", "data": "drawn by hand"}
TRUTH = """path,view,x0,y0,x1,y1,face_fraction,skin_tone,face_occluded
two.jpg,front,0,0,10,10,0.9,1,0
two.jpg,profile,20,0,30,14,0.5,1,1
missed.jpg,front,0,0,20,20,0.9,4,0
nobody.jpg,back,,,,,0,4,0
cheek.jpg,back,,,,,0.1,4,0
loose.jpg,front,0,0,10,10,0.9,2,0
"""
FOUND = {
    "two.jpg": [
        Region((0, 0, 10, 10), score=0.9),
        Region((20, 0, 30, 14), score=0.8),
        Region((0, 1, 10, 10), score=0.3),
    ],
    "missed.jpg": [Region((60, 60, 70, 70), score=0.5)],
    "nobody.jpg": [Region((5, 5, 9, 9), score=0.7)],
    "cheek.jpg": [Region((5, 5, 9, 9), score=0.6)],
    "loose.jpg": [Region((0, 0, 10, 20), score=0.4)],  # overlaps by half, covers all
    "elsewhere.jpg": [Region((0, 0, 1, 1), score=0.5)],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset folder with ground truth, and detections."""
    (tmp_path / "data/ground_truth").mkdir(parents=True)
    (tmp_path / "data/ground_truth/annotations.csv").write_text(TRUTH)
    write_regions(tmp_path / "boxes.csv", FOUND)
    return tmp_path


def run(folder: Path, truth: str = "data", **options: Any) -> dict[str, Any]:
    evaluate_detector(folder / "boxes.csv", folder / truth, folder / "m.json", folder / "g.csv", folder / "c.csv",
                LABELS, **options)  # fmt: skip
    found: dict[str, Any] = json.loads((folder / "m.json").read_text())
    return found


def read(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_by_hand(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Four faces, of which three are found; of six boxes in the images that count three are wrong."""
    metrics = run(folder)
    assert {k: metrics[k] for k in LABELS} == LABELS
    assert metrics["protocol"] == "annotated faces"
    found = metrics["settings"]["all"]
    assert (found["images"], found["faces"], found["detections"]) == (4, 4, 6)
    assert (found["unclear_images"], found["images_without_truth"], found["images_with_a_missed_face"]) == (1, 1, 1)
    assert (found["recall"]["hits"], found["recall"]["n"]) == (3, 4)
    assert (found["precision"]["hits"], found["precision"]["n"]) == (3, 6)
    assert found["false_positives_per_image"] == 3 / 4
    assert found["recall_at_iou"] == {"0.3": 0.75, "0.5": 0.75, "0.7": 0.5}
    assert found["mean_share_covered"] == 0.75
    assert found["lowest_score"] == 0.3
    # Images with 2 of 2, 0 of 1 and 1 of 1: (.5, -.75, .25), squared .875, of 4 x 3 / 16 = .75 expected: d = 7 / 6
    assert found["recall"]["effective"] == pytest.approx(24 / 7, abs=1e-6)
    interval = proportion_confint(18 / 7, 24 / 7, 0.05, "beta")
    assert found["recall"]["clopper_pearson"] == pytest.approx(interval, abs=1e-6)
    # best scores first: hit, hit, mistake, mistake, hit, mistake; precision 1, 1 at recall 1/4, 2/4; 3/5 at 3/4
    assert found["average_precision"] == pytest.approx(0.5 + 0.25 * 3 / 5, abs=1e-6)
    assert (
        "evaluate-detector: all: 4 faces in 4 images: AP 65.0 %, recall 75.0 % (27.7 to 95.9)"
        in capsys.readouterr().out
    )


def test_groups_and_curve(folder: Path) -> None:
    run(folder, heights=[12.0])
    groups = {(row["kind"], row["group"]): (row["faces"], row["found"]) for row in read(folder / "g.csv")}
    assert groups == {
        ("all", "all"): ("4", "3"),
        ("height", "0-12 px"): ("2", "2"),
        ("height", "12+ px"): ("2", "1"),
        ("view", "front"): ("3", "2"),
        ("view", "profile"): ("1", "1"),
        ("skin tone", "1"): ("2", "2"),
        ("skin tone", "2"): ("1", "1"),
        ("skin tone", "4"): ("1", "0"),
        ("occluded", "no"): ("3", "2"),
        ("occluded", "yes"): ("1", "1"),
    }
    curve = read(folder / "c.csv")
    assert len(curve) == 1000
    assert float(curve[-1]["score"]) == pytest.approx(0.3)
    assert (float(curve[-1]["recall"]), float(curve[-1]["precision"])) == (0.75, 0.5)
    assert float(curve[0]["recall"]) == 0.25


def test_a_truth_file_of_ones_own_and_another_overlap(folder: Path) -> None:
    assert run(folder, "data/ground_truth/annotations.csv", iou=0.6)["settings"]["all"]["recall"]["hits"] == 2


def test_faces_that_do_not_count_are_neither_found_nor_mistakes(folder: Path) -> None:
    """As `render_faces` writes them: of the two faces of two.jpg the second shows too little of itself."""
    lines = ["path,x0,y0,x1,y1,visible,fraction,view,skin_tone,occluded", "two.jpg,0,0,10,10,1,0.9,front,1,0",
             "two.jpg,20,0,30,14,0,0.1,back,1,1", "missed.jpg,0,0,20,20,1,0.9,front,4,1"]  # fmt: skip
    (folder / "faces.csv").write_text("\n".join(lines) + "\n")
    found = run(folder, "faces.csv")["settings"]["all"]
    assert (found["images"], found["faces"], found["ignored_detections"]) == (2, 2, 1)
    assert (found["recall"]["hits"], found["false_positives"], found["images_without_truth"]) == (1, 2, 4)
    assert found["mean_share_covered"] == 0.5
    groups = {(row["kind"], row["group"]): (row["faces"], row["found"]) for row in read(folder / "g.csv")}
    assert groups["occluded", "yes"] == ("1", "0")
    assert ("view", "back") not in groups


def test_the_truth_of_pictures_that_are_left_out_does_not_count(folder: Path) -> None:
    write_regions(folder / "boxes.csv", {path: found for path, found in FOUND.items() if path != "missed.jpg"})
    with pytest.raises(DataError, match=r"does not list missed\.jpg"):
        run(folder)
    write_dropped(folder / "dropped.csv", [DroppedImage("missed.jpg", "left out by hand.csv")])
    found = run(folder, dropped=folder / "dropped.csv")["settings"]["all"]
    assert (found["images"], found["faces"], found["recall"]["hits"]) == (3, 3, 3)


def test_default_boxes_are_no_finds(folder: Path) -> None:
    write_regions(folder / "boxes.csv", {path: [Region((0, 0, 10, 10), score=0.0, source="default")] for path in FOUND})
    found = run(folder)["settings"]["all"]
    assert (found["detections"], found["recall"]["hits"], found["average_precision"]) == (0, 0, 0)
    assert found["precision"]["value"] is None
    assert found["lowest_score"] is None


def test_figure_and_metrics_name_the_scales(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LABELS, "scales", "×2")
    assert run(folder, figure=folder / "f.svg", png=folder / "f.png")["scales"] == "×2"
    assert "Scales: ×2" in (folder / "f.svg").read_text()


def test_the_figure_names_detector_data_and_groups(folder: Path) -> None:
    run(folder, figure=folder / "f.svg", png=folder / "f.png")
    text = (folder / "f.svg").read_text()
    for words in ("finder on made-up", "drawn by hand", "all: AP 65.0 %", "view: profile", "skin tone: 4"):
        assert words in text
    assert text.count('id="group') >= 10
    assert "setting:" not in text
    assert "Scales" not in text
    assert (folder / "f.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_evaluated(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"iou is 0; expected more than 0 and at most 1"):
        run(folder, iou=0)
    with pytest.raises(DataError, match=r"gone: there is no such file or folder.*docs/detection\.md"):
        run(folder, "gone")
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match="holds no ground truth of WIDER FACE"):
        run(folder, "empty")
    write_regions(folder / "boxes.csv", {k: v for k, v in FOUND.items() if k != "nobody.jpg"})
    with pytest.raises(DataError, match=r"boxes\.csv: does not list nobody\.jpg \(1 of 5 images of the ground truth\)"):
        run(folder)


def test_wider_face_by_its_own_protocol(tmp_path: Path, run_command: Callable[..., Any]) -> None:
    """Two images; a face marked invalid is neither to be found nor a mistake. Boxes that count their last pixel."""
    (tmp_path / "gt").mkdir()
    (tmp_path / "gt/wider_face_val_bbx_gt.txt").write_text(
        "0--A/a.jpg\n2\n0 0 8 8 0 0 0 0 0 0 \n50 0 9 9 0 0 0 1 0 0 \n0--A/b.jpg\n1\n0 0 9 9 0 0 0 0 0 0 \n"
    )
    for name, lines in {"a": ["3 0 8 8 0.9", "50 0 9 9 0.8"], "b": ["0 0 9 9 0.2", "70 0 9 9 0.1"]}.items():
        (tmp_path / "pred/0--A").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"pred/0--A/{name}.txt").write_text("\n".join([name, "2", *lines]) + "\n")
    outcome = run_command(
        "evaluate-detector", "--detections", tmp_path / "pred", "--truth", tmp_path / "gt",
        "--labels", json.dumps(LABELS),
        "--output", tmp_path / "m.json", "--groups", tmp_path / "g.csv", "--curve", tmp_path / "c.csv", "--stamp",
        tmp_path / "s.json",
    )  # fmt: skip
    assert outcome.status == 0, outcome.errors
    metrics = json.loads((tmp_path / "m.json").read_text())
    found = metrics["settings"]["all"]
    assert metrics["protocol"] == "WIDER FACE"
    # (9 - 3) x 9 of (9 + 3) x 9 pixels in common, .5; without the last pixel it were 5 / 11
    assert (found["faces"], found["recall"]["hits"], found["ignored_detections"]) == (2, 2, 1)
    assert found["false_positives"] == 1
    assert found["average_precision"] == 1
    stamp = json.loads((tmp_path / "s.json").read_text())
    assert [Path(path).name for path in stamp["outputs"]] == ["m.json", "g.csv", "c.csv"]


def test_our_own_detections_of_wider_name_files_below_its_folder(tmp_path: Path) -> None:
    (tmp_path / "wider_face_split").mkdir()
    (tmp_path / "wider_face_split/wider_face_val_bbx_gt.txt").write_text("0--A/a.jpg\n1\n0 0 8 8 0 0 0 0 0 0\n")
    write_regions(tmp_path / "boxes.csv", {"WIDER_val/images/0--A/a.jpg": [Region((0, 0, 8, 8), score=0.9)]})
    evaluate_detector(
        tmp_path / "boxes.csv", tmp_path, tmp_path / "m.json", tmp_path / "g.csv", tmp_path / "c.csv", LABELS
    )
    assert json.loads((tmp_path / "m.json").read_text())["settings"]["all"]["recall"]["value"] == 1


def cell(*values: Any) -> np.ndarray:
    """A MATLAB cell array of one column."""
    array = np.empty((len(values), 1), object)
    array[:, 0] = values
    return array


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """One image of WIDER FACE with a large face and a small one, which only the setting hard asks for."""
    (tmp_path / "gt").mkdir()
    faces = np.empty(1, object)
    faces[0] = np.array([[0, 0, 40, 40], [60, 0, 8, 8]], np.float64)
    truth = {"event_list": cell("0--A"), "file_list": cell(cell("a")), "face_bbx_list": cell(cell(faces[0]))}
    savemat(tmp_path / "gt/wider_face_val.mat", truth)
    for name, numbers in (("easy", [1]), ("medium", [1]), ("hard", [1, 2])):
        kept = cell(cell(np.array(numbers, np.int32).reshape(-1, 1)))
        savemat(tmp_path / f"gt/wider_{name}_val.mat", {**truth, "gt_list": kept})
    write_regions(
        tmp_path / "boxes.csv", {"0--A/a.jpg": [Region((0, 0, 40, 40), score=0.9), Region((0, 90, 5, 95), score=0.4)]}
    )
    return tmp_path


def test_settings_of_wider_face_in_figure_and_table(settings: Path) -> None:
    metrics = run(settings, "gt", figure=settings / "f.svg", png=settings / "f.png")
    assert {name: found["recall"]["value"] for name, found in metrics["settings"].items()} == {
        "easy": 1, "medium": 1, "hard": 0.5,
    }  # fmt: skip
    assert metrics["settings"]["hard"]["lowest_score"] == 0.4
    assert "(setting: hard)" in (settings / "f.svg").read_text()
    table(settings, [{"truth": "annotated"}, {}], metrics=[settings / "m.json"])
    rows = read(settings / "t.csv")
    assert list(rows[0])[6:9] == ["truth", "setting", "truth_n"]
    assert [(row["setting"], row["truth_n"], row["recall"]) for row in rows] == [
        ("easy", "1", "100.0"), ("medium", "1", "100.0"), ("hard", "2", "50.0"), ("", "", ""),
    ]  # fmt: skip
    text = (settings / "t.md").read_text()
    assert "| hard |" in text
    assert "Average precision is over the given boxes alone: it is at most the recall" in text


# --- the table ---


def table(folder: Path, rows: list[dict[str, str]], label: str = "x", **files: list[Path]) -> None:
    """Runs the stage on the boxes of the folder."""
    rows = [{"dataset": "made-up", "detector": "finder", "truth": "", **row} for row in rows]
    detection([folder / "boxes.csv"] * len(rows), rows, label, folder / "t.csv", **files)


def test_the_table_by_hand(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(folder)
    audit = {
        "detections_sha256": file_sha256(folder / "boxes.csv"),
        "cameras": {
            "all": {
                "recall": {"value": 0.8, "hits": 8, "n": 10, "wilson": [0.49, 0.94]},
                "precision": {"value": None, "hits": 0, "n": 0, "wilson": [0, 1]},
            }
        },
    }
    (folder / "audit.json").write_text(json.dumps(audit))
    rows = [
        {"truth": "annotated"},
        {"detector": "audited", "truth": "audit", "scales": "×2"},
        {"detector": "unknown"},
    ]
    table(folder, rows, "drawn by hand", metrics=[folder / "m.json"], audits=[folder / "audit.json"])
    evaluated, audited, unknown = read(folder / "t.csv")
    assert (evaluated["images"], evaluated["faces"], evaluated["images_without_face"]) == ("6", "8", "0")
    assert (evaluated["truth"], evaluated["truth_n"]) == ("annotated", "4")
    assert [row["setting"] for row in (evaluated, audited, unknown)] == ["", "", ""]
    assert [row["scales"] for row in (evaluated, audited, unknown)] == ["", "×2", ""]
    assert "| made-up | audited | ×2 |" in (folder / "t.md").read_text()
    low, high = proportion_confint(18 / 7, 24 / 7, 0.05, "wilson")
    numbers = [float(evaluated[f"recall{end}"]) for end in ("", "_low", "_high")]
    assert numbers == pytest.approx([75, 100 * low, 100 * high], abs=1e-3)
    assert float(evaluated["average_precision"]) == 65
    assert (audited["truth"], float(audited["recall_low"]), audited["precision"]) == ("audit", 49.0, "")
    assert (unknown["truth"], unknown["recall"], unknown["truth_n"]) == ("", "", "")
    text = (folder / "t.md").read_text()
    assert text == capsys.readouterr().out[-len(text) - 1 : -1]
    for words in ("| 75.0 (27.7 to 95.9) |", "| 80.0 (49.0 to 94.0) |", "| 0.750 |", "Data: drawn by hand.", "| – |"):
        assert words in text
    assert "nan" not in text.lower()
    assert math.isnan(float(unknown["recall"] or "nan"))


def test_a_file_for_each_row(folder: Path) -> None:
    run(folder)
    with pytest.raises(ConfigError, match="detection: 1 files for 0 rows of truth 'annotated'; expected one each"):
        table(folder, [{}], metrics=[folder / "m.json"])
    with pytest.raises(ConfigError, match="detection: 0 files for 1 rows of truth 'audit'"):
        table(folder, [{"truth": "audit"}])
    with pytest.raises(ConfigError, match="detection: 1 detections for 2 rows; expected one for each"):
        detection([folder / "boxes.csv"], [{}, {}], "x", folder / "t.csv")


def test_an_audit_of_other_boxes_is_refused(folder: Path) -> None:
    (folder / "audit.json").write_text(json.dumps({"detections_sha256": "0", "cameras": {"all": {}}}))
    with pytest.raises(DataError, match=r"audit\.json: is about other boxes than .*boxes\.csv holds now"):
        table(folder, [{"truth": "audit"}], audits=[folder / "audit.json"])


def test_images_without_a_face_and_default_boxes(folder: Path, run_command: Callable[..., Any]) -> None:
    write_regions(
        folder / "boxes.csv",
        {"a": [Region((0, 0, 1, 1), score=0.0, source="default")], "b": [], "c": [Region((0, 0, 1, 1), score=1)]},
    )
    rows = json.dumps([{"dataset": "made-up", "detector": "finder", "truth": ""}])
    outcome = run_command("detection", "--detections", folder / "boxes.csv", "--rows", rows, "--label", "x", "--output",
                          folder / "t.csv", "--stamp", folder / "stamp.json")  # fmt: skip
    assert outcome.status == 0, outcome.errors
    (row,) = read(folder / "t.csv")
    assert (row["images"], row["faces"], row["images_without_face"]) == ("3", "1", "2")
    stamp = json.loads((folder / "stamp.json").read_text())
    assert list(stamp["inputs"]) == [str(folder / "boxes.csv")]
    assert [Path(p).name for p in stamp["outputs"]] == ["t.csv", "t.md"]
