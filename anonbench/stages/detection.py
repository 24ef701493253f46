"""Collect what detectors found into one table, for machines and for readers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anonbench.errors import DataError
from anonbench.files import write_text
from anonbench.frames import read_metrics
from anonbench.provenance import file_sha256, read_stamp
from anonbench.report.detection_table import ANNOTATED, AUDITED, NONE, DetectionRow, detection_table, readable
from anonbench.report.layout import markdown
from anonbench.tables import read_detections

NOTES = (
    "Recall: of the faces that are there, those with a box (annotated: IoU at least .5); precision: of the boxes, "
    "those on a face; Wilson intervals, 95 %, in brackets. truth: annotated, or an audit by eye of a random sample "
    "(`anonbench audit`), for which truth n counts the sample's faces. images per s: of the whole job, its start "
    "included.",
    "Rendered passers-by are not annotated: precision on rendered people is a lower bound.",
)


def detection(spec: Sequence[Mapping[str, Any]], label: str, output: Path) -> None:
    """Write the table of detectors as CSV, and for readers as .md beside it.

    spec: [{dataset, detector, detections, metrics, audit, stamp}], paths; metrics (`anonbench detect-eval`) and audit
    (report.json of `anonbench audit`) None where there are none. stamp: of the detection, for its speed; one that is
    not there leaves the speed out. label: what the data is, in words.
    Raises `DataError` for an audit of other boxes.
    """
    table = detection_table([_read(entry) for entry in spec])
    write_text(output, table.to_csv(index=False))
    text = markdown(readable(table), "Detectors", [*NOTES, f"Data: {label}."])
    write_text(output.with_suffix(".md"), text)
    print(text)


def _read(entry: Mapping[str, Any]) -> DetectionRow:
    seconds, threads = _speed(Path(entry["stamp"]))
    truth, found = _truth(entry)
    boxes = read_detections(Path(entry["detections"]))
    return DetectionRow(entry["dataset"], entry["detector"], boxes, seconds, threads, truth, found)


def _truth(entry: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    if entry.get("metrics"):
        settings = read_metrics(Path(entry["metrics"]), ("settings",))["settings"]
        return ANNOTATED, list(settings.values())[-1]
    if entry.get("audit"):
        report = read_metrics(Path(entry["audit"]), ("cameras", "detections_sha256"))
        if report["detections_sha256"] != file_sha256(Path(entry["detections"])):
            raise DataError(
                f"{entry['audit']}: is about other boxes than {entry['detections']} holds now. Draw a sample again "
                f"(`anonbench audit {entry['dataset']} --detector {entry['detector']} --output …`), or move the report "
                f"away."
            )
        return AUDITED, report["cameras"]["all"]
    return NONE, {}


def _speed(stamp: Path) -> tuple[float, int | None]:
    if not stamp.is_file():
        return math.nan, None
    found = read_stamp(stamp)
    return found.seconds, found.threads
