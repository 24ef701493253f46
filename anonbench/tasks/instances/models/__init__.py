"""Networks that find instances in pictures: one module a network, named like its key in the config."""

from __future__ import annotations

from anonbench.core.registry import Registry

INSTANCE_MODELS = Registry("instance model", __name__)
