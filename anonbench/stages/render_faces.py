"""Draw pictures of several people with every face's box."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anonbench.core.errors import ConfigError, nearest
from anonbench.rendered.crowd import CrowdSpec
from anonbench.rendered.wider import render_crowds


def render_faces(spec: Mapping[str, Any], output: Path, workers: int) -> None:
    """Write the pictures that a config entry `render:` describes, in WIDER FACE's layout, to the folder `output`.

    spec: keys of `CrowdSpec`, and `validation`: how many further pictures for testing.
    """
    crowd, validation = read_crowd(spec)
    render_crowds(crowd, validation, output, workers)


def read_crowd(entry: Mapping[str, Any]) -> tuple[CrowdSpec, int]:
    """The spec of a config entry and the number of pictures for validation; raises `ConfigError`."""
    known = [field.name for field in dataclasses.fields(CrowdSpec)]
    for key in entry:
        if key not in (*known, "validation"):
            raise ConfigError(f"render has no key '{key}': {nearest(key, [*known, 'validation'])}")
    validation = entry.get("validation", 0)
    if type(validation) is not int or validation < 1:
        raise ConfigError(
            f"render.validation is {validation!r}; expected the number of pictures to test on, at least 1"
        )
    return CrowdSpec(**{key: value for key, value in entry.items() if key != "validation"}), validation
