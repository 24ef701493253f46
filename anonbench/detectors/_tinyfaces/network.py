"""The network of TinyFaces: a ResNet without its last stage and two 1x1 heads, complete in this file."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d

from anonbench.detectors._tinyfaces.templates import NUM_TEMPLATES

STRIDE = 8  # input pixels between the cells of the output map
OUTPUTS = 5 * NUM_TEMPLATES  # 25 scores, then 25 each of tx, ty, tw, th
# Of ImageNet's RGB channels, the constants of torchvision's weights, times 255.
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class Convention:
    """What weights expect of the network and the code around them. It follows from where they come from.

    mean, std: of the RGB channels, 0..255. The network subtracts and divides.
    caffe: geometry of the ResNets published for Caffe. A stage's stride is in its first 1x1 convolution (torchvision:
        in the 3x3). The max-pooling pads the right and lower side only. The maps lose a last, half-covered row or
        column. Receptive field of ResNet-101: 859 pixels (torchvision's geometry: 835).
    inclusive: trained with corners x1, x2 that name the first and the last pixel and were scaled like coordinates, so
        that boxes found at scale s are 1 - 1/s pixels too small (negative: too large) in the original image.
    """

    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    caffe: bool = False
    inclusive: bool = False


class TinyFacesNetwork(nn.Module):
    """RGB images (B, 3, H, W), float 0..255, to maps (B, 125, h, w) with h = ceil(H/8), w = ceil(W/8).

    Channels: 25 logits, one a template, then tx, ty, tw, th of the 25 templates each. The head on `layer3` (stride 16)
    is enlarged by a fixed bilinear filter, cropped to the size of the head on `layer2` (stride 8) and added to it.
    Parameters are named as in the port's checkpoints. The heads start at zero, the trunk from torch's global generator.

    trunk: a key of `TRUNKS`.
    convention: of the weights that will be loaded. The default is that of our trainings.
    Source: the paper, section 4; the authors' cnn_add_loss_fcn8s_resnet101_simple.m; the port's models/model.py.
    """

    filter: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, trunk: str = "resnet101", convention: Convention | None = None) -> None:
        super().__init__()
        self.trunk, self.convention = trunk, convention or Convention()
        self.model = ResNet(trunk, self.convention.caffe)
        self.score_res3 = nn.Conv2d(self.model.channels[0], OUTPUTS, 1)
        self.score_res4 = nn.Conv2d(self.model.channels[1], OUTPUTS, 1)
        for head in (self.score_res3, self.score_res4):
            nn.init.zeros_(head.weight)
            assert head.bias is not None
            nn.init.zeros_(head.bias)
        self.register_buffer("filter", bilinear_filter().expand(OUTPUTS, 1, 4, 4).contiguous(), persistent=False)
        for name, values in (("mean", self.convention.mean), ("std", self.convention.std)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        fine, coarse = self.model((images - self.mean) / self.std)  # (B, C, h, w), (B, 2C, ceil(h/2), ceil(w/2))
        fine, coarse = self.score_res3(fine), self.score_res4(coarse)  # (B, 125, ...)
        # One filter a channel: the public files keep it as a dense (125, 125, 4, 4) matrix that is zero elsewhere.
        enlarged = conv_transpose2d(coarse, self.filter, stride=2, padding=1, groups=OUTPUTS)  # (B, 125, 2h', 2w')
        if self.convention.caffe:
            enlarged = enlarged[..., :-1, :-1]  # the authors' crop of [1, 2, 1, 2] pixels
        height, width = (min(a, b) for a, b in zip(fine.shape[2:], enlarged.shape[2:], strict=True))
        return fine[..., :height, :width] + enlarged[..., :height, :width]  # (B, 125, h, w)


class ResNet(nn.Module):
    """The stem and the first three stages of a ResNet; parameters are named like torchvision's.

    channels: of the maps that `forward` returns, those of `layer2` (stride 8) and `layer3` (stride 16).
    """

    def __init__(self, trunk: str, caffe: bool) -> None:
        super().__init__()
        block, blocks = TRUNKS[trunk]
        self.channels = (128 * block.expansion, 256 * block.expansion)
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.Sequential(FarPadding(), nn.MaxPool2d(3, stride=2)) if caffe else nn.MaxPool2d(3, 2, 1)
        self.layer1 = _stage(block, 64, 64, blocks[0], 1, caffe)
        self.layer2 = _stage(block, 64 * block.expansion, 128, blocks[1], 2, caffe)
        self.layer3 = _stage(block, 128 * block.expansion, 256, blocks[2], 2, caffe)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.relu_(self.bn1(self.conv1(x)))  # (B, 3, H, W) -> (B, 64, H/2, W/2)
        x = self.layer1(self.maxpool(x))  # (B, C/2, H/4, W/4)
        fine = self.layer2(x)  # (B, C, H/8, W/8)
        return fine, self.layer3(fine)  # (B, 2C, H/16, W/16)


class FarPadding(nn.Module):
    """Adds a row below and a column to the right of maps that are not negative; zero never is their maximum."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.pad(x, (0, 1, 0, 1))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, the first with the stride, added to the shortcut."""

    expansion = 1

    def __init__(self, inputs: int, channels: int, stride: int, caffe: bool) -> None:
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
    """1x1 reduction, 3x3, 1x1 expansion to 4 x channels, added to the shortcut."""

    expansion = 4

    def __init__(self, inputs: int, channels: int, stride: int, caffe: bool) -> None:
        super().__init__()
        first, second = (stride, 1) if caffe else (1, stride)
        self.conv1 = nn.Conv2d(inputs, channels, 1, stride=first, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride=second, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, 4 * channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * channels)
        self.downsample = _projection(inputs, 4 * channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu_(self.bn1(self.conv1(x)))  # (B, inputs, h, w) -> (B, channels, ...)
        y = torch.relu_(self.bn2(self.conv2(y)))  # (B, channels, h/stride, w/stride)
        y = self.bn3(self.conv3(y))  # (B, 4 channels, h/stride, w/stride)
        shortcut = x if self.downsample is None else self.downsample(x)
        return torch.relu_(y + shortcut)


Block = type[BasicBlock] | type[Bottleneck]
# Blocks of the three stages.
TRUNKS: dict[str, tuple[Block, tuple[int, int, int]]] = {
    "resnet18": (BasicBlock, (2, 2, 2)),
    "resnet50": (Bottleneck, (3, 4, 6)),
    "resnet101": (Bottleneck, (3, 4, 23)),
}


def bilinear_filter() -> Tensor:
    """The (4, 4) filter that enlarges a map twofold. Source: the authors' toolbox/bilinear_u.m."""
    side = torch.tensor([0.25, 0.75, 0.75, 0.25])
    return side[:, None] * side[None, :]


def _projection(inputs: int, outputs: int, stride: int) -> nn.Module | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))


def _stage(block: Block, inputs: int, channels: int, blocks: int, stride: int, caffe: bool) -> nn.Sequential:
    outputs = channels * block.expansion
    rest = (block(outputs, channels, 1, caffe) for _ in range(blocks - 1))
    return nn.Sequential(block(inputs, channels, stride, caffe), *rest)
