"""The section `inpainters`: generators that are trained here, and the variants that name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anonbench.core import checks
from anonbench.core.errors import ConfigError
from anonbench.core.fields import build
from anonbench.core.structure import check_known

METHOD = "gan_inpaint"
KEYS = ("inpainter", "large_inpainter")


@dataclass(frozen=True)
class InpainterEntry:
    """An entry of `inpainters`.

    detector: whose regions it learns to fill; those of the kind of `recipe.network.kind` are used.
    recipe: how it is trained (`tasks.inpainting.recipe.InpaintingRecipe`).
    seed: of the weights and of every random choice, >= 0.
    dataset: whose pictures it learns from; left out: those that it is to change, a generator for each dataset.
    real_people: whether its sheet of samples may show people who are not drawn.
    """

    detector: str
    recipe: Mapping[str, Any]
    seed: int = 0
    dataset: str | None = None
    real_people: bool = False

    def __post_init__(self) -> None:
        checks.integer("seed", self.seed, 0)


def check_inpainters(config: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for the first inpainter that cannot be trained, and the first variant that has none."""
    if config["inpainters"]:
        from anonbench.tasks.inpainting.recipe import InpaintingRecipe  # torch takes a second to load

        for name, entry in config["inpainters"].items():
            where = f"inpainters.{name}"
            read = build(InpainterEntry, entry, where)
            InpaintingRecipe.from_config(read.recipe, f"{where}.recipe")
            check_known(f"{where}.detector", [read.detector], config["detectors"])
            if read.dataset is not None:
                check_known(f"{where}.dataset", [read.dataset], config["datasets"])
    for name, variant in config["variants"].items():
        _check_variant(f"variants.{name}", variant, config["inpainters"])


def _check_variant(where: str, variant: Mapping[str, Any], inpainters: Mapping[str, Any]) -> None:
    named = [key for key in KEYS if key in variant]
    if named and variant["method"] != METHOD:
        raise ConfigError(f"{where} has no key '{named[0]}': only anonymizer '{METHOD}' is filled by a generator")
    for key in named:
        check_known(f"{where}.{key}", [variant[key]], inpainters)
    if variant["method"] == METHOD and "inpainter" in variant and "weights" in variant:
        raise ConfigError(f"{where} has both 'inpainter' and 'weights'; take one of them out")
    if variant["method"] == METHOD and not variant.keys() & {"inpainter", "weights"}:
        raise ConfigError(f"{where} needs 'inpainter', the name of an entry of `inpainters`, or 'weights', a file")
    if "large_inpainter" in variant and "large_weights" in variant:
        raise ConfigError(f"{where} has both 'large_inpainter' and 'large_weights'; take one of them out")
