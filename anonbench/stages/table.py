"""Collect the metrics of many settings into one table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from anonbench.errors import DataError
from anonbench.files import write_text
from anonbench.report.setting_tables import anonymizer_table, markdown, model_table, untrained_table

NOTE = "Values in percent, means over seeds {seeds}. Data: {label}."


def table(
    metrics: Sequence[Path], name: str, spec: Mapping[str, Any], label: str, output: Path, readable: Path
) -> None:
    """Write a table as CSV and as Markdown.

    spec: its config entry `{rows: models | anonymizers, dataset, models, variants, published}`.
    label: what the data is, in words; printed below the Markdown table.
    """
    results = read_metrics(metrics)
    if spec["rows"] == "models":
        frame = model_table(results, spec["dataset"], spec["models"], spec["variants"][0])
        title = f"{name}: six models in three settings" if len(spec["models"]) == 6 else f"{name}: models by setting"
    else:
        frame = anonymizer_table(results, spec["dataset"], spec["models"][0], spec["variants"])
        title = f"{name}: {spec['models'][0]} under {len(spec['variants'])} ways of hiding faces"
    _write(frame, title, results, label, output, readable)


def untrained(
    metrics: Sequence[Path], cells: Sequence[tuple[str, str]], label: str, output: Path, readable: Path
) -> None:
    """Write the table that holds trained networks beside the same networks untrained."""
    results = read_metrics(metrics)
    _write(untrained_table(results, cells), "Trained and untrained networks", results, label, output, readable)


def read_metrics(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """The contents of metrics files."""
    results = []
    for path in paths:
        try:
            results.append(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: not a metrics file ({error}). Delete it and evaluate again.") from error
    return results


def _write(
    frame: pd.DataFrame, title: str, results: Sequence[Mapping[str, Any]], label: str, output: Path, readable: Path
) -> None:
    seeds = ", ".join(str(seed) for seed in sorted({r["seed"] for r in results}))
    text = markdown(frame, title, NOTE.format(seeds=seeds, label=label))
    write_text(output, frame.to_csv(index=False))
    write_text(readable, text)
    print(text)
