"""What networks on a ResNet share: its convolutional part, and the batch-normalisation neck behind the pooling."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from anonbench.core.errors import ConfigError
from anonbench.tasks.reid.models import _imagenet
from anonbench.tasks.reid.models._network import ReidNetwork, TrainingOutput


def check_parameters(depth: int, last_stride: int) -> None:
    """Raise `ValueError` for a ResNet that cannot be built."""
    if depth not in DEPTHS:
        raise ValueError(f"depth must be one of {', '.join(map(str, DEPTHS))}, got {depth}")
    if last_stride not in (1, 2):
        raise ValueError(f"last_stride must be 1 or 2, got {last_stride}")


def check_pretrained(name: str, depth: int, pretrained: bool) -> None:
    """Raise `ConfigError` when ImageNet weights are asked of another depth than 50."""
    if pretrained and depth != 50:
        raise ConfigError(
            f"model '{name}': pretrained is true, but at depth {depth} no ImageNet weights are loaded. "
            f"Write `depth: 50` or `pretrained: false`."
        )


class NeckNetwork(ReidNetwork):
    """A ResNet, pooling, batch-normalisation neck (BNNeck), linear classifier.

    pool: maps (B, D, h, w) to features (B, D) in float32, for the distances of the metric losses.
    """

    def __init__(
        self, num_identities: int, backbone: ResNet, pool: Callable[[Tensor], Tensor], pretrained: bool
    ) -> None:
        super().__init__(feature_dim=backbone.channels)  # D: 2048, or 512 at depth 18
        self.backbone = backbone
        self.pool = pool
        self.neck = nn.BatchNorm1d(backbone.channels)
        self.neck.bias.requires_grad_(False)  # a shift would move the classes' hyperspheres off the origin
        self.classifier = nn.Linear(backbone.channels, num_identities, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)
        if pretrained:
            _imagenet.load_resnet50(backbone)

    def forward(self, images: Tensor) -> TrainingOutput | Tensor:
        maps = self.backbone(images)  # (B, 3, H, W) -> (B, D, H/16, W/16)
        features = self.pool(maps)  # (B, D)
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
        self.layer1 = _blocks(block, 64, 64, blocks[0], stride=1)
        self.layer2 = _blocks(block, 64 * block.expansion, 128, blocks[1], stride=2)
        self.layer3 = _blocks(block, 128 * block.expansion, 256, blocks[2], stride=2)
        self.layer4 = _blocks(block, 256 * block.expansion, 512, blocks[3], stride=last_stride)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x))  # (B, 3, H, W) -> (B, 64, H/2, W/2)
        if self.stem_relu:
            x = torch.relu_(x)
        x = self.maxpool(x)  # (B, 64, H/4, W/4)
        x = self.stage("layer1", x)  # (B, C/8, H/4, W/4)
        x = self.stage("layer2", x)  # (B, C/4, H/8, W/8)
        x = self.stage("layer3", x)  # (B, C/2, H/16, W/16)
        return self.stage("layer4", x)  # (B, C, H/16, W/16); H/32, W/32 at last stride 2

    def stage(self, name: str, x: Tensor) -> Tensor:
        """The residual blocks of a stage one after another; a subclass may put other layers between them."""
        y: Tensor = getattr(self, name)(x)
        return y


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


def _blocks(
    block: type[BasicBlock] | type[Bottleneck], inputs: int, channels: int, blocks: int, stride: int
) -> nn.Sequential:
    outputs = channels * block.expansion
    return nn.Sequential(block(inputs, channels, stride), *(block(outputs, channels, 1) for _ in range(blocks - 1)))


DEPTHS: dict[int, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    50: (Bottleneck, (3, 4, 6, 3)),
}
