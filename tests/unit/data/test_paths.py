"""Paths below results/ are spelt in one module: a rule asks it, or says the same."""

from __future__ import annotations

import re
from pathlib import Path

from anonbench.data import paths

ROOT = Path(__file__).parents[3]
RULES = {file.name: file.read_text() for file in sorted((ROOT / "workflow/rules").rglob("*.smk"))}
NETWORK = ("{dataset}", "{model}", "{train_variant}", "{run}")
VARIANT = ("{dataset}", "{variant}")
PATTERNS = {
    paths.manifest("{dataset}"),
    paths.manifest(*VARIANT),
    paths.dropped("{dataset}"),
    paths.sidecars("{dataset}"),
    paths.splits("{dataset}"),
    paths.images(*VARIANT),
    paths.detections("{dataset}", "{detector}"),
    paths.detection_metrics("{dataset}", "{detector}"),
    paths.audit_report("{dataset}", "{detector}"),
    paths.checkpoint(*NETWORK),
    paths.history(*NETWORK),
    paths.features(*NETWORK, "{any_variant}"),
    paths.metrics(*NETWORK, "{query_variant}", "{gallery_variant}"),
    paths.queries(paths.metrics(*NETWORK, "{query_variant}", "{gallery_variant}")),
    paths.stamp("anonymize", *VARIANT),
    paths.log("anonymize", *VARIANT),
    paths.resume("anonymize", *VARIANT),
    paths.resume(*NETWORK),  # of `train`
    paths.face_detectors(""),  # where a detector's weights were trained here
    paths.rendered("{dataset}"),
}


def test_what_rules_spell_is_what_python_asks_for() -> None:
    texts = re.findall(r'"((?:results|logs|data/rendered)/[^"]*)"', "\n".join(RULES.values()))
    assert set(texts) - PATTERNS == set()


def test_rules_of_reports_spell_none() -> None:
    for name in ("report.smk", "reid_faces.smk", "detection.smk"):
        assert "results/" not in RULES[name]


def test_the_gallery_is_the_queries_variant_unless_named() -> None:
    assert paths.metrics("d", "m", "t", "seed0", "blur") == paths.metrics("d", "m", "t", "seed0", "blur", "blur")
    assert paths.metrics("d", "m", "t", "seed0", "blur", suffix=".cmc.csv").endswith("/blur-vs-blur.cmc.csv")


def test_results_of_queries_lie_beside_the_metrics() -> None:
    cell = ("d", "m", "t", "seed0", "blur", "original")
    assert paths.queries(paths.metrics(*cell)) == paths.metrics(*cell, suffix=".queries.csv")
