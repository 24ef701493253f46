"""The configuration, checked before any job runs: a misspelt key stops the run and names the nearest valid one.

`workflow/schemas/config.schema.yaml` closes the structure. What a plug-in's entry may hold is asked of the plug-in.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from anonbench.anonymizers import ANONYMIZERS
from anonbench.core.errors import ConfigError, nearest
from anonbench.core.registry import load_plugins
from anonbench.datasets import DATASETS
from anonbench.detectors import DETECTORS
from anonbench.stages.anonymize import ENTRY_KEYS as VARIANT_KEYS
from anonbench.stages.detect import ENTRY_KEYS as DETECTOR_KEYS
from anonbench.stages.detect import read_default_box
from anonbench.stages.index import ENTRY_KEYS as DATASET_KEYS

SCHEMA = Path(__file__).parents[1] / "workflow" / "schemas" / "config.schema.yaml"
RENDERED_ROOT = "data/rendered"
SETTING_ROWS = ("models", "anonymizers")  # tables whose cells are settings of train and test variant
RESERVED_VARIANTS = ("original", "untrained")


def check_config(config: Mapping[str, Any], source: str = "config") -> None:
    """Raise `ConfigError` for the first thing in a config that cannot be used.

    source: the config files' names, for the message.
    """
    try:
        _check_structure(config)
        load_plugins(config["plugins"])
        _check_plugins(config)
        _check_references(config)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error


def resolve_model(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A model's config entry with the recipe that it names written out as `training`, as the stages take it."""
    entry = dict(config["models"][name])
    entry["training"] = config["recipes"][entry.pop("recipe")]
    for key in ("seeds", "gpus"):  # how often and where, not what
        entry.pop(key, None)
    return entry


def _check_structure(config: Mapping[str, Any]) -> None:
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    errors = sorted(
        validator.iter_errors(config), key=lambda e: (len(e.absolute_path), list(map(str, e.absolute_path)))
    )
    if errors:
        raise ConfigError(_explain(errors[0]))


def _explain(error: jsonschema.ValidationError) -> str:
    """A schema error in words."""
    where = ".".join(map(str, error.absolute_path)) or "the top level"
    if error.validator == "additionalProperties" and isinstance(error.instance, Mapping):
        known = error.schema.get("properties", {})
        unknown = next(key for key in error.instance if key not in known)
        return f"unknown key '{unknown}' at {where}: {nearest(str(unknown), known)}"
    if error.validator == "required" and isinstance(error.instance, Mapping):
        absent = next(key for key in error.validator_value if key not in error.instance)
        return f"key '{absent}' is missing at {where}; config/default.yaml shows and explains every key"
    if "propertyNames" in list(error.absolute_schema_path)[-2:]:
        return f"the name {error.instance!r} at {where} may hold letters, digits, '.', '_' and '-' only"
    return f"{where} is {error.instance!r}: {error.message}"


def _check_plugins(config: Mapping[str, Any]) -> None:
    for name, entry in config["face_images"].items():
        _at(f"face_images.{name}", lambda e=entry: _check_face_images(e))
    for name, entry in config["face_trainings"].items():
        _at(f"face_trainings.{name}", lambda e=entry: _check_face_training(e))
    for name, entry in config["detectors"].items():
        _at(f"detectors.{name}", lambda e=entry: _check_detector(e))
    for name, entry in config["variants"].items():
        _at(f"variants.{name}", lambda e=entry: ANONYMIZERS.create(e, ignore=VARIANT_KEYS))
    for name, entry in config["datasets"].items():
        _at(f"datasets.{name}", lambda e=entry: _check_dataset(e))
    for name, entry in config["models"].items():
        if "training" in entry:
            raise ConfigError(f"models.{name} has no key 'training': describe it under `recipes`, name it by 'recipe'")
        _known(f"models.{name}.recipe", [entry["recipe"]], config["recipes"])
        _at(f"models.{name}", lambda n=name: _check_model(resolve_model(config, n)))
    for name, entry in config["recipes"].items():
        _at("recipes", lambda n=name, e=entry: _check_recipe(n, e))
    for name, entry in config["models"].items():
        recipe, gpus = config["recipes"][entry["recipe"]], entry.get("gpus", 1)
        _at(f"models.{name}", lambda r=recipe, g=gpus: _check_gpus(r, g))


def _check_face_images(entry: Mapping[str, Any]) -> None:
    if "render" in entry:
        from anonbench.stages.render_faces import read_crowd

        read_crowd(entry["render"])


def _check_face_training(entry: Mapping[str, Any]) -> None:
    from anonbench.detectors._tinyfaces.train import TrainingRecipe

    TrainingRecipe.from_config(entry["recipe"])


def _check_detector(entry: Mapping[str, Any]) -> None:
    DETECTORS.create(entry, ignore=DETECTOR_KEYS)
    read_default_box(entry)


def _check_dataset(entry: Mapping[str, Any]) -> None:
    adapter = DATASETS.get(entry["format"])
    options = [p.name for p in inspect.signature(adapter).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for key in entry:
        if key not in DATASET_KEYS and key not in options:
            raise ConfigError(
                f"dataset format '{entry['format']}' has no option '{key}': {nearest(key, [*DATASET_KEYS, *options])}"
            )
    if "render" in entry:
        from anonbench.stages.render import read_spec

        read_spec(entry["render"])


def _check_model(entry: Mapping[str, Any]) -> None:
    from anonbench.stages.evaluate import read_settings
    from anonbench.tasks.reid.models._network import (
        create_model,  # torch takes a second to load: only when it is needed
    )

    create_model(entry)
    read_settings(entry["evaluation"])


def _check_recipe(name: str, entry: Mapping[str, Any]) -> None:
    from anonbench.tasks.reid.recipe import Recipe

    Recipe.from_config(entry, name)


def _check_gpus(recipe: Mapping[str, Any], gpus: int) -> None:
    from anonbench.tasks.reid.recipe import Recipe
    from anonbench.tasks.reid.training import check_ranks

    check_ranks(Recipe.from_config(recipe), gpus)


def _check_references(config: Mapping[str, Any]) -> None:
    """Names used in one entry must be defined in another."""
    for name, entry in config["datasets"].items():
        if "render" in entry and entry["root"] != f"{RENDERED_ROOT}/{name}":
            raise ConfigError(
                f"datasets.{name}.root is '{entry['root']}'; rendered data goes to {RENDERED_ROOT}/{name}, so that "
                f"no rule ever writes into a folder of yours"
            )
    for name, entry in config["face_images"].items():
        if "render" in entry and entry["root"] != f"{RENDERED_ROOT}/{name}":
            raise ConfigError(
                f"face_images.{name}.root is '{entry['root']}'; rendered data goes to {RENDERED_ROOT}/{name}"
            )
        if name in config["datasets"]:
            raise ConfigError(f"face_images.{name}: a dataset has that name too; choose another")
        _known(f"face_images.{name}.detectors", entry.get("detectors", []), config["detectors"])
    for name, entry in config["face_trainings"].items():
        _known(f"face_trainings.{name}.images", [entry["images"]], config["face_images"])
    for name in RESERVED_VARIANTS:
        if name in config["variants"]:
            raise ConfigError(f"variants.{name}: the name is reserved; choose another")
    for name, variant in config["variants"].items():
        _known(f"variants.{name}.detector", [variant["detector"]], config["detectors"])
    for name, table in config["tables"].items():
        _check_table(config, f"tables.{name}", table)
    settings = [name for name, table in config["tables"].items() if table["rows"] in SETTING_ROWS]
    by_model = [name for name, table in config["tables"].items() if table["rows"] == "models"]
    _known("build", config["build"], config["tables"])
    _known("untrained", config["untrained"], by_model)
    ranked, dose = config["figures"]["ranked"], config["figures"]["dose_response"]
    for where, figure in (("figures.ranked", ranked), ("figures.dose_response", dose)):
        _known(f"{where}.table", [figure["table"]], settings)
        _known(f"{where}.model", [figure["model"]], config["tables"][figure["table"]]["models"])
    for parameter, variants in dose["parameters"].items():
        where = f"figures.dose_response.parameters.{parameter}"
        _known(where, variants, config["variants"])
        for variant in variants:
            if not isinstance(config["variants"][variant].get(parameter), int | float):
                raise ConfigError(f"{where}: variants.{variant} has no number called '{parameter}'")


def _check_table(config: Mapping[str, Any], where: str, table: Mapping[str, Any]) -> None:
    if table["rows"] not in SETTING_ROWS:
        _known(f"{where}.datasets", table["datasets"], config["datasets"])
        return
    _known(f"{where}.dataset", [table["dataset"]], config["datasets"])
    _known(f"{where}.models", table["models"], config["models"])
    _known(f"{where}.variants", table["variants"], config["variants"])
    if table["rows"] == "models" and len(table["variants"]) != 1:
        raise ConfigError(f"{where}: a table with a row per model compares one variant, got {table['variants']}")
    if table["rows"] == "anonymizers" and len(table["models"]) != 1:
        raise ConfigError(f"{where}: a table with a row per anonymizer shows one model, got {table['models']}")


def _known(where: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(f"{where} names '{name}': {nearest(str(name), known)}")


def _at(where: str, check: Any) -> None:
    try:
        check()
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def read_layer(path: Path) -> dict[str, Any]:
    """One config file. Raises `ConfigError` when it is missing or does not hold a map."""
    try:
        layer = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}). config/default.yaml shows a valid file") from error
    if not isinstance(layer, dict | None):
        raise ConfigError(f"{path}: holds a {type(layer).__name__}; expected keys with values below them")
    return layer or {}


def merge(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Config files laid over one another as Snakemake does it: maps are merged, everything else is replaced."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in (layer or {}).items():
            if key in merged and isinstance(value, Mapping) and not value:
                continue  # nothing to lay over, even where there is no map below
            below = merged.get(key)
            merged[key] = merge([below, value]) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
