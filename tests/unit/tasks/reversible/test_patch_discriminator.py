"""pix2pix' discriminator: its layers, what a patch is, its losses by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from anonbench.core.errors import ConfigError
from anonbench.tasks.reversible.networks import PatchDiscriminator, fooling, loss_as, telling_apart
from anonbench.training.generators import frozen


def test_the_papers_judge_has_pix2pix_layers() -> None:
    discriminator = PatchDiscriminator()
    convolutions = [layer for layer in discriminator.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.in_channels for layer in convolutions] == [6, 64, 128, 256, 512]
    assert [layer.out_channels for layer in convolutions] == [64, 128, 256, 512, 1]
    assert [layer.stride[0] for layer in convolutions] == [2, 2, 2, 1, 1]
    # The published count of pix2pix' basic discriminator of six channels: "2.769 M"
    assert round(sum(p.numel() for p in discriminator.parameters()) / 1e6, 3) == 2.769


@pytest.mark.parametrize(("layers", "patch"), [(3, 70), (2, 34), (1, 16)])
def test_a_logit_sees_a_patch(layers: int, patch: int) -> None:
    discriminator = PatchDiscriminator(width=2, layers=layers).eval()
    shown = torch.rand(1, 3, 192, 192, requires_grad=True)
    logits = discriminator(torch.rand(1, 3, 192, 192), shown)
    middle = logits.shape[2] // 2
    logits[0, 0, middle, middle].backward()
    assert shown.grad is not None
    seen = shown.grad[0].abs().sum(dim=0) > 0  # (H, W)
    assert int(seen.any(dim=0).sum()) == int(seen.any(dim=1).sum()) == patch


@pytest.mark.parametrize(("size", "logits"), [((256, 128), (30, 14)), ((128, 64), (14, 6))])
def test_there_is_a_logit_for_every_patch(size: tuple[int, int], logits: tuple[int, int]) -> None:
    discriminator = PatchDiscriminator(width=2)
    assert discriminator(torch.zeros(2, 3, *size), torch.zeros(2, 3, *size)).shape == (2, 1, *logits)


def test_pictures_too_small_for_the_layers_are_refused() -> None:
    small = torch.zeros(1, 3, 32, 16)
    with pytest.raises(
        ConfigError, match=r"a discriminator of 3 layers is given pictures of 32 x 16 .* at least 24 on each"
    ):
        PatchDiscriminator(width=2)(small, small)
    least = torch.zeros(1, 3, 24, 24)
    assert PatchDiscriminator(width=2)(least, least).shape == (1, 1, 1, 1)


class ByMean(nn.Module):
    """A discriminator whose logit is a weight times the mean of what is shown."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, condition: Tensor, shown: Tensor) -> Tensor:
        return self.weight * shown.mean(dim=(1, 2, 3))


def test_losses_by_hand() -> None:
    discriminator, nothing = ByMean(2.0), torch.zeros(2, 3, 4, 4)
    real, made = torch.ones(2, 3, 4, 4), torch.full((2, 3, 4, 4), -0.5)  # logits 2 and -1
    probability = {name: 1 / (1 + math.exp(-logit)) for name, logit in (("real", 2), ("made", -1))}
    expected = -math.log(probability["real"]) - math.log(1 - probability["made"])
    assert float(telling_apart(discriminator, nothing, real, made).detach()) == pytest.approx(expected, rel=1e-6)
    assert float(fooling(discriminator, nothing, made).detach()) == pytest.approx(
        -math.log(probability["made"]), rel=1e-6
    )
    assert float(loss_as(torch.zeros(3), True)) == pytest.approx(math.log(2))


def test_a_frozen_judge_passes_gradients_on_and_gets_none() -> None:
    discriminator = PatchDiscriminator(width=2, layers=1)
    discriminator.layers[0].bias.requires_grad_(False)  # type: ignore[union-attr]
    made = torch.rand(2, 3, 16, 16, requires_grad=True)
    with frozen(discriminator):
        loss = fooling(discriminator, torch.zeros(2, 3, 16, 16), made)
    loss.backward()
    assert made.grad is not None
    assert made.grad.any()
    assert all(weight.grad is None for weight in discriminator.parameters())
    still = [name for name, weight in discriminator.named_parameters() if not weight.requires_grad]
    assert still == ["layers.0.bias"]  # as it was before
