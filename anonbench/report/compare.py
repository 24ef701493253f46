"""Rebuilt numbers beside the published ones: difference, and whether the effect points the same way."""

from __future__ import annotations

from typing import Any

import pandas as pd

COLUMNS = (
    "data", "row", "quantity", "published", "rebuilt", "difference", "published_effect", "rebuilt_effect", "direction",
)  # fmt: skip
AGREES, DIFFERS, NO_EFFECT = "agrees", "differs", "no effect in one of them"
Pair = tuple[float | None, float | None]
"""(published, rebuilt); None where there is none."""


def compare_number(data: str, row: str, quantity: str, values: Pair, before: Pair = (None, None)) -> dict[str, Any]:
    """A line of a comparison (`COLUMNS`).

    data, row, quantity: which number it is.
    values: the number.
    before: what an effect is measured from, in the same unit. Without it there is no effect.

    `direction` says whether both effects are losses or both gains.
    """
    published, rebuilt = values
    effects = [
        None if value is None or start is None else round(value - start, 2)
        for value, start in zip(values, before, strict=True)
    ]
    return {
        "data": data,
        "row": row,
        "quantity": quantity,
        "published": published,
        "rebuilt": rebuilt,
        "difference": None if published is None or rebuilt is None else round(rebuilt - published, 2),
        "published_effect": effects[0],
        "rebuilt_effect": effects[1],
        "direction": _direction(effects[0], effects[1]),
    }


def comparison(lines: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(lines, columns=list(COLUMNS))


def known(value: Any) -> Any:
    """A number of a table, None where it holds none."""
    return None if value is None or pd.isna(value) else value


def _direction(published: float | None, rebuilt: float | None) -> str:
    if published is None or rebuilt is None:
        return ""
    if published == 0 or rebuilt == 0:
        return NO_EFFECT
    return AGREES if (published < 0) == (rebuilt < 0) else DIFFERS
