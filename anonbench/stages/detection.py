"""Collect what detectors found into one table, for machines and for readers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anonbench.core.command import Input, Output, Rows, command
from anonbench.core.errors import ConfigError, DataError
from anonbench.core.files import write_text
from anonbench.core.hashing import file_sha256
from anonbench.data.regions import read_regions
from anonbench.data.results import read_metrics
from anonbench.report.layout import markdown
from anonbench.tasks.detection.groups import ALL
from anonbench.tasks.detection.table import ANNOTATED, AUDITED, NONE, DetectionRow, detection_table, readable

NOTES = (
    "Recall: of the faces that are there, those with a box (annotated: IoU at least .5); precision: of the boxes, "
    "those on a face; Wilson intervals, 95 %, in brackets. truth: annotated, or an audit by eye of a random sample "
    "(`anonbench audit`), for which truth n counts the sample's faces. setting: WIDER FACE's easy, medium and hard, a "
    "row each.",
    "scales: the detector looked at the pictures enlarged or reduced so; more scales find more, and take longer.",
    "Faces of one image are not counted as independent: the intervals are wider where one image loses several.",
    "Average precision is over the given boxes alone: it is at most the recall, and comparable only between detectors "
    "of the same low threshold.",
    "Rendered passers-by are not annotated: precision on rendered people is a lower bound.",
)


@command("report", beside={"output": (".md",)}, needs={"rows": ("dataset", "detector", "truth")})
def detection(
    detections: list[Input],
    rows: Rows,
    label: str,
    output: Output,
    metrics: list[Input] | None = None,
    audits: list[Input] | None = None,
    threads: int = 1,
) -> None:
    """Collect what detectors found into one table.

    detections: faces (CSV of `detect`), one for each row.
    rows: `[{dataset, detector, truth}]` in the same order, with `scales` those at which the detector looked at the
        pictures, in words. truth: "annotated" where each face is known, "audit" where
        a person has looked at a random sample, "" where nothing is known.
    label: which data the numbers depend on, in words.
    output: the table (CSV); the same for readers goes beside it.
    metrics: of `evaluate_detector` (JSON), one for each row with annotated faces, in their order.
    audits: reports of `anonbench audit` (report.json), one for each row with an audit, in their order.

    Raises `DataError` for an audit of other boxes.
    """
    truths = {ANNOTATED: list(metrics or ()), AUDITED: list(audits or ())}
    if len(detections) != len(rows):
        raise ConfigError(f"detection: {len(detections)} detections for {len(rows)} rows; expected one for each.")
    for truth, files in truths.items():
        wanted = sum(row["truth"] == truth for row in rows)
        if len(files) != wanted:
            raise ConfigError(f"detection: {len(files)} files for {wanted} rows of truth '{truth}'; expected one each.")
    found = []
    for row, boxes in zip(rows, detections, strict=True):
        file = truths[row["truth"]].pop(0) if row["truth"] != NONE else None
        found += _rows(row, boxes, file)
    table = detection_table(found)
    write_text(output, table.to_csv(index=False))
    text = markdown(readable(table), "Detectors", [*NOTES, f"Data: {label}."])
    write_text(output.with_suffix(".md"), text)
    print(text)


def _rows(row: Mapping[str, Any], detections: Path, truth: Path | None) -> list[DetectionRow]:
    """The rows of one detector: one for each setting of the truth."""
    boxes = read_regions(detections)
    settings = _truth(row, detections, truth)
    return [
        DetectionRow(row["dataset"], row["detector"], boxes, row["truth"], setting, found, row.get("scales", ""))
        for setting, found in settings.items()
    ]


def _truth(row: Mapping[str, Any], detections: Path, file: Path | None) -> Mapping[str, Mapping[str, Any]]:
    """What was found by setting: "" where there is one alone."""
    if file is None:
        return {"": {}}
    if row["truth"] == ANNOTATED:
        settings = read_metrics(file, ("settings",))["settings"]
        return {"": settings[ALL]} if list(settings) == [ALL] else settings
    report = read_metrics(file, ("cameras", "detections_sha256"))
    if report["detections_sha256"] != file_sha256(detections):
        raise DataError(
            f"{file}: is about other boxes than {detections} holds now. Draw a sample again "
            f"(`anonbench audit {row['dataset']} --detector {row['detector']} --output …`), or move the report away."
        )
    return {"": report["cameras"]["all"]}
