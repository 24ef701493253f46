"""Collect what detectors found into one table, for machines and for readers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anonbench.core.errors import DataError
from anonbench.core.files import write_text
from anonbench.core.hashing import file_sha256
from anonbench.data.results import read_metrics
from anonbench.data.tables import read_detections
from anonbench.ops.journal import went_on
from anonbench.ops.provenance import read_stamp
from anonbench.report.layout import markdown
from anonbench.tasks.detection.groups import ALL
from anonbench.tasks.detection.table import (
    ANNOTATED,
    AUDITED,
    NONE,
    DetectionRow,
    detection_table,
    readable,
)

NOTES = (
    "Recall: of the faces that are there, those with a box (annotated: IoU at least .5); precision: of the boxes, "
    "those on a face; Wilson intervals, 95 %, in brackets. truth: annotated, or an audit by eye of a random sample "
    "(`anonbench audit`), for which truth n counts the sample's faces. setting: WIDER FACE's easy, medium and hard, a "
    "row each. images per s: of the whole job, its start included.",
    "Faces of one image are not counted as independent: the intervals are wider where one image loses several.",
    "Average precision is over the given boxes alone: it is at most the recall, and comparable only between detectors "
    "of the same low threshold.",
    "Rendered passers-by are not annotated: precision on rendered people is a lower bound.",
)


def detection(spec: Sequence[Mapping[str, Any]], label: str, output: Path) -> None:
    """Write the table of detectors as CSV, and for readers as .md beside it.

    spec: [{dataset, detector, detections, metrics, audit, stamp}], paths; metrics (`anonbench evaluate-detector`) and audit
    (report.json of `anonbench audit`) None where there are none. stamp: of the detection, for its speed; one that is
    not there, or of a detection that went on after a kill, leaves the speed out. label: what the data is, in words.
    Raises `DataError` for an audit of other boxes.
    """
    table = detection_table([row for entry in spec for row in _read(entry)])
    write_text(output, table.to_csv(index=False))
    text = markdown(readable(table), "Detectors", [*NOTES, f"Data: {label}."])
    write_text(output.with_suffix(".md"), text)
    print(text)


def _read(entry: Mapping[str, Any]) -> list[DetectionRow]:
    seconds, threads = _speed(Path(entry["stamp"]))
    boxes = read_detections(Path(entry["detections"]))
    truth, settings = _truth(entry)
    return [
        DetectionRow(entry["dataset"], entry["detector"], boxes, seconds, threads, truth, setting, found)
        for setting, found in settings.items()
    ]


def _truth(entry: Mapping[str, Any]) -> tuple[str, Mapping[str, Mapping[str, Any]]]:
    """What the truth is, and what was found by setting: "" where there is one alone."""
    if entry.get("metrics"):
        settings = read_metrics(Path(entry["metrics"]), ("settings",))["settings"]
        return ANNOTATED, {"": settings[ALL]} if list(settings) == [ALL] else settings
    if entry.get("audit"):
        report = read_metrics(Path(entry["audit"]), ("cameras", "detections_sha256"))
        if report["detections_sha256"] != file_sha256(Path(entry["detections"])):
            raise DataError(
                f"{entry['audit']}: is about other boxes than {entry['detections']} holds now. Draw a sample again "
                f"(`anonbench audit {entry['dataset']} --detector {entry['detector']} --output …`), or move the report "
                f"away."
            )
        return AUDITED, {"": report["cameras"]["all"]}
    return NONE, {"": {}}


def _speed(stamp: Path) -> tuple[float, int | None]:
    if not stamp.is_file() or went_on(stamp):
        return math.nan, None
    found = read_stamp(stamp)
    return found.seconds, found.threads
