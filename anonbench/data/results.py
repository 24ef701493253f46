"""What the report and the statistics read: tables as data frames, metrics files as maps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from anonbench.core.errors import DataError
from anonbench.core.files import write_text

Metrics = Mapping[str, Any]
"""The contents of a metrics file."""

# Names stay text: a variant may be called 6, NA or None, which pandas takes for a number and for missing values.
NAMES = ("data", "dataset", "model", "variant", "anonymizer", "contrast", "metric", "group", "path")

ABSENT = ["", "nan", "NaN", "NA"]  # of numbers; of names only the first


def read_frame(path: Path, columns: Sequence[str] = ()) -> pd.DataFrame:
    """A table's CSV.

    columns: those that must be there. Others may be.
    Raises `DataError` when the file cannot be read or lacks one.
    """
    try:
        columns_there = pd.read_csv(path, nrows=0).columns
        absent = {column: ABSENT[:1] if column in NAMES else ABSENT for column in columns_there}
        types = dict.fromkeys(NAMES, str)
        frame = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=absent)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable table ({error}). Make it again.") from error
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise DataError(f"{path}: column {missing[0]} is missing; expected {', '.join(columns)}.")
    return frame


def read_metrics(path: Path, keys: Sequence[str] = ()) -> dict[str, Any]:
    """The contents of a metrics file (JSON).

    keys: those that must be there. Raises `DataError` when the file cannot be read or lacks one.
    """
    try:
        metrics: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a metrics file ({error}). Delete it and evaluate again.") from error
    if not isinstance(metrics, dict):
        raise DataError(f"{path}: not a metrics file (a {type(metrics).__name__}). Delete it and evaluate again.")
    missing = [key for key in keys if key not in metrics]
    if missing:
        raise DataError(f"{path}: has no '{missing[0]}'; expected {', '.join(keys)}. Evaluate again.")
    return metrics


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a table's CSV, numbers with six digits."""
    write_text(path, frame.to_csv(index=False, float_format="%.6g"))
