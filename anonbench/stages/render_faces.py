"""Draw pictures of several people with every face's box."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonbench.core.command import Output, Spec, command
from anonbench.core.errors import ConfigError
from anonbench.core.fields import build
from anonbench.rendered.crowd import CrowdSpec
from anonbench.rendered.wider import render_crowds


@command("data")
def render_faces(spec: Spec, output: Output, threads: int = 1) -> None:
    """Draw pictures of several people with every face's box.

    spec: the config entry `render:`: keys of `CrowdSpec`, and `validation`, how many further pictures for testing.
    output: new folder for the pictures, in WIDER FACE's layout.
    """
    crowd, validation = read_crowd(spec)
    render_crowds(crowd, validation, output, threads)


def read_crowd(entry: Mapping[str, Any]) -> tuple[CrowdSpec, int]:
    """The spec of a config entry and the number of pictures for validation; raises `ConfigError`."""
    validation = entry.get("validation", 0)
    if type(validation) is not int or validation < 1:
        raise ConfigError(
            f"render.validation is {validation!r}; expected the number of pictures to test on, at least 1"
        )
    crowd = {key: value for key, value in entry.items() if key != "validation"}
    return build(CrowdSpec, crowd, "render", also=["validation"]), validation
