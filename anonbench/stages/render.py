"""Draw a dataset of rendered people."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from anonbench.core.command import Output, Spec, command
from anonbench.core.errors import ConfigError, nearest
from anonbench.rendered import RenderSpec, render_dataset


@command("data")
def render(spec: Spec, output: Output, threads: int = 1) -> None:
    """Draw a dataset of rendered people.

    spec: the dataset's config entry `render:`.
    output: new folder for the dataset, in the layout that the entry names.
    """
    render_dataset(read_spec(spec), output, threads)


def read_spec(entry: Mapping[str, Any]) -> RenderSpec:
    """The `RenderSpec` that a config entry describes; raises `ConfigError` for an unknown key or a bad value."""
    known = [field.name for field in dataclasses.fields(RenderSpec)]
    for key in entry:
        if key not in known:
            raise ConfigError(f"render has no key '{key}': {nearest(key, known)}")
    return RenderSpec(**entry)
