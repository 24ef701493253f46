"""The values that pass between stages. Frozen, small, without behaviour beyond their own consistency."""

from __future__ import annotations

from dataclasses import dataclass

SPLITS = ("train", "query", "gallery")
JUNK_PID = -1  # an image that is neither right nor wrong: ignored in every ranking
DISTRACTOR_PID = 0  # a person (or a false detection) whom no query looks for: always wrong in a ranking


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image of a re-identification dataset.

    path: relative to the dataset's root, with forward slashes.
    pid: person identity as the dataset numbers it; -1 = junk, 0 = distractor (both in the gallery only).
    camid: camera as the dataset numbers it, >= 0.
    split: one of `SPLITS`.
    """

    path: str
    pid: int
    camid: int
    split: str


@dataclass(frozen=True, slots=True)
class IndexedImage:
    """A manifest row: an `ImageRecord` with what the file itself says (size in pixels, SHA-256 of its bytes)."""

    path: str
    pid: int
    camid: int
    split: str
    width: int
    height: int
    sha256: str


@dataclass(frozen=True, slots=True)
class DroppedImage:
    """An image file found below a dataset's root that is not in its manifest, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Detection:
    """One face box in pixels of the original image, half-open: it covers columns x0 <= x < x1, rows y0 <= y < y1.

    Detectors may return fractional or outlying corners; `images.clip_box` makes them whole pixels inside the image.
    score: confidence in 0..1 (1.0 for annotated boxes).
    """

    x0: float
    y0: float
    x1: float
    y1: float
    score: float
