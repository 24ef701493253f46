"""COCO's average precision: cases worked by hand, and pycocotools on random pictures with crowds and ties."""

from __future__ import annotations

import contextlib
import io
import math

import numpy as np
import pytest
from instance_cases import SIDE, person, result
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from anonbench.core.errors import DataError
from anonbench.tasks.instances import coco
from anonbench.tasks.instances.matches import average_precision, average_precisions, read_matches, write_matches
from anonbench.tasks.instances.predictions import FIELDS

CATEGORIES = ("person", "car", "train")


def test_a_case_worked_by_hand():
    # Two people; the best prediction finds one (overlap 1), the second nobody, the third the other at overlap 0.6.
    truths = {"a": [person(1, (0, 0, 10, 10)), person(2, (20, 20, 30, 30))]}
    results = {"a": [result((0, 0, 10, 10), 0.9), result((40, 40, 50, 50), 0.8), result((20, 20, 26, 30), 0.7)]}
    scores = coco.evaluate("boxes", truths, results, ("person",))
    # Up to recall 1/2 the precision is 1 (51 of 101 recalls). Beyond it is 2/3 where 0.6 is enough, else 0.
    low, high = (51 + 50 * 2 / 3) / 101, 51 / 101
    assert scores["AP50"] == pytest.approx(low)
    assert scores["AP75"] == pytest.approx(high)
    assert scores["AP"] == pytest.approx((3 * low + 7 * high) / 10)  # 0.5, 0.55 and 0.6 of ten thresholds
    assert scores["AP_large"] is None
    assert scores["categories"] == {"person": {"AP": scores["AP"], "AP50": scores["AP50"], "n": 2}}
    assert average_precision(coco.match("boxes", truths, results, ("person",))) == pytest.approx(scores["AP"])


def test_what_lies_on_a_crowd_or_on_something_ignored_is_neither_right_nor_wrong():
    one, false = [person(1, (0, 0, 10, 10))], [result((20, 20, 30, 30), 0.9), result((22, 20, 30, 30), 0.8)]
    results = {"a": [*false, result((0, 0, 10, 10), 0.5)]}
    alone = coco.evaluate("masks", {"a": one}, results, ("person",))["AP"]
    assert alone == pytest.approx(1 / 3)
    for flag in ("crowd", "ignore"):
        truths = {"a": [*one, person(2, (15, 15, 60, 60), **{flag: True})]}
        scores = coco.evaluate("masks", truths, results, ("person",))
        assert scores["AP"] == pytest.approx(1), flag
        assert scores["categories"]["person"]["n"] == 1


def test_a_category_without_instances_is_left_out_and_one_without_predictions_is_0():
    truths = {"a": [person(1, (0, 0, 10, 10)), person(2, (0, 0, 10, 10), "car")]}
    scores = coco.evaluate("masks", truths, {"a": [result((0, 0, 10, 10), 0.5)]}, CATEGORIES)
    assert scores["AP"] == pytest.approx(0.5)
    assert scores["categories"]["train"] == {"AP": None, "AP50": None, "n": 0}
    nothing = coco.evaluate("masks", truths, {}, CATEGORIES)
    assert nothing["AP"] == nothing["AP_small"] == 0
    assert nothing["AP_large"] is None
    assert nothing["categories"]["train"]["AP"] is None


def random_pictures(seed: int, kind: str, ties: bool):
    """Truths and results of twelve pictures."""
    rng = np.random.default_rng(seed)
    truths, results, number = {}, {}, 0
    for picture in range(12):
        truths[f"{picture:02}"], results[f"{picture:02}"] = [], []
        for _ in range(rng.integers(0, 6)):
            number += 1
            x, y, w, h = *rng.integers(0, 45, 2), *rng.integers(2, 30, 2)
            box = (x, y, min(x + w, SIDE), min(y + h, SIDE))
            category = "person" if kind == "keypoints" else CATEGORIES[rng.integers(2)]
            points = tuple(
                (float(rng.uniform(x, x + w)), float(rng.uniform(y, y + h)), int(rng.integers(0, 3))) for _ in range(17)
            )
            if rng.random() < 0.2:
                points = tuple((0.0, 0.0, 0) for _ in range(17))
            instance = person(number, box, category, points, crowd=bool(rng.random() < 0.2))
            truths[f"{picture:02}"].append(instance)
            for _ in range(rng.integers(0, 4)):
                near = np.clip(np.array(box) + rng.integers(-3, 4, 4), 0, SIDE)
                near[2:] = np.maximum(near[2:], near[:2] + 1)
                score = float(rng.integers(1, 6) / 8 if ties else rng.random())
                spread = 3 * rng.random()
                moved = [(px + rng.normal(0, spread), py + rng.normal(0, spread), 1) for px, py, _ in points]
                results[f"{picture:02}"].append(result(near, score, category, moved))
    return truths, results


def by_pycocotools(kind, truths, results, categories):
    names = {name: n for n, name in enumerate(categories, start=1)}
    pictures = {path: n for n, path in enumerate(truths, start=1)}
    annotations = []
    for path, instances in truths.items():
        for truth in instances:
            x0, y0, x1, y1 = truth.box
            points = truth.keypoints or ()
            annotations.append({
                "id": truth.number, "image_id": pictures[path], "category_id": names[truth.category],
                "bbox": [x0, y0, x1 - x0, y1 - y0], "area": truth.area, "iscrowd": int(truth.crowd),
                "segmentation": truth.mask.rle, "keypoints": [v for p in points for v in p],
                "num_keypoints": sum(p[2] > 0 for p in points),
            })  # fmt: skip
    found = [
        {"image_id": pictures[path], "category_id": names[r["category"]], "score": r["score"],
         FIELDS[kind]: r[FIELDS[kind]]}
        for path, listed in results.items() for r in listed
    ]  # fmt: skip
    known = COCO()
    known.dataset = {
        "info": {}, "annotations": annotations, "categories": [{"id": n, "name": name} for name, n in names.items()],
        "images": [{"id": n, "width": SIDE, "height": SIDE} for n in pictures.values()],
    }  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        known.createIndex()
        evaluator = COCOeval(known, known.loadRes(found), coco.NAMES[kind])
        evaluator.evaluate()
        evaluator.accumulate()
    precision = evaluator.eval["precision"][..., -1]
    values = np.where(precision > -1, precision, np.nan)
    return {
        "AP": np.nanmean(values[..., 0]), "AP50": np.nanmean(values[0, ..., 0]), "AP75": np.nanmean(values[5, ..., 0]),
        **{f"AP_{name}": np.nanmean(values[..., n]) if np.isfinite(values[..., n]).any() else None
           for n, name in enumerate(coco.SIZES[kind], start=1)},
        "categories": [np.nanmean(values[:, :, k, 0]) if np.isfinite(values[:, :, k, 0]).any() else None
                       for k in range(len(names))],
    }  # fmt: skip


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("kind", ["masks", "boxes", "keypoints"])
@pytest.mark.parametrize("seed", range(4))
def test_scores_and_matches_are_those_of_pycocotools(kind, seed, ties):
    truths, results = random_pictures(seed, kind, ties)
    categories = ("person",) if kind == "keypoints" else CATEGORIES
    expected = by_pycocotools(kind, truths, results, categories)
    scores = coco.evaluate(kind, truths, results, categories)
    for name, value in scores.items():
        if name != "categories":
            assert value == (None if expected[name] is None else pytest.approx(expected[name], abs=1e-12)), name
    found = average_precisions(coco.match(kind, truths, results, categories))
    for k, name in enumerate(categories):
        value = expected["categories"][k]
        assert scores["categories"][name]["AP"] == (None if value is None else pytest.approx(value, abs=1e-12))
        assert np.isnan(found[k]).all() if value is None else found[k].mean() == pytest.approx(value, abs=1e-12)
    assert 0.02 < expected["AP"] < 0.98, "a case that says nothing"


@pytest.mark.parametrize("kind", ["masks", "keypoints"])
def test_a_weight_is_a_number_of_copies(kind):
    truths, results = random_pictures(11, kind, ties=False)
    categories = ("person",) if kind == "keypoints" else CATEGORIES
    weights = np.random.default_rng(0).integers(0, 3, len(truths))
    copies, found = {}, {}
    for (path, instances), weight in zip(truths.items(), weights, strict=True):
        for copy in range(weight):
            copies[f"{path}-{copy}"], found[f"{path}-{copy}"] = instances, results[path]
    expected = coco.evaluate(kind, copies, found, categories)
    matches = coco.match(kind, truths, results, categories)
    assert average_precision(matches, weights) == pytest.approx(expected["AP"], abs=1e-9)
    assert average_precision(matches, weights, threshold=0.5) == pytest.approx(expected["AP50"], abs=1e-9)
    person_ap = expected["categories"]["person"]["AP"]
    assert average_precision(matches, weights, "person") == pytest.approx(person_ap, abs=1e-9)
    assert average_precision(matches, weights) != pytest.approx(average_precision(matches), abs=1e-3)


def test_a_hundred_predictions_count_in_a_picture():
    truths = {"a": [person(1, (0, 0, 10, 10))]}
    results = {"a": [*(result((20, 20, 30, 30), 0.9) for _ in range(100)), result((0, 0, 10, 10), 0.5)]}
    assert coco.evaluate("boxes", truths, results, ("person",))["AP"] == 0
    assert average_precision(coco.match("boxes", truths, results, ("person",))) == 0


def test_keypoints_other_than_cocos_are_refused():
    truths = {"a.png": [person(1, (0, 0, 10, 10), points=((1.0, 1.0, 2),))]}
    with pytest.raises(DataError, match=r"a\.png: an instance has 1 keypoints"):
        coco.evaluate("keypoints", truths, {}, ("person",))


def test_matches_come_back_from_their_file(tmp_path):
    truths, results = random_pictures(3, "masks", ties=True)
    matches = coco.match("masks", truths, results, CATEGORIES)
    write_matches(tmp_path / "m.npz", {"masks": matches})
    again = read_matches(tmp_path / "m.npz", "masks")
    assert again.categories == CATEGORIES
    assert again.pictures == tuple(truths)
    np.testing.assert_array_equal(average_precisions(again), average_precisions(matches))
    with pytest.raises(DataError, match="no matches on boxes, only on masks"):
        read_matches(tmp_path / "m.npz", "boxes")
    (tmp_path / "m.npz").write_bytes(b"x")
    with pytest.raises(DataError, match="no file of matches"):
        read_matches(tmp_path / "m.npz", "masks")


def test_unknown_names_are_refused():
    matches = coco.match("masks", {"a": [person(1, (0, 0, 9, 9))]}, {}, ("person",))
    with pytest.raises(ValueError, match="no category 'car' in person"):
        average_precision(matches, category="car")
    with pytest.raises(ValueError, match=r"no threshold 0\.3"):
        average_precision(matches, threshold=0.3)
    assert average_precision(matches) == 0
    assert math.isnan(average_precision(coco.match("masks", {"a": []}, {}, ("person",))))
