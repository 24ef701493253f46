"""The configuration, checked before any job runs: a misspelt key stops the run and names the nearest valid one.

`workflow/schemas/config.schema.yaml` closes the structure. What a plug-in's entry may hold is asked of the plug-in,
what a study's sections may hold of the study.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from anonbench.anonymizers import ANONYMIZERS
from anonbench.core.errors import ConfigError
from anonbench.core.fields import check_types, refuse_unknown
from anonbench.core.registry import load_plugins
from anonbench.core.structure import check_at, check_known, check_structure
from anonbench.data.entries import (
    COMPOSED,
    DETECTION,
    FILES,
    RUN,
    SCENE_FORMATS,
    built_tables,
    datasets_of_people,
    members,
    tried_detectors,
)
from anonbench.data.left_out import files_of
from anonbench.data.paths import DEFAULT_CONFIG, images, rendered, study_config
from anonbench.data.variants import ORIGINAL, RESERVED
from anonbench.datasets import DATASETS
from anonbench.detectors import DETECTORS
from anonbench.stages.accept_copy import Demands
from anonbench.stages.anonymize import ENTRY_KEYS as VARIANT_KEYS
from anonbench.stages.anonymize_whole import ENTRY_KEYS as WHOLE_KEYS
from anonbench.stages.anonymize_whole import Storage
from anonbench.stages.cut_faces import Cut
from anonbench.stages.detect import ENTRY_KEYS as DETECTOR_KEYS
from anonbench.stages.detect import read_default_box
from anonbench.stages.index import ENTRY_KEYS as DATASET_KEYS
from anonbench.studies import STUDIES
from anonbench.studies.kinds import check_table

TEXT_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")
SCHEMA = Path(__file__).parents[1] / "workflow" / "schemas" / "config.schema.yaml"
DEFAULTS = (DEFAULT_CONFIG, *map(study_config, STUDIES))
"""The defaults, in the order in which they are laid over one another: what studies share, then one file a study."""


def check_config(config: Mapping[str, Any], source: str = "config") -> None:
    """Raise `ConfigError` for the first thing in a config that cannot be used.

    source: the config files' names, for the message.
    """
    try:
        _check_names(config)
        _check_structure(config)
        load_plugins(config["plugins"])
        _check_plugins(config)
        _check_references(config)
        _check_paths(config)
        _check_studies(config)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error


def resolve_model(config: Mapping[str, Any], name: str, task: str = "") -> dict[str, Any]:
    """A model's config entry with the recipe that it names written out as `training`, as the stages take it.

    task: what the names of the sections begin with: "instance_" for `instance_models` and `instance_recipes`.
    """
    entry = dict(config[f"{task}models"][name])
    entry["training"] = config[f"{task}recipes"][entry.pop("recipe")]
    for key in ("seeds", "gpus", "initial"):  # how often and where, not what; and a file of its own
        entry.pop(key, None)
    return entry


def _check_names(value: Any, where: str = "the top level") -> None:
    """Names are text, numbers finite. YAML reads some words as something else: 6, 0001, no, null, 2026-11-29."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            if not isinstance(key, str):
                raise ConfigError(
                    f"the name {_as_written(key)} at {where} is no text to YAML but {_kind(key)}. Write it in quotes, "
                    f'as it is meant to read: "{_as_written(key)}":'
                )
            _check_names(below, key if where == "the top level" else f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for number, below in enumerate(value):
            _check_names(below, f"{where}.{number}")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{where} is {value}; expected a finite number")


def _as_written(key: object) -> str:
    if isinstance(key, bool):
        return "yes" if key else "no"
    return "null" if key is None else str(key)


def _kind(key: object) -> str:
    known = {bool: "a truth value", int: "a number", float: "a number", type(None): "nothing"}
    return known.get(type(key), f"a {type(key).__name__}")


def _check_structure(config: Mapping[str, Any]) -> None:
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    sections = [section for study in STUDIES for section in _check_of(study).SECTIONS]
    schema["properties"] |= {section: {"type": "object"} for section in sections}
    schema["required"] += sections
    check_structure(config, schema)


def _check_plugins(config: Mapping[str, Any]) -> None:
    for name, entry in config["face_images"].items():
        check_at(f"face_images.{name}", lambda e=entry: _check_face_images(e))
    for name, entry in config["face_trainings"].items():
        check_at(f"face_trainings.{name}", lambda e=entry: _check_face_training(e))
    for name, entry in config["detectors"].items():
        check_at(f"detectors.{name}", lambda e=entry: _check_detector(e))
    for name, entry in config["variants"].items():
        check_at(f"variants.{name}", lambda e=entry: _check_variant(e))
    for name, entry in config["datasets"].items():
        check_at(f"datasets.{name}", lambda e=entry: _check_dataset(e))
    for name, entry in config["models"].items():
        if "training" in entry:
            raise ConfigError(f"models.{name} has no key 'training': describe it under `recipes`, name it by 'recipe'")
        check_known(f"models.{name}.recipe", [entry["recipe"]], config["recipes"])
        check_at(f"models.{name}", lambda n=name: _check_model(resolve_model(config, n)))
    for name, entry in config["recipes"].items():
        check_at("recipes", lambda n=name, e=entry: _check_recipe(n, e))
    for name, entry in config["models"].items():
        recipe, gpus = config["recipes"][entry["recipe"]], entry.get("gpus", 1)
        check_at(f"models.{name}", lambda r=recipe, g=gpus: _check_gpus(r, g))


def _check_face_images(entry: Mapping[str, Any]) -> None:
    if "render" in entry:
        from anonbench.stages.render_faces import read_crowd

        read_crowd(entry["render"])


def _check_face_training(entry: Mapping[str, Any]) -> None:
    from anonbench.detectors._tinyfaces.train import TrainingRecipe

    TrainingRecipe.from_config(entry["recipe"])


def _check_detector(entry: Mapping[str, Any]) -> None:
    method = entry["method"]
    if method in COMPOSED:  # neither a GPU nor a default box: its members have theirs
        parameters = inspect.signature(DETECTORS.get(method)).parameters
        refuse_unknown(entry, ("method", *parameters), f"detector '{method}'", "key")
    DETECTORS.create(entry, ignore=DETECTOR_KEYS)
    read_default_box(entry)


def _check_variant(entry: Mapping[str, Any]) -> None:
    """A variant hides what a detector found, or whole pictures, or is another tool's; these have different keys."""
    if entry["method"] == FILES:
        _check_files(entry)
        return
    whole = entry["detector"] is None
    keys, needed = (WHOLE_KEYS, ("encoding",)) if whole else (VARIANT_KEYS, ("box_scale", "jpeg_quality"))
    other = VARIANT_KEYS if whole else WHOLE_KEYS
    kind = "that hides whole pictures (`detector: null`)" if whole else "with a detector"
    for key in other:
        if key in entry and key not in keys:
            raise ConfigError(f"a variant {kind} has no key '{key}'; it has {', '.join(keys)}")
    for key in needed:
        if key not in entry:
            raise ConfigError(f"a variant {kind} needs '{key}'")
    ANONYMIZERS.create(entry, ignore=keys)
    if whole:
        Storage.of(entry)


def _check_files(entry: Mapping[str, Any]) -> None:
    """A variant that another tool has made says where its pictures are."""
    Demands.of(entry)  # first: a misspelt `root` is named as such
    root = entry.get("root")
    folders = list(root.values()) if isinstance(root, Mapping) else [root]
    if not folders or not all(isinstance(folder, str) and folder for folder in folders):
        raise ConfigError(
            f"root is {root!r}; expected the folder of the pictures, or one for each dataset: {{coco: data/theirs}}"
        )


def _check_dataset(entry: Mapping[str, Any]) -> None:
    adapter = DATASETS.get(entry["format"])
    options = [p.name for p in inspect.signature(adapter).parameters.values() if p.kind is p.KEYWORD_ONLY]
    where = f"dataset format '{entry['format']}'"
    refuse_unknown(entry, [*DATASET_KEYS, *options], where, "option")
    check_types(adapter, {key: entry[key] for key in options if key in entry}, where)
    if "cut" in entry:
        Cut.of_entry(entry["cut"])
    if "render" in entry and entry["format"] in SCENE_FORMATS:
        from anonbench.stages.render_scenes import read_scene

        read_scene(entry["render"], entry["format"])
    elif "render" in entry:
        from anonbench.stages.render import read_spec

        read_spec(entry["render"])


def _check_model(entry: Mapping[str, Any]) -> None:
    from anonbench.tasks.reid.features import read_settings
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
        if "render" in entry and entry["root"] != rendered(name):
            raise ConfigError(
                f"datasets.{name}.root is '{entry['root']}'; rendered data goes to {rendered(name)}, so that "
                f"no rule ever writes into a folder of yours"
            )
        if "cut" in entry:
            _check_cut(config, name, entry)
    for name, entry in config["face_images"].items():
        if "render" in entry and entry["root"] != rendered(name):
            raise ConfigError(f"face_images.{name}.root is '{entry['root']}'; rendered data goes to {rendered(name)}")
        if name in config["datasets"]:
            raise ConfigError(f"face_images.{name}: a dataset has that name too; choose another")
        check_known(f"face_images.{name}.detectors", entry.get("detectors", []), config["detectors"])
    for name, entry in config["face_trainings"].items():
        check_known(f"face_trainings.{name}.images", [entry["images"]], config["face_images"])
    for name in RESERVED:
        if name in config["variants"]:
            raise ConfigError(f"variants.{name}: the name is reserved; choose another")
    for name in config["detectors"]:
        check_known(f"detectors.{name}.of", members(config, name), config["detectors"])
    for name in config["detectors"]:
        _refuse_circle(config, (name,))
    for name, variant in config["variants"].items():
        if variant["detector"] is not None:
            check_known(f"variants.{name}.detector", [variant["detector"]], config["detectors"])
        if isinstance(root := variant.get("root"), Mapping):
            check_known(f"variants.{name}.root", root, config["datasets"])
        if "of" in variant:
            check_known(f"variants.{name}.of", [variant["of"]], config["variants"])
        if re.search(rf"-{RUN}$", name):
            raise ConfigError(
                f"variants.{name}: a name must not end like a run, as the copies of learned variants do "
                f"(protected-seed0); choose another"
            )


def _check_cut(config: Mapping[str, Any], name: str, entry: Mapping[str, Any]) -> None:
    """A dataset of faces is cut out of another, which is none itself and has one split."""
    cut, where = entry["cut"], f"datasets.{name}"
    check_known(f"{where}.cut.of", [cut["of"]], datasets_of_people(config))
    check_known(f"{where}.cut.detector", [cut["detector"]], config["detectors"])
    if entry["root"] != images(name, ORIGINAL):
        raise ConfigError(f"{where}.root is '{entry['root']}'; faces that are cut out go to {images(name, ORIGINAL)}")
    for key in ("render", "unpack", "splits", "leave_out"):
        if key in entry:
            raise ConfigError(f"{where} has 'cut' and '{key}'; its faces are those of {cut['of']}: take '{key}' out")
    if config["datasets"][cut["of"]].get("splits"):
        raise ConfigError(f"{where}.cut.of: '{cut['of']}' has several splits; expected a dataset with one")


def _refuse_circle(config: Mapping[str, Any], way: tuple[str, ...]) -> None:
    """way: detectors, each a member of the one before."""
    for member in members(config, way[-1]):
        if member in way:
            circle = " -> ".join([*way[way.index(member) :], member])
            raise ConfigError(f"detectors.{member}.of: a detector must not be made of itself: {circle}")
        _refuse_circle(config, (*way, member))


def _check_paths(config: Mapping[str, Any]) -> None:
    """Paths of the user that Snakemake or a shell would read as something else."""
    for name, entry in config["datasets"].items():
        for file in files_of(entry.get("leave_out")):
            _check_path(name, file, f"datasets.{name}.leave_out")
    for section, key in (
        ("datasets", "root"),
        ("face_images", "root"),
        ("detectors", "weights"),
        ("detectors", "boxes"),
        ("variants", "weights"),
        ("variants", "root"),
    ):
        for name, entry in config[section].items():
            value, where = entry.get(key), f"{section}.{name}.{key}"
            for path in value.values() if isinstance(value, Mapping) else [value]:
                if isinstance(path, str):
                    _check_path(name, path, where)


def _check_path(name: str, path: str, place: str) -> None:
    where = f"{place} is '{path}'; expected a path"
    if "{" in path or "}" in path:
        raise ConfigError(
            f"{where} without braces, which Snakemake takes for the name of a wildcard. Link it under another "
            f"name: ln -s '{path}' data/raw/{name}"
        )
    if path.startswith("~"):
        raise ConfigError(f"{where} as it is on the disk: `~` is for shells. Write {Path(path).expanduser()}")
    if path.startswith("-"):
        raise ConfigError(f"{where} that does not look like an option: write './{path}'")
    if any(ord(letter) < 32 for letter in path):
        raise ConfigError(f"{where} without tabs and line ends; link it under another name")


def _check_studies(config: Mapping[str, Any]) -> None:
    """Each study checks its own sections, and the kinds of tables theirs."""
    for name in config["tables"]:
        check_table(config, name)
    if DETECTION in config["tables"]:
        raise ConfigError(f"tables.{DETECTION}: the name is that of the table of detectors; choose another")
    check_known("build", config["build"], [*config["tables"], DETECTION])
    if not built_tables(config) and not tried_detectors(config):
        raise ConfigError(f"build: [{DETECTION}] alone needs detectors of `face_images` to try, and there are none")
    for study in STUDIES:
        _check_of(study).check(config)


def _check_of(study: str) -> Any:
    """The module with a study's own check: `SECTIONS` names its part of the configuration, `check` looks at it."""
    return importlib.import_module(f"anonbench.studies.{study}.check")


def read_layer(path: Path) -> dict[str, Any]:
    """One config file. Raises `ConfigError` when it is missing or does not hold a map."""
    try:
        content = path.read_bytes()  # with or without a byte-order mark
        layer = yaml.safe_load(content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}). config/default.yaml shows a valid file") from error
    _check_written_names(path, yaml.compose(content, yaml.SafeLoader))
    if not isinstance(layer, dict | None):
        raise ConfigError(f"{path}: holds a {type(layer).__name__}; expected keys with values below them")
    return layer or {}


def _check_written_names(path: Path, node: yaml.Node | None) -> None:
    """As `_check_names`, where the file itself is at hand: `0001`, which YAML reads as 1, is quoted as written."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag not in TEXT_TAGS:
                raise ConfigError(
                    f"{path}:{key.start_mark.line + 1}: YAML does not read the name {key.value or '(empty)'} as text "
                    f'but as {key.tag.rpartition(":")[2]}. Write it in quotes: "{key.value}":'
                )
            _check_written_names(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check_written_names(path, value)


def read_config(configfiles: Iterable[Path] = (), root: Path | None = None) -> dict[str, Any]:
    """The configuration as the workflow sees it, unchecked: the defaults below `root`, and overlays over them.

    root: the folder of the workflow; the current one when left out. A study's defaults may be missing there.
    """
    folder = root or Path()
    defaults = [folder / file for file in DEFAULTS]
    if not defaults[0].is_file():
        raise ConfigError(
            f"{defaults[0]}: not there. Run this in the folder of the workflow, a copy of the repository."
        )
    files = [file for file in defaults if file.is_file()]
    return merge(map(read_layer, [*files, *configfiles]))


def check_files(files: Sequence[Path]) -> None:
    """Check config files over the defaults, each over the one before (`anonbench check-config my.yaml`)."""
    overlays = [file for file in files if file not in map(Path, DEFAULTS)]
    try:
        check_config(read_config(overlays), " + ".join(map(str, files)))
    except ConfigError as error:
        raise ConfigError(f"{error}{_what_to_add(overlays)}") from error


def _what_to_add(overlays: Sequence[Path]) -> str:
    """The overlay of ours over which others can be used, in words; "" for none."""
    for shipped in sorted(Path(DEFAULT_CONFIG).parent.glob("*.yaml")):
        if shipped in overlays or shipped == Path(DEFAULT_CONFIG):
            continue
        with contextlib.suppress(ConfigError):
            check_config(read_config([shipped, *overlays]))
            return f". Over {shipped} it can be used: anonbench check-config {' '.join(map(str, [shipped, *overlays]))}"
    return ""


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
