"""Rows that are one condition each: their scores, their runs, the printed numbers beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from anonbench.core.errors import ConfigError
from anonbench.core.structure import check_known
from anonbench.data.results import Metrics
from anonbench.report.cells import RUN, cell_of, summary
from anonbench.report.compare import AGREES, DIFFERS, NO_EFFECT, Pair, compare_number, comparison
from anonbench.report.layout import STANDARD_ERROR
from anonbench.studies.kinds import Source
from anonbench.studies.reversible import headings, trial
from anonbench.studies.tables import NAME, metrics_of
from anonbench.tasks.reid.settings import Condition

TRAINED = {
    "type": "array",
    "minItems": 1,
    "uniqueItems": True,
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["training", "variant"],
        "properties": {"training": NAME, "variant": NAME},
    },
}
"""JSON schema of `trainings:` in a table: which training's network, and the variant that it is tested on."""


@dataclass(frozen=True)
class Row:
    """A row of a table: a network that was tested in one setting.

    labels: column -> text, those of the table's key and others that say what it is.
    condition: what its metrics are those of.
    printed: column -> value of its row in the printed table. None where the paper has none.
    before: name of the row that its effect is measured from, "" for none.
    """

    labels: Mapping[str, str]
    condition: Condition
    printed: Mapping[str, str] | None = None
    before: str = ""

    def name(self, key: Sequence[str]) -> str:
        return ", ".join(self.labels[column] for column in key)


def check_evaluated(config: Mapping[str, Any], entry: Mapping[str, Any], where: str) -> None:
    """Raise `ConfigError` for a dataset or model that is not in the configuration."""
    check_known(f"{where}.dataset", [entry["dataset"]], config["datasets"])
    check_known(f"{where}.model", [entry["model"]], config["models"])


def check_trained(config: Mapping[str, Any], entry: Mapping[str, Any], where: str) -> None:
    """Raise `ConfigError` for trainings that cannot be the network of a row: `trainings: [{training, variant}]`."""
    named = [row["training"] for row in entry["trainings"]]
    check_known(f"{where}.trainings", named, config["reversible_trainings"])
    check_known(f"{where}.trainings", [row["variant"] for row in entry["trainings"]], config["variants"])
    for training in named:
        settings = config["reversible_trainings"][training]
        if "model" not in settings:
            raise ConfigError(
                f"{where}.trainings names '{training}', a {settings['method']}, which trains no network that "
                f"recognizes people; expected one of method base or joint"
            )
        if settings["model"] != entry["model"]:
            raise ConfigError(
                f"{where}.model is '{entry['model']}'; reversible_trainings.{training} trains '{settings['model']}'"
            )
        if settings.get("dataset", entry["dataset"]) != entry["dataset"]:
            raise ConfigError(
                f"{where}.trainings names '{training}', which is trained on {settings['dataset']}; the table is about "
                f"{entry['dataset']}"
            )
        if named.count(training) > 1:
            raise ConfigError(f"{where}.trainings names '{training}' twice; a training has one variant in a table")


def row_metrics(config: Mapping[str, Any], rows: Iterable[Row]) -> list[str]:
    """The metrics files of every run of every row, each once."""
    return list(dict.fromkeys(path for row in rows for path in metrics_of(config, row.condition)))


def row_frame(results: Sequence[Metrics], rows: Sequence[Row], metrics: Sequence[str]) -> pd.DataFrame:
    """data, the labels, means of the metrics in percent, number of runs, standard errors; a line a row."""
    lines = []
    for row in rows:
        cells = {metric: cell_of(results, metric, row.condition) for metric in metrics}
        lines.append({"data": row.condition.dataset, **row.labels, **summary(cells)})
    return pd.DataFrame(lines)


def row_runs(results: Sequence[Metrics], rows: Sequence[Row], metrics: Sequence[str]) -> pd.DataFrame:
    """What the means stand for: data, the labels, split, seed and the metrics in percent; a line a run."""
    lines = []
    for row in rows:
        cells = {metric: cell_of(results, metric, row.condition) for metric in metrics}
        for run in cells[metrics[0]].runs:
            values = {metric: round(cell.runs[run], 4) for metric, cell in cells.items()}
            lines.append({"data": row.condition.dataset, **row.labels, **dict(zip(RUN, run, strict=True)), **values})
    return pd.DataFrame(lines).astype({"split": "Int64"})


def row_sources(rows: Sequence[Row], key: Sequence[str], metrics: Sequence[str]) -> dict[str, dict[str, Source]]:
    """The cells, for `anonbench explain`."""
    return {row.name(key): {metric: Source(row.condition, metric) for metric in metrics} for row in rows}


def compare_rows(
    frame: pd.DataFrame, rows: Sequence[Row], printed: pd.DataFrame | None, key: Sequence[str], metrics: Sequence[str]
) -> pd.DataFrame:
    """Compare a table with the published one, a line for every cell. Effects are differences to the row `before`.

    frame: of `row_frame`, in the order of the rows.
    printed: rows of the printed table for this dataset; None: nothing is published.
    """
    pairs: dict[str, dict[str, Pair]] = {}
    for row, found in zip(rows, frame.to_dict("records"), strict=True):
        published = printed_row(printed, row.printed)
        pairs[row.name(key)] = {m: (None if published is None else float(published[m]), found[m]) for m in metrics}
    lines = [
        compare_number(
            row.condition.dataset,
            row.name(key),
            metric,
            pairs[row.name(key)][metric],
            pairs[row.before][metric] if row.before in pairs else (None, None),
        )
        for row in rows
        for metric in metrics
    ]
    return comparison(lines)


def printed_row(printed: pd.DataFrame | None, wanted: Mapping[str, str] | None) -> pd.Series | None:
    """The row of a printed table with these values; None where there is none."""
    if printed is None or wanted is None:
        return None
    found = printed
    for column, value in wanted.items():
        found = found[found[column] == value]
    return found.iloc[0] if len(found) == 1 else None


def of_data(printed: pd.DataFrame | None, data: str) -> pd.DataFrame | None:
    """The rows of a printed table about one dataset."""
    return None if printed is None else printed[printed["data"] == data]


def direction_note(compared: pd.DataFrame, effect: str) -> list[str]:
    """In how many cells an effect has the published sign, as a note; none where no effect can be compared.

    effect: what it is, in words, such as "Ours - Base".
    """
    told = compared["direction"]
    cells = int(told.isin([AGREES, DIFFERS, NO_EFFECT]).sum())
    return [f"{effect} has the published sign in {int((told == AGREES).sum())} of {cells} cells."] if cells else []


def budget_notes(spec: Mapping[str, Any]) -> list[str]:
    """What must be said of the networks: in what they fall short of the paper's."""
    note = trial.trial_note(spec["budget"]) if "budget" in spec else ""
    return [note] if note else []


def shown_rows(frame: pd.DataFrame, rename: Mapping[str, str]) -> pd.DataFrame:
    """A table for readers: metrics by their names, numbers of runs left to the CSV.

    rename: further columns -> their names; "" leaves a column out.
    """
    dropped = [column for column, name in rename.items() if not name]
    names = {**headings.METRICS, **{column: name for column, name in rename.items() if name}}
    errors = {f"{column}{STANDARD_ERROR}": f"{name}{STANDARD_ERROR}" for column, name in names.items()}
    return frame.drop(columns=["data", "runs", *dropped], errors="ignore").rename(columns={**names, **errors})
