from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from anonbench.core.errors import DataError
from anonbench.data.coco import ground_truth
from anonbench.data.instances import COCO_KEYPOINTS, Instance, InstanceFile, Vocabulary, write_instances
from anonbench.data.masks import Mask
from anonbench.data.pictures import Picture

HEIGHT, WIDTH = 60, 80
PICTURES = [Picture(f"val/{name}.jpg", "val", WIDTH, HEIGHT, "0") for name in "ba"]


def a_mask(x0: int, y0: int, x1: int, y1: int) -> Mask:
    pixels = np.zeros((HEIGHT, WIDTH), bool)
    pixels[y0:y1, x0:x1] = True
    return Mask.pack(pixels)


def an_instance(
    number: int, category: str, box: tuple[int, int, int, int], points: bool = False, **flags: bool
) -> Instance:
    x0, y0, x1, y1 = box
    keypoints = tuple((x0 + n / 2, y0 + 1.0, n % 3) for n in range(17)) if points else None
    return Instance(number, category, box, a_mask(*box), (x1 - x0) * (y1 - y0), keypoints=keypoints, **flags)


@pytest.fixture
def scenes(tmp_path: Path) -> InstanceFile:
    file = tmp_path / "i.jsonl"
    first = [
        an_instance(7, "person", (10, 5, 30, 45), points=True),
        an_instance(3, "car", (40, 20, 70, 50)),
        an_instance(12, "person", (0, 50, 80, 60), crowd=True),
        an_instance(13, "car", (70, 0, 80, 10), ignore=True),
    ]
    second = [an_instance(9, "person", (2, 2, 40, 58), points=True)]
    write_instances(file, Vocabulary(("person", "car"), COCO_KEYPOINTS), [("val/a.jpg", first), ("val/b.jpg", second)])
    return InstanceFile(file)


def test_a_case_by_hand(scenes: InstanceFile) -> None:
    truth = ground_truth(scenes, PICTURES)
    assert truth["images"] == [
        {"id": 1, "file_name": "val/a.jpg", "width": 80, "height": 60},
        {"id": 2, "file_name": "val/b.jpg", "width": 80, "height": 60},
    ]
    assert [(c["id"], c["name"], len(c.get("keypoints", ()))) for c in truth["categories"]] == [
        (1, "person", 17),
        (2, "car", 0),
    ]
    rows = {row["id"]: row for row in truth["annotations"]}
    assert [(row["id"], row["image_id"], row["category_id"], row["iscrowd"]) for row in truth["annotations"]] == [
        (7, 1, 1, 0), (3, 1, 2, 0), (12, 1, 1, 1), (13, 1, 2, 1), (9, 2, 1, 0),
    ]  # fmt: skip
    assert rows[7]["bbox"] == [10, 5, 20, 40]
    assert rows[7]["area"] == 800
    assert rows[7]["keypoints"][:9] == [10, 6, 0, 10.5, 6, 1, 11, 6, 2]
    assert rows[7]["num_keypoints"] == 11
    assert rows[12]["keypoints"] == [0] * 51, "a group without keypoints still has them for pycocotools"
    assert rows[12]["num_keypoints"] == 0
    assert "keypoints" not in rows[3]
    assert len(ground_truth(scenes, PICTURES[:1])["annotations"]) == 1, "of the pictures that are asked for"


def test_a_box_is_what_coco_wrote(tmp_path: Path) -> None:
    """Of every two-digit box the width comes back to the last bit: overlaps at a threshold would fall to one side."""
    boxes = [(236.98 + n / 100, 142.1, 100 / 3 + n, 7.07) for n in range(50)]
    boxes = [(x, y, round(w, 2), h) for x, y, w, h in boxes]
    instances = [Instance(n, "car", (x, y, x + w, y + h), None, 1.0) for n, (x, y, w, h) in enumerate(boxes, 1)]
    write_instances(tmp_path / "i.jsonl", Vocabulary(("car",)), [("val/a.jpg", instances)])
    rows = ground_truth(InstanceFile(tmp_path / "i.jsonl"), PICTURES[1:])["annotations"]
    assert [row["bbox"] for row in rows] == [[round(x, 3), y, w, h] for x, y, w, h in boxes]


@pytest.mark.parametrize("kind", ["bbox", "segm", "keypoints"])
def test_pycocotools_reads_it_and_what_is_not_scored_is_neither_right_nor_wrong(
    scenes: InstanceFile, kind: str
) -> None:
    truth = COCO()
    truth.dataset = ground_truth(scenes, PICTURES)
    truth.createIndex()
    for path, image_id in (("val/a.jpg", 1), ("val/b.jpg", 2)):
        for instance in scenes.of(path):
            row = truth.anns[instance.number]
            assert row["image_id"] == image_id
            assert instance.mask is not None
            np.testing.assert_array_equal(truth.annToMask(row).astype(bool), instance.mask.unpack())

    field = {"bbox": "bbox", "segm": "segmentation", "keypoints": "keypoints"}[kind]
    found: list[dict[str, Any]] = [
        {"image_id": row["image_id"], "category_id": row["category_id"], "score": 0.5, field: row[field]}
        for row in truth.dataset["annotations"]
        if kind != "keypoints" or row.get("num_keypoints")
    ]
    evaluation = COCOeval(truth, truth.loadRes(found), kind)
    if kind == "keypoints":
        evaluation.params.catIds = [1]
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1)
    counted = sum(
        int((~np.asarray(image["gtIgnore"], bool)).sum())
        for image in evaluation.evalImgs
        if image and image["aRng"] == evaluation.params.areaRng[0]
    )
    assert counted == (2 if kind == "keypoints" else 3)


def test_a_mask_of_another_size_says_so(scenes: InstanceFile) -> None:
    with pytest.raises(DataError, match=r"instance 7 of val/a\.jpg has a mask of 80 x 60 pixels; .*81 x 60"):
        ground_truth(scenes, [Picture("val/a.jpg", "val", 81, 60, "0")])
