"""Losses of re-identification and their weights in the sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anonbench.core import checks as _checks


@dataclass(frozen=True)
class LossSettings:
    """Cross entropy, plus batch-hard triplet and center losses when their weights are above 0.

    label_smoothing: share of the target spread evenly over all identities, 0..1 (< 1). Both papers' code: 0.1.
    triplet_weight: >= 0 (BoT: 1).
    triplet_margin: >= 0, in units of the Euclidean distance of features (BoT: 0.3).
    center_weight: >= 0 (BoT: 5e-4).
    center_lr: learning rate of the centres' own SGD, > 0 (BoT: 0.5).
    """

    label_smoothing: float = 0.1
    triplet_weight: float = 0.0
    triplet_margin: float = 0.3
    center_weight: float = 0.0
    center_lr: float = 0.5

    def __post_init__(self) -> None:
        _checks.number("label_smoothing", self.label_smoothing, 0, 1)
        _checks.number("triplet_weight", self.triplet_weight, 0)
        _checks.number("triplet_margin", self.triplet_margin, 0)
        _checks.number("center_weight", self.center_weight, 0)
        _checks.number("center_lr", self.center_lr, 0, above=True)


def cross_entropy(logits: Sequence[Tensor], labels: Tensor, label_smoothing: float) -> Tensor:
    """Cross entropy averaged over classifiers and images.

    logits: (B, classes) each.
    labels: (B,) int64. The target of the true class is 1 - s + s / classes, of every other s / classes (Szegedy et al.
        2016, section 7).
    """
    losses = [F.cross_entropy(head.float(), labels, label_smoothing=label_smoothing) for head in logits]
    return torch.stack(losses).mean()


def batch_hard_triplet(features: Tensor, labels: Tensor, margin: float) -> Tensor:
    """max(0, margin + distance to the farthest positive - distance to the nearest negative), averaged over anchors.

    features: (B, D), compared by Euclidean distance without normalisation.
    labels: (B,).
    An anchor is its own positive (distance 1e-6) when its identity has no other image. Anchors without a negative are
    left out, and a batch of one identity costs 0.
    Source: Hermans et al., arXiv:1703.07737, equation 5.
    """
    distances = euclidean(features.float())  # (B, B)
    same = labels[:, None] == labels[None, :]  # (B, B)
    positive = distances.masked_fill(~same, -torch.inf).amax(dim=1)  # (B,)
    negative = distances.masked_fill(same, torch.inf).amin(dim=1)  # (B,), inf where there is none
    return F.relu(margin + positive - negative).sum() / (~same).any(dim=1).sum().clamp(min=1)


def euclidean(features: Tensor) -> Tensor:
    """(B, D) -> (B, B) distances, at least 1e-6: the square root's slope is infinite at 0."""
    squares = features.square().sum(dim=1)  # (B,)
    squared = squares[:, None] + squares[None, :] - 2 * features @ features.T  # (B, B)
    return squared.clamp(min=1e-12).sqrt()


class CenterLoss(nn.Module):
    """Mean squared distance of features to a learned centre of their identity.

    centers: (num_identities, D), drawn from N(0, 1). They have a separate optimizer, plain SGD, which must see
    the gradient of this loss itself: `ReidTask` divides the centres' gradient by the weight the loss has in the sum.
    Source: Wen et al., "A Discriminative Feature Learning Approach", ECCV 2016, in BoT's form: mean instead of half
    the sum over the batch.
    """

    def __init__(self, num_identities: int, feature_dim: int) -> None:
        super().__init__()
        self.centers = nn.Parameter(torch.randn(num_identities, feature_dim))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """The loss, a scalar, of (B, D) features and their (B,) labels."""
        return (features.float() - self.centers[labels]).square().sum(dim=1).mean()
