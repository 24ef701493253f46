"""Test whether anonymizing lowers the scores of tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from anonbench.core.files import write_text
from anonbench.data.results import read_frame
from anonbench.studies.reid_faces.paired import COLUMNS, paired_tests


def ttest(tables: Sequence[Path], output: Path) -> None:
    """Write one-sided paired t-tests over the (model, dataset) pairs of tables with a row per model."""
    frames = [read_frame(path, COLUMNS) for path in tables]
    tests = paired_tests(pd.concat(frames, ignore_index=True))
    write_text(output, tests.to_csv(index=False))
    print(tests.to_string(index=False))
