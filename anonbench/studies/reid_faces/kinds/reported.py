"""`rows: reported`: what the models' own papers report, beside what has been rebuilt (Table I)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from anonbench.core.structure import check_known
from anonbench.data.entries import built_tables, published_names
from anonbench.data.results import Metrics, read_frame
from anonbench.data.variants import ORIGINAL
from anonbench.report.compare import compare_number, comparison, known
from anonbench.report.tables import Table
from anonbench.studies.kinds import Entry, Files, Source
from anonbench.studies.reid_faces import marks
from anonbench.studies.reid_faces.headings import HEADINGS
from anonbench.studies.reid_faces.kinds import KINDS
from anonbench.studies.reid_faces.kinds._common import named_reranked
from anonbench.studies.reid_faces.settings import BASELINE, DESIGN, METRICS
from anonbench.studies.tables import NAME, NAMES, check_keys, metrics_of, note_on, published_inputs, read_results
from anonbench.tasks.reid.setting_table import row_cells


@KINDS.register("reported")
class Reported:
    key, whole = ("data", "model"), "quotes numbers that others reported"

    def check(self, config: Mapping[str, Any], entry: Entry, where: str) -> None:
        check_keys(entry, where, {"datasets": NAMES, "published": NAME}, {})
        check_known(f"{where}.datasets", entry["datasets"], config["datasets"])

    def datasets(self, config: Mapping[str, Any], entry: Entry) -> list[str]:
        return list(entry["datasets"])

    def inputs(self, config: Mapping[str, Any], entry: Entry) -> dict[str, list[str]]:
        """The scores on original images that other tables, which are built by default, need anyway."""
        tables = [config["tables"][name] for name in built_tables(config)]
        cells = [
            DESIGN[BASELINE].of(table["dataset"], model)
            for table in tables
            if table["rows"] == "models" and table["dataset"] in entry["datasets"]
            for model in table["models"]
        ]
        metrics = [path for cell in dict.fromkeys(cells) for path in metrics_of(config, cell)]
        return {"metrics": metrics, **published_inputs(entry, "published")}

    def spec(self, config: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
        return {**entry, "names": published_names(config, entry["datasets"])}

    def build(self, name: str, files: Files, spec: Entry, label: str) -> Table:
        results = read_results(files)
        printed = read_frame(files["published"][0])
        frame = reported_table(results, printed, spec["names"])
        plain = marks.without_reranking(results)
        unprinted = printed[printed["model"].isin([m["model"] for m in plain])].assign(**dict.fromkeys(METRICS))
        notes = [note_on(results, label)] if results else ["Nothing has been rebuilt yet."]
        return Table(
            frame,
            f"{name}: reported and rebuilt",
            [*notes, *marks.reranking_notes(results)],
            self.key,
            HEADINGS,
            shown=named_reranked(frame, reported_table(plain, unprinted, spec["names"])),
            compared=compare_reported(frame),
        )

    def cells(self, config: Mapping[str, Any], entry: Entry) -> dict[str, dict[str, Source]]:
        return {}


def reported_table(metrics: Sequence[Metrics], published: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """The rows of the published table with rebuilt scores (original -> original, means in percent) where they exist.

    metrics: those of settings original -> original.
    names: dataset -> its name in the published table.
    Rebuilt fields stay empty for a name without a dataset, and for a model that has not been evaluated on it.
    """
    dataset_of = {name: dataset for dataset, name in names.items()}
    done = {(r["dataset"], r["model"]) for r in metrics}
    rows = []
    for printed in published.to_dict("records"):
        dataset, model = dataset_of.get(str(printed["data"])), str(printed["model"])
        row: dict[str, Any] = {"data": dataset or printed["data"], "model": model, "venue": printed["venue"]}
        rebuilt = {}
        if dataset is not None and (dataset, model) in done:
            rebuilt = row_cells(metrics, dataset, model, DESIGN.columns((BASELINE,)), variant=ORIGINAL)
        for metric in METRICS:
            cell = rebuilt.get(f"{metric}_{BASELINE}")
            row[f"{metric}_reported"] = printed[metric]
            row[f"{metric}_rebuilt"] = cell.mean if cell else None
        rows.append(row)
    return pd.DataFrame(rows)


def compare_reported(table: pd.DataFrame) -> pd.DataFrame:
    """Compare Table I, whose rebuilt values are beside the reported ones."""
    return comparison([
        compare_number(
            row["data"], row["model"], metric, (known(row[f"{metric}_reported"]), known(row[f"{metric}_rebuilt"]))
        )
        for row in table.to_dict("records")
        for metric in METRICS
    ])  # fmt: skip
