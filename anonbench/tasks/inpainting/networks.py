"""What tells people from what a generator puts in their place, and what the two learn by.

discriminator = Discriminator(settings, width=64)
telling_apart(discriminator, batch, made, drift)      # the discriminator descends on this
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anonbench.training.generators import SLOPE, WIDEST
from anonbench.training.inpainter import InpainterSettings, initialize, spots

VARIANCE_FLOOR = 1e-8
CONTRAST, SPOT = 3.0, 0.25  # of pictures and of key points as a discriminator sees them


class Discriminator(nn.Module):
    """For every patch of a crop a logit of the person in it being real, given the mask and the key points.

    As many halvings as the generator has, two 3 x 3 convolutions a level, LeakyReLU(0.2). Before the last two
    convolutions it is told how much the crops of the batch differ (minibatch standard deviation), so that a generator
    that makes one person only is found out. A patch of the last level sees 46 pixels at 3 levels, 190 at 5.

    Pictures come in with three times their contrast and key points with a quarter: mask and points, which are the same
    for real and made people, outweigh the picture otherwise. After 60 steps against a fixed generator the loss was 1.28
    instead of 1.37 (1.386 is guessing).

    Source: Karras et al., "Progressive Growing of GANs", ICLR 2018 (minibatch standard deviation). Deviation from
    DeepPrivacy2: logits of patches, not one of the whole crop, which learn more from fewer crops.
    """

    def __init__(self, settings: InpainterSettings, width: int) -> None:
        super().__init__()
        self.settings = settings
        channels = [width * min(2**level, WIDEST) for level in range(settings.levels + 1)]
        parts: list[nn.Module] = [nn.Conv2d(4 + settings.points, channels[0], 3, 1, 1), nn.LeakyReLU(SLOPE)]
        for few, many in pairwise(channels):
            parts += [nn.Conv2d(few, many, 4, 2, 1), nn.LeakyReLU(SLOPE)]
            parts += [nn.Conv2d(many, many, 3, 1, 1), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*parts)
        self.judge = nn.Sequential(
            nn.Conv2d(channels[-1] + 1, channels[-1], 3, 1, 1), nn.LeakyReLU(SLOPE), nn.Conv2d(channels[-1], 1, 3, 1, 1)
        )
        self.apply(initialize)

    def forward(self, shown: Tensor, own: Tensor, points: Tensor) -> Tensor:
        """(B, 3, h, w) in -1..1, (B, 1, h, w) bool, (B, 17, 3) -> (B, 1, h', w') logits, h' = h / 2^levels."""
        given = [CONTRAST * shown, own.to(shown.dtype)]
        if self.settings.points:
            given.append(SPOT * spots(points, *self.settings.size).to(shown.dtype))
        maps = self.layers(torch.cat(given, dim=1))  # (B, C, h', w')
        spread = (maps.float().var(dim=0, unbiased=False) + VARIANCE_FLOOR).sqrt().mean()
        logits: Tensor = self.judge(torch.cat([maps, spread.to(maps.dtype).expand_as(maps[:, :1])], dim=1))
        return logits


def telling_apart(real: Tensor, made: Tensor, drift: float) -> Tensor:
    """What a discriminator minimises, a scalar: the logistic loss, and that its logits of real crops stay small.

    real, made: logits, (B, 1, h', w').

    Source: Goodfellow et al. 2014; the drift term (epsilon) is Karras et al.'s, ICLR 2018, in DeepPrivacy2 with 0.001.
    """
    real, made = real.float(), made.float()
    return F.softplus(-real).mean() + F.softplus(made).mean() + drift * real.square().mean()


def fooling(made: Tensor) -> Tensor:
    """What a generator minimises, a scalar, in the form that does not saturate."""
    return F.softplus(-made.float()).mean()


def gradient_penalty(discriminator: Discriminator, real: Tensor, own: Tensor, points: Tensor) -> Tensor:
    """R1, a scalar: half the squared gradient of the discriminator's answer at real crops, in float32.

    Source: Mescheder et al., "Which Training Methods for GANs do actually Converge?", ICML 2018. The answer to a crop
    is the mean of its patches' logits.
    """
    real = real.detach().requires_grad_(True)
    answers = discriminator(real, own, points).mean(dim=(1, 2, 3))  # (B,)
    (gradient,) = torch.autograd.grad(answers.sum(), real, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean() / 2
