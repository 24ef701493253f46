"""`rows: anonymizers`: a row an anonymizer, the metrics of one model in the two anonymized settings (Table VIII).

Source: Dietlmeier et al. 2020, Table VIII. It does not hold the scores on original images: `published_baseline` names
the printed table that does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from anonbench.core.errors import ConfigError, DataError
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
from anonbench.studies.reid_faces.settings import BASELINE, CONTRASTS, DESIGN, METRICS
from anonbench.studies.tables import note_on, published_inputs, read_published, read_results
from anonbench.tasks.reid.setting_table import compare_settings, row_cells


@KINDS.register("anonymizers")
class Anonymizers:
    key, whole = ("anonymizer",), ""

    def check(self, config: Mapping[str, Any], entry: Entry, where: str) -> None:
        check_settings(config, entry, where)
        if len(entry["models"]) != 1:
            raise ConfigError(f"{where}: a table with a row per anonymizer shows one model, got {entry['models']}")

    def datasets(self, config: Mapping[str, Any], entry: Entry) -> list[str]:
        return [entry["dataset"]]

    def inputs(self, config: Mapping[str, Any], entry: Entry) -> dict[str, list[str]]:
        return {
            "metrics": setting_metrics(config, entry),
            **published_inputs(entry, "published", "published_baseline"),
            **network_inputs(config, entry),
        }

    def spec(self, config: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
        return {**entry, "networks": marks.networks(config, entry["models"])}

    def build(self, name: str, files: Files, spec: Entry, label: str) -> Table:
        results, (model,), variants = read_results(files), spec["models"], spec["variants"]
        frame = anonymizer_table(results, spec["dataset"], model, variants)
        printed = published_baselines(read_published(files, "published_baseline"), model)
        rebuilt = row_cells(results, spec["dataset"], model, DESIGN.columns((BASELINE,)), variant=variants[0])
        told = describe_networks(files, spec)
        notes = [note_on(results, label), *marks.reranking_notes(results)]
        plain = marks.without_reranking(results)
        title = f"{model} ({marks.RERANKED})" if plain else model
        if told is not None:
            frame, notes = frame.assign(model=model).join(told, on="model"), [*notes, *marks.mark_notes(told)]
            title = marks.marked(title, told.loc[model])
        baselines = {m: (printed.get(m), rebuilt[f"{m}_{BASELINE}"].mean) for m in METRICS}
        return Table(
            frame,
            f"{name}: {title} under {len(variants)} ways of hiding faces",
            notes,
            self.key,
            HEADINGS,
            shown=shown_anonymizers(frame, plain, model),
            compared=compare_settings(frame, read_published(files), "anonymizer", DESIGN, baselines),
            runs=all_runs(results, spec["dataset"], [(model, variant) for variant in variants]),
        )

    def cells(self, config: Mapping[str, Any], entry: Entry) -> dict[str, dict[str, Source]]:
        model, columns = entry["models"][0], DESIGN.columns(CONTRASTS)
        return {v: sources(entry["dataset"], model, columns, v) for v in entry["variants"]}


def anonymizer_table(results: Sequence[Metrics], dataset: str, model: str, variants: Sequence[str]) -> pd.DataFrame:
    """One row an anonymizer: data, anonymizer, mAP and rank-1 of the two anonymized settings, runs, standard errors."""
    columns = DESIGN.columns(CONTRASTS)
    rows = [
        {"data": dataset, "anonymizer": v, **summary(row_cells(results, dataset, model, columns, variant=v))}
        for v in variants
    ]
    return pd.DataFrame(rows)


def shown_anonymizers(frame: pd.DataFrame, plain: Sequence[Metrics], model: str) -> pd.DataFrame:
    """The table for readers: below each row of a re-ranked model that of its plain order.

    plain: metrics in plain order; none of a model that is not re-ranked.
    """
    rows = []
    for row in frame.to_dict("records"):
        rows.append(row)
        if plain:
            variant, columns = row["anonymizer"], DESIGN.columns(CONTRASTS)
            cells = summary(row_cells(plain, row["data"], model, columns, variant=variant))
            rows.append({"data": row["data"], "anonymizer": f"{variant} ({marks.PLAIN})", **cells})
    return pd.DataFrame(rows).drop(columns=["model", *marks.COLUMNS], errors="ignore")


def published_baselines(table: pd.DataFrame | None, model: str) -> dict[str, float]:
    """Scores of a model on original images in a published table, by metric; none without a table.

    Raises `DataError` when it has no such row.
    """
    if table is None:
        return {}
    rows = table[table["model"] == model]
    if len(rows) != 1:
        raise DataError(f"the published baseline table has {len(rows)} rows for {model}; expected one.")
    return {metric: float(rows.iloc[0][f"{metric}_{BASELINE}"]) for metric in METRICS}
