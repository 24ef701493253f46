"""Hold a detector's boxes against the truth: precision, recall, average precision, recall by group of faces."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.errors import ConfigError, DataError
from anonbench.core.files import write_text
from anonbench.data.annotations import FILE, Annotation, Annotations, read_annotations
from anonbench.data.left_out import left_out_of
from anonbench.data.regions import Region, corners, read_regions
from anonbench.data.tables import write_csv
from anonbench.report.style import write_figure
from anonbench.statistics.proportion import Proportion
from anonbench.tasks.detection.figure import draw_detection
from anonbench.tasks.detection.groups import ALL, Group, missing_from, recall_groups
from anonbench.tasks.detection.wider import (
    Curve,
    Faces,
    Floats,
    Marks,
    covered,
    evaluate_wider,
    mark,
    normalised,
    precision_recall,
)
from anonbench.tasks.detection.wider_files import read_wider_detections, read_wider_truth

OTHER_IOUS = (0.3, 0.5, 0.7)
GROUP_COLUMNS = (
    "dataset", "detector", "setting", "kind", "group", "faces", "found", "recall", "wilson_low", "wilson_high",
    "exact_low", "exact_high",
)  # fmt: skip
CURVE_COLUMNS = ("setting", "score", "precision", "recall")
ANNOTATED, WIDER = "annotated faces", "WIDER FACE"
WIDER_IMAGES = "WIDER_val/images/"


@dataclass(frozen=True)
class Evaluation:
    """A detector on one setting: faces to be found and what became of every detection.

    marks, faces: of each image, its detections and the number of its faces to be found.
    limits: the scores that are 0 and 1 on the curve.
    images: that were evaluated.
    """

    curve: Curve
    marks: Mapping[str, Marks]
    faces: Mapping[str, int]
    groups: Sequence[Group]
    limits: tuple[float, float]
    images: int
    more: Mapping[str, Any]

    @property
    def recall(self) -> Proportion:
        return Proportion.of_clusters((int(m.hit.sum()), self.faces[path]) for path, m in self.marks.items())

    @property
    def false_positives(self) -> int:
        return sum(int(m.false_positive.sum()) for m in self.marks.values())

    @property
    def precision(self) -> Proportion:
        marks = self.marks.values()
        return Proportion.of_clusters((int(m.hit.sum()), int((m.hit | m.false_positive).sum())) for m in marks)

    @property
    def lowest_score(self) -> float | None:
        """Of all boxes that the detector gave; None without one."""
        return self.limits[0] if any(len(m.scores) for m in self.marks.values()) else None


@command("evaluate", needs={"labels": ("dataset", "detector", "data")})
def evaluate_detector(
    detections: Input,
    truth: Input,
    output: Output,
    groups: Output,
    curve: Output,
    labels: Spec,
    heights: Sequence[float] = (8.0, 12.0, 16.0, 24.0),
    iou: float = 0.5,
    confidence: float = 0.95,
    figure: Output | None = None,
    png: Output | None = None,
    dropped: Input | None = None,
    threads: int = 1,
) -> None:
    """Compare a detector's boxes with the truth: precision, recall, average precision, recall by group of faces.

    detections: boxes (CSV of `detect`), or a folder of WIDER FACE's text files. Boxes that stand for faces that were
        not found do not count.
    truth: a CSV of faces, a dataset folder that holds one as ground_truth/annotations.csv, or a folder with WIDER
        FACE's ground truth, for which its protocol is followed.
    output: metrics, 0..1 (JSON).
    groups: recall by group of faces (CSV).
    curve: precision and recall by score (CSV).
    labels: {dataset, detector, data}; data: what the images are, in words. With `scales`: those at which the detector
        looked at them, in words.
    heights: bounds of the classes of face height, pixels.
    iou: least overlap of a found face, 0..1.
    confidence: of the intervals, 0..1.
    figure: where to draw both (SVG); with --png.
    png: the same picture as PNG.
    dropped: list of the images that are left out (CSV of `index`), where some are on request: the truth's boxes in them
        do not count.
    """
    if not 0 < iou <= 1:
        raise ConfigError(f"iou is {iou}; expected more than 0 and at most 1.")
    file = truth / FILE if truth.is_dir() else truth
    if file.is_file():
        protocol, settings = ANNOTATED, {ALL: _on_annotations(detections, file, heights, iou, dropped)}
    elif truth.is_dir():
        protocol, settings = WIDER, _on_wider(detections, truth, heights, iou)
    else:
        raise DataError(f"{truth}: there is no such file or folder. Expected ground truth: see docs/detection.md.")
    found = {name: _summary(evaluation, confidence) for name, evaluation in settings.items()}
    metrics = {**labels, "protocol": protocol, "iou": iou, "confidence": confidence, "settings": found}
    write_text(output, json.dumps(metrics, indent=1) + "\n")
    rows = [_group_row(labels, name, g, confidence) for name, e in settings.items() for g in e.groups]
    write_csv(groups, GROUP_COLUMNS, rows)
    write_csv(curve, CURVE_COLUMNS, [row for name, e in settings.items() for row in _curve_rows(name, e)])
    if figure is not None and png is not None:
        curves = {name: e.curve for name, e in settings.items()}
        points = {name: (e.recall.value, e.precision.value) for name, e in settings.items()}
        title = f"{labels['detector']} on {labels['dataset']}"
        last, evaluation = list(settings.items())[-1]
        shown = [(g.kind, g.name, g.found) for g in evaluation.groups]
        setting = last if len(settings) > 1 else ""
        scales = f". Scales: {labels['scales']}" if labels.get("scales") else ""
        page = draw_detection(title, f"{labels['data']}{scales}", curves, points, shown, setting, iou, confidence)
        write_figure(page, figure, png)
    for name, e in settings.items():
        recall, precision = found[name]["recall"], found[name]["precision"]
        print(
            f"evaluate-detector: {name}: {e.curve.faces} faces in {e.images} images: "
            f"AP {_percent(e.curve.average_precision)}, recall {_spoken(recall)}, precision {_spoken(precision)}"
        )


def _on_annotations(
    detections: Path, file: Path, heights_px: Sequence[float], iou: float, dropped: Path | None
) -> Evaluation:
    """Every image counts, those without a face too; images with a part of a face alone are set aside."""
    gone = set(left_out_of(dropped)) if dropped else set()
    truth = _without(read_annotations(file), gone)
    found = _read_boxes(detections)
    _demand_all(truth.regions, found, detections)
    paths = [path for path in sorted(truth.regions) if path not in truth.unclear]
    faces = {path: _faces(truth.regions[path]) for path in paths}
    marks = {path: mark(found[path], faces[path], iou) for path in paths}
    listed = [face for path in paths for face in truth.regions[path] if face.counted]
    hits = {path: _found(marks[path], faces[path]) for path in paths}
    limits = normalised(marks.values())
    by_iou = {
        f"{value:g}": sum(int(mark(found[path], faces[path], value).hit.sum()) for path in paths)
        for value in OTHER_IOUS
    }
    shares = [covered(found[path][:, :4], faces[path].boxes[faces[path].counted]) for path in paths]
    return Evaluation(
        curve=precision_recall(list(marks.values()), len(listed), limits),
        marks=marks,
        faces={path: int(faces[path].counted.sum()) for path in paths},
        groups=recall_groups(listed, [hit for path in paths for hit in hits[path]], heights_px),
        limits=limits,
        images=len(paths),
        more={
            "unclear_images": len(truth.unclear),
            "images_without_truth": len(set(found) - set(truth.regions)),
            "images_with_a_missed_face": sum(not all(flags) for flags in hits.values()),
            "recall_at_iou": {name: _number(hits / len(listed)) if listed else None for name, hits in by_iou.items()},
            "mean_share_covered": _number(float(np.concatenate(shares).mean())) if listed else None,
        },
    )  # fmt: skip


def _without(truth: Annotations, gone: Collection[str]) -> Annotations:
    return Annotations(
        {path: found for path, found in truth.regions.items() if path not in gone}, truth.unclear.difference(gone)
    )


def _on_wider(detections: Path, folder: Path, heights_px: Sequence[float], iou: float) -> dict[str, Evaluation]:
    settings = read_wider_truth(folder)
    # Paths are relative to the folder in our own detections, to its images in WIDER FACE's files.
    found = {path.removeprefix(WIDER_IMAGES): boxes for path, boxes in _read_boxes(detections).items()}
    evaluations = {}
    for name, truth in settings.items():
        _demand_all(truth, found, detections)
        curve, marks = evaluate_wider(found, truth, iou)
        listed: list[Annotation] = []
        hits: list[bool] = []
        for path, image in truth.items():
            listed += [Annotation(path, Region(tuple(box))) for box in image.boxes[image.counted].tolist()]
            hits += _found(marks[path], image) if path in marks else []
        groups = recall_groups(listed, hits, heights_px)
        limits = normalised(mark(found[path], faces, iou, closed=True) for path, faces in truth.items())
        counts = {path: int(truth[path].counted.sum()) for path in marks}
        evaluations[name] = Evaluation(curve, marks, counts, groups, limits, len(truth), {})
    return evaluations


def _read_boxes(source: Path) -> dict[str, Floats]:
    """Path -> (n, 5) boxes with scores, without those that stand for faces that were not found."""
    if source.is_dir():
        return read_wider_detections(source)
    return {path: _array(boxes) for path, boxes in read_regions(source).items()}


def _array(regions: Sequence[Region]) -> Floats:
    rows = [(*region.box, region.score) for region in regions if not region.is_default]
    return np.array(rows, np.float64).reshape(len(rows), 5)


def _faces(faces: Sequence[Annotation]) -> Faces:
    return Faces(corners(face.region for face in faces), np.array([face.counted for face in faces], bool))


def _found(marks: Marks, faces: Faces) -> list[bool]:
    """Whether each counted face of an image was found."""
    flags = np.zeros(len(faces.boxes), bool)
    flags[marks.face[marks.hit]] = True
    return flags[faces.counted].tolist()


def _demand_all(truth: Mapping[str, Any], found: Mapping[str, Any], source: Path) -> None:
    missing = missing_from(truth, found)
    if missing:
        raise DataError(
            f"{source}: does not list {missing[0]} ({len(missing)} of {len(truth)} images of the ground truth). Detect "
            f"all of them; an image without a face is listed, too."
        )


def _summary(e: Evaluation, confidence: float) -> dict[str, Any]:
    detections = sum(len(m.scores) for m in e.marks.values())
    ignored = sum(int(m.ignored.sum()) for m in e.marks.values())
    return {
        "images": e.images,
        "faces": e.curve.faces,
        "detections": detections,
        "ignored_detections": ignored,
        "false_positives": e.false_positives,
        "false_positives_per_image": _number(e.false_positives / len(e.marks)) if e.marks else None,
        "lowest_score": None if e.lowest_score is None else _number(e.lowest_score),
        "average_precision": _number(e.curve.average_precision),
        "recall": with_intervals(e.recall, confidence),
        "precision": with_intervals(e.precision, confidence),
        **e.more,
    }


def with_intervals(share: Proportion, confidence: float) -> dict[str, Any]:
    """`{value, hits, n, effective, wilson: [low, high], clopper_pearson: [low, high]}`; None for no value.

    Shares in 0..1. effective: how many of the n cases the intervals stand on.
    """
    wilson, exact = share.wilson(confidence), share.clopper_pearson(confidence)
    return {
        "value": _number(share.value),
        "hits": share.hits,
        "n": share.n,
        "effective": _number(share.cases),
        "wilson": [_number(v) for v in wilson],
        "clopper_pearson": [_number(v) for v in exact],
    }


def _group_row(labels: Mapping[str, str], setting: str, group: Group, confidence: float) -> list[object]:
    share = group.found
    numbers = (share.value, *share.wilson(confidence), *share.clopper_pearson(confidence))
    names = (labels["dataset"], labels["detector"], setting, group.kind, group.name, share.n, share.hits)
    return [*names, *(_number(v) for v in numbers)]


def _curve_rows(setting: str, e: Evaluation) -> list[list[object]]:
    low, high = e.limits
    scores = low + e.curve.thresholds * (high - low)
    return [
        [setting, f"{score:.6g}", _number(p), _number(r)]
        for score, p, r in zip(scores, e.curve.precision.tolist(), e.curve.recall.tolist(), strict=True)
    ]


def _number(value: float) -> float | None:
    """Six digits; None for NaN, which JSON does not have."""
    return None if math.isnan(value) else round(value, 6)


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.1f} %"


def _spoken(share: Mapping[str, Any]) -> str:
    if share["value"] is None:
        return "– (no case)"
    low, high = share["wilson"]
    return f"{100 * share['value']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
