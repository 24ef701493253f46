"""What Mask R-CNN and Keypoint R-CNN share: trunk, proposals, boxes; and the contract of networks of instances."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from anonbench.core import checks
from anonbench.core.errors import MissingDependencyError
from anonbench.tasks.instances.models import INSTANCE_MODELS
from anonbench.training.device import exact_if, place

# Keys of a model's config entry that are not parameters of the architecture.
ENTRY_KEYS = ("training",)
DEPTHS = {"resnet10": 1, "resnet18": 1, "resnet34": 1, "resnet50": 4, "resnet101": 4, "resnet152": 4}
"""Known trunks, with what a stage's width is multiplied by. resnet10 is ours: one block a stage."""
STAGE_WIDTHS = (64, 128, 256, 512)  # of layer1 to layer4, with strides 4 to 32
NARROW = 2
"""Pixels of a map's shorter side up to which it is computed in float32 on CPUs: see `exact_if`."""
POOL, MASK_POOL = 7, 14  # bins along a side of a region, for its class and box, and for its mask or keypoints
LOSSES = {
    "classification": "loss_classifier",
    "boxes": "loss_box_reg",
    "objectness": "loss_objectness",
    "proposals": "loss_rpn_box_reg",
}
"""Columns of the history, and torchvision's names."""


class InstanceModel(Protocol):
    """A plug-in of kind `instance model`: a frozen dataclass of architecture parameters.

    finds: what it predicts: boxes, and masks or keypoints.
    people_alone: whether it knows no other class than people.
    losses: column of the history -> name among the losses that the network returns.
    """

    finds: tuple[str, ...]
    people_alone: bool
    losses: Mapping[str, str]

    def build(self, categories: int, keypoints: int, load: bool) -> nn.Module:
        """The network, with torchvision's interface of detectors.

        In train mode it maps pictures (a list of (3, H, W) floats in 0..1) and targets to losses, in eval mode
        pictures to what it finds. `network.backbone` is a `Trunk`, `network.transform` resizes and normalises.

        categories: without the background, which is class 0.
        load: whether to start from ImageNet weights where the entry says so, or to leave the weights to the caller.
        """


def create_model(entry: Mapping[str, Any]) -> InstanceModel:
    """The plug-in that a config entry names. Raises `ConfigError` for anything unknown in it."""
    model: InstanceModel = INSTANCE_MODELS.create(entry, ignore=ENTRY_KEYS)
    return model


Precision = Callable[[], contextlib.AbstractContextManager[Any]]
"""Makes the context of a forward pass."""


def place_network(network: nn.Module, device: torch.device, precision: Precision) -> None:
    """Move a network to a device, in place, and let its trunk compute at a precision.

    The trunk's maps have their channels last, which is faster. torchvision's loss of keypoints cannot read such ones.
    """
    place(network, device, channels_last=False)
    place(network.backbone, device, channels_last=True)  # type: ignore[arg-type]
    network.backbone.precision = precision  # type: ignore[union-attr]


@dataclass(frozen=True)
class Rcnn:
    """The part of the architecture that both networks have. The defaults are detectron2's R50-FPN.

    backbone: resnet10, resnet18, resnet34, resnet50, resnet101 or resnet152.
    pretrained: start from torchvision's ImageNet weights (there are none of resnet10). Batch normalisation, the stem
        and the first stage then stay as they are, as in detectron2. From scratch everything is learnt.
    channels: of the feature pyramid.
    first_stride: of its finest level, 4 or 8 pixels. The coarsest has twice the stride of the last stage, 64.
    anchor_sizes: sides of the anchors in pixels, one for each level of the pyramid (five from stride 4, four from 8).
    anchor_ratios: height over width of the anchors, several a place.
    proposals: regions of a picture that are looked at. Twice as many are considered before the overlapping ones go in
        training, as many in testing (of each level of the pyramid).
    proposal_samples, box_samples: anchors and regions of a picture that a step learns from.
    hidden: width of the two layers before class and box.
    short_side, long_side: to which pictures are resized for testing: the shorter side, unless the longer one would
        become longer than that. In pixels.
    least_score: of what is found at all.
    detections: most of a picture.
    """

    backbone: str = "resnet50"
    pretrained: bool = False
    channels: int = 256
    first_stride: int = 4
    anchor_sizes: tuple[int, ...] = (32, 64, 128, 256, 512)
    anchor_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    proposals: int = 1000
    proposal_samples: int = 256
    box_samples: int = 512
    hidden: int = 1024
    short_side: int = 800
    long_side: int = 1333
    least_score: float = 0.05
    detections: int = 100

    def __post_init__(self) -> None:
        checks.choice("backbone", self.backbone, tuple(DEPTHS))
        checks.choice("first_stride", self.first_stride, (4, 8))
        for name in ("channels", "proposals", "proposal_samples", "box_samples", "hidden", "detections"):
            checks.integer(name, getattr(self, name), 1)
        checks.integer("short_side", self.short_side, 32)
        checks.integer("long_side", self.long_side, self.short_side)
        checks.number("least_score", self.least_score, 0, 1)
        if self.pretrained and self.backbone == "resnet10":
            raise ValueError(
                "pretrained is true, but there are no ImageNet weights of resnet10; choose resnet18 or deeper"
            )
        levels = len(self.levels) + 1
        if len(self.anchor_sizes) != levels:
            raise ValueError(
                f"anchor_sizes has {len(self.anchor_sizes)} sizes; expected {levels}, one for each level of the "
                f"pyramid from stride {self.first_stride} to 64"
            )
        for size in self.anchor_sizes:
            checks.number("anchor_sizes", size, 0, above=True)
        for ratio in self.anchor_ratios:
            checks.number("anchor_ratios", ratio, 0, above=True)

    @property
    def levels(self) -> tuple[int, ...]:
        """The stages of the trunk that feed the pyramid, 0 for layer1."""
        return tuple(range(0 if self.first_stride == 4 else 1, len(STAGE_WIDTHS)))

    def options(self, categories: int, load: bool) -> dict[str, Any]:
        """What both of torchvision's networks are built with."""
        from anonbench.training import vision

        ops, detection = vision.torchvision.ops, vision.detection
        ratios = (self.anchor_ratios,) * len(self.anchor_sizes)
        sizes = tuple((size,) for size in self.anchor_sizes)
        return {
            "backbone": Trunk(self.backbone, self.pretrained, load, self.levels, self.channels),
            "min_size": self.short_side,
            "max_size": self.long_side,
            "rpn_anchor_generator": detection.anchor_utils.AnchorGenerator(sizes, ratios),
            "rpn_pre_nms_top_n_train": 2 * self.proposals,
            "rpn_pre_nms_top_n_test": self.proposals,
            "rpn_post_nms_top_n_train": self.proposals,
            "rpn_post_nms_top_n_test": self.proposals,
            "rpn_batch_size_per_image": self.proposal_samples,
            "box_batch_size_per_image": self.box_samples,
            "box_detections_per_img": self.detections,
            "box_score_thresh": self.least_score,
            "box_roi_pool": ops.MultiScaleRoIAlign(self.pooled_levels, POOL, 2),
            "box_head": detection.faster_rcnn.TwoMLPHead(self.channels * POOL**2, self.hidden),
            "box_predictor": detection.faster_rcnn.FastRCNNPredictor(self.hidden, categories + 1),
        }

    @property
    def pooled_levels(self) -> list[str]:
        """Names of the levels that regions are cut out of: all but the coarsest."""
        return [str(number) for number in range(len(self.levels))]


class Trunk(nn.Module):
    """A ResNet with a feature pyramid. Its maps are float32, whatever precision it computes in.

    precision: makes the context of the forward pass; set by who trains or predicts. The heads compute in float32: boxes
        of a thousand pixels do not fit into bfloat16's eight bits.
    out_channels: of every level, as torchvision's networks want to know.
    """

    def __init__(self, name: str, pretrained: bool, load: bool, levels: Sequence[int], channels: int) -> None:
        super().__init__()
        from anonbench.training import vision

        ops = vision.torchvision.ops
        resnet = _resnet(name, pretrained, load)
        self.out_channels = channels
        self.levels = tuple(levels)
        self.stem = nn.Sequential(resnet.conv1, resnet.bn1, resnet.relu, resnet.maxpool)
        self.stages = nn.ModuleList([resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4])
        if pretrained:
            self.stem.requires_grad_(False)
            self.stages[0].requires_grad_(False)
        widths = [STAGE_WIDTHS[level] * DEPTHS[name] for level in levels]
        pooled = ops.feature_pyramid_network.LastLevelMaxPool()
        self.pyramid = ops.FeaturePyramidNetwork(widths, channels, pooled)
        self.precision: Precision = contextlib.nullcontext

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        with self.precision():
            x = self.stem(pictures)  # (B, 3, H, W) -> (B, 64, H/4, W/4)
            maps: OrderedDict[str, Tensor] = OrderedDict()
            for number, stage in enumerate(self.stages):
                narrow = min(x.shape[2:]) <= (NARROW if number == 0 else 2 * NARROW)
                with exact_if(narrow):
                    x = stage(x.float() if narrow else x)  # (B, widths[number], H/4/2^number, W/4/2^number)
                if number in self.levels:
                    maps[str(number - self.levels[0])] = x
            narrow = min(x.shape[2:]) <= NARROW
            with exact_if(narrow):
                levels = {name: level.float() if narrow else level for name, level in maps.items()}
                found = self.pyramid(levels)  # every level (B, channels, h, w), and one of half the last one's size
        return {name: level.float() for name, level in found.items()}


def _resnet(name: str, pretrained: bool, load: bool) -> Any:
    from anonbench.training import vision

    models = vision.torchvision.models
    norm = vision.torchvision.ops.FrozenBatchNorm2d if pretrained else nn.BatchNorm2d
    if name == "resnet10":
        return models.resnet.ResNet(models.resnet.BasicBlock, [1, 1, 1, 1], norm_layer=norm)
    try:
        weights = "IMAGENET1K_V1" if pretrained and load else None
        return models.get_model(name, weights=weights, norm_layer=norm)
    except Exception as error:  # whatever a download or a parser meets
        raise MissingDependencyError(
            f"ImageNet weights of {name} cannot be loaded ({type(error).__name__}: {error}). Put torchvision's file "
            f"{models.get_model_weights(name).IMAGENET1K_V1.url} into torch.hub's folder of checkpoints, or set "
            f"`pretrained: false` in the model's entry to train from random weights."
        ) from error
