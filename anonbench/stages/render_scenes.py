"""Draw a dataset of street scenes with the mask of everybody in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonbench.core.command import Output, Spec, command
from anonbench.core.errors import ConfigError
from anonbench.core.fields import build
from anonbench.rendered.scene_layouts import render_scenes as write_scenes
from anonbench.rendered.street_scene import SceneSpec


@command("data")
def render_scenes(spec: Spec, output: Output, threads: int = 1) -> None:
    """Draw a dataset of street scenes with the mask of everybody in them.

    spec: the dataset's config entry `render:`: keys of `SceneSpec`.
    output: new folder for the dataset, in the layout that the entry names.
    """
    write_scenes(read_scene(spec), output, threads)


def read_scene(entry: Mapping[str, Any], layout: str = "") -> SceneSpec:
    """The `SceneSpec` that a config entry describes; raises `ConfigError` for an unknown key or a bad value.

    layout: the format of the dataset, which must be the layout that is drawn.
    """
    spec = build(SceneSpec, entry, "render")
    if layout and spec.layout != layout:
        raise ConfigError(f"render.layout is '{spec.layout}', but the dataset's format is '{layout}': make them equal")
    return spec
