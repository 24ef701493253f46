"""The study's own check of its part of the configuration: recipes, trainings, figures (its tables: `kinds/`)."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from anonbench.anonymizers import ANONYMIZERS
from anonbench.core.errors import ConfigError
from anonbench.core.structure import check_at, check_known, check_structure
from anonbench.data.entries import picture_size, training_of
from anonbench.data.paths import study_config
from anonbench.data.variants import ORIGINAL, RESERVED
from anonbench.studies.reversible.human.pairs import read_study
from anonbench.studies.reversible.settings import STUDY
from anonbench.studies.reversible.trainings import BASE, JOINT, RESTORATION

LEVELS = 7
"""Of generators, where a recipe does not say."""
NAME: dict[str, Any] = {"type": "string"}
BOOLEAN: dict[str, Any] = {"type": "boolean"}
COUNT: dict[str, Any] = {"type": "integer", "minimum": 1}
NUMBER: dict[str, Any] = {"type": "integer", "minimum": 0}
NAMED = {"type": "object", "propertyNames": {"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$"}}


def _closed(needed: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A map that must have some keys, may have others, and no further ones."""
    properties = {**needed, **(optional or {})}
    return {"type": "object", "additionalProperties": False, "required": list(needed), "properties": properties}


def _each(item: Mapping[str, Any]) -> dict[str, Any]:
    return {**NAMED, "additionalProperties": item}


def _list(item: Mapping[str, Any], at_least: int) -> dict[str, Any]:
    return {"type": "array", "minItems": at_least, "uniqueItems": True, "items": item}


FURTHER: dict[str, Any] = {"seed_offset": {"type": "integer", "minimum": 0}, "dataset": NAME}
TRAININGS: dict[str, dict[str, Any]] = {
    BASE: _closed({"method": NAME, "desensitized": NAME, "model": NAME, "recipe": NAME}, FURTHER),
    JOINT: _closed(
        {"method": NAME, "desensitized": NAME, "model": NAME, "recipe": NAME, "upgrade": BOOLEAN},
        {"base": NAME, **FURTHER},
    ),
    RESTORATION: _closed({"method": NAME, "of": NAME, "recipe": NAME}, FURTHER),
}
"""The keys of a training, by its method."""
SECTIONS: dict[str, dict[str, Any]] = {
    "reversible_recipes": _each({"type": "object"}),
    "reversible_trainings": _each(
        {"type": "object", "required": ["method"], "properties": {"method": {"enum": list(TRAININGS)}}}
    ),
    "reversible_figures": _closed({
        "real_people": BOOLEAN,
        "grids": _each(_closed({
            "dataset": NAME,
            "model": NAME,
            "title": NAME,
            "people": COUNT,
            "columns": _list(_closed({"variant": NAME, "title": NAME}, {"group": NAME}), 2),
        })),
        "maps": _each(_closed({
            "dataset": NAME,
            "model": NAME,
            "people": {"type": "integer", "minimum": 2, "maximum": 7},
            "images": COUNT,
            "panels": _list(_closed({"title": NAME, "training": NAME, "variant": NAME}, {"protected": NAME}), 1),
        })),
    }),
    "reversible_human_eval": _closed(
        {"dataset": NAME, "model": NAME, "groups": {"type": "array", "minItems": 1, "items": _closed(
            {"name": NAME, "left": NAME, "right": NAME}, {"published": {"type": "object"}},
        )}},
        {"pairs": {"type": "integer", "minimum": 2}, "participants": COUNT, "controls": NUMBER, "repeats": NUMBER,
         "raw": NAME, "upper": NAME, "contact": NAME, "real_people": BOOLEAN},
    ),
}  # fmt: skip


def check(config: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for the first thing in the study's sections, or in learned variants, that cannot be used."""
    for section, schema in SECTIONS.items():
        check_structure(config[section], schema, section, study_config(STUDY))
    for name, entry in config["reversible_recipes"].items():
        _check_recipe(name, entry)
    for name, entry in config["reversible_trainings"].items():
        _check_training(config, name, entry)
    for name in config["variants"]:
        _check_learned(config, name)
    for section in ("reversible_trainings", "variants"):
        for name in config[section]:
            _refuse_circle(config, ((section, name),))
    for name, entry in config["reversible_figures"]["grids"].items():
        _check_grid(config, entry, f"reversible_figures.grids.{name}")
    for name, entry in config["reversible_figures"]["maps"].items():
        _check_maps(config, entry, f"reversible_figures.maps.{name}")
    _check_human_eval(config, config["reversible_human_eval"], "reversible_human_eval")


def _check_recipe(name: str, entry: Mapping[str, Any]) -> None:
    from anonbench.tasks.reversible.recipe import JointRecipe  # torch takes a second to load: only when it is needed

    JointRecipe.from_config(entry, f"reversible_recipes.{name}")


def _check_training(config: Mapping[str, Any], name: str, entry: Mapping[str, Any]) -> None:
    where = f"reversible_trainings.{name}"
    if name in config["variants"] or name in RESERVED:
        raise ConfigError(
            f"{where}: a variant has that name too, and both say what a network is trained on; choose another"
        )
    check_structure(entry, TRAININGS[entry["method"]], where, study_config(STUDY))
    check_known(f"{where}.recipe", [entry["recipe"]], config["reversible_recipes"])
    if "dataset" in entry:
        check_known(f"{where}.dataset", [entry["dataset"]], config["datasets"])
    shown = "of" if entry["method"] == RESTORATION else "desensitized"
    check_known(f"{where}.{shown}", [entry[shown]], config["variants"])
    variant = config["variants"][entry[shown]]
    if variant["detector"] is not None and entry["method"] != RESTORATION:  # a face can be restored too (Study 4)
        raise ConfigError(
            f"{where}.{shown} names '{entry[shown]}', which hides what detector '{variant['detector']}' found; "
            f"expected a variant of whole pictures (detector: null)"
        )
    _check_size(config, where, entry, variant, shown)
    if entry["method"] == RESTORATION:
        return
    if training_of(config, entry["desensitized"]) is not None or "of" in variant:
        raise ConfigError(
            f"{where}.desensitized names '{entry['desensitized']}', which is learned itself; expected a variant that "
            f"is made of the originals without a training"
        )
    check_known(f"{where}.model", [entry["model"]], config["models"])
    _check_input(config, where, entry, variant)
    if entry["method"] == JOINT:
        _check_base(config, where, entry)


def _check_size(
    config: Mapping[str, Any], where: str, entry: Mapping[str, Any], variant: Mapping[str, Any], shown: str
) -> None:
    """Generators halve both sides of a picture once a level."""
    size = picture_size(config, entry[shown])
    if entry["method"] == BASE or size is None:
        return
    levels = config["reversible_recipes"][entry["recipe"]].get("generator", {}).get("levels", LEVELS)
    if isinstance(levels, int) and any(side % 2**levels for side in size):
        raise ConfigError(
            f"{where}: variants.{entry[shown]} has pictures of {list(size)} pixels, a generator of {levels} levels "
            f"needs sides divisible by {2**levels}. Change `resize`, or generator.levels of "
            f"reversible_recipes.{entry['recipe']}"
        )


def _check_input(config: Mapping[str, Any], where: str, entry: Mapping[str, Any], variant: Mapping[str, Any]) -> None:
    wanted = list(config["models"][entry["model"]]["input"])
    if "resize" not in variant or list(variant["resize"]) != wanted:
        raise ConfigError(
            f"{where}: models.{entry['model']} takes pictures of {wanted} pixels (height, width), "
            f"variants.{entry['desensitized']}.resize is {variant.get('resize', 'left out')}; expected the same"
        )


def _check_base(config: Mapping[str, Any], where: str, entry: Mapping[str, Any]) -> None:
    """Supervision is upgraded from the rank-1 of a base training on, so that must be about the same pictures."""
    if "base" not in entry:
        if entry["upgrade"]:
            raise ConfigError(
                f"{where} upgrades its supervision; it needs 'base', the training with whose rank-1 it begins"
            )
        return
    trainings = config["reversible_trainings"]
    bases = [name for name, other in trainings.items() if other["method"] == BASE]
    check_known(f"{where}.base", [entry["base"]], bases)
    base = trainings[entry["base"]]
    for key in ("desensitized", "model"):
        if base.get(key) != entry[key]:
            raise ConfigError(
                f"{where}.base: '{entry['base']}' has {key} '{base.get(key)}', this training '{entry[key]}'; expected "
                f"a base training with the same"
            )


def _check_learned(config: Mapping[str, Any], name: str) -> None:
    """The training of a learned variant has the generator that the variant needs."""
    training = training_of(config, name)
    where, entry = f"variants.{name}", config["variants"][name]
    if training is None:
        _refuse_learned_source(config, where, entry)
        return
    check_known(f"{where}.training", [training], config["reversible_trainings"])
    if "weights" not in inspect.signature(ANONYMIZERS.get(entry["method"])).parameters:
        raise ConfigError(
            f"{where} has a training, and its method '{entry['method']}' has no weights that it could make; expected "
            f"method: pix2pix, or no `training`"
        )
    if entry["detector"] is not None:
        raise ConfigError(f"{where}: a learned variant hides whole pictures; expected detector: null")
    if "resize" in entry:
        raise ConfigError(
            f"{where} has 'resize', but a learned variant has the size of its training's pictures; take it out, or "
            f"change `resize` of the variant that '{training}' begins with"
        )
    method = config["reversible_trainings"][training]["method"]
    if method == BASE:
        raise ConfigError(f"{where}.training names '{training}', a base training, which makes no generator")
    if method == RESTORATION and "of" not in entry:
        raise ConfigError(
            f"{where}.training names '{training}', a restoration, which can only recover; it needs `of`, the variant "
            f"whose stored copy it recovers"
        )
    if "of" in entry:
        check_known(f"{where}.of", [entry["of"]], config["variants"])


def _refuse_learned_source(config: Mapping[str, Any], where: str, entry: Mapping[str, Any]) -> None:
    """A copy without a training is one for all runs; of a learned variant there is one a run."""
    if "of" in entry and training_of(config, entry["of"]) is not None:
        raise ConfigError(
            f"{where}.of names '{entry['of']}', which is learned and has a copy for each run; only a variant with a "
            f"`training` of its own can be made of it"
        )


def _refuse_circle(config: Mapping[str, Any], way: tuple[tuple[str, str], ...]) -> None:
    """way: variants and trainings, each needed by the one before."""
    section, name = way[-1]
    entry = config[section][name]
    needed = [("variants", entry[key]) for key in ("desensitized", "of") if key in entry]
    if section == "variants":
        needed += [("reversible_trainings", entry["training"])] if "training" in entry else []
    else:
        needed += [("reversible_trainings", entry["base"])] if "base" in entry else []
    for step in needed:
        if step in way:
            circle = " -> ".join(name for _, name in (*way[way.index(step) :], step))
            raise ConfigError(f"{step[0]}.{step[1]} needs itself: {circle}")
        _refuse_circle(config, (*way, step))


def _check_grid(config: Mapping[str, Any], entry: Mapping[str, Any], where: str) -> None:
    check_known(f"{where}.dataset", [entry["dataset"]], config["datasets"])
    check_known(f"{where}.model", [entry["model"]], config["models"])
    shown = [column["variant"] for column in entry["columns"]]
    check_known(f"{where}.columns", shown, [ORIGINAL, *config["variants"]])
    if shown[0] != ORIGINAL:
        raise ConfigError(
            f"{where}.columns begins with '{shown[0]}'; expected '{ORIGINAL}', with which the others are compared"
        )


def _check_human_eval(config: Mapping[str, Any], entry: Mapping[str, Any], where: str) -> None:
    check_known(f"{where}.dataset", [entry["dataset"]], config["datasets"])
    check_known(f"{where}.model", [entry["model"]], config["models"])
    for group in entry["groups"]:
        check_known(f"{where}.groups", [group["left"], group["right"]], [ORIGINAL, *config["variants"]])
    if upper := entry.get("upper"):
        check_known(f"{where}.upper", [upper], [group["name"] for group in entry["groups"]])
    study = {key: value for key, value in entry.items() if key not in ("dataset", "model")}
    check_at(where, lambda: read_study(study))  # numbers of pairs, before networks are trained for the pages


def _check_maps(config: Mapping[str, Any], entry: Mapping[str, Any], where: str) -> None:
    check_known(f"{where}.dataset", [entry["dataset"]], config["datasets"])
    check_known(f"{where}.model", [entry["model"]], config["models"])
    for panel in entry["panels"]:
        check_known(f"{where}.panels", [panel["variant"]], config["variants"])
        check_known(f"{where}.panels", [panel["training"]], [ORIGINAL, *config["reversible_trainings"]])
        if panel["training"] != ORIGINAL:
            trained = config["reversible_trainings"][panel["training"]]
            if trained.get("model") != entry["model"] or trained.get("dataset", entry["dataset"]) != entry["dataset"]:
                raise ConfigError(
                    f"{where}.panels names '{panel['training']}', which does not train {entry['model']} on "
                    f"{entry['dataset']}"
                )
