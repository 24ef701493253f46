"""Bag of Tricks: a ResNet-50 with a batch-normalisation neck, complete in this file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from anonbench.core.errors import ConfigError
from anonbench.tasks.reid.models import MODELS, _imagenet
from anonbench.tasks.reid.models._network import InputSize, ReidNetwork, TrainingOutput


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
        if self.depth not in DEPTHS:
            raise ValueError(f"depth must be one of {', '.join(map(str, DEPTHS))}, got {self.depth}")
        if self.last_stride not in (1, 2):
            raise ValueError(f"last_stride must be 1 or 2, got {self.last_stride}")

    def build(self, num_identities: int, pretrained: bool) -> BoTNetwork:
        if pretrained and self.depth != 50:
            raise ConfigError(
                f"model 'bot': pretrained is true, but at depth {self.depth} no ImageNet weights are loaded. "
                f"Write `depth: 50` or `pretrained: false`."
            )
        network = BoTNetwork(num_identities, self.depth, self.last_stride, self.stem_relu)
        if pretrained:
            _imagenet.load_resnet50(network.backbone)
        return network


class BoTNetwork(ReidNetwork):
    def __init__(self, num_identities: int, depth: int, last_stride: int, stem_relu: bool) -> None:
        backbone = ResNet(depth, last_stride, stem_relu)
        super().__init__(feature_dim=backbone.channels)  # D: 2048, or 512 at depth 18
        self.backbone = backbone
        self.neck = nn.BatchNorm1d(backbone.channels)
        self.neck.bias.requires_grad_(False)  # a shift would move the classes' hyperspheres off the origin
        self.classifier = nn.Linear(backbone.channels, num_identities, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(self, images: Tensor) -> TrainingOutput | Tensor:
        maps = self.backbone(images)  # (B, 3, H, W) -> (B, D, H/16, W/16)
        features = maps.float().mean(dim=(2, 3))  # (B, D); float32 for the distances of the metric losses
        embedding = self.neck(features)  # (B, D)
        if not self.training:
            return embedding
        return TrainingOutput((self.classifier(embedding),), features)  # (B, num_identities), (B, D)


class ResNet(nn.Module):
    """The convolutional part of a ResNet; parameters are named like torchvision's, so that its weights fit.

    channels: of the last map, C: 2048, or 512 at depth 18.
    """

    def __init__(self, depth: int, last_stride: int, stem_relu: bool) -> None:
        super().__init__()
        block, blocks = DEPTHS[depth]
        self.stem_relu = stem_relu
        self.channels = 512 * block.expansion
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(block, 64, 64, blocks[0], stride=1)
        self.layer2 = _stage(block, 64 * block.expansion, 128, blocks[1], stride=2)
        self.layer3 = _stage(block, 128 * block.expansion, 256, blocks[2], stride=2)
        self.layer4 = _stage(block, 256 * block.expansion, 512, blocks[3], stride=last_stride)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x))  # (B, 3, H, W) -> (B, 64, H/2, W/2)
        if self.stem_relu:
            x = torch.relu_(x)
        x = self.maxpool(x)  # (B, 64, H/4, W/4)
        x = self.layer1(x)  # (B, C/8, H/4, W/4)
        x = self.layer2(x)  # (B, C/4, H/8, W/8)
        x = self.layer3(x)  # (B, C/2, H/16, W/16)
        return self.layer4(x)  # (B, C, H/16, W/16); H/32, W/32 at last stride 2


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, the first with the stride, added to the shortcut."""

    expansion = 1

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = _projection(inputs, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu_(self.bn1(self.conv1(x)))  # (B, inputs, h, w) -> (B, channels, h/stride, w/stride)
        y = self.bn2(self.conv2(y))
        shortcut = x if self.downsample is None else self.downsample(x)
        return torch.relu_(y + shortcut)


class Bottleneck(nn.Module):
    """1x1 reduction, 3x3 with the stride, 1x1 expansion to 4 x channels, added to the shortcut."""

    expansion = 4

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * channels
        self.conv1 = nn.Conv2d(inputs, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = _projection(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu_(self.bn1(self.conv1(x)))  # (B, inputs, h, w) -> (B, channels, h, w)
        y = torch.relu_(self.bn2(self.conv2(y)))  # (B, channels, h/stride, w/stride)
        y = self.bn3(self.conv3(y))  # (B, 4 channels, h/stride, w/stride)
        shortcut = x if self.downsample is None else self.downsample(x)
        return torch.relu_(y + shortcut)


def _projection(inputs: int, outputs: int, stride: int) -> nn.Module | None:
    """The shortcut's 1x1 convolution where a block changes the shape, else None."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))


def _stage(
    block: type[BasicBlock] | type[Bottleneck], inputs: int, channels: int, blocks: int, stride: int
) -> nn.Sequential:
    outputs = channels * block.expansion
    return nn.Sequential(block(inputs, channels, stride), *(block(outputs, channels, 1) for _ in range(blocks - 1)))


DEPTHS: dict[int, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    50: (Bottleneck, (3, 4, 6, 3)),
}
