"""Outcomes of attacks that tests make up."""

from __future__ import annotations

from typing import Any

from anonbench.attacks._outcome import Trial


def outcome(**changes: Any) -> dict[str, Any]:
    """A complete outcome: 3 of 4 probes of two people are found, nobody of the control."""
    made: dict[str, Any] = {
        "dataset": "toy",
        "attack": "faces",
        "variant": "blur",
        "run": "seed0",
        "split": None,
        "seed": 0,
        "method": "recognition",
        "probes": "blur",
        "gallery": "original",
        "recognizer": "trained",
        "n_probes": 4,
        "n_people": 2,
        "n_gallery_images": 8,
        "without": 1,
        "unranked": 0,
        "identification": {"rank1": 0.75, "rank5": 1.0, "mAP": 0.8},
        "verification": {
            "EER": 0.2, "TPR_1e-2": 0.5, "TPR_1e-3": None, "AUC": 0.9, "n_genuine": 16, "n_impostor": 1600,
        },
        "baseline": {"rank1": 0.25, "rank5": 0.9, "mAP": 0.4},
        "control": {"rank1": 0.0, "n_probes": 4},
        "risk": {
            "value": 0.75, "low": 0.3, "high": 0.95, "interval": "clustered bootstrap", "void": False, "why": "",
        },
        "worst": {"pid": 7, "rank1": 1.0, "n_probes": 3},
        "groups": {"size": {"12-24 px": {"rank1": 0.75, "low": 0.3, "high": 0.95, "n_probes": 4}}},
    }  # fmt: skip
    return made | changes


def trial(**changes: Any) -> Trial:
    """A probe that is found."""
    made: dict[str, Any] = {
        "path": "query/a.jpg", "pid": 7, "camid": 1, "control": False, "rank": 1, "ap": 1.0, "right": 0.9,
        "wrong": 0.5, "matches": 2, "ranked": 8, "groups": {},
    }  # fmt: skip
    return Trial(**(made | changes))
