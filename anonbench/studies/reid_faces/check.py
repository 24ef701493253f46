"""The study's own check of its part of the configuration: `statistics` and `figures` (its tables: `kinds/`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonbench.core.errors import ConfigError
from anonbench.core.structure import check_known, check_structure
from anonbench.data.paths import study_config
from anonbench.studies.kinds import study_of
from anonbench.studies.reid_faces.plan import SETTING_KINDS
from anonbench.studies.reid_faces.settings import STUDY

NAME: dict[str, Any] = {"type": "string"}


def _closed(**properties: Any) -> dict[str, Any]:
    """A map that must have these keys and no others."""
    return {
        "type": "object", "additionalProperties": False, "required": list(properties), "properties": properties,
    }  # fmt: skip


SECTIONS: dict[str, dict[str, Any]] = {
    "statistics": _closed(
        margin={"type": "number", "exclusiveMinimum": 0},
        confidence={"type": "number", "exclusiveMinimum": 0.5, "exclusiveMaximum": 1},
        resamples={"type": "integer", "minimum": 100},
        face_heights_px={
            "type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "number", "exclusiveMinimum": 0},
        },
    ),
    "figures": _closed(
        people={"type": "integer", "minimum": 1},
        real_people={"type": "boolean"},
        ranks={"type": "integer", "minimum": 2},
        ranked=_closed(table=NAME, model=NAME, ranks={"type": "integer", "minimum": 1}),
        dose_response=_closed(
            table=NAME,
            model=NAME,
            parameters={
                "type": "object",
                "additionalProperties": {"type": "array", "minItems": 2, "uniqueItems": True, "items": NAME},
            },
            less_hides={"type": "array", "items": NAME},
        ),
    ),
}  # fmt: skip


def check(config: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for the first thing in the study's sections that cannot be used."""
    for section, schema in SECTIONS.items():
        check_structure(config[section], schema, section, study_config(STUDY))
    settings = [n for n, e in config["tables"].items() if study_of(e) == STUDY and e["rows"] in SETTING_KINDS]
    figures = config["figures"]
    for name in ("ranked", "dose_response"):
        check_known(f"figures.{name}.table", [figures[name]["table"]], settings)
        models = config["tables"][figures[name]["table"]]["models"]
        check_known(f"figures.{name}.model", [figures[name]["model"]], models)
    for parameter, variants in figures["dose_response"]["parameters"].items():
        where = f"figures.dose_response.parameters.{parameter}"
        check_known(where, variants, config["variants"])
        for variant in variants:
            if not isinstance(config["variants"][variant].get(parameter), int | float):
                raise ConfigError(f"{where}: variants.{variant} has no number called '{parameter}'")
