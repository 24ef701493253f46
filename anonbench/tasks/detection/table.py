"""What detectors found: counts, and recall and precision where the truth is known, setting by setting."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from anonbench.data.regions import Region
from anonbench.report.layout import DASH

SHARES = ("recall", "precision")
ANNOTATED, AUDITED, NONE = "annotated", "audit", ""


@dataclass(frozen=True)
class DetectionRow:
    """A dataset and a detector.

    boxes: image -> the faces that were found in it.
    truth: annotated (each face is known), audit (a person has looked at a random sample) or "".
    scales: at which the detector looked at the pictures, in words; "" where it does not say.
    setting: of WIDER FACE, easy, medium or hard, for which images and boxes are the same; "" where there is one alone.
    found: {recall, precision: {value, hits, n, wilson: [low, high]}} and, for annotated faces, average_precision and
        false_positives_per_image, in 0..1; {} without truth.
    """

    dataset: str
    detector: str
    boxes: Mapping[str, Sequence[Region]]
    truth: str = NONE
    setting: str = ""
    found: Mapping[str, Any] | None = None
    scales: str = ""


def detection_table(rows: Iterable[DetectionRow]) -> pd.DataFrame:
    """One row a dataset, detector and setting. Shares in percent, with Wilson's interval, empty where nothing is known.

    Columns of the result:

    - faces: boxes without default ones, which are put where no face was found.
    - truth_n: faces in the images from which recall is computed.
    """
    return pd.DataFrame([_row(row) for row in rows]).astype({"truth_n": "Int64"})


def _row(row: DetectionRow) -> dict[str, Any]:
    faces = [sum(not region.is_default for region in regions) for regions in row.boxes.values()]
    found = row.found or {}
    values: dict[str, Any] = {
        "data": row.dataset,
        "detector": row.detector,
        "scales": row.scales,
        "images": len(faces),
        "faces": sum(faces),
        "images_without_face": faces.count(0),
        "truth": row.truth,
        "setting": row.setting,
        "truth_n": found["recall"]["n"] if found else None,
    }
    for name in SHARES:
        share = found.get(name) or {"value": None, "wilson": (None, None)}
        numbers = (share["value"], *(share["wilson"] if share["value"] is not None else (None, None)))
        values |= dict(zip((name, f"{name}_low", f"{name}_high"), map(_percent, numbers), strict=True))
    values["false_positives_per_image"] = _number(found.get("false_positives_per_image"))
    values["average_precision"] = _percent(found.get("average_precision"))
    return values


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table for readers: shares with their intervals behind them in brackets."""
    shown = table.drop(columns=[f"{name}_{end}" for name in SHARES for end in ("low", "high")])
    for name in SHARES:
        ends = zip(table[name], table[f"{name}_low"], table[f"{name}_high"], strict=True)
        shown[name] = [DASH if math.isnan(v) else f"{v:.1f} ({low:.1f} to {high:.1f})" for v, low, high in ends]
    rate = table["false_positives_per_image"]
    shown["false_positives_per_image"] = [DASH if math.isnan(v) else f"{v:.3f}" for v in rate]
    for column in ("scales", "truth", "setting"):
        shown[column] = [text or DASH for text in table[column]]
    return shown


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _percent(value: float | None) -> float:
    return round(100 * _number(value), 4)
