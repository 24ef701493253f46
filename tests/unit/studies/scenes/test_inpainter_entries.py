"""The section `inpainters`, and the variants that name its entries."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from anonbench.core.errors import ConfigError
from anonbench.data import entries
from anonbench.studies.scenes.inpainters import check_inpainters

CONFIG: dict[str, Any] = {
    "datasets": {"street": {}, "town": {}},
    "detectors": {"bodies": {}},
    "inpainters": {
        "own": {"detector": "bodies", "recipe": {"network": {"size": [72, 40], "levels": 3}}},
        "one": {"detector": "bodies", "dataset": "town", "recipe": {}, "seed": 3},
    },
    "variants": {
        "blur": {"method": "gaussian_blur", "detector": "bodies"},
        "real": {"method": "gan_inpaint", "detector": "bodies", "inpainter": "own", "large_inpainter": "one"},
        "given": {"method": "gan_inpaint", "detector": "bodies", "weights": "mine.pt"},
    },
}


def test_a_good_configuration_passes() -> None:
    check_inpainters(CONFIG)
    check_inpainters({**CONFIG, "inpainters": {}, "variants": {"blur": CONFIG["variants"]["blur"]}})


def test_a_generator_is_the_datasets_own_unless_its_entry_names_another() -> None:
    assert entries.inpainter_of(CONFIG, "street", "real") == "results/inpainters/street/own/generator.pt"
    assert entries.inpainter_of(CONFIG, "street", "real", "large_inpainter") == (
        "results/inpainters/town/one/generator.pt"
    )
    assert entries.inpainter_of(CONFIG, "street", "blur") is None


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("inpainters.own.detector", "body", "inpainters.own.detector names 'body': did you mean 'bodies'"),
        ("inpainters.one.dataset", "twon", "inpainters.one.dataset names 'twon': did you mean 'town'"),
        ("inpainters.own.recipes", {}, "inpainters.own has no key 'recipes': did you mean 'recipe'"),
        ("inpainters.own.seed", -1, "inpainters.own: seed is -1; expected an integer >= 0"),
        ("inpainters.own.recipe", {"epoch": 3}, "inpainters.own.recipe has no key 'epoch': did you mean 'epochs'"),
        ("variants.real.inpainter", "owm", "variants.real.inpainter names 'owm': did you mean 'own'"),
        ("variants.real.large_inpainter", "onf", "variants.real.large_inpainter names 'onf'"),
        ("variants.real.weights", "x.pt", "variants.real has both 'inpainter' and 'weights'"),
        ("variants.real.large_weights", "x.pt", "variants.real has both 'large_inpainter' and 'large_weights'"),
        ("variants.given.weights", None, "variants.given needs 'inpainter', the name of an entry"),
        ("variants.blur.inpainter", "own", "variants.blur has no key 'inpainter': only anonymizer 'gan_inpaint'"),
    ],
)
def test_what_cannot_be_used_is_named(place: str, value: object, message: str) -> None:
    config = copy.deepcopy(CONFIG)
    section, name, key = place.split(".")
    if value is None:
        del config[section][name][key]
    else:
        config[section][name][key] = value
    with pytest.raises(ConfigError, match=message):
        check_inpainters(config)
