"""`rows: matrix`: trained on one way of hiding, tested on another.

    train_test_matrix:
      study: privacy
      rows: matrix
      dataset: market1501-rendered
      model: bot
      variants: [blur, zero]         # beside the original

A row what the network was trained on, a column what it was tested on: mAP, mean over the runs. Queries and gallery are
hidden in the same way. On the diagonal it was trained and tested alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from anonbench.report.cells import cell_of, summary
from anonbench.report.tables import Table
from anonbench.studies.kinds import Entry, Files, Source
from anonbench.studies.privacy.kinds import KINDS
from anonbench.studies.privacy.kinds._common import rows_of
from anonbench.studies.privacy.kinds._networks import CROSSED, HEADINGS, check_networks
from anonbench.studies.tables import NAME, metrics_of, note_on, read_results
from anonbench.tasks.reid.settings import Condition

READING = (
    "Rows: what {model} was trained on. Columns: what it was tested on, queries and gallery alike. Down a column: "
    "which training is best for such pictures. The diagonal: trained and tested alike."
)


@KINDS.register("matrix")
class Matrix:
    key, whole = ("train",), ""

    def check(self, config: Mapping[str, Any], entry: Entry, where: str) -> None:
        check_networks(config, entry, where, {"model": NAME})

    def datasets(self, config: Mapping[str, Any], entry: Entry) -> list[str]:
        return [entry["dataset"]]

    def inputs(self, config: Mapping[str, Any], entry: Entry) -> dict[str, list[str]]:
        cells = [condition for row in conditions(entry).values() for condition in row.values()]
        return {"metrics": [path for condition in cells for path in metrics_of(config, condition)]}

    def spec(self, config: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
        return dict(entry)

    def build(self, name: str, files: Files, spec: Entry, label: str) -> Table:
        results, model = read_results(files), spec["model"]
        rows = []
        for train, row in conditions(spec).items():
            cells = {column: cell_of(results, "map", condition) for column, condition in row.items()}
            rows.append({"train": train, **summary(cells)})
        return Table(
            pd.DataFrame(rows),
            f"{name}: {model} trained on one way of hiding and tested on another, {spec['dataset']}",
            [READING.format(model=model), note_on(results, label)],
            self.key,
            HEADINGS,
        )

    def cells(self, config: Mapping[str, Any], entry: Entry) -> dict[str, dict[str, Source]]:
        return {
            train: {column: Source(condition, "map") for column, condition in row.items()}
            for train, row in conditions(entry).items()
        }


def conditions(entry: Entry) -> dict[str, dict[str, Condition]]:
    """What it was trained on -> column -> condition."""
    variants = rows_of(entry)
    return {
        train: {f"map_{v}": CROSSED.of(entry["dataset"], entry["model"], train=train, variant=v) for v in variants}
        for train in variants
    }
