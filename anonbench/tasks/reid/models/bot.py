"""Bag of Tricks: a ResNet-50 with a batch-normalisation neck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from anonbench.tasks.reid.models import MODELS
from anonbench.tasks.reid.models._network import InputSize
from anonbench.tasks.reid.models._resnet import NeckNetwork, ResNet, check_parameters, check_pretrained


@MODELS.register("bot")
@dataclass(frozen=True)
class BoT:
    """ResNet, global average pooling, batch-normalisation neck, linear classifier.

    One head of logits, computed behind the neck. Features for the metric losses: 2,048 values (512 at depth 18) before
    the neck. Embedding: the same number of values behind it; cosine distance is the published choice.

    depth: 50 as in Study 1, or 18, the smallest backbone that BoT's authors tried, for machines without a GPU.
    last_stride: stride of the last stage, 1 or 2. The paper's trick: 1, a last map of H/16 x W/16.
    stem_relu: apply the ReLU of ResNet's first layer. Default true, as in the ResNet that the paper names; the
        authors' own code has that line commented out (false), as have its descendants AGW and privacy-reid.
    Source: Luo et al., "Bag of Tricks and a Strong Baseline for Deep Person Re-identification", CVPRW 2019,
    sections 3.5 (last stride) and 3.6 (BNNeck). Its training tricks are settings of the recipe.
    """

    depth: int = 50
    last_stride: int = 1
    stem_relu: bool = True
    input_size: ClassVar[InputSize | None] = None

    def __post_init__(self) -> None:
        check_parameters(self.depth, self.last_stride)

    def build(self, num_identities: int, pretrained: bool) -> NeckNetwork:
        check_pretrained("bot", self.depth, pretrained)
        backbone = ResNet(self.depth, self.last_stride, self.stem_relu)
        return NeckNetwork(num_identities, backbone, average, pretrained)


def average(maps: Tensor) -> Tensor:
    """(B, D, h, w) -> (B, D), float32."""
    return maps.float().mean(dim=(2, 3))
