"""Recipes: defaults of the paper, closed keys, values in range."""

import dataclasses
from pathlib import Path

import pytest
import yaml

import anonbench
from anonbench.core.errors import ConfigError
from anonbench.tasks.reid.recipe import METHODS, SECTIONS, Recipe
from anonbench.tasks.reid.samplers import IdentitySampler, Shuffle
from anonbench.training.optimizers import SGD, Adam
from anonbench.training.schedules import Constant, OneCycle, Step, WarmupStep

BOT = """
epochs: 120
batch_size: 64
optimizer: {method: adam, lr: 3.5e-4, weight_decay: 5.0e-4}
schedule: {method: warmup_step, warmup_epochs: 10, milestones: [40, 70], gamma: 0.1}
loss: {label_smoothing: 0.1, triplet_weight: 1, triplet_margin: 0.3, center_weight: 5.0e-4, center_lr: 0.5}
sampler: {method: pk, identities: 16, images: 4}
augmentation: {flip: 0.5, translate: 0, pad_crop: 10, erase: 0.5, erase_area: [0.02, 0.4]}
precision: auto
channels_last: auto
"""


def test_the_defaults_are_the_papers_for_torchreids_architectures() -> None:
    for entry in (None, {}):
        recipe = Recipe.from_config(entry)
        assert recipe == Recipe()
    assert (recipe.epochs, recipe.batch_size) == (100, 32)
    assert recipe.optimizer == Adam(lr=3e-3, betas=(0.9, 0.999))
    assert isinstance(recipe.schedule, Step)
    assert recipe.schedule.gamma == 0.1
    assert recipe.sampler == Shuffle()
    assert (recipe.augmentation.flip, recipe.augmentation.translate, recipe.augmentation.erase) == (0.5, 0.5, 0)
    assert (recipe.loss.triplet_weight, recipe.loss.center_weight) == (0, 0)


def test_bots_recipe() -> None:
    recipe = Recipe.from_config(yaml.safe_load(BOT))
    assert recipe.schedule == WarmupStep(milestones=(40, 70))
    assert recipe.sampler == IdentitySampler(16, 4)
    assert recipe.augmentation.erase_area == (0.02, 0.4)
    assert recipe.loss.center_weight == 5e-4


@pytest.mark.parametrize(
    ("entry", "built"),
    [
        ({"schedule": {"method": "one_cycle", "rise": 0.2}}, OneCycle(rise=0.2)),
        ({"schedule": {"method": "constant"}}, Constant()),
        ({"optimizer": {"method": "sgd", "lr": 0.1, "nesterov": True}}, SGD(lr=0.1, nesterov=True)),
    ],
)
def test_methods(entry: dict, built: object) -> None:
    assert getattr(Recipe.from_config(entry), next(iter(entry))) == built


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{epoch: 3}", r"training has no key 'epoch': did you mean 'epochs'\?"),
        ("{optimizer: {lrr: 1}}", r"training\.optimizer has no key 'lrr': did you mean 'lr'\?"),
        ("{optimizer: {momentum: 0.9}}", r"training\.optimizer has no key 'momentum'"),
        ("{optimizer: {method: adamw}}", r"training\.optimizer\.method is 'adamw': did you mean 'adam'\?"),
        ("{schedule: {method: one_cylce}}", r"training\.schedule\.method is 'one_cylce': did you mean 'one_cycle'\?"),
        ("{loss: {label_smooth: 0.1}}", r"training\.loss has no key 'label_smooth': did you mean 'label_smoothing'\?"),
        ("{augmentation: {erase_fil: mean}}", r"training\.augmentation has no key 'erase_fil'"),
        ("{optimizer: {lr: 3e-4}}", r"training\.optimizer: lr is the text '3e-4'.*write 0\.0003"),
        ("{optimizer: {lr: 0}}", r"training\.optimizer: lr is 0; expected > 0"),
        ("{optimizer: {lr: .nan}}", r"lr is nan, not finite; expected a number"),
        ("{optimizer: {method: sgd, momentum: 0, nesterov: true}}", "nesterov is true without momentum"),
        ("{epochs: -1}", r"training: epochs is -1; expected an integer >= 0"),
        ("{epochs: 1.5}", r"training: epochs is 1\.5; expected an integer"),
        ("{epochs: true}", r"training: epochs is true; expected an integer"),
        ("{batch_size: 1}", r"training: batch_size is 1; expected an integer >= 2"),
        ("{sampler: {method: pk, identities: 8, images: 4}, batch_size: 64}", r"8 x 4; expected batch_size: 32"),
        ("{schedule: {milestones: [40, 20]}}", r"training\.schedule: milestones is \[40, 20\]; expected ascending"),
        ("{schedule: {milestones: 40}}", r"milestones is 40; expected a list"),
        ("{augmentation: {erase_area: [0.4, 0.02]}}", r"erase_area is \[0\.4, 0\.02\]; expected the smaller"),
        ("{augmentation: {erase_area: 0.4}}", r"erase_area is 0\.4; expected a list of 2, each a number"),
        ("{augmentation: {flip: 1.5}}", r"flip is 1\.5; expected >= 0 and <= 1"),
        ("{augmentation: {erase_fill: grey}}", r"erase_fill is 'grey'; expected one of mean, unnormalized_mean"),
        ("{precision: fp16}", r"training: precision is 'fp16'; expected one of auto, fp32, bf16"),
        ("{channels_last: 1}", r"training: channels_last is 1; expected one of auto or true or false"),
        ("{loss: 0.1}", r"training\.loss is 0\.1; expected keys with values below it"),
        ("[epochs]", r"training is \['epochs'\]; expected keys"),
    ],
)
def test_errors_name_the_key_what_was_found_and_what_was_expected(entry: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Recipe.from_config(yaml.safe_load(entry))


def test_messages_can_name_another_place() -> None:
    with pytest.raises(ConfigError, match=r"models\.bot\.training has no key 'x'"):
        Recipe.from_config({"x": 1}, where="models.bot.training")


def test_every_field_is_documented() -> None:
    classes = [Recipe, *SECTIONS.values(), *(c for methods in METHODS.values() for c in methods.values())]
    for cls in classes:
        for field in dataclasses.fields(cls):
            assert f"{field.name}:" in cls.__doc__ or f"{field.name}, " in cls.__doc__, f"{cls.__name__}.{field.name}"


def test_training_modules_read_no_global_config() -> None:
    folder = Path(anonbench.__file__).parent / "training"
    assert not [p for p in folder.glob("*.py") if "safe_load" in p.read_text(encoding="utf-8")]
