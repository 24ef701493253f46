"""The sections `scene_statistics` and `scene_figures` of a configuration: what they may hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anonbench.core.errors import ConfigError
from anonbench.core.structure import check_known
from anonbench.data.entries import is_scene
from anonbench.data.variants import ORIGINAL
from anonbench.studies.scenes.plan import KINDS, Plan
from anonbench.studies.scenes.settings import Metric


def _closed(optional: Sequence[str] = (), **properties: Any) -> dict[str, Any]:
    """A map that must have these keys, but for the optional ones, and no others."""
    return {
        "type": "object", "additionalProperties": False, "required": [k for k in properties if k not in optional],
        "properties": properties,
    }  # fmt: skip


def _named(entry: Any) -> dict[str, Any]:
    return {"type": "object", "propertyNames": {"pattern": "^[a-z0-9_]+$"}, "additionalProperties": entry}


NAME, COUNT = {"type": "string"}, {"type": "integer", "minimum": 1}
COLUMNS = {
    "type": "array", "minItems": 1, "items": _closed(("group",), variant=NAME, title=NAME, group=NAME),
}  # fmt: skip
LINES = {
    "type": "array",
    "minItems": 1,
    "items": _closed(
        title=NAME, dataset=NAME, variant=NAME, metric=NAME, models={"type": "object", "additionalProperties": NAME}
    ),
}
STATISTICS = _closed(
    margin={"type": "number", "exclusiveMinimum": 0},
    confidence={"type": "number", "exclusiveMinimum": 0.5, "exclusiveMaximum": 1},
    resamples={"type": "integer", "minimum": 100},
)
FIGURES = _closed(
    real_people={"type": "boolean"},
    methods=_named(_closed(dataset=NAME, pictures=COUNT, columns=COLUMNS)),
    predictions=_named(_closed(dataset=NAME, model=NAME, pictures=COUNT, columns=COLUMNS)),
    sizes=_named(_closed(datasets={"type": "array", "minItems": 1, "uniqueItems": True, "items": NAME})),
    depths=_named(_closed(lines=LINES)),
)


def check_figures(config: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for a figure that shows what the configuration does not have, or has another's name."""
    scenes = [name for name in config["datasets"] if is_scene(config, name)]
    variants = [ORIGINAL, *config["variants"]]
    plan, names = Plan(config), list[str]()
    for kind in KINDS:
        for name, entry in plan.figures(kind).items():
            where = f"scene_figures.{kind}.{name}"
            if name in names:
                raise ConfigError(f"{where}: another figure has that name; choose one of its own")
            names.append(name)
            check_known(where, plan.datasets_of(kind, name), scenes)
            for column in entry.get("columns", ()):
                check_known(f"{where}.columns", [column["variant"]], variants)
            if "model" in entry:
                check_known(f"{where}.model", [entry["model"]], config["instance_models"])
            for line in entry.get("lines", ()):
                check_known(f"{where}.lines", [line["variant"]], variants)
                check_known(f"{where}.lines", line["models"].values(), config["instance_models"])
                Metric.of(line["metric"])
