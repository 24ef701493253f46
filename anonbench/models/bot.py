"""Bag of Tricks: a ResNet-50 with a batch-normalisation neck, complete in this file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from anonbench.models import _imagenet
from anonbench.models._network import InputSize, ReidNetwork, TrainingOutput
from anonbench.registry import MODELS


@MODELS.register("bot")
@dataclass(frozen=True)
class BoT:
    """ResNet-50, global average pooling, batch-normalisation neck, linear classifier.

    One head of logits, computed behind the neck. Features for the metric losses: 2,048 values before the neck.
    Embedding: the 2,048 values behind it; cosine distance is the published choice.

    last_stride: stride of the last stage, 1 or 2. The paper's trick: 1, a last map of H/16 x W/16.
    stem_relu: apply the ReLU of ResNet's first layer. Default true, as in the ResNet that the paper names; the
        authors' own code has that line commented out (false), as have its descendants AGW and privacy-reid.
    Source: Luo et al., "Bag of Tricks and a Strong Baseline for Deep Person Re-identification", CVPRW 2019,
    sections 3.5 (last stride) and 3.6 (BNNeck). Its training tricks are settings of the recipe.
    """

    last_stride: int = 1
    stem_relu: bool = True
    input_size: ClassVar[InputSize | None] = None

    def __post_init__(self) -> None:
        if self.last_stride not in (1, 2):
            raise ValueError(f"last_stride must be 1 or 2, got {self.last_stride}")

    def build(self, num_identities: int, pretrained: bool) -> BoTNetwork:
        network = BoTNetwork(num_identities, self.last_stride, self.stem_relu)
        if pretrained:
            _imagenet.load_resnet50(network.backbone)
        return network


class BoTNetwork(ReidNetwork):
    def __init__(self, num_identities: int, last_stride: int, stem_relu: bool) -> None:
        super().__init__(feature_dim=2048)
        self.backbone = ResNet50(last_stride, stem_relu)
        self.neck = nn.BatchNorm1d(2048)
        self.neck.bias.requires_grad_(False)  # a shift would move the classes' hyperspheres off the origin
        self.classifier = nn.Linear(2048, num_identities, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(self, images: Tensor) -> TrainingOutput | Tensor:
        maps = self.backbone(images)  # (B, 3, H, W) -> (B, 2048, H/16, W/16)
        features = maps.float().mean(dim=(2, 3))  # (B, 2048); float32 for the distances of the metric losses
        embedding = self.neck(features)  # (B, 2048)
        if not self.training:
            return embedding
        return TrainingOutput((self.classifier(embedding),), features)  # (B, num_identities), (B, 2048)


class ResNet50(nn.Module):
    """The convolutional part of ResNet-50; parameters are named like torchvision's, so that its weights fit."""

    def __init__(self, last_stride: int, stem_relu: bool) -> None:
        super().__init__()
        self.stem_relu = stem_relu
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(64, 64, blocks=3, stride=1)
        self.layer2 = _stage(256, 128, blocks=4, stride=2)
        self.layer3 = _stage(512, 256, blocks=6, stride=2)
        self.layer4 = _stage(1024, 512, blocks=3, stride=last_stride)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x))  # (B, 3, H, W) -> (B, 64, H/2, W/2)
        if self.stem_relu:
            x = torch.relu_(x)
        x = self.maxpool(x)  # (B, 64, H/4, W/4)
        x = self.layer1(x)  # (B, 256, H/4, W/4)
        x = self.layer2(x)  # (B, 512, H/8, W/8)
        x = self.layer3(x)  # (B, 1024, H/16, W/16)
        return self.layer4(x)  # (B, 2048, H/16, W/16); H/32, W/32 at last stride 2


class Bottleneck(nn.Module):
    """1x1 reduction, 3x3 with the stride, 1x1 expansion to 4 x channels, added to the shortcut."""

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * channels
        self.conv1 = nn.Conv2d(inputs, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu_(self.bn1(self.conv1(x)))  # (B, inputs, h, w) -> (B, channels, h, w)
        y = torch.relu_(self.bn2(self.conv2(y)))  # (B, channels, h/stride, w/stride)
        y = self.bn3(self.conv3(y))  # (B, 4 channels, h/stride, w/stride)
        shortcut = x if self.downsample is None else self.downsample(x)
        return torch.relu_(y + shortcut)


def _stage(inputs: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    first = Bottleneck(inputs, channels, stride)
    return nn.Sequential(first, *(Bottleneck(4 * channels, channels, stride=1) for _ in range(blocks - 1)))
