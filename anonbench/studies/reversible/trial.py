"""In what trainings fall short of the paper's. Their numbers try the pipeline and are no result; tables say so.

Source: Zhang et al. 2022, section 4.2: 120 epochs, 256x128, ResNet-50 with ImageNet weights. Width of the generators:
the authors' code (pix2pix, 64).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from anonbench.data.variants import ORIGINAL
from anonbench.studies.reversible.trainings import BASE

EPOCHS, WIDTH, DEPTH, SIZE = 120, 64, 50, (256, 128)
RAW = "raw images alone"
RECIPE_EPOCHS = 100
"""Of a recipe of `recipes` that names none."""


def budget(config: Mapping[str, Any], model: str, trainings: Iterable[str], raw: bool = True) -> dict[str, Any]:
    """What a table's networks were given, for its `spec`.

    trainings: those of `reversible_trainings` behind the table.
    raw: whether the network trained on raw images alone is shown too.
    """
    entry = config["models"][model]
    found: dict[str, Any] = {name: entry[name] for name in ("depth", "input", "pretrained") if name in entry}
    epochs = {ORIGINAL: config["recipes"][entry["recipe"]].get("epochs", RECIPE_EPOCHS)} if raw else {}
    widths = {}
    for training in trainings:
        settings = config["reversible_trainings"][training]
        recipe = config["reversible_recipes"][settings["recipe"]]
        epochs[training] = recipe.get("epochs", EPOCHS)
        if settings["method"] == BASE:  # it has no generators, which learn alone for the first epochs of a joint one
            epochs[training] -= recipe.get("head_start", 0)
        else:
            widths[training] = recipe.get("generator", {}).get("width", WIDTH)
    return {**found, "epochs": epochs, "widths": widths}


def trial_note(given: Mapping[str, Any]) -> str:
    """In what a table's networks fall short of the paper's, in a sentence; "" where in nothing.

    given: of `budget`.

    >>> trial_note({"input": [128, 64], "epochs": {"base": 60, "joint": 60}, "widths": {"joint": 16}})
    '**A trial, no result.** Less than the paper has: 60 of 120 epochs, generator width 16 of 64, 128x64 of 256x128.'
    """
    parts = _short("", given["epochs"], EPOCHS, " epochs") + _short("generator width ", given["widths"], WIDTH, "")
    if "depth" in given and given["depth"] < DEPTH:
        parts.append(f"ResNet-{given['depth']} of {DEPTH}")
    if "input" in given and math.prod(given["input"]) < math.prod(SIZE):
        parts.append(f"{_size(given['input'])} of {_size(SIZE)}")
    if given.get("pretrained") is False:
        parts.append("no ImageNet weights")
    return f"**A trial, no result.** Less than the paper has: {', '.join(parts)}." if parts else ""


def _short(before: str, found: Mapping[str, int], wanted: int, after: str) -> list[str]:
    """One part where all fall short alike, else one a value with who has it."""
    low = {name: value for name, value in found.items() if value < wanted}
    texts = []
    for value in sorted(set(low.values())):
        names = [name for name in low if low[name] == value]
        who = (
            ""
            if len(set(found.values())) == 1
            else f" ({', '.join(RAW if name == ORIGINAL else name for name in names)})"
        )
        texts.append(f"{before}{value} of {wanted}{after}{who}")
    return texts


def _size(sides: Sequence[int]) -> str:
    return "x".join(map(str, sides))
