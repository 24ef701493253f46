"""The WIDER FACE protocol: which detections are right, the precision-recall curve, its average precision.

Source: Yang et al. 2016, "WIDER FACE: A Face Detection Benchmark", and what its evaluation tool (MATLAB) computes:

- Scores are brought to 0..1 over the whole set. The curve has 1000 thresholds, 1 - t / 1000 for t = 1..1000.
- A detection belongs to the face that it overlaps most. From IoU .5 on it is a find. On an ignored face it counts for
  nothing. The first find of a face is a hit, each further one a false positive.
- Boxes are x, y, x + w, y + h and count one pixel more along each axis (`closed`).
- False positives in images without any annotated face do not count.
- Average precision is the area under the envelope of the curve (Pascal VOC 2010).

Deviation: detections are sorted by score here. The tool takes them as the files list them, which should be the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonbench.data.regions import overlaps

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

IOU = 0.5
THRESHOLDS = 1000


@dataclass(frozen=True)
class Faces:
    """The annotated faces of one image as arrays: the protocol goes over 40,000 of them at several thresholds.

    boxes: (m, 4) x0, y0, x1, y1 in pixels.
    counted: (m,) False for a face that need not be found, and is no mistake when it is.
    """

    boxes: Floats
    counted: Flags


@dataclass(frozen=True)
class Marks:
    """What became of the detections of one image, best first.

    scores: (n,).
    face: (n,) number of the face that each belongs to, -1 for none.
    hit: (n,) the first find of a counted face.
    ignored: (n,) finds of an ignored face. What is neither hit nor ignored is a false positive.
    """

    scores: Floats
    face: NDArray[np.int64]
    hit: Flags
    ignored: Flags

    @property
    def false_positive(self) -> Flags:
        """(n,) neither a hit nor ignored."""
        return ~(self.hit | self.ignored)


@dataclass(frozen=True)
class Curve:
    """Precision and recall (t,) at falling thresholds (t,) of the normalised score; NaN where nothing is detected.

    faces: to be found.
    """

    thresholds: Floats
    precision: Floats
    recall: Floats
    faces: int

    @property
    def average_precision(self) -> float:
        """Area under the envelope of the curve, 0..1; NaN without a face."""
        return average_precision(self.recall, self.precision) if self.faces else float("nan")


def covered(boxes: Floats, faces: Floats) -> Floats:
    """The share of each face (m, 4) that is inside the box (n, 4) which covers most of it: (m,), 0..1.

    What hiding the boxes hides, where overlap (IoU) asks how well the boxes fit too.
    """
    if not len(boxes):
        return np.zeros(len(faces))
    corner = np.minimum(boxes[:, None, 2:], faces[None, :, 2:]) - np.maximum(boxes[:, None, :2], faces[None, :, :2])
    return corner.clip(min=0).prod(axis=2).max(axis=0) / (faces[:, 2:] - faces[:, :2]).prod(axis=1)


def mark(detections: Floats, faces: Faces, iou: float = IOU, closed: bool = False) -> Marks:
    """Hold the detections of one image against its faces.

    detections: (n, 5) x0, y0, x1, y1, score.
    iou: least overlap of a find, 0..1.
    """
    order = np.argsort(-detections[:, 4], kind="stable")
    detections = detections[order]
    face = np.full(len(detections), -1, np.int64)
    hit, ignored = (np.zeros(len(detections), bool) for _ in range(2))
    if len(detections) and len(faces.boxes):
        overlap = overlaps(detections[:, :4], faces.boxes, closed)
        face = np.where(overlap.max(axis=1) >= iou, overlap.argmax(axis=1), -1)
        ignored = (face >= 0) & ~faces.counted[face]
        found, first = np.unique(face, return_index=True)
        hit[first[found >= 0]] = True
        hit &= ~ignored
    return Marks(detections[:, 4], face, hit, ignored)


def normalised(marks: Iterable[Marks]) -> tuple[float, float]:
    """The lowest and the highest score of all images, which become 0 and 1; (0, 1) without detections."""
    scores = np.concatenate([m.scores for m in marks] or [np.zeros(0)])
    return (float(scores.min()), float(scores.max())) if len(scores) else (0.0, 1.0)


def precision_recall(
    marks: Sequence[Marks], faces: int, limits: tuple[float, float] | None = None, thresholds: int = THRESHOLDS
) -> Curve:
    """The curve over all images.

    faces: counted ones in all images.
    limits: scores that become 0 and 1; those of `marks` when left out.
    """
    low, high = limits or normalised(marks)
    level = 1 - np.arange(1, thresholds + 1) / thresholds  # falling, the last one 0
    if marks:
        scores, hit, wrong = (
            np.concatenate([getattr(m, k) for m in marks]) for k in ("scores", "hit", "false_positive")
        )
    else:
        scores, hit, wrong = np.zeros(0), np.zeros(0, bool), np.zeros(0, bool)
    scores = (scores - low) / (high - low) if high > low else np.ones_like(scores)
    order = np.argsort(-scores, kind="stable")
    reached = np.searchsorted(-scores[order], -level, side="right")  # detections at or above each threshold
    hits, wrongs = (np.concatenate([[0], np.cumsum(flags[order])])[reached] for flags in (hit, wrong))
    proposals = hits + wrongs
    precision = np.divide(hits, proposals, out=np.full(thresholds, np.nan), where=proposals > 0)
    recall = hits / faces if faces else np.full(thresholds, np.nan)
    return Curve(level, precision, recall, faces)


def average_precision(recall: Floats, precision: Floats) -> float:
    """Area under the envelope of a curve whose recall does not fall: each precision is the best at that recall or more.

    >>> average_precision(np.array([0.5, 0.5, 1.0]), np.array([1.0, 0.5, 0.75]))
    0.875
    """
    steps = np.diff(np.concatenate([[0.0], recall, [1.0]]))
    padded = np.concatenate([np.nan_to_num(precision), [0.0]])
    envelope = np.maximum.accumulate(padded[::-1])[::-1]
    return float((steps * envelope).sum())


def evaluate_wider(
    detections: Mapping[str, Floats], truth: Mapping[str, Faces], iou: float = IOU
) -> tuple[Curve, dict[str, Marks]]:
    """The protocol of WIDER FACE over a set of images; `truth` and `detections` by image path, (n, 5) each.

    Returns the curve and the marks of each image with annotated faces. Scores are normalised over all images.
    """
    marks = {path: mark(detections[path], faces, iou, closed=True) for path, faces in truth.items()}
    limits = normalised(marks.values())
    annotated = {path: found for path, found in marks.items() if len(truth[path].boxes)}
    total = sum(int(faces.counted.sum()) for faces in truth.values())
    return precision_recall(list(annotated.values()), total, limits), annotated
