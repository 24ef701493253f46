"""Write a table of any study: for machines, for readers, beside the published numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from anonbench.core.files import write_text
from anonbench.report.compare import COLUMNS as COMPARE_COLUMNS
from anonbench.report.layout import PLAIN, Headings, latex, markdown

COMPARED = "Beside the published numbers: {file}."


@dataclass(frozen=True, eq=False)
class Table:
    """What a table says.

    frame: a row for each thing that is shown, as its CSV holds it.
    title: heading of the page, and the start of the LaTeX caption.
    notes: sentences below it: means over what, which data.
    key: columns that name a row.
    headings: what the columns are called.
    shown: what readers see instead of the whole frame.
    compared: rebuilt beside published numbers (columns `report.compare.COLUMNS`). None where nothing is published.
    runs: the runs behind the means, one a row. None where there are no runs.
    """

    frame: pd.DataFrame
    title: str
    notes: Sequence[str]
    key: Sequence[str]
    headings: Headings = field(default=PLAIN)
    shown: pd.DataFrame | None = None
    compared: pd.DataFrame | None = None
    runs: pd.DataFrame | None = None


def write_table(table: Table, output: Path) -> str:
    """Write the CSV and its twins. Returns the Markdown.

    - `.md`, `.tex`: for readers.
    - `.json`: the numbers as {row: {column: value}}: `dvc metrics diff` shows from it which cells changed.
    - `.runs.csv`, `.compare.csv`: `runs` and `compared`. Where there are none, a header alone.
    """
    shown = table.frame if table.shown is None else table.shown
    compared, notes = output.with_suffix(".compare.csv"), list(table.notes)
    write_text(output.with_suffix(".runs.csv"), _csv(table.runs, table.key))
    write_text(output.with_suffix(".json"), _numbers(table).to_json(orient="index", indent=1) + "\n")
    write_text(output, table.frame.to_csv(index=False))
    caption = f"{table.title}. {' '.join(notes)}"
    write_text(output.with_suffix(".tex"), latex(shown, caption, f"tab:{output.stem}", table.headings))
    write_text(compared, _csv(table.compared, COMPARE_COLUMNS))
    notes += [] if table.compared is None else [COMPARED.format(file=compared.name)]
    text = markdown(shown, table.title, notes, table.headings)
    write_text(output.with_suffix(".md"), text)
    return text


def _numbers(table: Table) -> pd.DataFrame:
    """The columns of numbers that are not empty, rows by name."""
    names = [", ".join(map(str, row)) for row in table.frame[list(table.key)].itertuples(index=False, name=None)]
    numbers = table.frame.set_index(pd.Index(names)).drop(columns=list(table.key))
    return numbers.select_dtypes("number").dropna(axis="columns", how="all")


def _csv(frame: pd.DataFrame | None, columns: Sequence[str]) -> str:
    """A frame as CSV; a header of these columns where there is none."""
    return (pd.DataFrame(columns=list(columns)) if frame is None else frame).to_csv(index=False)
