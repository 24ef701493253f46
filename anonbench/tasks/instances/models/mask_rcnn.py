"""Mask R-CNN (He et al., ICCV 2017) on a feature pyramid: boxes, classes and masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from anonbench.core import checks
from anonbench.tasks.instances.models import INSTANCE_MODELS
from anonbench.tasks.instances.models._rcnn import LOSSES, MASK_POOL, Rcnn


@INSTANCE_MODELS.register("mask_rcnn")
@dataclass(frozen=True)
class MaskRcnn(Rcnn):
    """torchvision's network, as in detectron2's `mask_rcnn_R_50_FPN`.

    mask_width: channels of the four convolutions before the mask.
    Others: see `Rcnn`.
    Deviations from detectron2: ImageNet weights are torchvision's; pooling samples 2 x 2 points a bin instead of as
    many as fit, and pixels are not shifted by half of one (`aligned`).
    """

    mask_width: int = 256
    finds: ClassVar[tuple[str, ...]] = ("boxes", "masks")
    people_alone: ClassVar[bool] = False
    losses: ClassVar[Mapping[str, str]] = {**LOSSES, "masks": "loss_mask"}

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.integer("mask_width", self.mask_width, 1)

    def build(self, categories: int, keypoints: int, load: bool) -> nn.Module:
        from anonbench.training import vision

        parts = vision.detection.mask_rcnn
        network: nn.Module = parts.MaskRCNN(
            **self.options(categories, load),
            mask_roi_pool=vision.torchvision.ops.MultiScaleRoIAlign(self.pooled_levels, MASK_POOL, 2),
            mask_head=parts.MaskRCNNHeads(self.channels, (self.mask_width,) * 4, 1),
            mask_predictor=parts.MaskRCNNPredictor(self.mask_width, self.mask_width, categories + 1),
        )
        return network
