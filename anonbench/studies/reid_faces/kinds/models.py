"""`rows: models`: a row a model, its metrics in three settings of one variant (Tables III to VII).

Source: Dietlmeier et al. 2020, Tables III-VII: their order of rows and columns, in percent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from anonbench.core.errors import ConfigError
from anonbench.data.results import Metrics
from anonbench.report.cells import summary
from anonbench.report.tables import Table
from anonbench.studies.kinds import Entry, Files, Source
from anonbench.studies.reid_faces import marks
from anonbench.studies.reid_faces.headings import HEADINGS
from anonbench.studies.reid_faces.kinds import KINDS
from anonbench.studies.reid_faces.kinds._common import (
    all_runs,
    check_settings,
    describe_networks,
    network_inputs,
    setting_metrics,
    sources,
)
from anonbench.studies.reid_faces.settings import DESIGN
from anonbench.studies.tables import note_on, published_inputs, read_published, read_results
from anonbench.tasks.reid.setting_table import compare_settings, row_cells


@KINDS.register("models")
class Models:
    key, whole = ("model",), ""

    def check(self, config: Mapping[str, Any], entry: Entry, where: str) -> None:
        check_settings(config, entry, where)
        if len(entry["variants"]) != 1:
            raise ConfigError(f"{where}: a table with a row per model compares one variant, got {entry['variants']}")

    def datasets(self, config: Mapping[str, Any], entry: Entry) -> list[str]:
        return [entry["dataset"]]

    def inputs(self, config: Mapping[str, Any], entry: Entry) -> dict[str, list[str]]:
        return {
            "metrics": setting_metrics(config, entry),
            **published_inputs(entry, "published"),
            **network_inputs(config, entry),
        }

    def spec(self, config: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
        return {**entry, "networks": marks.networks(config, entry["models"])}

    def build(self, name: str, files: Files, spec: Entry, label: str) -> Table:
        results, models, (variant,) = read_results(files), spec["models"], spec["variants"]
        frame = model_table(results, spec["dataset"], models, variant)
        told = describe_networks(files, spec)
        notes = [note_on(results, label), *marks.reranking_notes(results)]
        if told is not None:
            frame, notes = frame.join(told, on="model"), [*notes, *marks.mark_notes(told)]
        return Table(
            frame,
            f"{name}: {len(models)} models in three settings, {variant}",
            notes,
            self.key,
            HEADINGS,
            shown=shown_models(frame, results, variant),
            compared=compare_settings(frame, read_published(files), "model", DESIGN),
            runs=all_runs(results, spec["dataset"], [(model, variant) for model in models]),
        )

    def cells(self, config: Mapping[str, Any], entry: Entry) -> dict[str, dict[str, Source]]:
        variant = entry["variants"][0]
        return {m: sources(entry["dataset"], m, DESIGN.columns(), variant) for m in entry["models"]}


def shown_models(frame: pd.DataFrame, results: Sequence[Metrics], variant: str) -> pd.DataFrame:
    """The table for readers: names with their marks, and a re-ranked model's plain order in a row of its own."""
    plain = marks.without_reranking(results)
    rows = []
    for row in frame.to_dict("records"):
        model, reranked = row["model"], any(m["model"] == row["model"] for m in plain)
        rows.append(row | {"model": marks.marked(f"{model} ({marks.RERANKED})" if reranked else model, row)})
        if reranked:
            cells = summary(row_cells(plain, row["data"], model, DESIGN.columns(), variant=variant))
            rows.append({"data": row["data"], "model": marks.marked(f"{model} ({marks.PLAIN})", row), **cells})
    return pd.DataFrame(rows).drop(columns=list(marks.COLUMNS), errors="ignore")


def model_table(results: Sequence[Metrics], dataset: str, models: Sequence[str], variant: str) -> pd.DataFrame:
    """One row a model: data, model, mAP and rank-1 of the three settings (means in percent), number of runs, errors."""
    rows = [
        {"data": dataset, "model": m, **summary(row_cells(results, dataset, m, DESIGN.columns(), variant=variant))}
        for m in models
    ]
    return pd.DataFrame(rows)
