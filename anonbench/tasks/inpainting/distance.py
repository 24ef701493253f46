"""How far the people that a generator makes are from real ones, as a number that falls while it learns.

The Fréchet distance of features, as FID is, but of a small network with random weights: no network with weights of
ImageNet is needed, and none is shipped with this package. Random features see colours, edges and their arrangement, and
know nothing of people. So numbers compare one training's epochs, or two trainings on the same crops. They are no FID.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anonbench.training.generators import SLOPE

CHANNELS = (12, 16, 20)
SEED = 20230607  # of the features: the same for every training


class RandomFeatures(nn.Module):
    """Three convolutions of stride 2 with fixed random weights: (B, 3, h, w) in -1..1 to (B, 48) float32.

    Each feature is the mean of one channel of one layer over the crop.
    """

    def __init__(self) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(SEED)
        self.layers = nn.ModuleList()
        for few, many in zip((3, *CHANNELS[:-1]), CHANNELS, strict=True):
            conv = nn.Conv2d(few, many, 5, 2, 2, bias=False)
            conv.weight.data = torch.randn(conv.weight.shape, generator=draw) * (2 / (25 * few)) ** 0.5
            self.layers.append(conv)
        self.requires_grad_(False)

    def forward(self, pictures: Tensor) -> Tensor:
        found, maps = [], pictures.float()
        for conv in self.layers:
            maps = torch.nn.functional.leaky_relu(conv(maps), SLOPE)
            found.append(maps.mean(dim=(2, 3)))  # (B, channels)
        return torch.cat(found, dim=1)


def frechet_distance(a: Tensor, b: Tensor) -> Tensor:
    """Of two sets of features (n, D) and (m, D), n and m >= 2: a scalar float64, >= 0.

    |mean_a - mean_b|^2 + trace(S_a + S_b - 2 (S_a S_b)^(1/2)), with S the covariances.
    Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", NeurIPS 2017.
    """
    a, b = a.double(), b.double()
    between = (a.mean(dim=0) - b.mean(dim=0)).square().sum()
    cov_a, cov_b = torch.cov(a.T), torch.cov(b.T)
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T  # of S_a; trace((S_a S_b)^(1/2)) is that of root S_b root
    cross = torch.linalg.eigvalsh(root @ cov_b @ root).clamp_min(0).sqrt().sum()
    return (between + cov_a.trace() + cov_b.trace() - 2 * cross).clamp_min(0)


def relative_distance(made: Tensor, real: Tensor) -> Tensor:
    """The Fréchet distance of features in units of the real ones' total variance: 0 for the same distribution.

    1 is reached by crops that all equal the mean real one.
    """
    return frechet_distance(made, real) / torch.cov(real.double().T).trace()
