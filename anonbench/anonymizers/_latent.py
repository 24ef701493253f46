"""HM-LO: the style of a generated person is moved until the colours of the crop are those with the hidden one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

DARKEST = 1 / 255  # value below which a colour has no saturation to speak of


def optimize_styles(
    styles: Tensor,
    put: Callable[[Tensor], Tensor],
    originals: Tensor,
    steps: int,
    stop: float,
    lr: float,
) -> tuple[Tensor, Tensor]:
    """(B, style) styles after gradient descent, and their losses, (B,).

    put: makes the crops, (B, 3, h, w) in -1..1, of styles. Each crop must depend on its own style alone.
    originals: (B, 3, h, w) in -1..1, the same crops with the people who are to be hidden.
    steps: of Adam, for each crop until its loss is below `stop`. A crop that has got there keeps its style: it would
        have stopped alone.

    The loss is the sum of the Wasserstein-1 distances of saturation and of value in HSV, each 0..1, over all pixels of
    the crop. Pixels that both crops share count in both histograms and cancel out, so that it is the distance of the
    hidden pixels times their share of the crop.
    Source: Hukkelås and Lindseth 2023, section 3.4, equation 1. Deviation: the distance is computed from sorted values,
    which is exact; their code uses soft histograms of 256 bins.
    """
    wanted = sorted_colours(originals)  # (B, 2, h * w)
    styles = styles.detach().clone().requires_grad_(True)
    adam = torch.optim.Adam([styles], lr)
    kept, losses = styles.detach().clone(), torch.full((len(styles),), float("inf"), device=styles.device)
    for step in range(steps + 1):
        found = (sorted_colours(put(styles)) - wanted).abs().mean(dim=2).sum(dim=1)  # (B,)
        moving = losses >= stop  # (B,) those that had not got there before
        kept = torch.where(moving[:, None], styles.detach(), kept)
        losses = torch.where(moving, found.detach(), losses)
        if step == steps or not bool((losses >= stop).any()):
            break
        adam.zero_grad()
        found.sum().backward()
        adam.step()
    return kept, losses


def sorted_colours(pictures: Tensor) -> Tensor:
    """Saturation and value of (B, 3, h, w) in -1..1, each in ascending order: (B, 2, h * w) in 0..1."""
    pictures = (pictures.float() + 1) / 2
    value, least = pictures.amax(dim=1), pictures.amin(dim=1)  # (B, h, w)
    saturation = (value - least) / value.clamp_min(DARKEST)
    return torch.stack([saturation, value], dim=1).flatten(2).sort(dim=2).values
