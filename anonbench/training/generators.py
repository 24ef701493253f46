"""The U-Net that turns one picture into another, and its file: anonymizers use it, trainings make it.

network = UNet(levels=6, width=16)
made = to_pixels(network(from_pixels(pictures)))  # (B, 3, 128, 64) uint8 -> the same
save_generator(Path("anonymizer.pt"), network, {"training": "joint_blurred"})
network, about = load_generator(Path("anonymizer.pt"))
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from anonbench.core import checks as _checks
from anonbench.core.errors import ConfigError
from anonbench.training import checkpoint
from anonbench.training.device import exact_if

WIDEST = 8  # times the first level's channels; deeper levels have no more
SLOPE = 0.2  # of the encoder's LeakyReLU below 0
STD = 0.02  # of new weights


class UNet(nn.Module):
    """pix2pix' U-Net: (B, 3, H, W) float in -1..1 to the same.

    levels: 4 x 4 convolutions of stride 2, as many as transposed ones that lead back, >= 2. Height and width must be
        multiples of 2^levels: 7 for 256 x 128 (pix2pix' U-Net of 128 x 128), at most 6 for 128 x 64.
    width: channels of the first level, >= 1 (pix2pix: 64). They double with every level up to eight times as many.

    Encoder: LeakyReLU(0.2), convolution, batch normalisation. Decoder: ReLU, transposed convolution, batch
    normalisation, on the maps from below beside those of the same size. The first and the innermost convolution and the
    last layer are not normalised; tanh ends it. New weights are drawn from N(0, 0.02), those of normalisations from
    N(1, 0.02), with torch's global generator.

    Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017, section 6.1,
    with the layers of its authors' PyTorch code. No dropout, as Zhang et al. 2022 have none in theirs. Deviations:
    pictures go in as they come out, in -1..1; Zhang et al.'s code normalises what goes in by ImageNet's mean and a
    standard deviation of 0.5.
    """

    def __init__(self, levels: int = 7, width: int = 64) -> None:
        super().__init__()
        _checks.integer("levels", levels, 2)
        _checks.integer("width", width, 1)
        self.levels, self.width = levels, width
        channels = [width * min(2**level, WIDEST) for level in range(levels)]
        self.encoder = nn.ModuleList([nn.Conv2d(3, channels[0], 4, 2, 1, bias=False)])
        for level in range(1, levels):
            conv = nn.Conv2d(channels[level - 1], channels[level], 4, 2, 1, bias=False)
            innermost = level == levels - 1
            norm = nn.Identity() if innermost else nn.BatchNorm2d(channels[level])
            self.encoder.append(nn.Sequential(nn.LeakyReLU(SLOPE), conv, norm))
        self.decoder = nn.ModuleList()
        for level in range(levels - 1, 0, -1):
            inner = channels[level] if level == levels - 1 else 2 * channels[level]  # beside the encoder's maps
            up = nn.ConvTranspose2d(inner, channels[level - 1], 4, 2, 1, bias=False)
            self.decoder.append(nn.Sequential(nn.ReLU(), up, nn.BatchNorm2d(channels[level - 1])))
        self.decoder.append(nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(2 * channels[0], 3, 4, 2, 1), nn.Tanh()))
        self.apply(initialize)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) in -1..1 -> (B, 3, H, W) in -1..1. Raises `ConfigError` for a size it cannot halve so often."""
        check_size(pictures.shape[2], pictures.shape[3], self.levels)
        x = pictures
        skipped = []
        for layer in self.encoder:
            x = _apply(layer, x, x.shape[3] // 2)  # (B, C, H / 2^level, W / 2^level)
            skipped.append(x)
        x = skipped.pop()
        for layer in self.decoder:
            x = _apply(layer, x, 2 * x.shape[3])  # twice the height and width
            if skipped:
                x = torch.cat([dense_gradient(x), skipped.pop().to(x.dtype)], dim=1)
        return x


def dense_gradient(maps: Tensor) -> Tensor:
    """The maps (B, C, H, W), whose gradient will lie in memory as they do if they are `channels_last`.

    The gradient of maps that go into `torch.cat` is a slice of a larger one. With such a slice the backward pass of
    torch 2.13.0's batch normalisation takes 30 times as long on a CPU (findings/torch_batch_norm_sliced_gradient.sh).
    """
    if maps.requires_grad and maps.is_contiguous(memory_format=torch.channels_last):
        maps.register_hook(lambda gradient: gradient.contiguous(memory_format=torch.channels_last))
    return maps


def _apply(layer: nn.Module, maps: Tensor, width: int) -> Tensor:
    """A layer's result. width: of its pixels; the innermost ones of a narrow picture have one."""
    narrow = min(width, maps.shape[3]) == 1
    with exact_if(narrow):
        made: Tensor = layer(maps.float() if narrow else maps)
    return made


def initialize(layer: nn.Module) -> None:
    """pix2pix' new weights of one layer: N(0, 0.02), of a normalisation N(1, 0.02); biases 0."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, STD)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, STD)
    else:
        return
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def check_size(height: int, width: int, levels: int) -> None:
    """Raise `ConfigError` unless pictures of this size can be halved `levels` times."""
    step = 2**levels
    if height % step == 0 and width % step == 0:
        return
    most = next(level for level in range(levels, -1, -1) if height % 2**level == 0 and width % 2**level == 0)
    raise ConfigError(
        f"a generator of {levels} levels is given pictures of {height} x {width} pixels (height x width); expected "
        f"multiples of {step}. Change `resize:` of the variant, or `levels:` of the generator to {most} or fewer."
    )


def from_pixels(pictures: Tensor) -> Tensor:
    """Pictures in 0..255 (uint8 or float) to float32 in -1..1."""
    return pictures.float() / 127.5 - 1


def to_pixels(pictures: Tensor) -> Tensor:
    """Pictures in -1..1 to uint8 in 0..255, each value rounded to the nearest."""
    return ((pictures.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def save_generator(path: Path, network: UNet, about: Mapping[str, Any]) -> None:
    """Write a generator with what there is to say about it: texts, numbers, lists and mappings."""
    shape = {"levels": network.levels, "width": network.width}
    checkpoint.save_network(path, network, {"generator": shape, "about": dict(about)})


def load_generator(path: Path) -> tuple[UNet, dict[str, Any]]:
    """The generator of a file by `save_generator`, on the CPU in eval mode, and what it says about it.

    Raises `TrainingError` when the file is missing, damaged, or no generator of this code.
    """
    network, content = checkpoint.load_network(path, lambda content: UNet(**content["generator"]), "train_anonymizer")
    return network, content["about"]


@contextlib.contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Gradients pass through these networks and none is computed for their weights: a third of their backward pass."""
    weights = [weight for network in networks for weight in network.parameters() if weight.requires_grad]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)
