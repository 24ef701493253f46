"""Test whether anonymizing lowers the scores of tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from anonbench.errors import DataError
from anonbench.files import write_text
from anonbench.statistics.paired import COLUMNS, paired_tests


def ttest(tables: Sequence[Path], output: Path) -> None:
    """Write one-sided paired t-tests over the (model, dataset) pairs of tables with a row per model."""
    frames = []
    for path in tables:
        try:
            frame = pd.read_csv(path)
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: not a readable table ({error}).") from error
        missing = [column for column in COLUMNS if column not in frame.columns]
        if missing:
            raise DataError(f"{path}: column {missing[0]} is missing; expected {', '.join(COLUMNS)}.")
        frames.append(frame)
    tests = paired_tests(pd.concat(frames, ignore_index=True))
    write_text(output, tests.to_csv(index=False))
    print(tests.to_string(index=False))
