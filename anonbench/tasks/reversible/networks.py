"""The discriminator of pix2pix, which looks at patches of a pair of pictures, and what it and its generator learn by.

discriminator = PatchDiscriminator()
telling_apart(discriminator, originals, wanted, made.detach())  # the discriminator descends on this
fooling(discriminator, originals, made)  # the generator on this, while the discriminator is frozen
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anonbench.core import checks as _checks
from anonbench.core.errors import ConfigError
from anonbench.training.generators import SLOPE, WIDEST, initialize

LEAST_SIDE = 3  # of the map that the two convolutions of stride 1 see, each of which takes a pixel


class PatchDiscriminator(nn.Module):
    """pix2pix' PatchGAN: for every patch of a pair of pictures, a logit of the pair being a real one.

    width: channels of the first layer, >= 1 (pix2pix: 64). They double with every layer up to eight times as many.
    layers: convolutions of stride 2, >= 1. Two of stride 1 follow. 3 make patches of 70 x 70 pixels, 2 of 34 x 34, 1 of
        16 x 16.

    4 x 4 convolutions, batch normalisation after all but the first and the last, LeakyReLU(0.2).
    Source: Isola et al., CVPR 2017, section 6.1.2, with the layers of its authors' PyTorch code.
    """

    def __init__(self, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        _checks.integer("width", width, 1)
        _checks.integer("layers", layers, 1)
        self.depth = layers
        parts: list[nn.Module] = [nn.Conv2d(6, width, 4, 2, 1), nn.LeakyReLU(SLOPE)]
        channels = width
        for layer in range(1, layers + 1):
            wider = width * min(2**layer, WIDEST)
            stride = 2 if layer < layers else 1
            parts += [nn.Conv2d(channels, wider, 4, stride, 1, bias=False), nn.BatchNorm2d(wider), nn.LeakyReLU(SLOPE)]
            channels = wider
        parts.append(nn.Conv2d(channels, 1, 4, 1, 1))
        self.layers = nn.Sequential(*parts)
        self.apply(initialize)

    def forward(self, condition: Tensor, shown: Tensor) -> Tensor:
        """(B, 3, H, W) each -> (B, 1, h, w) logits, h = H / 2^layers - 2.

        condition: what a generator was given, in -1..1.
        shown: what it is to make of it, or has made.
        Raises `ConfigError` for pictures too small for the layers.
        """
        height, width = shown.shape[2:]
        if min(height, width) < LEAST_SIDE << self.depth:
            raise ConfigError(
                f"a discriminator of {self.depth} layers is given pictures of {height} x {width} pixels (height x "
                f"width); expected at least {LEAST_SIDE << self.depth} on each side. Lower `layers:` of the "
                f"discriminator, or change `resize:` of the variant."
            )
        logits: Tensor = self.layers(torch.cat([condition, shown.to(condition.dtype)], dim=1))
        return logits


def loss_as(logits: Tensor, real: bool) -> Tensor:
    """Binary cross entropy of logits whose pairs are all real or all made, a scalar."""
    logits = logits.float()
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))


def telling_apart(discriminator: nn.Module, condition: Tensor, real: Tensor, made: Tensor) -> Tensor:
    """What a discriminator minimises: the cross entropy of real pairs plus that of made ones, a scalar.

    Source: Zhang et al. 2022, equations 1 and 4, whose maximum this is. The sum is not halved, as in their code;
    pix2pix halves it. The two kinds of pairs pass one after the other: each is normalised by its own statistics.
    """
    return loss_as(discriminator(condition, real), True) + loss_as(discriminator(condition, made), False)


def fooling(discriminator: nn.Module, condition: Tensor, made: Tensor) -> Tensor:
    """What a generator minimises: the cross entropy of its pairs, called real, a scalar.

    Source: Zhang et al. 2022, equations 1 and 4, in the form that does not saturate (that of their code, and the advice
    of Goodfellow et al. 2014): -log D instead of log(1 - D).
    """
    return loss_as(discriminator(condition, made), True)
