"""The jobs behind regions and copies of a scene dataset, as Snakemake resolves them."""

from __future__ import annotations

from pathlib import Path

import yaml

from anonbench.data import paths
from anonbench.ops.dag import workflow_jobs

ROOT = Path(__file__).parents[3]


def test_bodies_and_faces_come_from_instances_and_copies_count_people(tmp_path: Path) -> None:
    for name in ("annotations", "val2017"):
        (tmp_path / "raw" / name).mkdir(parents=True)
    overlay = {
        "datasets": {"mine": {"format": "coco", "root": str(tmp_path / "raw")}},
        "detectors": {"posed": {"method": "annotated_bodies", "keypoints": "estimated"}},
    }
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(overlay))
    targets = [paths.images("mine", variant) for variant in ("face_blur", "body_mask_out")]
    targets += [paths.detections("mine", "posed"), paths.left_visible("mine", "scene_faces")]
    jobs = workflow_jobs([tmp_path / "my.yaml"], targets, ROOT, params=False)
    inputs = {(job.rule, next(iter(set(job.wildcards.values()) - {"mine"}), "")): set(job.inputs) for job in jobs}
    manifest, instances = paths.manifest("mine"), paths.instances("mine")
    boxes = {name: paths.detections("mine", name) for name in ("bodies", "scene_faces", "scene_centerface")}
    raw = str(tmp_path / "raw")
    assert inputs["bodies", "bodies"] == {manifest, instances}
    assert inputs["bodies", "posed"] == {manifest, paths.poses("mine")}
    assert inputs["estimate_pose", ""] == {manifest, instances, raw}
    assert inputs["match_faces", "scene_faces"] == {manifest, instances, boxes["scene_centerface"]}
    assert inputs["left_visible", "scene_faces"] == {manifest, instances, boxes["scene_faces"]}
    assert inputs["detect", "scene_centerface"] == {manifest, raw}
    assert {boxes["scene_faces"], instances} <= inputs["anonymize", "face_blur"]
    assert {boxes["bodies"], instances} <= inputs["anonymize", "body_mask_out"]
