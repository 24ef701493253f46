"""The jobs of a union, of boxes by hand and of pictures that are left out, as Snakemake resolves them."""

from __future__ import annotations

from pathlib import Path

import yaml

from anonbench.data.annotations import FILE
from anonbench.ops.dag import workflow_jobs

ROOT = Path(__file__).parents[3]
DATASET = "market1501-rendered"


def test_members_are_jobs_of_their_own_and_files_of_the_user_are_inputs(tmp_path: Path) -> None:
    by_hand, listed = tmp_path / "by_hand.csv", tmp_path / "not_these.csv"
    for file in (by_hand, listed):
        file.write_text("path,x0,y0,x1,y1\n")
    truth = tmp_path / "mine" / FILE
    truth.parent.mkdir(parents=True)
    truth.touch()
    overlay = {
        "datasets": {
            DATASET: {"leave_out": [str(listed), "query/a.jpg"]},
            "mine": {"format": "folder", "root": str(tmp_path / "mine")},
        },
        "detectors": {
            "missed": {"method": "annotated", "boxes": str(by_hand), "partial": True},
            "both": {"method": "union", "of": ["missed", "centerface"]},
            "all": {"method": "union", "of": ["both", "tinyfaces_small"]},
        },
        "variants": {"zero": {"detector": "all"}},
    }
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(overlay))
    targets = [f"results/images/{DATASET}/zero", "results/detections/mine/annotated.csv"]
    jobs = workflow_jobs([tmp_path / "my.yaml"], targets, ROOT, params=False)
    inputs = {(job.rule, job.wildcards.get("detector", "")): set(job.inputs) for job in jobs if job.name != "mine"}
    manifest, dropped = (f"results/manifests/{DATASET}/{name}.csv" for name in ("original", "dropped"))
    boxes = {name: f"results/detections/{DATASET}/{name}.csv" for name in (*overlay["detectors"], "centerface")}
    weights = "results/face_detectors/tinyfaces_small/model.pt"
    assert inputs["index", ""] == {f"data/rendered/{DATASET}", str(listed)}
    assert inputs["detect", "missed"] == {manifest, f"data/rendered/{DATASET}", str(by_hand)}
    assert inputs["detect", "tinyfaces_small"] == {manifest, f"data/rendered/{DATASET}", weights}
    assert inputs["detect", "annotated"] == {"results/manifests/mine/original.csv", str(tmp_path / "mine"), str(truth)}
    assert inputs["unite", "both"] == {manifest, boxes["centerface"], boxes["missed"]}
    assert inputs["unite", "all"] == {manifest, boxes["both"], f"results/detections/{DATASET}/tinyfaces_small.csv"}
    assert {boxes["all"], dropped} <= inputs["anonymize", ""]
    assert {rule for rule, _ in inputs} == {
        "render", "render_faces", "train_detector", "index", "detect", "unite", "anonymize",
    }  # fmt: skip
