"""`rows: untrained`: the models of other tables beside themselves untrained: has the training taught them anything?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from anonbench.core.structure import check_known
from anonbench.data.results import Metrics
from anonbench.report.cells import cell_of
from anonbench.report.tables import Table
from anonbench.studies.kinds import Entry, Files, Source
from anonbench.studies.reid_faces import marks
from anonbench.studies.reid_faces.headings import HEADINGS
from anonbench.studies.reid_faces.kinds import KINDS
from anonbench.studies.reid_faces.kinds._common import named_reranked
from anonbench.studies.reid_faces.settings import METRICS
from anonbench.studies.tables import NAMES, check_keys, metrics_of, note_on, read_results

SETTINGS = (marks.WITHOUT, marks.TRAINED)


@KINDS.register("untrained")
class Untrained:
    key, whole = ("data", "model"), "sets trained beside untrained networks"

    def check(self, config: Mapping[str, Any], entry: Entry, where: str) -> None:
        check_keys(entry, where, {"tables": NAMES}, {})
        by_model = [name for name, table in config["tables"].items() if table["rows"] == "models"]
        check_known(f"{where}.tables", entry["tables"], by_model)

    def datasets(self, config: Mapping[str, Any], entry: Entry) -> list[str]:
        return [pair[0] for pair in pairs_of(config, entry)]

    def inputs(self, config: Mapping[str, Any], entry: Entry) -> dict[str, list[str]]:
        conditions = [setting.of(*pair) for pair in pairs_of(config, entry) for setting in SETTINGS]
        return {"metrics": [path for condition in conditions for path in metrics_of(config, condition)]}

    def spec(self, config: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
        return {**entry, "pairs": pairs_of(config, entry)}

    def build(self, name: str, files: Files, spec: Entry, label: str) -> Table:
        results = read_results(files)
        frame = untrained_table(results, spec["pairs"])
        notes = [note_on(results, label), *marks.reranking_notes(results)]
        plain = marks.without_reranking(results)
        reranked = {(m["dataset"], m["model"]) for m in plain}
        shown = named_reranked(frame, untrained_table(plain, [p for p in spec["pairs"] if tuple(p) in reranked]))
        return Table(frame, "Trained and untrained networks", notes, self.key, HEADINGS, shown=shown)

    def cells(self, config: Mapping[str, Any], entry: Entry) -> dict[str, dict[str, Source]]:
        return {}


def pairs_of(config: Mapping[str, Any], entry: Entry) -> list[list[str]]:
    """(dataset, model) of every row of the tables that the entry names."""
    tables = [config["tables"][name] for name in entry["tables"]]
    return [[table["dataset"], model] for table in tables for model in table["models"]]


def untrained_table(results: Sequence[Metrics], pairs: Iterable[Sequence[str]]) -> pd.DataFrame:
    """Trained beside untrained networks, original images, in percent.

    pairs: (dataset, model).

    The column rank1_ratio is trained rank-1 over untrained. Below 2 a cell measures little.
    """
    rows = []
    for dataset, model in pairs:
        row: dict[str, Any] = {"data": dataset, "model": model}
        for setting in SETTINGS:
            for metric in METRICS:
                row[f"{metric}_{setting.name}"] = cell_of(results, metric, setting.of(dataset, model)).mean
        row["rank1_ratio"] = round(row["rank1_trained"] / row["rank1_untrained"], 2) if row["rank1_untrained"] else None
        rows.append(row)
    return pd.DataFrame(rows)
