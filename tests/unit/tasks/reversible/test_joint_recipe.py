"""The recipe of Study 2: the paper's values, entries that change some of them, mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from anonbench.core.errors import ConfigError
from anonbench.tasks.reid.losses import LossSettings
from anonbench.tasks.reid.samplers import IdentitySampler, Shuffle
from anonbench.tasks.reversible.recipe import JointRecipe, UpgradeSettings
from anonbench.training.optimizers import SGD, Adam
from anonbench.training.schedules import OneCycle, WarmupStep


def test_defaults_are_the_papers() -> None:
    recipe = JointRecipe.from_config(None)
    assert recipe == JointRecipe()
    assert (recipe.epochs, recipe.batch_size, recipe.l1_weight, recipe.reid_weight) == (120, 64, 100, 1)
    assert recipe.generator_optimizer == recipe.discriminator_optimizer == Adam(3.5e-4, 5e-4, (0.5, 0.999))
    assert recipe.reid_optimizer == Adam(3.5e-4, 5e-4, (0.9, 0.999))
    assert recipe.sampler == IdentitySampler(16, 4)
    assert recipe.upgrade == UpgradeSettings(1.0, 0.05, 0.05, 5)
    assert (recipe.validation.share, recipe.validation.query_share) == (0.2, 0.2)
    assert recipe.loss == LossSettings(0.1, triplet="weighted", triplet_weight=1, center_weight=5e-4)
    rates = [recipe.generator_optimizer.lr * recipe.schedule.factor(epoch, 0, 120) for epoch in (0, 9, 39, 40, 80)]
    assert rates == pytest.approx([3.5e-5, 3.5e-4, 3.5e-4, 3.5e-5, 3.5e-6])


def test_a_section_keeps_what_its_entry_leaves_out() -> None:
    recipe = JointRecipe.from_config(
        {
            "generator_optimizer": {"lr": 0.002},
            "discriminator_optimizer": {"method": "adam", "betas": [0.1, 0.9]},
            "reid_optimizer": {"method": "sgd"},
            "schedule": {"milestones": [3]},
            "loss": {"center_weight": 0},
            "sampler": {"images": 2, "identities": 32},
            "generator": {"width": 8},
            "upgrade": {"every": 10},
        }
    )
    assert recipe.generator_optimizer == Adam(0.002, 5e-4, (0.5, 0.999))
    assert recipe.discriminator_optimizer == Adam(3.5e-4, 5e-4, (0.1, 0.9))
    assert recipe.reid_optimizer == SGD()
    assert recipe.schedule == WarmupStep(10, 0.1, (3,), 0.1)
    assert recipe.loss == LossSettings(0.1, triplet="weighted", triplet_weight=1, center_weight=0)
    assert recipe.sampler == IdentitySampler(32, 2)
    assert (recipe.generator.levels, recipe.generator.width) == (7, 8)
    assert JointRecipe.from_config({"schedule": {"method": "one_cycle"}}).schedule == OneCycle()
    assert JointRecipe.from_config({"sampler": {"method": "shuffle"}, "batch_size": 7}).sampler == Shuffle()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"epoch": 3}, r"r has no key 'epoch': did you mean 'epochs'"),
        ({"generator": {"with": 3}}, r"r\.generator has no key 'with': did you mean 'width'"),
        ({"generator": 3}, r"r\.generator is 3; expected keys with values below it"),
        ({"schedule": {"method": "step_"}}, r"r\.schedule\.method is 'step_': did you mean 'step'"),
        ({"generator_optimizer": {"lr": "3e-4"}}, r"r\.generator_optimizer: lr is the text '3e-4'"),
        ({"batch_size": 60}, r"batch_size is 60, but the pk sampler .* 16 x 4; expected batch_size: 64"),
        ({"reid_weight": 0}, r"reid_weight is 0; expected > 0"),
        ({"head_start": 120}, r"head_start is 120 and epochs is 120; expected fewer"),
        ({"validation": {"share": 1}}, r"r\.validation: share is 1; expected < 1"),
        ({"validation": {"every": 2}}, r"upgrade\.every is 5 and validation\.every is 2; expected a multiple"),
        ({"upgrade": {"epsilon_rank1": 2}}, r"epsilon_rank1 is 2; expected >= 0 and <= 1"),
    ],
)
def test_mistakes_are_named(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        JointRecipe.from_config(entry, "r")
