"""Rebuilt numbers beside the published ones: difference, and whether the effect points the same way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from anonbench.core.errors import DataError
from anonbench.studies.reid_faces.dataset_table import COUNTS
from anonbench.studies.reid_faces.settings import BASELINE, METRICS, SETTINGS

COLUMNS = (
    "data", "row", "quantity", "published", "rebuilt", "difference", "published_effect", "rebuilt_effect", "direction",
)  # fmt: skip
Baselines = Mapping[str, tuple[float | None, float]]  # metric -> (published, rebuilt) original -> original
AGREES, DIFFERS, NO_EFFECT = "agrees", "differs", "no effect in one of them"


def compare_settings(
    rebuilt: pd.DataFrame, published: pd.DataFrame, key: str, baselines: Baselines | None = None
) -> pd.DataFrame:
    """Compare a table of settings with the published one, a line for every cell.

    rebuilt, published: tables with a column `key` ("model" or "anonymizer") and columns such as `map_orig_anon`.
    baselines: the scores of original -> original, for tables that do not hold them.

    Effects are differences to original -> original in percent points; direction says whether both are losses or both
    gains. Rows that the paper does not have keep empty published fields.
    """
    printed = published.set_index(key)
    lines = []
    for row in rebuilt.to_dict("records"):
        known = printed.loc[row[key]] if row[key] in printed.index else None
        for setting in SETTINGS:
            for metric in METRICS:
                column = f"{metric}_{setting}"
                if column not in rebuilt.columns:
                    continue
                before = _baselines(row, known, metric, baselines) if setting != BASELINE else (None, None)
                values = (None if known is None else float(known[column]), float(row[column]))
                lines.append(_line(str(row["data"]), str(row[key]), column, values, before))
    return pd.DataFrame(lines, columns=list(COLUMNS))


def compare_reported(table: pd.DataFrame) -> pd.DataFrame:
    """Compare Table I, whose rebuilt values stand beside the reported ones."""
    lines = [
        _line(row["data"], row["model"], metric, (row[f"{metric}_reported"], row[f"{metric}_rebuilt"]), (None, None))
        for row in table.to_dict("records")
        for metric in METRICS
    ]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def compare_counts(table: pd.DataFrame) -> pd.DataFrame:
    """Compare Table II, count by count."""
    lines = [
        _line(row["data"], "", column, (_number(row[f"published_{column}"]), _number(row[column])), (None, None))
        for row in table.to_dict("records")
        for column in COUNTS
    ]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def published_baselines(table: pd.DataFrame, model: str) -> dict[str, float]:
    """Original -> original scores of a model in a published table; raises `DataError` when it has no such row."""
    rows = table[table["model"] == model]
    if len(rows) != 1:
        raise DataError(f"the published baseline table has {len(rows)} rows for {model}; expected one.")
    return {metric: float(rows.iloc[0][f"{metric}_{BASELINE}"]) for metric in METRICS}


def _baselines(
    row: Mapping[str, Any], known: Any, metric: str, baselines: Baselines | None
) -> tuple[float | None, float | None]:
    if baselines is not None:
        return baselines[metric]
    column = f"{metric}_{BASELINE}"
    return (None if known is None else float(known[column]), float(row[column]))


def _line(
    data: str, row: str, quantity: str, values: tuple[Any, Any], before: tuple[float | None, float | None]
) -> dict[str, Any]:
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
        "difference": None if _missing(published) or _missing(rebuilt) else round(rebuilt - published, 2),
        "published_effect": effects[0],
        "rebuilt_effect": effects[1],
        "direction": _direction(effects[0], effects[1]),
    }


def _direction(published: float | None, rebuilt: float | None) -> str:
    if published is None or rebuilt is None:
        return ""
    if published == 0 or rebuilt == 0:
        return NO_EFFECT
    return AGREES if (published < 0) == (rebuilt < 0) else DIFFERS


def _missing(value: Any) -> bool:
    return value is None or pd.isna(value)


def _number(value: Any) -> int | None:
    return None if _missing(value) else int(value)
