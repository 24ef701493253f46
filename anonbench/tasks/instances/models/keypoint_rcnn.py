"""Keypoint R-CNN (He et al., ICCV 2017, section 5) on a feature pyramid: boxes of people and their keypoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from anonbench.core import checks
from anonbench.tasks.instances.models import INSTANCE_MODELS
from anonbench.tasks.instances.models._rcnn import LOSSES, MASK_POOL, Rcnn


@INSTANCE_MODELS.register("keypoint_rcnn")
@dataclass(frozen=True)
class KeypointRcnn(Rcnn):
    """torchvision's network, as in detectron2's `keypoint_rcnn_R_50_FPN`. It knows no class but people.

    keypoint_width, keypoint_layers: of the convolutions before the maps of keypoints.
    Others: see `Rcnn`.
    Deviations from detectron2: those of `mask_rcnn`; keypoints are learnt at the pixel that the annotation names, where
    detectron2 adds half of one and takes it off again.
    """

    keypoint_width: int = 512
    keypoint_layers: int = 8
    finds: ClassVar[tuple[str, ...]] = ("boxes", "keypoints")
    people_alone: ClassVar[bool] = True
    losses: ClassVar[Mapping[str, str]] = {**LOSSES, "keypoints": "loss_keypoint"}

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.integer("keypoint_width", self.keypoint_width, 1)
        checks.integer("keypoint_layers", self.keypoint_layers, 1)

    def build(self, categories: int, keypoints: int, load: bool) -> nn.Module:
        from anonbench.training import vision

        parts = vision.detection.keypoint_rcnn
        widths = (self.keypoint_width,) * self.keypoint_layers
        network: nn.Module = parts.KeypointRCNN(
            **self.options(categories, load),
            keypoint_roi_pool=vision.torchvision.ops.MultiScaleRoIAlign(self.pooled_levels, MASK_POOL, 2),
            keypoint_head=parts.KeypointRCNNHeads(self.channels, widths),
            keypoint_predictor=parts.KeypointRCNNPredictor(self.keypoint_width, keypoints),
        )
        return network
