"""Study 1's Table I: what the models' own papers report, beside what has been rebuilt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from anonbench.studies.reid_faces.setting_tables import cells
from anonbench.studies.reid_faces.settings import BASELINE, METRICS, ORIGINAL, Metrics


def reported_table(metrics: Sequence[Metrics], published: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """The rows of the published table with rebuilt scores (original -> original, means in percent) where they exist.

    metrics: those of settings original -> original. names: dataset -> its name in the published table; a name that no
    dataset stands for keeps empty rebuilt fields, and so does a model that has not been evaluated on it.
    """
    dataset_of = {name: dataset for dataset, name in names.items()}
    done = {(r["dataset"], r["model"]) for r in metrics}
    rows = []
    for printed in published.to_dict("records"):
        dataset, model = dataset_of.get(str(printed["data"])), str(printed["model"])
        row: dict[str, Any] = {"data": dataset or printed["data"], "model": model, "venue": printed["venue"]}
        rebuilt = {}
        if dataset is not None and (dataset, model) in done:
            rebuilt = cells(metrics, dataset, model, ORIGINAL, (BASELINE,))
        for metric in METRICS:
            cell = rebuilt.get(f"{metric}_{BASELINE}")
            row[f"{metric}_reported"] = printed[metric]
            row[f"{metric}_rebuilt"] = cell.mean if cell else None
        rows.append(row)
    return pd.DataFrame(rows)
