"""Measure the overall effects over tables."""

from __future__ import annotations

import pandas as pd

from anonbench.core.command import Input, Output, command
from anonbench.data.results import read_frame, write_frame
from anonbench.studies.reid_faces.overall import effect_table
from anonbench.studies.reid_faces.paired import COLUMNS


@command("study")
def effects(tables: list[Input], margin: float, output: Output, alpha: float = 0.05, threads: int = 1) -> None:
    """Measure the overall effects over the (model, dataset) pairs of tables with a row a model.

    tables: CSV files of `table`, or the paper's printed ones.
    margin: a loss of fewer percent points counts as none.
    output: effects, with equivalence tests (CSV).
    alpha: level of the tests, 0..1.
    """
    table = effect_table(pd.concat([read_frame(path, COLUMNS) for path in tables]), margin, alpha)
    write_frame(output, table)
    print(table[["metric", "after", "unit", "n", "difference", "low", "high", "dz", "tost_p"]].to_string(index=False))
