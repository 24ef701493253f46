"""The kinds of plug-ins, by the names that a user gives them."""

from __future__ import annotations

import importlib

from anonbench.core.errors import ConfigError, nearest
from anonbench.core.registry import Registry

# Each registry is declared in the room of its plug-ins.
REGISTRIES = {
    "anonymizers": "anonbench.anonymizers:ANONYMIZERS",
    "datasets": "anonbench.datasets:DATASETS",
    "detectors": "anonbench.detectors:DETECTORS",
    "models": "anonbench.tasks.reid.models:MODELS",
}


def registry_of(kind: str) -> Registry:
    """The registry of a kind, in the plural. Raises `ConfigError` for an unknown kind."""
    if kind not in REGISTRIES:
        raise ConfigError(f"unknown kind '{kind}': {nearest(kind, REGISTRIES)}")
    module, _, name = REGISTRIES[kind].partition(":")
    found = getattr(importlib.import_module(module), name)
    assert isinstance(found, Registry)
    return found
