"""Metrics of settings arranged in rows: the settings of a row side by side, in percent.

A cell is the mean over runs with its standard error (`report.cells`); the runs go into a table beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from anonbench.core.errors import DataError
from anonbench.data.results import Metrics
from anonbench.report.cells import RUN, Cell, cell_of
from anonbench.report.compare import Pair, compare_number, comparison
from anonbench.tasks.reid.settings import Design, Setting

Baselines = Mapping[str, Pair]
"""metric -> (published, rebuilt) scores of the baseline"""


def row_cells(
    results: Sequence[Metrics], dataset: str, model: str, columns: Mapping[str, tuple[str, Setting]], **names: str
) -> dict[str, Cell]:
    """The cells of one row by column, such as `map_orig_anon`.

    columns: as `Design.columns` has them. names: what the settings are filled with, such as `variant="blur"`.
    Raises `DataError` when the settings have not been evaluated in the same runs.
    """
    found = {
        column: cell_of(results, metric, setting.of(dataset, model, **names))
        for column, (metric, setting) in columns.items()
    }
    runs = {column: set(cell.runs) for column, cell in found.items()}
    first = next(iter(runs))
    for column, present in runs.items():
        if present != runs[first]:
            odd = sorted(map(str, present ^ runs[first]))[0]
            raise DataError(
                f"{', '.join((dataset, model, *names.values()))}: {first} and {column} do not have the same "
                f"(split, seed) runs, first difference {odd}. Evaluate all settings for all runs."
            )
    return found


def runs_table(
    results: Sequence[Metrics],
    dataset: str,
    columns: Mapping[str, tuple[str, Setting]],
    rows: Iterable[tuple[str, str]],
) -> pd.DataFrame:
    """What the means stand for: data, model, variant, split, seed and the values of the columns in percent.

    rows: (model, variant) pairs.
    """
    table = []
    for model, variant in rows:
        found = row_cells(results, dataset, model, columns, variant=variant)
        for run in next(iter(found.values())).runs:
            values = {column: round(cell.runs[run], 4) for column, cell in found.items()}
            table.append(
                {"data": dataset, "model": model, "variant": variant, **dict(zip(RUN, run, strict=True)), **values}
            )
    return pd.DataFrame(table).astype({"split": "Int64"})


def compare_settings(
    rebuilt: pd.DataFrame, published: pd.DataFrame | None, key: str, design: Design, baselines: Baselines | None = None
) -> pd.DataFrame:
    """Compare a table of settings with the published one, a line for every cell.

    rebuilt, published: tables with a column `key` and columns such as `map_orig_anon`; None: nothing is published.
    baselines: the scores of the baseline, for tables that do not hold them.

    Effects are differences to the baseline in percent points. Rows that the paper does not have keep empty published
    fields.
    """
    printed = pd.DataFrame(columns=rebuilt.columns, index=pd.Index([], dtype=str))
    printed = printed if published is None else published.set_index(key)
    lines = []
    for row in rebuilt.to_dict("records"):
        found = printed.loc[row[key]] if row[key] in printed.index else None
        for column, (metric, setting) in design.columns().items():
            if column not in rebuilt.columns:
                continue
            before: Pair = (None, None)
            if setting.name != design.baseline:
                before = baselines[metric] if baselines else _pair(row, found, f"{metric}_{design.baseline}")
            lines.append(compare_number(str(row["data"]), str(row[key]), column, _pair(row, found, column), before))
    return comparison(lines)


def _pair(row: Mapping[Any, Any], printed: Any, column: str) -> Pair:
    return None if printed is None else float(printed[column]), float(row[column])
