"""What is to be learnt in a picture: targets by hand, mirrored ones, and what is no target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from instance_cases import SIDE, person

from anonbench.core.errors import ConfigError
from anonbench.data.instances import COCO_KEYPOINTS, InstanceFile, Vocabulary, write_instances
from anonbench.tasks.instances.recipe import InstanceRecipe
from anonbench.tasks.instances.scenes import Truth, learnt_categories

VOCABULARY = Vocabulary(("person", "car"), COCO_KEYPOINTS)
POINTS = tuple((float(10 + n), float(20 + n), n % 3) for n in range(17))


def truth_of(folder: Path, *instances, wanted=("boxes", "masks"), **options) -> Truth:
    write_instances(folder / "i.jsonl", VOCABULARY, [("a.png", instances)])
    return Truth(InstanceFile(folder / "i.jsonl"), wanted, ("person", "car"), **options)


def test_targets_are_boxes_labels_and_masks(tmp_path: Path) -> None:
    truth = truth_of(tmp_path, person(1, (4, 6, 14, 26)), person(2, (30, 0, 60, 10), "car"))
    target = truth.target("a.png", (SIDE, SIDE), mirrored=False)
    assert target["boxes"].tolist() == [[4, 6, 14, 26], [30, 0, 60, 10]]
    assert target["labels"].tolist() == [1, 2]
    assert target["masks"].dtype == torch.uint8
    assert target["masks"][0, 6:26, 4:14].all()
    assert target["masks"].sum(dim=(1, 2)).tolist() == [200, 300]
    assert set(target) == {"boxes", "labels", "masks"}


def test_a_mirrored_target_is_the_target_of_the_mirrored_picture(tmp_path: Path) -> None:
    truth = truth_of(tmp_path, person(1, (4, 6, 14, 26)))
    plain, mirrored = (truth.target("a.png", (SIDE, SIDE), flag) for flag in (False, True))
    assert mirrored["boxes"].tolist() == [[SIDE - 14, 6, SIDE - 4, 26]]
    assert torch.equal(mirrored["masks"], plain["masks"].flip(2))


def test_left_keypoints_become_right_ones_when_mirrored(tmp_path: Path) -> None:
    truth = truth_of(tmp_path, person(1, (4, 6, 34, 46), points=POINTS), wanted=("boxes", "keypoints"))
    plain = truth.target("a.png", (SIDE, SIDE), mirrored=False)["keypoints"][0]
    found = truth.target("a.png", (SIDE, SIDE), mirrored=True)["keypoints"][0]
    np.testing.assert_array_equal(plain, np.array(POINTS))
    left, right, nose = (COCO_KEYPOINTS.index(name) for name in ("left_wrist", "right_wrist", "nose"))
    assert found[left].tolist() == [SIDE - 1 - plain[right, 0], plain[right, 1], plain[right, 2]]
    assert found[right].tolist() == [SIDE - 1 - plain[left, 0], plain[left, 1], plain[left, 2]]
    assert found[nose].tolist() == [SIDE - 1 - plain[nose, 0], plain[nose, 1], plain[nose, 2]]


def test_crowds_ignored_small_and_other_instances_are_not_learnt(tmp_path: Path) -> None:
    truth = truth_of(
        tmp_path,
        person(1, (0, 0, 10, 10), crowd=True),
        person(2, (0, 0, 10, 10), ignore=True),
        person(3, (0, 0, 10, 3)),
        person(4, (0, 0, 10, 4)),
        least_side=4,
    )
    assert truth.target("a.png", (SIDE, SIDE), mirrored=False)["boxes"].tolist() == [[0, 0, 10, 4]]
    only_cars = Truth(truth.file, ("boxes", "masks"), ("car",))
    target = only_cars.target("a.png", (SIDE, SIDE), mirrored=True)
    assert target["boxes"].shape == (0, 4)
    assert target["masks"].shape == (0, SIDE, SIDE)
    assert not only_cars.teaches(only_cars.instances("a.png"))


def test_people_without_known_keypoints_teach_no_keypoints(tmp_path: Path) -> None:
    nothing = tuple((0.0, 0.0, 0) for _ in range(17))
    truth = truth_of(tmp_path, person(1, (0, 0, 9, 9), points=nothing), person(2, (0, 0, 9, 9)),
                     wanted=("boxes", "keypoints"))  # fmt: skip
    assert not truth.teaches(truth.instances("a.png"))
    assert truth.target("a.png", (SIDE, SIDE), mirrored=True)["keypoints"].shape == (2, 17, 3)


def test_categories_of_a_network() -> None:
    assert learnt_categories(VOCABULARY, False, ()) == ("person", "car")
    assert learnt_categories(VOCABULARY, False, ("person",)) == ("car",)
    assert learnt_categories(VOCABULARY, True, ()) == ("person",)


def test_steps_of_a_training() -> None:
    assert InstanceRecipe().steps(2975) == (371, 24_000)
    assert InstanceRecipe().passes(2975) == 65  # the last one is shorter
    assert InstanceRecipe.from_config({"epochs": 3}).steps(20) == (2, 6)
    assert InstanceRecipe.from_config({"epochs": 3}).steps(5) == (1, 3)  # a dataset smaller than a batch


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"epoch": 3}, "training has no key 'epoch': did you mean 'epochs'"),
        ({"epochs": 3, "iterations": 4}, "expected one of them"),
        ({"iterations": None}, "expected one of them"),
        ({"schedule": {"method": "step"}}, "the schedule counts epochs"),
        ({"short_sides": [800, 2]}, "short_sides is 2; expected an integer >= 32"),
        ({"clip": 0}, "clip is 0; expected > 0"),
        ({"flip": 2}, "flip is 2; expected >= 0 and <= 1"),
        ({"without": [3]}, "without"),
        ({"precision": "half"}, "precision is 'half'"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(entry: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        InstanceRecipe.from_config(entry)
