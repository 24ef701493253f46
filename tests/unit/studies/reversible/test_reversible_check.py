"""The check of Study 2's sections: names that must exist, sizes that must fit, nothing that needs itself."""

from __future__ import annotations

from typing import Any

import pytest
from reversible_config import reversible_config

from anonbench.core.errors import ConfigError
from anonbench.studies.reversible.check import check

T, V, F = "reversible_trainings", "variants", "reversible_figures"


def test_a_good_configuration_passes() -> None:
    check(reversible_config())


def test_a_configuration_without_the_study_passes() -> None:
    empty = {"real_people": False, "grids": {}, "maps": {}}
    plain = {"blur": {"method": "gaussian_blur", "detector": "haar"}}
    check(reversible_config((T, {}), ("reversible_recipes", {}), (F, empty), (V, plain)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([("reversible_recipes.small.generators", {})], "reversible_recipes.small has no"),
        ([("reversible_recipes.small.epochs", -1)], "reversible_recipes.small: epochs is -1"),
        ([("reversible_recipes.small.generator", {"widht": 8})], "did you mean 'width'"),
        ([(f"{T}.base.method", "bass")], "reversible_trainings.base.method is 'bass'"),
        ([(f"{T}.base.method", None)], "key 'method' is missing at reversible_trainings.base"),
        ([(f"{T}.base.upgrade", True)], "unknown key 'upgrade' at reversible_trainings.base"),
        ([(f"{T}.restore.model", "agw")], "unknown key 'model' at reversible_trainings.restore"),
        ([(f"{T}.joint.upgrade", None)], "key 'upgrade' is missing at reversible_trainings.joint"),
        ([(f"{T}.joint.recipe", "smal")], "reversible_trainings.joint.recipe names 'smal'"),
        ([(f"{T}.joint.model", "agv")], "reversible_trainings.joint.model names 'agv'"),
        ([(f"{T}.joint.desensitized", "blured")], "reversible_trainings.joint.desensitized names 'blured'"),
        ([(f"{T}.restore.of", "blured")], "reversible_trainings.restore.of names 'blured'"),
        ([(f"{T}.elsewhere.dataset", "tot")], "reversible_trainings.elsewhere.dataset names 'tot'"),
        ([(f"{T}.second.seed_offset", -1)], "reversible_trainings.second.seed_offset is -1"),
        ([(f"{T}.second.seed_offset", 1.5)], "reversible_trainings.second.seed_offset is"),
        ([(f"{T}.joint.desensitized", "faces")], "names 'faces', which hides what detector 'haar' found; expected a"),
        ([(f"{T}.joint.desensitized", "protected")], "names 'protected', which is learned itself; expected a variant"),
        ([(f"{T}.joint.base", "joint")], "reversible_trainings.joint.base names 'joint'"),
        ([(f"{T}.upgraded_blurred.base", None)], "upgrades its supervision; it needs 'base', the training with whose"),
        (
            [(f"{T}.base.desensitized", "pixelated")],
            "joint.base: 'base' has desensitized 'pixelated', this training 'blurred'; expected a base training with",
        ),
        (
            [("models.agw.input", [128, 64])],
            "models.agw takes pictures of [128, 64] pixels (height, width), variants.blurred.resize is [64, 32]",
        ),
        ([(f"{V}.protected.resize", [64, 32])], "variants.protected has 'resize', but a learned variant has the size"),
        ([(f"{V}.blurred.resize", None)], "variants.blurred.resize is left out; expected the same"),
        (
            [("reversible_recipes.small.generator.levels", 6)],
            "variants.blurred has pictures of [64, 32] pixels, a generator of 6 levels needs sides divisible by 64",
        ),
        ([("reversible_recipes.small", {})], "a generator of 7 levels needs sides divisible by 128"),
        ([(f"{T}.protected", {"method": "base"})], "protected: a variant has that name too"),
        ([(f"{T}.original", {"method": "base"})], "original: a variant has that name too"),
        ([(f"{V}.protected.training", "join")], "variants.protected.training names 'join'"),
        ([(f"{V}.protected.training", "base")], "variants.protected.training names 'base', a base training, which"),
        ([(f"{V}.protected.training", "restore")], "'restore', a restoration, which can only recover; it needs `of`"),
        ([(f"{V}.protected.detector", "haar")], "variants.protected: a learned variant hides whole pictures; exp"),
        ([(f"{V}.recovered.of", "upgrade")], "variants.recovered.of names 'upgrade'"),
        ([(f"{V}.pixelated.of", "upgraded")], "variants.pixelated.of names 'upgraded', which is learned and has a"),
        ([(f"{V}.protected.method", "mosaic")], "variants.protected has a training, and its method 'mosaic' has no we"),
        ([(f"{F}.grids.methods.people", 0)], "reversible_figures.grids.methods.people is 0"),
        ([(f"{F}.grids.methods.columns", [{"variant": "original", "title": "raw"}])], "grids.methods.columns is"),
        (
            [(f"{F}.grids.methods.columns", [{"variant": v, "title": v} for v in ("blurred", "original")])],
            "grids.methods.columns begins with 'blurred'; expected 'original', with which the others are compared",
        ),
        ([(f"{F}.grids.methods.model", "agv")], "reversible_figures.grids.methods.model names 'agv'"),
        ([(f"{F}.maps.features.people", 1)], "reversible_figures.maps.features.people is 1"),
        ([(f"{F}.maps.features.people", 8)], "reversible_figures.maps.features.people is 8"),
        ([("reversible_human_eval.participants", 7)], "human evaluation: pairs is 100 for 7 participants; expected"),
        (
            [(f"{F}.maps.features.panels", [{"title": "", "training": "upgrade", "variant": "blurred"}])],
            "reversible_figures.maps.features.panels names 'upgrade'",
        ),
        (
            [(f"{F}.maps.features.panels", [{"title": "", "training": "elsewhere", "variant": "blurred"}])],
            "names 'elsewhere', which does not train agw on toy",
        ),
    ],
)  # fmt: skip
def test_mistakes_are_named(changes: list[tuple[str, Any]], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check(reversible_config(*changes))
    assert message in str(refused.value)


def test_what_needs_itself_is_refused_with_the_way_round() -> None:
    """A restoration learns from a copy that its own network made: no order of jobs could do that."""
    with pytest.raises(ConfigError, match=r"reversible_trainings.restore needs itself: restore -> restored -> restore"):
        check(reversible_config((f"{T}.restore.of", "restored")))
    with pytest.raises(ConfigError, match=r"needs itself: recovered -> recovered"):
        check(reversible_config((f"{V}.recovered.of", "recovered"), (f"{T}.restore.of", "recovered")))


def test_a_copy_that_is_made_of_itself_is_refused() -> None:
    copies = {name: {"method": "mosaic", "detector": None, "of": of} for name, of in (("a", "b"), ("b", "a"))}
    config = reversible_config()
    config["variants"] |= copies
    with pytest.raises(ConfigError, match=r"variants\.a needs itself: a -> b -> a"):
        check(config)
