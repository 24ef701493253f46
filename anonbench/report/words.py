"""Numbers and verdicts in words, for pages of any study."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

AND_TRAINING = " and training"  # what a `basis` ends with where the luck of training is in it
VERDICT_NAMES = {
    "lower, beyond the margin": "A drop is shown, and it is shown to exceed {m}",
    "lower": "A drop is shown; whether it stays within ±{m} is open",
    "lower, within the margin": "A drop is shown, and it is shown to stay within ±{m}",
    "within the margin": "No difference is shown, and equivalence within ±{m} is",
    "higher, within the margin": "A rise is shown, and it is shown to stay within ±{m}",
    "higher": "A rise is shown; whether it stays within ±{m} is open",
    "higher, beyond the margin": "A rise is shown, and it is shown to exceed {m}",
    "undecided": "The data cannot tell: neither a difference nor equivalence within ±{m} is shown",
}
"""A verdict of `statistics.decision` -> its heading; {m} is the margin with its unit."""


def estimate(value: float, low: float, high: float) -> str:
    if math.isnan(low) or math.isnan(high):
        return f"{value:+.2f} (no interval)"
    return f"{value:+.2f} [{low:+.2f}, {high:+.2f}]"


def decided(row: Any) -> str:
    """A difference with the interval that its verdict rests on.

    row: with the fields of `statistics.decision.decide` and `verdict` as attributes.
    """
    if row.verdict == "within the margin":
        return estimate(row.difference, row.tost_low, row.tost_high)
    if row.basis.endswith(AND_TRAINING):
        return estimate(row.difference, row.training_low, row.training_high)
    return estimate(row.difference, row.low, row.high)


def p_value(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def points(size: float) -> str:
    return f"{size:g} {'point' if size == 1 else 'points'}"


def percent(share: float) -> str:
    return f"{100 * share:g} %"


def count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def spread(values: pd.Series, one: str, many: str) -> str:
    low, high = int(values.min()), int(values.max())
    return count(low, one, many) if low == high else f"{low:,} to {high:,} {many}"
