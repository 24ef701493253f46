"""The study's own check of its part of the configuration: its sections (its tables: `kinds/`)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from anonbench.attacks import ATTACKS
from anonbench.attacks.recognizers import RECOGNIZERS
from anonbench.core.errors import ConfigError
from anonbench.core.structure import check_at, check_known, check_structure
from anonbench.data.entries import cut_from
from anonbench.data.paths import study_config
from anonbench.studies.privacy.settings import (
    ANONYMIZED,
    CLEAR,
    FACES,
    MEMBERSHIP,
    OWN_KEYS,
    PEOPLE,
    RESTORING,
    STUDY,
)

NAME = {"type": "string"}
ENTRIES: dict[str, Any] = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$"},
    "additionalProperties": {"type": "object", "required": ["method"], "properties": {"method": NAME}},
}
WHOSE = {"enum": [CLEAR, ANONYMIZED]}
ATTACK_ENTRIES: dict[str, Any] = {
    **ENTRIES,
    "additionalProperties": {
        "type": "object",
        "required": ["method"],
        "properties": {
            "method": NAME,
            "sees": {"enum": [FACES, PEOPLE]},
            "recognizer": NAME,
            "model": NAME,
            "gallery": WHOSE,
            "trained": WHOSE,
            "restored": {"type": "object", "minProperties": 1, "additionalProperties": NAME},
        },
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
FIGURES: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["real_people", "restored"],
    "properties": {
        "real_people": {"type": "boolean"},
        "restored": {
            **ENTRIES,
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["dataset", "variant", "faces"],
                "properties": {
                    "dataset": NAME,
                    "attack": NAME,
                    "variant": NAME,
                    "faces": {"type": "integer", "minimum": 1, "maximum": 8},
                    "title": NAME,
                },
            },
        },
    },
}
SECTIONS: dict[str, dict[str, Any]] = {
    "recognizers": ENTRIES,
    "attacks": ATTACK_ENTRIES,
    "privacy_figures": FIGURES,
    "privacy_statistics": STATISTICS,
}


def check(config: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for the first thing in the study's sections that cannot be used."""
    for section, schema in SECTIONS.items():
        check_structure(config[section], schema, section, study_config(STUDY))
    for name, entry in config["recognizers"].items():
        check_at(f"recognizers.{name}", partial(RECOGNIZERS.create, entry))
        if name in config["models"]:
            raise ConfigError(f"recognizers.{name}: a model has that name too; choose another")
    for name, entry in config["attacks"].items():
        _check_attack(config, f"attacks.{name}", entry)
    for name, entry in config["privacy_figures"]["restored"].items():
        _check_restored(config, f"privacy_figures.restored.{name}", entry)


def _check_attack(config: Mapping[str, Any], where: str, entry: Mapping[str, Any]) -> None:
    if ("recognizer" in entry) == ("model" in entry):
        raise ConfigError(
            f"{where} needs either 'recognizer', one that is already trained, or 'model', a network trained here"
        )
    for key, section in (("recognizer", "recognizers"), ("model", "models")):
        check_known(f"{where}.{key}", [entry[key]] if key in entry else [], config[section])
    if "recognizer" in entry and entry.get("trained") == ANONYMIZED:
        raise ConfigError(f"{where}.trained is '{ANONYMIZED}', but '{entry['recognizer']}' is not trained here")
    if "recognizer" in entry and entry.get("sees") != FACES:
        raise ConfigError(f"{where}: recognizer '{entry['recognizer']}' sees faces; write `sees: {FACES}`")
    for variant, restored in entry.get("restored", {}).items():
        check_known(f"{where}.restored", [variant, restored], config["variants"])
        if config["variants"][restored].get("of") != variant:
            raise ConfigError(f"{where}.restored: '{restored}' is not made of '{variant}' (its key `of`)")
    if entry["method"] == MEMBERSHIP:
        for key in ("gallery", "trained", "restored", "sees"):
            if key in entry:
                raise ConfigError(f"{where}.{key}: a membership attack has no such key; it asks whom a network knows")
    check_at(where, partial(ATTACKS.create, entry, OWN_KEYS))


def _check_restored(config: Mapping[str, Any], where: str, entry: Mapping[str, Any]) -> None:
    check_known(f"{where}.dataset", [entry["dataset"]], [n for n in config["datasets"] if cut_from(config, n)])
    attack = entry.get("attack", RESTORING)
    restoring = [n for n, other in config["attacks"].items() if "restored" in other and other.get("sees") == FACES]
    check_known(f"{where}.attack", [attack], restoring)
    check_known(f"{where}.variant", [entry["variant"]], config["attacks"][attack]["restored"])
