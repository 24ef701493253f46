"""The study's own check of its part of the configuration: its sections (its tables: `kinds/`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonbench.core.errors import ConfigError
from anonbench.core.structure import check_at, check_known, check_structure
from anonbench.data.entries import is_scene
from anonbench.data.paths import study_config
from anonbench.studies.scenes.inpainters import check_inpainters
from anonbench.studies.scenes.report_entries import FIGURES, STATISTICS, check_figures
from anonbench.studies.scenes.settings import OWN_KEYS, STUDY

ENTRIES: dict[str, Any] = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$"},
    "additionalProperties": {"type": "object"},
}
SEEDS = {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "integer", "minimum": 0}}
INITIAL = {
    "type": "object",
    "additionalProperties": False,
    "required": ["dataset", "model"],
    "properties": {"dataset": {"type": "string"}, "model": {"type": "string"}},
}
MODELS: dict[str, Any] = {
    **ENTRIES,
    "additionalProperties": {
        "type": "object",
        "required": ["method", "recipe"],
        "properties": {"method": {"type": "string"}, "recipe": {"type": "string"}, "seeds": SEEDS, "initial": INITIAL},
    },
}
SECTIONS: dict[str, dict[str, Any]] = {
    "inpainters": ENTRIES,
    "instance_recipes": ENTRIES,
    "instance_models": MODELS,
    "scene_statistics": STATISTICS,
    "scene_figures": FIGURES,
}


def check(config: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for the first thing in the study's sections that cannot be used."""
    for section, schema in SECTIONS.items():
        check_structure(config[section], schema, section, study_config(STUDY))
    check_inpainters(config)
    check_figures(config)
    for name, entry in config["instance_recipes"].items():
        _check_recipe(name, entry)
    for name in config["instance_models"]:
        _check_model(config, name)


def _check_recipe(name: str, entry: Mapping[str, Any]) -> None:
    from anonbench.tasks.instances.recipe import InstanceRecipe  # torch takes a second to load: only when it is needed

    InstanceRecipe.from_config(entry, f"instance_recipes.{name}")


def _check_model(config: Mapping[str, Any], name: str) -> None:
    from anonbench.tasks.instances.models._rcnn import create_model

    where, entry = f"instance_models.{name}", config["instance_models"][name]
    if name in config["models"]:
        raise ConfigError(f"{where}: a model for re-identification has that name too; choose another")
    if "training" in entry:
        raise ConfigError(f"{where} has no key 'training': describe it under `instance_recipes`, name it by 'recipe'")
    check_known(f"{where}.recipe", [entry["recipe"]], config["instance_recipes"])
    parameters = {key: value for key, value in entry.items() if key not in OWN_KEYS}
    check_at(where, lambda: create_model(parameters))
    if "initial" in entry:
        _check_initial(config, where, entry["initial"])


def _check_initial(config: Mapping[str, Any], where: str, initial: Mapping[str, str]) -> None:
    """The network that a training starts from is another model, on a dataset of scenes, and starts from none itself."""
    scenes = [name for name in config["datasets"] if is_scene(config, name)]
    check_known(f"{where}.initial.dataset", [initial["dataset"]], scenes)
    first = [name for name, entry in config["instance_models"].items() if "initial" not in entry]
    check_known(f"{where}.initial.model", [initial["model"]], first)
