"""Draw a dataset of rendered people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonbench.core.command import Output, Spec, command
from anonbench.core.fields import build
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
    return build(RenderSpec, entry, "render")
