"""The settings of Study 1, by name, and the metrics that belong to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Metrics = Mapping[str, Any]

ORIGINAL = "original"
UNTRAINED = "untrained"
METRICS = ("map", "rank1")
BASELINE = "orig_orig"
# Column suffix -> (train variant, test variant); "anon" stands for the row's variant.
SETTINGS = {
    BASELINE: (ORIGINAL, ORIGINAL),
    "orig_anon": (ORIGINAL, "anon"),
    "anon_anon": ("anon", "anon"),
}


def labels_of(dataset: str, model: str, train: str, test: str) -> dict[str, str]:
    """What the metrics of a setting are labelled with; query and gallery are of one variant."""
    return {"dataset": dataset, "model": model, "train": train, "query": test, "gallery": test}


def of_setting(metrics: Sequence[Metrics], labels: Mapping[str, str]) -> list[Metrics]:
    """The metrics with these labels, one for each run (seed, split), in the order given."""
    return [m for m in metrics if all(m.get(key) == value for key, value in labels.items())]
