"""Paths below results/: the rules that still spell them say the same as the module that Python asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from anonbench.data import paths

ROOT = Path(__file__).parents[3]
RULES = "\n".join(file.read_text() for file in sorted((ROOT / "workflow/rules").rglob("*.smk")))
NETWORK = ("{dataset}", "{model}", "{train_variant}", "{run}")
PATTERNS = {
    "manifest": paths.manifest("{dataset}", "{variant}"),
    "original manifest": paths.manifest("{dataset}"),
    "dropped": paths.dropped("{dataset}"),
    "sidecars": paths.sidecars("{dataset}"),
    "splits": paths.splits("{dataset}"),
    "detections": paths.detections("{dataset}", "{detector}"),
    "detection metrics": paths.detection_metrics("{dataset}", "{detector}"),
    "images": paths.images("{dataset}", "{variant}"),
    "face detectors": paths.face_detectors("{face_training}") + "/model.pt",
    "checkpoint": paths.checkpoint(*NETWORK),
    "history": paths.history(*NETWORK),
    "features": paths.features(*NETWORK, "{any_variant}"),
    "metrics": paths.metrics(*NETWORK, "{query_variant}", "{gallery_variant}"),
    "results of queries": paths.queries(paths.metrics(*NETWORK, "{query_variant}", "{gallery_variant}")),
    "stamp": paths.stamp("train", *NETWORK),
    "log": paths.log("train", *NETWORK),
    "resume": paths.resume("detect", "{dataset}", "{detector}"),
    "rendered": paths.rendered("{dataset}"),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_rules_and_python_mean_the_same_files(name: str) -> None:
    function = name.replace(" ", "_")
    assert f'"{PATTERNS[name]}"' in RULES or f"paths.{function}(" in RULES


def test_no_two_artifacts_share_a_place() -> None:
    assert len(set(PATTERNS.values())) == len(PATTERNS)


def test_the_gallery_is_the_queries_variant_unless_named() -> None:
    assert paths.metrics("d", "m", "t", "seed0", "blur") == paths.metrics("d", "m", "t", "seed0", "blur", "blur")
    assert paths.metrics("d", "m", "t", "seed0", "blur", suffix=".cmc.csv").endswith("/blur-vs-blur.cmc.csv")
