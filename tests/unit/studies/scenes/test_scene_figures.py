"""Figures of Study 3: who is shown, what is cut out and painted, sizes and relative drops by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scene_scores import write_scores

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.images import encode_image
from anonbench.data.instances import Instance, InstanceFile, Vocabulary, write_instances
from anonbench.data.masks import Mask
from anonbench.data.pictures import Picture, write_manifest
from anonbench.stages.scene_depths import scene_depths
from anonbench.stages.scene_methods import scene_methods
from anonbench.stages.scene_predictions import scene_predictions
from anonbench.stages.scene_sizes import scene_sizes
from anonbench.studies.scenes.figures_curves import Depths, relative_drops, sides, size_table
from anonbench.studies.scenes.figures_pictures import (
    Detail,
    busiest,
    cut,
    large_people,
    painted,
    read_columns,
    square_around,
)
from anonbench.studies.scenes.settings import SceneCondition
from anonbench.tasks.instances.predictions import write_predictions

WIDTH, HEIGHT = 100, 50
PATHS = ("train/a.png", "train/b.png", "val/c.png", "val/d.png")


def person(number: int, x0: int, y0: int, x1: int, y1: int, **more: bool) -> Instance:
    return Instance(number, "person", (x0, y0, x1, y1), None, float((x1 - x0) * (y1 - y0)), **more)


PEOPLE = {
    "train/a.png": [person(1, 10, 10, 20, 40), person(2, 50, 10, 52, 14)],
    "train/b.png": [person(3, 0, 0, 100, 50, crowd=True), person(4, 60, 5, 80, 45)],
    "val/c.png": [person(5, 0, 0, 10, 10)],
    "val/d.png": [person(6, 0, 0, 10, 10), person(7, 20, 0, 30, 10), Instance(8, "car", (0, 0, 9, 9), None, 81.0)],
}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Four pictures of one grey, and a copy of them in which they are darker."""
    for folder, level in (("raw", 200), ("blur", 50)):
        for path in PATHS:
            (tmp_path / folder / path).parent.mkdir(parents=True, exist_ok=True)
            grey = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
            (tmp_path / folder / path).write_bytes(encode_image(grey, ".png", 90))
    write_manifest(tmp_path / "m.csv", [Picture(p, p.split("/")[0], WIDTH, HEIGHT, "0" * 64) for p in PATHS])
    write_instances(tmp_path / "i.jsonl", Vocabulary(("person", "car")), PEOPLE.items())
    return tmp_path


def test_the_largest_people_come_first(dataset: Path) -> None:
    pictures = [Picture(p, "train", WIDTH, HEIGHT, "0" * 64) for p in PATHS[:2]]
    found = large_people(pictures, InstanceFile(dataset / "i.jsonl"), 5)
    assert found == [
        Detail("train/b.png", (28, 0, 100, 50)),  # not the crowd; a square of 72 pixels, cut by the picture's height
        Detail("train/a.png", (0, 0, 54, 50)),
    ]
    tested = [Picture(p, "val", WIDTH, HEIGHT, "0" * 64) for p in PATHS[2:]]
    assert [p.path for p in busiest(tested, InstanceFile(dataset / "i.jsonl"), 2)] == ["val/d.png", "val/c.png"]
    with pytest.raises(DataError, match="no person in 0 pictures"):
        large_people([], InstanceFile(dataset / "i.jsonl"), 1)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((40, 20, 50, 30), (29, 9, 61, 41)),  # the least side
        ((0, 0, 10, 40), (0, 0, 72, 50)),  # at a corner, cut by the picture's height
        ((90, 0, 100, 20), (64, 0, 100, 36)),
    ],
)
def test_squares_stay_inside_the_picture(box: tuple[int, int, int, int], expected: tuple[int, int, int, int]) -> None:
    assert square_around(box, WIDTH, HEIGHT) == expected


def test_a_copy_of_another_size_is_refused(dataset: Path) -> None:
    assert cut(dataset / "blur", Detail(PATHS[0], (10, 5, 30, 45))).shape == (40, 20, 3)
    with pytest.raises(DataError, match=r"a\.png: 100 x 50 pixels; its original is larger"):
        cut(dataset / "blur", Detail(PATHS[0], (0, 0, 120, 50)))


def result(mask: np.ndarray | None, category: str, score: float, path: str = "val/d.png") -> dict[str, object]:
    found: dict[str, object] = {"image": path, "category": category, "bbox": [10, 10, 20, 20], "score": score}
    if mask is not None:
        packed = Mask.pack(mask)
        found["segmentation"] = {"size": [packed.height, packed.width], "counts": packed.counts}
    return found


def test_what_is_found_is_painted() -> None:
    image = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[5:15, 5:25] = True
    shown = painted(image, [result(mask, "person", 0.9), result(~mask, "car", 0.4)], 0.5)
    changed = (shown != image).any(axis=2)
    assert np.array_equal(changed, mask), "the car's score is too low"
    assert list(shown[10, 10]) == [158, 127, 55], "55 % of 100 and 45 % of the orange 230, 159, 0"
    outline = (painted(image, [result(None, "car", 0.9)], 0.5) != image).any(axis=2)
    assert outline.sum() == 20 * 20 - 16 * 16
    assert outline[10, 10]
    assert not outline[15, 15]


def test_columns_and_files_belong_together() -> None:
    columns = read_columns([{"variant": "blur", "title": "Blur", "group": "Body"}], [Path("a")], "image folders")
    assert (columns[0].title, columns[0].group) == ("Blur", "Body")
    with pytest.raises(ConfigError, match="1 columns and 0 image folders; expected one for every column"):
        read_columns([{"variant": "blur", "title": "Blur"}], [], "image folders")


def test_methods_and_predictions_are_drawn(dataset: Path) -> None:
    columns = [{"variant": "original", "title": "Original"}, {"variant": "blur", "title": "Blur", "group": "Body"}]
    scene_methods(
        dataset / "m.csv", dataset / "i.jsonl", [dataset / "raw", dataset / "blur"], columns, 2, "drawn streets",
        dataset / "2.svg", dataset / "2.png", "REAL PEOPLE",
    )  # fmt: skip
    text = (dataset / "2.svg").read_text()
    assert all(word in text for word in ("What is hidden", "Original", "Body", "REAL PEOPLE", "drawn streets"))
    assert text.count("<image") == 4
    files = [dataset / "p0.json", dataset / "p1.json"]
    for file in files:
        write_predictions(file, ["person"], ["boxes"], [result(None, "person", 0.9)])
    scene_predictions(
        dataset / "m.csv", dataset / "raw", dataset / "i.jsonl", files, columns, 1, "drawn streets",
        dataset / "b.svg", dataset / "b.png",
    )  # fmt: skip
    assert (dataset / "b.svg").read_text().count("<image") == 2


def test_sizes_by_hand(dataset: Path) -> None:
    lengths, areas = sides(dataset / "i.jsonl", dataset / "m.csv")
    assert lengths.tolist() == pytest.approx([(0.02 + 0.08) / 2, (0.1 + 0.6) / 2, (0.2 + 0.8) / 2])
    assert areas.tolist() == pytest.approx([0.02 * 0.08, 0.06, 0.16])
    assert size_table({"toy": (lengths, areas)}).to_dict("records") == [
        {"data": "toy", "people": 3, "median_side": 0.35, "below_1_percent_of_area": 33.3}
    ]
    scene_sizes(
        [dataset / "i.jsonl"], [dataset / "m.csv"], ["toy"], "drawn", dataset / "7.svg", dataset / "7.png",
        dataset / "7.csv",
    )  # fmt: skip
    assert 'id="toy"' in (dataset / "7.svg").read_text()
    assert pd.read_csv(dataset / "7.csv")["people"].tolist() == [3]
    with pytest.raises(ConfigError, match="1 files of instances, 0 manifests, 1 names"):
        scene_sizes([dataset / "i.jsonl"], [], ["toy"], "drawn", dataset / "x", dataset / "y", dataset / "z")
    with pytest.raises(DataError, match="no person in the split 'test'"):
        sides(dataset / "i.jsonl", dataset / "m.csv", "test")


def test_relative_drops_by_hand(tmp_path: Path) -> None:
    files = [
        write_scores(tmp_path, SceneCondition("streets", f"r{depth}", variant), seed, AP_person=score)
        for depth, variant, scores in (
            (50, "original", (0.4, 0.6)), (50, "blur", (0.3, 0.3)), (101, "original", (0.5, 0.5)),
            (101, "blur", (0.5, 0.4)),
        )
        for seed, score in enumerate(scores)
    ]  # fmt: skip
    line = {"title": "bodies", "dataset": "streets", "models": {50: "r50", 101: "r101"}, "variant": "blur",
            "metric": "ap_person"}  # fmt: skip
    scene_depths(files, [line], "drawn", tmp_path / "8.svg", tmp_path / "8.png", tmp_path / "8.csv")
    drops = pd.read_csv(tmp_path / "8.csv")
    assert drops["depth"].tolist() == [50, 101]
    assert drops["drop"].tolist() == [40.0, 10.0], "1 - .6 / 1, 1 - .9 / 1"
    assert drops["drop_se"].tolist() == [12.5, 10.0], "single drops 25 and 50, 0 and 20"
    assert 'id="bodies"' in (tmp_path / "8.svg").read_text()
    read = Depths.read(line, "lines[0]")
    results = [json.loads(file.read_text()) for file in files]
    with pytest.raises(DataError, match="r50: trained on blur and original with other seeds"):
        relative_drops([r for r in results if (r["model"], r["train"], r["seed"]) != ("r50", "blur", 1)], [read])
