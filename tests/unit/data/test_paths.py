"""Paths below results/ are spelt in one module, which rules and Python ask alike."""

from __future__ import annotations

import re
from pathlib import Path

from anonbench.data import paths

ROOT = Path(__file__).parents[3]
RULES = sorted((ROOT / "workflow/rules").rglob("*.smk"))


def test_no_rule_spells_one() -> None:
    assert len(RULES) > 5
    spelt = re.compile(r'"((?:results|logs|data/rendered)/[^"]*)"')
    assert {file.name: found for file in RULES if (found := spelt.findall(file.read_text()))} == {}


def test_artifacts_lie_where_the_documents_say() -> None:
    network = ("toy", "bot", "blur", "split1-seed0")
    assert paths.manifest("toy") == "results/manifests/toy/original.csv"
    assert paths.images("toy", "blur") == "results/images/toy/blur"
    assert paths.detections("toy", "haar") == "results/detections/toy/haar.csv"
    assert paths.checkpoint(*network) == "results/models/toy/bot/blur/split1-seed0/model.pt"
    assert paths.features(*network, "blur") == "results/features/toy/bot/blur/split1-seed0/blur.npz"
    assert paths.metrics(*network, "original", "blur") == (
        "results/metrics/toy/bot/blur/split1-seed0/original-vs-blur.json"
    )
    assert paths.attack("toy", "faces", "blur", "seed0") == "results/attacks/toy/faces/blur/seed0.json"
    assert paths.attack("toy", "faces", "blur", "seed0", ".trials.csv").endswith("/faces/blur/seed0.trials.csv")
    assert paths.stamp("ttest") == "results/stamps/ttest.json"
    assert paths.log("train", *network) == "logs/train/toy/bot/blur/split1-seed0.log"


def test_the_gallery_is_the_queries_variant_unless_named() -> None:
    assert paths.metrics("d", "m", "t", "seed0", "blur") == paths.metrics("d", "m", "t", "seed0", "blur", "blur")
    assert paths.metrics("d", "m", "t", "seed0", "blur", suffix=".cmc.csv").endswith("/blur-vs-blur.cmc.csv")


def test_results_of_queries_lie_beside_the_metrics() -> None:
    cell = ("d", "m", "t", "seed0", "blur", "original")
    assert paths.queries(paths.metrics(*cell)) == paths.metrics(*cell, suffix=".queries.csv")
