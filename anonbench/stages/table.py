"""Collect the metrics of many settings into one table, for machines and for readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from anonbench.core.files import write_text
from anonbench.data.results import read_frame, read_metrics
from anonbench.data.tables import read_csv, read_manifest
from anonbench.report.layout import latex, markdown
from anonbench.studies.reid_faces.compare import compare_counts, compare_reported, compare_settings, published_baselines
from anonbench.studies.reid_faces.dataset_table import count_dataset, dataset_table, readable
from anonbench.studies.reid_faces.reported_table import reported_table
from anonbench.studies.reid_faces.setting_tables import (
    anonymizer_table,
    cells,
    model_table,
    runs_table,
    untrained_table,
)
from anonbench.studies.reid_faces.settings import BASELINE, METRICS

NOTE = "Values in percent, means over {runs}. Data: {label}."
COMPARED = "Beside the published numbers: {file}."


def table(
    metrics: Sequence[Path],
    name: str,
    spec: Mapping[str, Any],
    label: str,
    output: Path,
    published: Path | None = None,
    baseline: Path | None = None,
) -> None:
    """Write a table of settings as CSV, and beside it .md, .tex, .json, .runs.csv (a row a run) and .compare.csv.

    The JSON holds the same cells as {row: {column: value}}: `dvc metrics diff` shows from it which cells changed.

    spec: its config entry `{rows: models | anonymizers, dataset, models, variants, ...}`.
    label: what the data is, in words; printed below the table.
    published, baseline: CSVs with the printed numbers, and with the row of the model trained and tested on original
        images where the printed table does not hold it (Table VIII). Without them nothing is compared.
    """
    results = [read_metrics(path) for path in metrics]
    dataset, models, variants = spec["dataset"], spec["models"], spec["variants"]
    if spec["rows"] == "models":
        frame, key = model_table(results, dataset, models, variants[0]), "model"
        title = f"{name}: {len(models)} models in three settings, {variants[0]}"
    else:
        frame, key = anonymizer_table(results, dataset, models[0], variants), "anonymizer"
        title = f"{name}: {models[0]} under {len(variants)} ways of hiding faces"
    runs = runs_table(results, dataset, [(m, v) for m in models for v in variants])
    baselines = None
    if key == "anonymizer":
        printed = published_baselines(read_frame(baseline), models[0]) if baseline else {}
        found = cells(results, dataset, models[0], variants[0], (BASELINE,))
        baselines = {m: (printed.get(m), found[f"{m}_{BASELINE}"].mean) for m in METRICS}
    empty = pd.DataFrame(columns=[key, *frame.columns])
    compared = compare_settings(frame, read_frame(published) if published else empty, key, baselines)
    write_text(_beside(output, ".runs.csv"), runs.to_csv(index=False))
    numbers = frame.set_index(key).select_dtypes("number").dropna(axis="columns", how="all")
    write_text(_beside(output, ".json"), numbers.to_json(orient="index", indent=1) + "\n")
    _write(frame, title, [NOTE.format(runs=_runs(results), label=label)], compared, output)


def reported(
    metrics: Sequence[Path], name: str, spec: Mapping[str, Any], label: str, output: Path, published: Path
) -> None:
    """Write Table I: reported numbers beside rebuilt ones. spec: `{datasets: {dataset: published name}}`."""
    results = [read_metrics(path) for path in metrics]
    frame = reported_table(results, read_frame(published), spec["datasets"])
    notes = [NOTE.format(runs=_runs(results), label=label)] if results else ["Nothing has been rebuilt yet."]
    _write(frame, f"{name}: reported and rebuilt", notes, compare_reported(frame), output)


def datasets(
    manifests: Mapping[str, Path], dropped: Mapping[str, Path], name: str, names: Mapping[str, str], label: str,
    output: Path, published: Path,
) -> None:  # fmt: skip
    """Write Table II: what each dataset consists of, counted from its manifest and list of dropped files.

    manifests, dropped: dataset -> file. names: dataset -> its name in the published table.
    """
    counts = {
        dataset: count_dataset(read_manifest(manifest), len(read_csv(dropped[dataset], ("path", "reason"))))
        for dataset, manifest in manifests.items()
    }
    frame = dataset_table(counts, read_frame(published), names)
    notes = ["Counted from the manifests; in brackets: published.", f"Data: {label}."]
    _write(frame, f"{name}: the datasets", notes, compare_counts(frame), output, shown=readable(frame))


def untrained(metrics: Sequence[Path], pairs: Sequence[tuple[str, str]], label: str, output: Path) -> None:
    """Write the table that holds trained networks beside the same networks untrained."""
    results = [read_metrics(path) for path in metrics]
    frame = untrained_table(results, pairs)
    _write(
        frame, "Trained and untrained networks", [NOTE.format(runs=_runs(results), label=label)], None, output
    )  # fmt: skip


def _write(
    frame: pd.DataFrame,
    title: str,
    notes: Sequence[str],
    compared: pd.DataFrame | None,
    output: Path,
    shown: pd.DataFrame | None = None,
) -> None:
    """Write the CSV and its twins; shown: what readers see instead of the whole frame."""
    shown = frame if shown is None else shown
    write_text(output, frame.to_csv(index=False))
    write_text(_beside(output, ".tex"), latex(shown, f"{title}. {' '.join(notes)}", f"tab:{output.stem}"))
    if compared is not None:
        write_text(_beside(output, ".compare.csv"), compared.to_csv(index=False))
        notes = [*notes, COMPARED.format(file=_beside(output, ".compare.csv").name)]
    text = markdown(shown, title, notes)
    write_text(_beside(output, ".md"), text)
    print(text)


def _beside(output: Path, suffix: str) -> Path:
    return output.with_suffix(suffix)


def _runs(results: Sequence[Mapping[str, Any]]) -> str:
    seeds = sorted({r["seed"] for r in results})
    splits = sorted({r["split"] for r in results if r.get("split") is not None})
    text = f"{'seeds' if len(seeds) > 1 else 'seed'} {', '.join(map(str, seeds))}"
    return text + (f" and splits {', '.join(map(str, splits))}" if splits else "")
