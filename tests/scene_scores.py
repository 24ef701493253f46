"""Scores and matches of networks of instances as `evaluate-instances` writes them, by rules that tests can compute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from anonbench.data import paths
from anonbench.studies.scenes.settings import SceneCondition

TEXT = """
seeds: [0, 1, 2]
build: [scenes]
datasets:
  streets: {format: cityscapes, root: data/rendered/streets, published_as: cityscapes, render: {}}
  people: {format: market1501, root: data/raw/people}
face_images: {}
models: {}
instance_models:
  small: {method: mask_rcnn}
variants:
  body_blur: {method: gaussian_blur, detector: bodies}
  face_blur: {method: gaussian_blur, detector: faces}
  mine: {method: gaussian_blur, detector: bodies}
  whole: {method: gaussian_blur, detector: null}
tables:
  scenes:
    {study: scenes, rows: instances, dataset: streets, model: small, metrics: [ap, ap50, ap_person, ap_car],
     variants: [face_blur, body_blur, mine], published: table1}
"""


def scene_config() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(TEXT)
    return found


def write_scores(root: Path, condition: SceneCondition, seed: int, **scores: Any) -> Path:
    """The scores of one run at their place below `root`. scores: 0..1, such as AP=0.3, AP_person=0.1."""
    file = root / paths.scores(run=f"seed{seed}", **condition.labels)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({**condition.labels, "seed": seed, "protocol": "coco", **scores, "n_pictures": 4}))
    return file
