"""What the entries of a configuration mean for files."""

from __future__ import annotations

from typing import Any

import pytest

from anonbench.data.entries import of_stored, picture_size, run_elsewhere, stored

CONFIG: dict[str, Any] = {
    "datasets": {"one": {}, "several": {"splits": [0, 2]}},
    "variants": {"blurred": {"detector": None}, "learned": {"detector": None, "training": "joint"}},
}


@pytest.mark.parametrize(
    ("dataset", "run", "there"),
    [
        ("one", "seed3", "seed3"),
        ("one", "split2-seed3", "seed3"),
        ("several", "split2-seed3", "split2-seed3"),
        ("several", "split1-seed3", "seed3"),
        ("several", "seed3", "seed3"),
    ],
)
def test_a_training_on_another_dataset_takes_a_split_that_there_is(dataset: str, run: str, there: str) -> None:
    """Its own ones where it has others, or none: a job of a split that is not there would fail after all before it."""
    assert run_elsewhere(CONFIG, dataset, run) == there


@pytest.mark.parametrize("run", ["seed0", "split1-seed10"])
def test_the_stored_name_says_variant_and_run(run: str) -> None:
    assert of_stored(CONFIG, stored(CONFIG, "learned", run)) == ("learned", run)
    assert of_stored(CONFIG, stored(CONFIG, "blurred", run)) == ("blurred", "")


def test_a_learned_variant_has_the_size_of_what_guides_its_training() -> None:
    config = {
        "variants": {
            "blurred": {"resize": [64, 32]},
            "plain": {},
            "protected": {"training": "joint"},
            "recovered": {"training": "restore", "of": "protected"},
            "again": {"of": "recovered"},
            "circle": {"of": "circle"},
        },
        "reversible_trainings": {"joint": {"desensitized": "blurred"}, "restore": {"of": "plain"}},
    }
    sizes = {name: picture_size(config, name) for name in config["variants"]}
    assert sizes == {
        "blurred": (64, 32), "plain": None, "protected": (64, 32), "recovered": (64, 32), "again": (64, 32),
        "circle": None,
    }  # fmt: skip
