"""Draw a dataset of rendered people."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anonbench.core.errors import ConfigError, nearest
from anonbench.rendered import RenderSpec, render_dataset


def render(spec: Mapping[str, Any], output: Path, workers: int) -> None:
    """Write the dataset that a config entry `render:` describes to the folder `output`."""
    render_dataset(read_spec(spec), output, workers)


def read_spec(entry: Mapping[str, Any]) -> RenderSpec:
    """The `RenderSpec` that a config entry describes; raises `ConfigError` for an unknown key or a bad value."""
    known = [field.name for field in dataclasses.fields(RenderSpec)]
    for key in entry:
        if key not in known:
            raise ConfigError(f"render has no key '{key}': {nearest(key, known)}")
    return RenderSpec(**entry)
