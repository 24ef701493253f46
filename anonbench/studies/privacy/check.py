"""The study's own check of its part of the configuration: its sections (its tables: `kinds/`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonbench.core.structure import check_known, check_structure
from anonbench.data.paths import study_config
from anonbench.studies.privacy.settings import ANONYMIZED, CLEAR, STUDY

NAME = {"type": "string"}
ENTRIES: dict[str, Any] = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$"},
    "additionalProperties": {"type": "object", "required": ["method"], "properties": {"method": NAME}},
}
WHOSE = {"enum": [CLEAR, ANONYMIZED]}
ATTACKS: dict[str, Any] = {
    **ENTRIES,
    "additionalProperties": {
        "type": "object",
        "required": ["method"],
        "properties": {"method": NAME, "recognizer": NAME, "model": NAME, "gallery": WHOSE, "trained": WHOSE},
    },
}
STATISTICS = {
    "type": "object",
    "additionalProperties": False,
    "required": ["confidence", "resamples", "risk_bound"],
    "properties": {
        "confidence": {"type": "number", "exclusiveMinimum": 0.5, "exclusiveMaximum": 1},
        "resamples": {"type": "integer", "minimum": 100},
        "risk_bound": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    },
}
SECTIONS: dict[str, dict[str, Any]] = {"recognizers": ENTRIES, "attacks": ATTACKS, "privacy_statistics": STATISTICS}


def check(config: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for the first thing in the study's sections that cannot be used."""
    for section, schema in SECTIONS.items():
        check_structure(config[section], schema, section, study_config(STUDY))
    for name, entry in config["attacks"].items():
        check_known(
            f"attacks.{name}.recognizer", [entry["recognizer"]] * ("recognizer" in entry), config["recognizers"]
        )
        check_known(f"attacks.{name}.model", [entry["model"]] * ("model" in entry), config["models"])
