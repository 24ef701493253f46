"""Test whether anonymizing lowers the scores of tables."""

from __future__ import annotations

import pandas as pd

from anonbench.core.command import Input, Output, command
from anonbench.core.files import write_text
from anonbench.data.results import read_frame
from anonbench.studies.reid_faces.paired import COLUMNS, paired_tests


@command("study")
def ttest(tables: list[Input], output: Output, threads: int = 1) -> None:
    """Run one-sided paired t-tests over the (model, dataset) pairs of tables with a row a model.

    tables: CSV files of `table`, or the paper's printed ones.
    output: the tests (CSV).
    """
    frames = [read_frame(path, COLUMNS) for path in tables]
    tests = paired_tests(pd.concat(frames, ignore_index=True))
    write_text(output, tests.to_csv(index=False))
    print(tests.to_string(index=False))
