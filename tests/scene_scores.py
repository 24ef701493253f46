"""Scores and matches of networks of instances as `evaluate-instances` writes them, by rules that tests can compute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from anonbench.data import paths
from anonbench.studies.scenes.settings import SceneCondition
from anonbench.tasks.instances.matches import FALSE, FOUND, Matches, average_precision, write_matches

TEXT = """
seeds: [0, 1, 2]
build: [scenes]
datasets:
  streets: {format: cityscapes, root: data/rendered/streets, published_as: cityscapes, render: {}}
  people: {format: market1501, root: data/raw/people}
face_images: {}
models: {}
instance_models:
  small: {method: mask_rcnn, recipe: short}
  deep: {method: mask_rcnn, recipe: short, seeds: [0]}
variants:
  body_blur: {method: gaussian_blur, detector: bodies}
  face_blur: {method: gaussian_blur, detector: faces}
  mine: {method: gaussian_blur, detector: bodies}
  whole: {method: gaussian_blur, detector: null}
inpainters: {}
reversible_trainings: {}
instance_recipes: {short: {iterations: 10}}
scene_statistics: {margin: 1.0, confidence: 0.95, resamples: 200}
scene_figures:
  real_people: false
  methods:
    figure2: {dataset: streets, pictures: 2, columns: [{variant: original, title: Original}, {variant: mine, title: M}]}
  predictions:
    found: {dataset: streets, model: small, pictures: 1, columns: [{variant: body_blur, title: Blur, group: Body}]}
  sizes:
    figure7: {datasets: [streets]}
  depths:
    figure8:
      lines: [{title: bodies, dataset: streets, variant: body_blur, metric: ap, models: {18: small, 50: deep}}]
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


def matches_of(people: list[tuple[list[float], list[bool]]], cars: bool = True) -> Matches:
    """Matches on masks at two thresholds: a picture has two people and, with `cars`, one car that is always found.

    people: scores of the people that are predicted in each picture, and whether each is right at .5. None is at .95.
    """
    thresholds = np.array([0.5, 0.95])
    found = {}
    for picture, (scores, right) in enumerate(people):
        state = np.array([np.where(right, FOUND, FALSE), np.full(len(right), FALSE)], np.int8)
        found[0, picture] = np.array(scores), state
        if cars:
            found[1, picture] = np.array([0.9]), np.full((2, 1), FOUND, np.int8)
    truths = np.tile([2, int(cars)], (len(people), 1))
    names = tuple(f"val/{n:04}.png" for n in range(len(people)))
    return Matches.ordered("coco", ("person", "car"), thresholds, names, truths, found)


def write_run(root: Path, condition: SceneCondition, seed: int, matches: Matches) -> Path:
    """Scores that follow from matches, with the matches beside them."""
    by_category = {
        name: {"AP": average_precision(matches, category=name), "AP50": average_precision(matches, None, name, 0.5)}
        for name in matches.categories
    }
    people = by_category["person"]
    scores = {"AP": average_precision(matches), "AP50": average_precision(matches, threshold=0.5)}
    file = write_scores(
        root, condition, seed, **scores, AP_person=people["AP"], AP50_person=people["AP50"], categories=by_category
    )
    write_matches(file.with_suffix(".matches.npz"), {"masks": matches})
    return file
