"""What is said at the start about entries of networks of instances that cannot be used."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from anonbench.config import SCHEMA, resolve_model
from anonbench.core.errors import ConfigError
from anonbench.studies.scenes.check import check

CONFIG = SCHEMA.parents[2] / "config" / "studies" / "scenes.yaml"


@pytest.fixture
def config() -> dict[str, Any]:
    loaded = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    return {"models": {"bot": {}}, **loaded}


def test_the_shipped_entries_can_be_used(config: dict[str, Any]) -> None:
    check(config)
    assert {"mask_rcnn", "keypoint_rcnn"} <= config["instance_models"].keys()


def test_a_model_is_resolved_with_its_recipe(config: dict[str, Any]) -> None:
    config["instance_models"]["mask_rcnn"]["seeds"] = [0, 1]
    entry = resolve_model(config, "mask_rcnn", "instance_")
    assert entry["training"] == config["instance_recipes"][config["instance_models"]["mask_rcnn"]["recipe"]]
    assert not {"recipe", "seeds"} & entry.keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": "smal"}, r"instance_models\.mask_rcnn\.recipe.*smal"),
        ({"training": {}}, "has no key 'training'"),
        ({"chanels": 3}, r"instance_models\.mask_rcnn: .*no parameter 'chanels': did you mean 'channels'"),
        ({"seeds": []}, "seeds"),
        ({"method": "yolo"}, "unknown instance model 'yolo'"),
        ({"initial": {"dataset": "coco-rendered"}}, "model"),
        ({"initial": {"dataset": "coco", "model": "keypoint_rcnn"}}, r"mask_rcnn\.initial\.dataset.*coco"),
        ({"initial": {"dataset": "coco-rendered", "model": "mask_rcnn"}}, r"mask_rcnn\.initial\.model"),
    ],
)
def test_a_mistake_in_a_model_is_named(config: dict[str, Any], change: dict[str, Any], message: str) -> None:
    config["instance_models"]["mask_rcnn"] |= change
    with pytest.raises(ConfigError, match=message):
        check(config)


def test_a_mistake_in_a_recipe_is_named(config: dict[str, Any]) -> None:
    config["instance_recipes"]["small"]["iteration"] = 3
    with pytest.raises(ConfigError, match=r"instance_recipes\.small has no key 'iteration'"):
        check(config)


def test_two_tasks_cannot_share_a_name(config: dict[str, Any]) -> None:
    config["instance_models"]["bot"] = config["instance_models"]["mask_rcnn"]
    with pytest.raises(ConfigError, match=r"instance_models\.bot: a model for re-identification has that name"):
        check(config)
