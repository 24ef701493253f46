"""Re-identification networks: one module a model, named like its key in the config."""

from __future__ import annotations

from anonbench.core.registry import Registry

MODELS = Registry("model", __name__)
