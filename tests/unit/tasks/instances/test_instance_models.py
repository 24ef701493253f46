"""Networks of instances: what they are built of, and what they refuse."""

from __future__ import annotations

import contextlib

import pytest
import torch
from drawn_rectangles import TINY

from anonbench.core.errors import ConfigError, MissingDependencyError
from anonbench.tasks.instances.models import INSTANCE_MODELS
from anonbench.tasks.instances.models._rcnn import create_model
from anonbench.training import vision

METHODS = INSTANCE_MODELS.names()


def tiny(method: str, **other):
    return create_model({"method": method, **TINY, **other})


def test_both_networks_are_there() -> None:
    assert METHODS == ["keypoint_rcnn", "mask_rcnn"]


@pytest.mark.parametrize("method", METHODS)
def test_a_network_learns_from_every_target_and_finds_what_it_says(method: str) -> None:
    model = tiny(method)
    torch.manual_seed(0)
    network = model.build(2, 17, load=True)
    pictures = [torch.rand(3, 64, 96), torch.rand(3, 80, 64)]
    target = {"boxes": torch.tensor([[4.0, 4, 30, 40]]), "labels": torch.tensor([1])}
    nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    for number, one in enumerate((target, nothing)):
        height, width = pictures[number].shape[1:]
        count = len(one["boxes"])
        one["masks"] = torch.ones(count, height, width, dtype=torch.uint8)
        one["keypoints"] = torch.full((count, 17, 3), 20.0)
    losses = network(pictures, [target, nothing])
    assert set(losses) == set(model.losses.values())
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters() if p.requires_grad)
    found = network.eval()(pictures)[0]
    assert {"boxes", "labels", "scores", model.finds[1]} <= set(found)


def test_the_papers_network_has_the_size_of_detectron2s() -> None:
    network = create_model({"method": "mask_rcnn"}).build(8, 0, load=True)
    peer = vision.detection.maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=9)
    ours, theirs = (sum(weight.numel() for weight in net.parameters()) for net in (network, peer))
    assert ours == pytest.approx(theirs, rel=0.002)  # batch normalisation learns, the peer's does not
    assert network.transform.min_size == (800,)
    assert network.transform.max_size == 1333


def test_heads_compute_in_float32_whatever_the_trunk_does() -> None:
    network = tiny("mask_rcnn").build(2, 0, load=True).eval()
    network.backbone.precision = lambda: torch.autocast("cpu", torch.bfloat16)
    kinds = []
    conv = network.backbone.stem[0]
    conv.register_forward_hook(lambda _module, _inputs, output: kinds.append(output.dtype))
    last = network.backbone.stages[3]
    last.register_forward_hook(lambda _module, _inputs, output: kinds.append(output.dtype))
    network.backbone(torch.rand(1, 3, 96, 128))
    assert kinds == [torch.bfloat16, torch.bfloat16]
    kinds.clear()
    maps = network.backbone(torch.rand(1, 3, 64, 64))
    assert kinds == [torch.bfloat16, torch.float32]  # maps of two pixels: bfloat16 convolutions of such are not safe
    assert {level.dtype for level in maps.values()} == {torch.float32}
    assert [tuple(level.shape[2:]) for level in maps.values()] == [(8, 8), (4, 4), (2, 2), (1, 1)]
    network.backbone.precision = contextlib.nullcontext


def test_imagenet_weights_freeze_what_detectron2_freezes(monkeypatch: pytest.MonkeyPatch) -> None:
    network = tiny("mask_rcnn", backbone="resnet18", pretrained=True).build(2, 0, load=False)
    assert not any(p.requires_grad for p in network.backbone.stem.parameters())
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    assert all(p.requires_grad for p in network.backbone.stages[1].parameters())
    assert not any(p.requires_grad for p in network.backbone.stages[0].parameters())

    def refuse(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)
    with pytest.raises(MissingDependencyError, match=r"ImageNet weights of resnet18 cannot be loaded \(OSError"):
        tiny("mask_rcnn", backbone="resnet18", pretrained=True).build(2, 0, load=True)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"method": "mask_rcn"}, "unknown instance model 'mask_rcn': did you mean 'mask_rcnn'"),
        ({"method": "mask_rcnn", "backbon": "resnet18"}, "no parameter 'backbon': did you mean 'backbone'"),
        ({"method": "mask_rcnn", "backbone": "resnet19"}, "backbone is 'resnet19'; expected one of resnet10"),
        ({"method": "mask_rcnn", "first_stride": 8}, "anchor_sizes has 5 sizes; expected 4"),
        ({"method": "mask_rcnn", "short_side": 800, "long_side": 640}, "long_side is 640; expected an integer >= 800"),
        ({"method": "mask_rcnn", "backbone": "resnet10", "pretrained": True}, "no ImageNet weights of resnet10"),
        ({"method": "keypoint_rcnn", "keypoint_layers": 0}, "keypoint_layers is 0"),
        ({"method": "keypoint_rcnn", "mask_width": 3}, "no parameter 'mask_width'"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(entry: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        create_model(entry)
