"""The table of faces that a detector leaves visible: from annotated faces, and from an audit."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from anonbench.config import read_config
from anonbench.core.errors import ConfigError, DataError
from anonbench.core.hashing import file_sha256
from anonbench.data import paths
from anonbench.data.annotations import FILE
from anonbench.data.regions import Region, write_regions
from anonbench.report.tables import write_table
from anonbench.stages.evaluate_detector import evaluate_detector
from anonbench.statistics.proportion import Proportion
from anonbench.studies.kinds import check_table, kind_of

CONFIG = read_config(root=Path(__file__).parents[4])
ENTRY = CONFIG["tables"]["privacy_missed"]
KIND = kind_of(ENTRY)
SPEC = {**ENTRY, "of": "toy", "detector": "centerface", "confidence": 0.95}
LABEL = "toy (rendered people: a check of the pipeline, not evidence about real ones)"


def real(root: Path) -> dict[str, Any]:
    """The configuration with real pictures in a folder."""
    config = copy.deepcopy(CONFIG)
    config["datasets"]["market1501-rendered"] = {"format": "market1501", "root": str(root)}
    return config


def audit(folder: Path, sha256: str, hits: int = 18, n: int = 20) -> Path:
    def recall(hits: int, n: int) -> dict[str, Any]:
        share = Proportion(hits, n)
        value = share.value if n else None
        return {"recall": {"value": value, "hits": hits, "n": n, "wilson": share.wilson(0.9)}}

    cameras = {"all": recall(hits, n), "1": recall(hits, n), "2": recall(0, 0)}
    named = {"dataset": "toy", "detector": "centerface", "confidence": 0.9}
    path = folder / "report.json"
    path.write_text(json.dumps({**named, "detections_sha256": sha256, "cameras": cameras}))
    return path


def test_shares_by_group_from_annotated_faces(tmp_path: Path) -> None:
    """Of ten faces, all of 10 px but one of 20 px, two are missed; the large one is found."""
    sides = [10] * 9 + [20]
    views = ["front"] * 5 + ["profile"] * 5
    lines = [f"{n}.jpg,0,0,{side},{side},{view},3" for n, (side, view) in enumerate(zip(sides, views, strict=True))]
    (tmp_path / "truth.csv").write_text("\n".join(["path,x0,y0,x1,y1,view,skin_tone", *lines]) + "\n")
    found = {f"{n}.jpg": [Region((0, 0, s, s), score=0.9)] if n not in (0, 8) else [] for n, s in enumerate(sides)}
    write_regions(tmp_path / "d.csv", found)
    labels = {"dataset": "toy", "detector": "centerface", "data": "toy"}
    groups = tmp_path / "groups.csv"
    evaluate_detector(
        tmp_path / "d.csv", tmp_path / "truth.csv", tmp_path / "m.json", groups, tmp_path / "c.csv", labels
    )

    table = KIND.build("privacy_missed", {"groups": [groups]}, SPEC, LABEL)
    assert list(table.frame) == ["kind", "group", "faces", "missed", "low", "high"]
    rows = {(row["kind"], row["group"]): row for row in table.frame.to_dict("records")}
    low, high = Proportion(2, 10).wilson(0.95)
    every = rows["all", "all"]
    assert (every["faces"], every["missed"]) == (10, 20)
    assert (every["low"], every["high"]) == (pytest.approx(100 * low, abs=0.01), pytest.approx(100 * high, abs=0.01))
    assert rows["height", "16-24 px"]["missed"] == 0
    assert (rows["view", "front"]["missed"], rows["view", "profile"]["missed"]) == (20, 20)
    assert rows["skin tone", "3"]["faces"] == 10
    text = write_table(table, tmp_path / "t.csv")
    assert "| all | all | 10 | 20.0 [5.7, 51.0] |" in text
    assert LABEL in text
    assert "interval at 95 %" in text


def test_shares_from_an_audit(tmp_path: Path) -> None:
    boxes = tmp_path / "d.csv"
    write_regions(boxes, {"a.jpg": [Region((0, 0, 9, 9), score=0.9)]})
    report = audit(tmp_path, file_sha256(boxes))
    table = KIND.build("privacy_missed", {"audit": [report], "detections": [boxes]}, SPEC, LABEL)
    assert table.frame[["kind", "group"]].to_numpy().tolist() == [["all", "all"], ["camera", "1"], ["camera", "2"]]
    low, high = Proportion(2, 20).wilson(0.9)
    assert table.frame.loc[0, ["missed", "low", "high"]].tolist() == pytest.approx(
        [10, 100 * low, 100 * high], abs=0.01
    )
    assert table.frame.loc[2, ["missed", "low", "high"]].isna().all()  # no face there, nothing is known
    text = write_table(table, tmp_path / "t.csv")
    assert "interval at 90 %" in text
    assert "| camera | 2 | 0 | – |" in text
    write_regions(boxes, {"a.jpg": []})
    with pytest.raises(DataError, match=r"report\.json: is about other boxes than .*d\.csv holds now"):
        KIND.build("privacy_missed", {"audit": [report], "detections": [boxes]}, SPEC, LABEL)


def test_where_the_shares_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_table(CONFIG, "privacy_missed")
    groups = {"groups": ["results/detection_metrics/market1501-rendered/centerface.groups.csv"]}
    assert KIND.inputs(CONFIG, ENTRY) == groups
    assert KIND.datasets(CONFIG, ENTRY) == ["market1501-rendered"]
    monkeypatch.chdir(tmp_path)
    config = real(tmp_path / "raw")
    with pytest.raises(ConfigError, match=r"market1501-rendered: nobody knows .*`anonbench audit market1501-rendered"):
        KIND.inputs(config, ENTRY)
    report = Path(paths.audit_report("market1501-rendered", "centerface"))
    report.parent.mkdir(parents=True)
    report.write_text("{}")
    detections = "results/detections/market1501-rendered/centerface.csv"
    assert KIND.inputs(config, ENTRY) == {"audit": [str(report)], "detections": [detections]}
    truth = tmp_path / "raw" / FILE
    truth.parent.mkdir(parents=True)
    truth.write_text("")
    assert KIND.inputs(config, ENTRY) == groups  # annotated faces say more than a sample


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"faces": "market1501-rendered"}, "market1501-faces"),
        ({"detector": "haar"}, "unknown key 'detector'"),
    ],
)
def test_entries_that_cannot_be_used(changed: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        KIND.check(CONFIG, {**ENTRY, **changed}, "tables.privacy_missed")
