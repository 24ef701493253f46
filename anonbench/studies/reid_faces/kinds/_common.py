"""What several kinds of tables do alike: keys of an entry, files of metrics, published numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from anonbench.core.structure import check_known, check_structure
from anonbench.data import paths
from anonbench.data.entries import runs_of
from anonbench.data.results import read_frame, read_metrics
from anonbench.studies.kinds import Files, Source
from anonbench.studies.reid_faces.settings import DESIGN, STUDY
from anonbench.tasks.reid.setting_table import describe_results, runs_table
from anonbench.tasks.reid.settings import Condition, Metrics, Setting

NAME, NAMES = {"type": "string"}, {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "string"}}
PUBLISHED = {"type": ["string", "null"]}
BOTH = {"rows": NAME, "study": NAME}
NOTE = "Values in percent, means over {runs}. Data: {label}."


def check_keys(entry: Mapping[str, Any], where: str, needed: Mapping[str, Any], optional: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for a missing, unknown or malformed key.

    needed, optional: key -> JSON schema.
    """
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": list(needed),
        "properties": {**BOTH, **needed, **optional},
    }
    check_structure(entry, schema, where, paths.study_config(STUDY))


def check_settings(config: Mapping[str, Any], entry: Mapping[str, Any], where: str) -> None:
    """The check of an entry whose cells are settings: one dataset, models, variants."""
    check_keys(
        entry, where, {"dataset": NAME, "models": NAMES, "variants": NAMES, "published": PUBLISHED},
        {"published_baseline": PUBLISHED},
    )  # fmt: skip
    check_known(f"{where}.dataset", [entry["dataset"]], config["datasets"])
    check_known(f"{where}.models", entry["models"], config["models"])
    check_known(f"{where}.variants", entry["variants"], config["variants"])


def metrics_of(config: Mapping[str, Any], condition: Condition) -> list[str]:
    """The metrics files of every run of a condition."""
    c = condition
    runs = runs_of(config, c.dataset, c.model)
    return [paths.metrics(c.dataset, c.model, c.train, run, c.query, c.gallery) for run in runs]


def setting_metrics(config: Mapping[str, Any], entry: Mapping[str, Any]) -> list[str]:
    """The metrics of every setting of a table: each model trained on originals and on each variant."""
    found: dict[str, None] = {}
    for model in entry["models"]:
        for variant in entry["variants"]:
            for setting in DESIGN.settings:
                condition = setting.of(entry["dataset"], model, variant=variant)
                found |= dict.fromkeys(metrics_of(config, condition))
    return list(found)


def published_inputs(entry: Mapping[str, Any], *keys: str) -> dict[str, list[str]]:
    """The files with printed numbers that an entry names, by its key."""
    return {key: [paths.published(STUDY, entry[key])] for key in keys if entry.get(key)}


def read_results(files: Files) -> list[dict[str, Any]]:
    return [read_metrics(path) for path in files.get("metrics", ())]


def read_published(files: Files, key: str = "published") -> pd.DataFrame | None:
    found: Sequence[Path] = files.get(key, ())
    return read_frame(found[0]) if found else None


def note_on(results: Sequence[Metrics], label: str) -> str:
    return NOTE.format(runs=describe_results(results), label=label)


def all_runs(results: Sequence[Metrics], dataset: str, rows: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """Every run in every setting of the study.

    rows: (model, variant) pairs.
    """
    return runs_table(results, dataset, DESIGN.columns(), rows)


def sources(dataset: str, model: str, columns: Mapping[str, tuple[str, Setting]], variant: str) -> dict[str, Source]:
    """The cells of one row by column."""
    return {
        column: Source(setting.of(dataset, model, variant=variant), metric)
        for column, (metric, setting) in columns.items()
    }
