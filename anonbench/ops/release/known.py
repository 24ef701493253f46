"""What is known of a variant before it is released: how it was made, what its detector missed, what attacks found.

Nothing here is measured. What is not known, or is about other files than those that are there, is said to be so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anonbench.attacks._outcome import read_outcome
from anonbench.core.errors import ConfigError, DataError, nearest
from anonbench.core.hashing import file_sha256
from anonbench.data import paths
from anonbench.data.entries import images_root, is_files, is_rendered, is_whole, of_stored, training_of
from anonbench.data.variants import ORIGINAL, UNTRAINED
from anonbench.ops.provenance import Stamp, read_stamp

MAKERS = ("anonymize", "anonymize_whole", "accept_copy")
SPOILT = {"missed": "faces are left visible", "false_boxes": "boxes are put where nobody is"}
"""Keys of a variant with a detector's mistakes, and what they do."""
AUDIT, TRUTH = "an audit by eye of a random sample", "annotated faces"


@dataclass(frozen=True)
class Recall:
    """What a detector found of the faces.

    source: `AUDIT` or `TRUTH`.
    images: that were looked at, of all.
    recall: {value, n, wilson: [low, high], …}, 0..1, of faces.
    leaks: the same of images in which a face has no box; {} where nobody counted them.
    confidence: of the intervals.
    """

    source: str
    images: int
    recall: Mapping[str, Any]
    leaks: Mapping[str, Any]
    confidence: float


@dataclass(frozen=True)
class Known:
    """A variant that may be released, and what is known of it.

    dataset, variant: of the configuration; stored: the name below which its pictures lie.
    root, manifest: its pictures.
    original, original_manifest: those from which it was made.
    detections: what it hides; None where no detector was asked.
    entry: how it was made: that of its stamp, else of the configuration.
    detector: entry of its detector, {} for none.
    stamp: of the job that made it; None where there is none.
    recall: None where nobody counted, or too long ago: `why` says so.
    outcomes: of the attacks on it.
    """

    dataset: str
    variant: str
    stored: str
    rendered: bool
    root: Path
    manifest: Path
    original: Path
    original_manifest: Path
    sidecars: Path
    dropped: Path
    detections: Path | None
    entry: Mapping[str, Any]
    detector_name: str
    detector: Mapping[str, Any]
    stamp: Stamp | None
    recall: Recall | None
    why: str
    outcomes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def needs_audit(self) -> bool:
        """Whether anybody may have been missed: not where whole pictures are hidden."""
        return self.detections is not None or self.entry.get("method") == "files"


def know(config: Mapping[str, Any], dataset: str, name: str, root: Path = Path()) -> Known:
    """What is known of a variant, by its name or, of a learned one, the name of one of its copies (`protected-seed0`).

    root: folder of the workflow. Raises `ConfigError` for a variant that is never released, `DataError` for one that
    is not there or was made from other files than those that are there.
    """
    variant, stored = _choose(config, dataset, name)
    entry = config["variants"][variant]
    manifest = root / paths.manifest(dataset, stored)
    pictures = root / images_root(config, dataset, stored)
    if not manifest.is_file() or not pictures.is_dir():
        raise DataError(f"{pictures}: the copy is not there. Run snakemake --cores 2 {paths.images(dataset, stored)}")
    detector = entry["detector"]
    detections = None if detector is None else root / paths.detections(dataset, detector)
    stamp = _stamp(root, dataset, stored)
    original_manifest = root / paths.manifest(dataset)
    inputs = [original_manifest, *([detections] if detections else [])]
    made = _demand_current(stamp, entry, inputs, root, paths.images(dataset, stored))
    recall, why = (None, "") if detections is None else _recall(root, dataset, str(detector), detections)
    if detections is None and is_files(config, variant):
        why = "its entry names no detector, so nobody can say which faces should be hidden"
    return Known(
        dataset, variant, stored, is_rendered(config, dataset), pictures, manifest,
        root / images_root(config, dataset), original_manifest, root / paths.sidecars(dataset),
        root / paths.dropped(dataset), detections, made, detector or "", config["detectors"].get(detector, {}), stamp,
        recall, why, _outcomes(root, dataset, variant),
    )  # fmt: skip


def _choose(config: Mapping[str, Any], dataset: str, name: str) -> tuple[str, str]:
    if dataset not in config["datasets"]:
        raise ConfigError(f"unknown dataset '{dataset}': {nearest(dataset, config['datasets'])}")
    if name in (ORIGINAL, UNTRAINED):
        raise ConfigError(f"variant '{name}' is never released: it shows everybody. Name one that hides them.")
    variant, run = of_stored(config, name)
    if variant not in config["variants"]:
        raise ConfigError(f"unknown variant '{name}': {nearest(name, config['variants'])}")
    entry = config["variants"][variant]
    if training_of(config, variant) and not run:
        raise ConfigError(f"variant '{name}' has a copy for each run of its training. Name one, such as {name}-seed0.")
    if entry.get("control"):
        raise ConfigError(f"variant '{name}' is a control, in which every face is visible. It is never released.")
    for key, what in SPOILT.items():
        if entry.get(key):
            raise ConfigError(f"variant '{name}' is spoilt on purpose: {what} (`{key}`). It is never released.")
    if entry.get("of"):
        raise ConfigError(
            f"variant '{name}' shows people again who were hidden in '{entry['of']}'. It is never released: what is "
            f"recovered is as confidential as the originals."
        )
    assert entry["detector"] is not None or is_whole(config, variant) or is_files(config, variant)
    return variant, name


def _stamp(root: Path, dataset: str, stored: str) -> Stamp | None:
    files = (root / paths.stamp(maker, dataset, stored) for maker in MAKERS)
    return next((read_stamp(file) for file in files if file.is_file()), None)


def _demand_current(
    stamp: Stamp | None, entry: Mapping[str, Any], inputs: list[Path], root: Path, folder: str
) -> Mapping[str, Any]:
    """How a copy was made; raises `DataError` where that is not how it would be made now."""
    if stamp is None:
        return entry
    again = f"Make it again: snakemake --cores 2 {folder}"
    made: Mapping[str, Any] = stamp.settings.get("spec") or {}
    now = json.loads(json.dumps(entry))
    for key in sorted(made.keys() & now.keys()):
        if made[key] != now[key]:
            raise DataError(
                f"{folder}: was made with {key} {made[key]!r}, and the configuration says {now[key]!r}. {again}"
            )
    hashes = {root / path: digest for path, digest in stamp.inputs.items()}
    for file in inputs:
        if hashes.get(file) not in (None, file_sha256(file)):
            raise DataError(f"{folder}: was made from another {file} than the one that is there. {again}")
    return {**entry, **made}


def _recall(root: Path, dataset: str, detector: str, detections: Path) -> tuple[Recall | None, str]:
    """What an audit, or else the truth, says about these very detections; or why nothing does."""
    audit, truth = root / paths.audit_report(dataset, detector), root / paths.detection_metrics(dataset, detector)
    now, why = file_sha256(detections), f"there is no audit of '{detector}' on '{dataset}'"
    if audit.is_file():
        report = _read(audit)
        if report.get("detections_sha256") == now:
            counted = report["cameras"]["all"]
            found = Recall(AUDIT, counted["images"], counted["recall"], counted["leaks"], report["confidence"])
            return found, ""
        why = f"{audit} is about other boxes than those of {detections}"
    stamp = root / paths.stamp("evaluate_detector", dataset, detector)
    if truth.is_file() and stamp.is_file():
        digests = read_stamp(stamp).inputs
        if now in digests.values():
            report = _read(truth)
            counted = report["settings"]["all"]
            missed = counted.get("images_with_a_missed_face")
            leaks = {} if missed is None else {"hits": missed, "n": counted["images"]}
            return Recall(TRUTH, counted["images"], counted["recall"], leaks, report["confidence"]), ""
        why += f", and {truth} neither"
    return None, why


def _read(file: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read ({error}). Make it again.") from error
    return found


def _outcomes(root: Path, dataset: str, variant: str) -> list[dict[str, Any]]:
    folder = (root / paths.attack(dataset, "x", variant, "y")).parents[2]
    return [read_outcome(file) for file in sorted(folder.glob(f"*/{variant}/*.json"))]
