"""The registry: a name leads to one plug-in, and a wrong one to a message."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from anonbench.anonymizers import ANONYMIZERS
from anonbench.core.errors import ConfigError
from anonbench.core.registry import Registry, load_plugins
from anonbench.datasets import DATASETS
from anonbench.detectors import DETECTORS
from anonbench.tasks.reid.models import MODELS

REGISTRIES = [ANONYMIZERS, DATASETS, DETECTORS, MODELS]


@pytest.fixture
def registry() -> Registry:
    return Registry("anonymizer", "anonbench.anonymizers")


@dataclass(frozen=True)
class Shade:
    level: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.level <= 1:
            raise ValueError(f"level must lie in 0..1, got {self.level}")


@pytest.mark.parametrize("known", REGISTRIES, ids=lambda r: r.kind)
def test_every_name_is_that_of_its_module(known: Registry) -> None:
    assert known.names()
    for name in known.names():
        assert known.get(name).__module__ == f"{known.package}.{name}"
        assert not name.startswith("_")


def test_listing_names_and_asking_for_one_loads_no_other() -> None:
    code = (
        "import sys; from anonbench.anonymizers import ANONYMIZERS; from anonbench.tasks.reid.models import MODELS;"
        "MODELS.names(); ANONYMIZERS.get('zero');"
        "print(sorted(m for m in sys.modules if m in ('torch', 'onnxruntime', 'anonbench.anonymizers.pixelate')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_registers_and_creates(registry: Registry) -> None:
    assert registry.register("shade")(Shade) is Shade
    assert "shade" in registry.names()
    assert registry.create({"method": "shade", "level": 1, "box_scale": 2}, ignore=("box_scale",)) == Shade(1)


def test_the_same_class_twice_is_fine_since_modules_are_loaded_again(registry: Registry) -> None:
    registry.register("shade")(Shade)
    registry.register("shade")(Shade)


def test_another_class_under_a_taken_name_is_refused(registry: Registry) -> None:
    class Other:
        pass

    registry.register("shade")(Shade)
    with pytest.raises(ConfigError, match=r"'shade' is registered twice: as .*Shade and as .*Other\. Rename one"):
        registry.register("shade")(Other)


def test_a_plugin_cannot_take_the_name_of_one_of_ours(write_plugin: Callable[[str, str], Path]) -> None:
    ANONYMIZERS.get("zero")
    code = "from anonbench.anonymizers import ANONYMIZERS\n@ANONYMIZERS.register('zero')\nclass Zero: pass\n"
    write_plugin("outside_zero", code)
    with pytest.raises(ConfigError, match=r"anonymizer 'zero' is registered twice: as anonbench\.anonymizers\.zero"):
        load_plugins(["outside_zero"])


@pytest.mark.parametrize("name", ["gausian_blur", "_apply", "", 3, None, ["zero"]])
def test_an_unknown_name_lists_the_known(registry: Registry, name: Any) -> None:
    with pytest.raises(ConfigError, match=r"^unknown anonymizer '.*Known: .*gaussian_blur.*zero"):
        registry.create({"method": name})


def test_an_unknown_parameter_names_the_nearest_of_the_entry(registry: Registry) -> None:
    registry.register("shade")(Shade)
    with pytest.raises(
        ConfigError, match=r"'shade' has no parameter 'levl': did you mean 'level'\? Known: box_scale, "
    ):
        registry.create({"method": "shade", "levl": 1}, ignore=("box_scale",))
    with pytest.raises(ConfigError, match=r"no parameter 'box_scal': did you mean 'box_scale'\?"):
        registry.create({"method": "shade", "box_scal": 1}, ignore=("box_scale",))
    with pytest.raises(ConfigError, match="has no parameter '3'"):
        registry.create({"method": "shade", 3: 1})  # type: ignore[dict-item]


def test_a_refused_value_becomes_a_config_error(registry: Registry) -> None:
    registry.register("shade")(Shade)
    with pytest.raises(ConfigError, match=r"anonymizer 'shade': level must lie in 0\.\.1, got 2"):
        registry.create({"method": "shade", "level": 2})


def test_an_entry_without_method_lists_the_known(registry: Registry) -> None:
    with pytest.raises(ConfigError, match=r"anonymizer: the key 'method' is missing\. Known: blank"):
        registry.create({"sigma_rel": 1})


def test_a_plugin_that_cannot_be_imported_says_what_to_check() -> None:
    with pytest.raises(ConfigError, match=r"plugins: cannot import 'no_such_module' \(.*Is its folder on PYTHONPATH"):
        load_plugins(["no_such_module"])
