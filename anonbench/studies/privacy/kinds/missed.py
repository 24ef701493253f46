"""`rows: missed`: which share of the faces a detector leaves visible, by what the faces are like.

    privacy_missed:
      study: privacy
      rows: missed
      faces: market1501-faces      # its `cut.detector` is asked, on the pictures of its `cut.of`

Where every face is annotated the shares are those of `evaluate-detector`, by height, view, skin tone and occlusion.
Where none is, they are those of an audit by eye (`anonbench audit`), by camera.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from anonbench.core.errors import ConfigError, DataError
from anonbench.core.hashing import file_sha256
from anonbench.core.structure import check_known
from anonbench.data import paths
from anonbench.data.annotations import FILE
from anonbench.data.entries import cut_from, is_rendered
from anonbench.data.results import read_frame, read_metrics
from anonbench.report.layout import DASH
from anonbench.report.tables import Table
from anonbench.studies.kinds import Entry, Files, Source
from anonbench.studies.privacy.kinds import KINDS
from anonbench.studies.privacy.kinds._common import in_percent
from anonbench.studies.tables import NAME, check_keys
from anonbench.tasks.detection.groups import ALL

COLUMNS = ("kind", "group", "faces", "missed", "low", "high")
CAMERA = "camera"  # the groups of an audit
GROUP_COLUMNS = ("kind", "group", "faces", "recall", "wilson_low", "wilson_high")
GROUPS, REPORT, DETECTIONS = "groups", "audit", "detections"  # roles of files
MISSED = (
    "Missed: of the faces that can be seen in {of}, the share that '{detector}' did not find, in percent, with "
    "Wilson's interval at {level:g} %. They stay visible, in whole or in part. {source} Faces of one picture are "
    "not counted as independent."
)
ANNOTATED = "Every face is annotated; one is found where a box overlaps it by half (IoU)."
AUDITED = "Somebody has looked at a random sample of the pictures (`anonbench audit`)."


@KINDS.register("missed")
class Missed:
    key, whole = ("kind", "group"), "counts faces"

    def check(self, config: Mapping[str, Any], entry: Entry, where: str) -> None:
        check_keys(entry, where, {"faces": NAME}, {})
        cut = [name for name in config["datasets"] if cut_from(config, name) is not None]
        check_known(f"{where}.faces", [entry["faces"]], cut)

    def datasets(self, config: Mapping[str, Any], entry: Entry) -> list[str]:
        return [_cut(config, entry)["of"]]

    def inputs(self, config: Mapping[str, Any], entry: Entry) -> dict[str, list[str]]:
        """Raises `ConfigError` where nobody knows what was missed: neither annotated faces nor an audit are there."""
        of, detector = _cut(config, entry)["of"], _cut(config, entry)["detector"]
        truth, report = Path(config["datasets"][of]["root"], FILE), paths.audit_report(of, detector)
        if is_rendered(config, of) or truth.is_file():
            return {GROUPS: [paths.detection_metrics(of, detector, ".groups.csv")]}
        if Path(report).is_file():
            return {REPORT: [report], DETECTIONS: [paths.detections(of, detector)]}
        raise ConfigError(
            f"{of}: nobody knows which faces '{detector}' missed. Expected annotated faces in {truth}, or the report "
            f"of an audit by eye in {report}. Look at a sample (`anonbench audit {of} --detector {detector}`, "
            f"docs/detection.md), or take the table out of `build`."
        )

    def spec(self, config: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
        return {**entry, **_cut(config, entry), "confidence": config["statistics"]["confidence"]}

    def build(self, name: str, files: Files, spec: Entry, label: str) -> Table:
        if GROUPS in files:
            rows, level, source = _annotated(files[GROUPS][0]), spec["confidence"], ANNOTATED
        else:
            report = _report(files[REPORT][0], files[DETECTIONS][0])
            rows, level, source = _audited(report), report["confidence"], AUDITED
        frame = pd.DataFrame(rows, columns=list(COLUMNS))
        notes = MISSED.format(of=spec["of"], detector=spec["detector"], level=100 * level, source=source)
        return Table(
            frame,
            f"{name}: faces of {spec['of']} that are left visible",
            [notes, f"Data: {label}."],
            self.key,
            shown=_shown(frame),
        )

    def cells(self, config: Mapping[str, Any], entry: Entry) -> dict[str, dict[str, Source]]:
        return {}


def _cut(config: Mapping[str, Any], entry: Entry) -> dict[str, str]:
    """The dataset of whose pictures the faces are cut, and the detector that says where."""
    cut = config["datasets"][entry["faces"]]["cut"]
    return {"of": cut["of"], "detector": cut["detector"]}


def _annotated(path: Path) -> list[tuple[object, ...]]:
    """Rows of `COLUMNS`, from recall by group (CSV of `evaluate-detector`)."""
    found = read_frame(path, GROUP_COLUMNS)
    rows = found[list(GROUP_COLUMNS)].itertuples(index=False, name=None)
    return [(kind, group, faces, *_turned(*share)) for kind, group, faces, *share in rows]


def _audited(report: Mapping[str, Any]) -> list[tuple[object, ...]]:
    """Rows of `COLUMNS`, from a report of `anonbench audit`."""
    shares = {camera: found["recall"] for camera, found in report["cameras"].items()}
    return [
        (ALL if camera == ALL else CAMERA, camera, share["n"], *_turned(share["value"], *share["wilson"]))
        for camera, share in shares.items()
    ]


def _report(path: Path, detections: Path) -> dict[str, Any]:
    """Raises `DataError` for an audit of other boxes than those that are hidden now."""
    report = read_metrics(path, ("cameras", "confidence", "detections_sha256", "dataset", "detector"))
    if report["detections_sha256"] != file_sha256(detections):
        raise DataError(
            f"{path}: is about other boxes than {detections} holds now. Draw a sample again "
            f"(`anonbench audit {report['dataset']} --detector {report['detector']}`) and look at it."
        )
    return report


def _turned(recall: float | None, low: float, high: float) -> tuple[float | None, float | None, float | None]:
    """Recall with its interval, 0..1, as the share that is missed with its own, in percent; None without a face."""
    if recall is None or pd.isna(recall):
        return None, None, None
    return in_percent(1 - recall, 2), in_percent(1 - high, 2), in_percent(1 - low, 2)


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    missed = [
        DASH if pd.isna(row["missed"]) else f"{row['missed']:.1f} [{row['low']:.1f}, {row['high']:.1f}]"
        for row in frame.to_dict("records")
    ]
    return pd.DataFrame({"kind": frame["kind"], "group": frame["group"], "faces": frame["faces"], "missed": missed})
