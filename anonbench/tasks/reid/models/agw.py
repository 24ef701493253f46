"""AGW: a ResNet-50 with non-local blocks, generalized mean pooling and a batch-normalisation neck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from anonbench.tasks.reid.models import MODELS
from anonbench.tasks.reid.models._network import InputSize
from anonbench.tasks.reid.models._resnet import NeckNetwork, ResNet, check_parameters, check_pretrained

# How many of the last blocks of a stage have a non-local block behind them, by depth: half of two stages. At depth 50
# as published; for depth 18 nothing is.
NON_LOCAL = {50: {"layer2": 2, "layer3": 3}, 18: {"layer2": 1, "layer3": 1}}


@MODELS.register("agw")
@dataclass(frozen=True)
class AGW:
    """ResNet with non-local blocks, generalized mean pooling, batch-normalisation neck, linear classifier.

    One head of logits, computed behind the neck. Features for the metric losses: 2,048 values (512 at depth 18) before
    the neck. Embedding: the same number of values behind it; cosine distance is the published choice.

    depth: 50 as in Study 2, or 18, for machines without a GPU.
    last_stride: stride of the last stage, 1 or 2. Published: 1, a last map of H/16 x W/16.
    stem_relu: apply the ReLU of ResNet's first layer. Default true, as in the ResNet that the paper names; the
        authors' own code has that line commented out (false), as has privacy-reid, the code of Study 2.
    non_local_width: channels inside a non-local block, >= 1. Default 1, as the authors' code computes it
        (`reduc_ratio // reduc_ratio`). The paper of non-local networks halves the channels of the stage instead.
    Source: Ye et al., "Deep Learning for Person Re-identification: A Survey and Outlook", TPAMI 2021. Its losses are
    settings of the recipe: `triplet: weighted`, a center loss, label smoothing.
    Deviation: at depth 18, where nothing is published, one non-local block each behind layer2 and layer3.
    """

    depth: int = 50
    last_stride: int = 1
    stem_relu: bool = True
    non_local_width: int = 1
    input_size: ClassVar[InputSize | None] = None

    def __post_init__(self) -> None:
        check_parameters(self.depth, self.last_stride)
        if self.non_local_width < 1:
            raise ValueError(f"non_local_width must be >= 1, got {self.non_local_width}")

    def build(self, num_identities: int, pretrained: bool) -> NeckNetwork:
        check_pretrained("agw", self.depth, pretrained)
        backbone = NonLocalResNet(self.depth, self.last_stride, self.stem_relu, self.non_local_width)
        return NeckNetwork(num_identities, backbone, GeneralizedMean(), pretrained)


class NonLocalResNet(ResNet):
    """A ResNet with non-local blocks behind the last residual blocks of two stages.

    non_local: the blocks, named by what they follow: `layer3_5` is behind layer3's block 5, counted from 0. They stand
        beside the stages, so that the names of ImageNet's weights stay.
    """

    def __init__(self, depth: int, last_stride: int, stem_relu: bool, width: int) -> None:
        super().__init__(depth, last_stride, stem_relu)
        channels = {f"layer{number}": self.channels >> (4 - number) for number in range(1, 5)}
        self.non_local = nn.ModuleDict(
            {
                f"{name}_{index}": NonLocal(channels[name], width)
                for name, count in NON_LOCAL[depth].items()
                for index in range(len(getattr(self, name)))[-count:]
            }
        )

    def stage(self, name: str, x: Tensor) -> Tensor:
        for index, block in enumerate(getattr(self, name)):
            x = block(x)
            if (key := f"{name}_{index}") in self.non_local:
                x = self.non_local[key](x)
        return x


class NonLocal(nn.Module):
    """Adds to every place of a map what it finds at all N places, weighted by likeness: theta . phi / N, no softmax.

    y = W(theta(x) (phi(x)^T g(x)) / N), with W's batch normalisation starting at scale 0 and shift 0: the block passes
    its input on unchanged until it has learnt something.
    Source: Wang et al., "Non-local Neural Networks", CVPR 2018, equations 4 (dot product) and 6, as AGW's code has it.
    Deviation: phi^T g is taken first, which is the same product without its N x N matrix.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.g = nn.Conv2d(channels, width, 1)
        self.theta = nn.Conv2d(channels, width, 1)
        self.phi = nn.Conv2d(channels, width, 1)
        norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(norm.weight)
        nn.init.zeros_(norm.bias)
        self.W = nn.Sequential(nn.Conv2d(width, channels, 1), norm)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        g, theta, phi = (_places(layer(x)) for layer in (self.g, self.theta, self.phi))  # (B, N, k) each, N = h w
        y = theta @ (phi.transpose(1, 2) @ g / (height * width))  # (B, N, k) (B, k, k) -> (B, N, k)
        y = y.unflatten(1, (height, width)).permute(0, 3, 1, 2)  # (B, k, h, w)
        return x + self.W(y)  # (B, channels, h, w)


def _places(maps: Tensor) -> Tensor:
    """(B, k, h, w) -> (B, h w, k)"""
    return maps.permute(0, 2, 3, 1).flatten(1, 2)


class GeneralizedMean(nn.Module):
    """Pooling by the mean of order p: p = 1 is the average, p = infinity the maximum. (B, D, h, w) -> (B, D), float32.

    p: of all channels, learnt, at first 3.
    eps: values below count as this.
    Source: Radenovic et al., "Fine-tuning CNN Image Retrieval with No Human Annotation", TPAMI 2019, equation 3.
    Deviation: a channel is divided by its largest value before the powers are taken and multiplied by it afterwards,
    which changes nothing but rounding. Otherwise eps^p is 0 in float32 from p = 7.6 on, and the gradient of a channel
    that is 0 all over is NaN.
    """

    def __init__(self, p: float = 3.0, eps: float = 1e-6) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.full((1,), p))
        self.eps = eps

    def forward(self, maps: Tensor) -> Tensor:
        values = maps.float().clamp(min=self.eps).flatten(2)  # (B, D, h w)
        largest = values.detach().amax(dim=2)  # (B, D); the result does not depend on it, so neither does its gradient
        shares = values / largest[:, :, None]  # (B, D, h w), 0..1
        return largest * shares.pow(self.p).mean(dim=2).pow(1 / self.p)  # (B, D)
