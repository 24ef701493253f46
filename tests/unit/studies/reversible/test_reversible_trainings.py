"""Trainings and learned variants in the paper's words, what they need, and in what budgets fall short."""

from __future__ import annotations

import pytest
from reversible_config import reversible_config

from anonbench.studies.reversible.trainings import (
    base_of,
    describe,
    is_protected,
    is_recovered,
    method_of,
    role_of,
    trainings_of,
)
from anonbench.studies.reversible.trial import budget, trial_note

CONFIG = reversible_config()


def test_methods_are_those_of_the_desensitized_pictures() -> None:
    found = {name: method_of(CONFIG, name) for name in CONFIG["variants"]}
    assert found.pop("pixelated") == "pixelation"
    assert set(found.values()) == {"blurring"}, "learned and recovered ones too"
    assert method_of(CONFIG, "original") == ""


def test_roles() -> None:
    assert {name: role_of(CONFIG, name) for name in CONFIG["reversible_trainings"]} == {
        "base": "base", "joint": "without_u", "upgraded_blurred": "with_u", "second": "with_u",
        "elsewhere": "without_u", "restore": "",
    }  # fmt: skip


def test_what_is_the_papers() -> None:
    """Not JPEG, not another key, not what is recovered from plain blurring."""
    assert [name for name in CONFIG["variants"] if is_protected(CONFIG, name)] == ["protected", "upgraded"]
    assert [name for name in CONFIG["variants"] if is_recovered(CONFIG, name)] == ["recovered"]
    assert is_protected(CONFIG, "protected", "joint")
    assert not is_protected(CONFIG, "protected", "upgraded_blurred")
    told = describe(CONFIG, "toy", ["blurred", "other_key"], ["base"])
    assert told["data"] == "market1501"
    assert told["made_by"] == {"other_key": "second"}
    assert told["desensitized"] == {"other_key": "blurred"}
    assert told["guided"] == {"base": "blurred", "second": "blurred"}
    assert told["plain"] == ["base"]


def test_what_must_be_trained_first() -> None:
    assert trainings_of(CONFIG, ["blurred", "original"]) == []
    assert trainings_of(CONFIG, ["protected"]) == ["joint"], "its base is no input without upgrades"
    assert trainings_of(CONFIG, ["other_key"]) == ["base", "second", "upgraded_blurred"]
    assert trainings_of(CONFIG, [], ["restore"]) == ["restore"]


def test_only_upgrades_begin_with_the_score_of_a_base() -> None:
    """`elsewhere` has no `base` at all, as it may without upgrades."""
    wanted = {"upgraded_blurred": "base", "second": "base", "joint": None, "elsewhere": None, "restore": None}
    assert {training: base_of(CONFIG, training) for training in wanted} == wanted


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"epochs": {"original": 120, "a": 120}, "widths": {"a": 64}, "depth": 50, "input": [256, 128]}, ""),
        ({"epochs": {"a": 200}, "widths": {}, "pretrained": True, "input": [384, 128]}, ""),
        (
            {"epochs": {"original": 20, "a": 60}, "widths": {"a": 64, "b": 16}},
            "20 of 120 epochs (raw images alone), 60 of 120 epochs (a), generator width 16 of 64 (b)",
        ),
        ({"epochs": {"a": 120, "b": 3}, "widths": {}}, "3 of 120 epochs (b)"),
        (
            {"epochs": {}, "widths": {}, "depth": 18, "input": [128, 64], "pretrained": False},
            "ResNet-18 of 50, 128x64 of 256x128, no ImageNet weights",
        ),
    ],
)
def test_trials_say_what_they_lack(given: dict[str, object], said: str) -> None:
    note = trial_note(given)
    assert note == (f"**A trial, no result.** Less than the paper has: {said}." if said else "")


def test_budgets_come_from_the_configuration() -> None:
    assert budget(CONFIG, "agw", ["base", "joint"]) == {
        "depth": 18, "input": [64, 32], "pretrained": False, "epochs": {"original": 20, "base": 60, "joint": 60},
        "widths": {"joint": 16},
    }  # fmt: skip
    late = reversible_config(("reversible_recipes.small.head_start", 10))
    assert budget(late, "agw", ["base", "joint"])["epochs"] == {"original": 20, "base": 50, "joint": 60}
    paper = reversible_config(("reversible_trainings.joint.recipe", "paper"))
    assert budget(paper, "bot", ["joint"], raw=False) == {
        "depth": 50, "input": [256, 128], "pretrained": True, "epochs": {"joint": 120}, "widths": {"joint": 64},
    }  # fmt: skip
