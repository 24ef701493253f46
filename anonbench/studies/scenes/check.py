"""The study's own check of its part of the configuration: inpainters, recipes and models of instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonbench.core.structure import check_structure
from anonbench.data.paths import study_config
from anonbench.studies.scenes.inpainters import check_inpainters
from anonbench.studies.scenes.settings import STUDY

ENTRIES: dict[str, Any] = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$"},
    "additionalProperties": {"type": "object"},
}
SECTIONS: dict[str, dict[str, Any]] = {"inpainters": ENTRIES, "instance_recipes": ENTRIES, "instance_models": ENTRIES}


def check(config: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for the first thing in the study's sections that cannot be used."""
    for section, schema in SECTIONS.items():
        check_structure(config[section], schema, section, study_config(STUDY))
    check_inpainters(config)
