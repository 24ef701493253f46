"""Losses of re-identification and their weights in the sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anonbench.core import checks as _checks

if TYPE_CHECKING:
    from anonbench.tasks.reid.models._network import TrainingOutput

TRIPLETS = ("batch_hard", "weighted")


@dataclass(frozen=True)
class LossSettings:
    """Cross entropy, plus triplet and center losses when their weights are above 0.

    label_smoothing: share of the target spread evenly over all identities, 0..1 (< 1). Both papers' code: 0.1.
    triplet: batch_hard (BoT) or weighted (AGW's weighted regularized triplet loss).
    triplet_weight: >= 0 (BoT, AGW: 1).
    triplet_margin: of batch_hard alone, >= 0, in units of the Euclidean distance of features (BoT: 0.3).
    center_weight: >= 0 (BoT: 5e-4).
    center_lr: learning rate of the centres' own SGD, > 0 (BoT: 0.5).
    """

    label_smoothing: float = 0.1
    triplet_weight: float = 0.0
    triplet_margin: float = 0.3
    center_weight: float = 0.0
    center_lr: float = 0.5
    triplet: str = "batch_hard"

    def __post_init__(self) -> None:
        _checks.number("label_smoothing", self.label_smoothing, 0, 1)
        _checks.number("triplet_weight", self.triplet_weight, 0)
        _checks.number("triplet_margin", self.triplet_margin, 0)
        _checks.number("center_weight", self.center_weight, 0)
        _checks.number("center_lr", self.center_lr, 0, above=True)
        _checks.choice("triplet", self.triplet, TRIPLETS)


def reid_loss(output: TrainingOutput, labels: Tensor, settings: LossSettings, center: CenterLoss | None) -> Tensor:
    """The weighted sum of the losses that `settings` ask for, a scalar. Call it outside autocast.

    output: logits (B, classes) a classifier, features (B, D) for the metric losses.
    labels: (B,) int64.
    center: the center loss, or None where its weight is 0.
    """
    loss = cross_entropy(output.logits, labels, settings.label_smoothing)
    if settings.triplet_weight:
        loss = loss + settings.triplet_weight * _triplet(output.features, labels, settings)
    if center is not None:
        loss = loss + settings.center_weight * center(output.features, labels)
    return loss


def _triplet(features: Tensor, labels: Tensor, settings: LossSettings) -> Tensor:
    if settings.triplet == "weighted":
        return weighted_triplet(features, labels)
    return batch_hard_triplet(features, labels, settings.triplet_margin)


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


def weighted_triplet(features: Tensor, labels: Tensor) -> Tensor:
    """log(1 + exp(weighted distance to the positives - weighted distance to the negatives)), averaged over anchors.

    The weights are a softmax of the distances d over an anchor's positives and of -d over its negatives: far positives
    and near negatives count most. There is no margin.

    features: (B, D), compared by Euclidean distance without normalisation.
    labels: (B,).
    An anchor whose identity has no other image has a positive at distance 0, itself. Anchors without a negative are
    left out, and a batch of one identity costs 0.
    Source: Ye et al., "Deep Learning for Person Re-identification: A Survey and Outlook", TPAMI 2021, the paragraph
    on the weighted regularization triplet loss of AGW.
    Deviations from the authors' code: there an anchor is always among its own positives. And there 1e-6 is added to the
    sum of the exp(-d), so that the weights of the negatives fade to nothing where all of them are farther than 14.
    """
    distances = euclidean(features.float())  # (B, B)
    same = labels[:, None] == labels[None, :]  # (B, B)
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    positive = _weighted_mean(distances, distances, same & ~itself)  # (B,)
    negative = _weighted_mean(distances, -distances, ~same)  # (B,)
    has_negative = (~same).any(dim=1)  # (B,)
    return (F.softplus(positive - negative) * has_negative).sum() / has_negative.sum().clamp(min=1)


def _weighted_mean(values: Tensor, scores: Tensor, chosen: Tensor) -> Tensor:
    """(B, B) -> (B,): a row's mean of the chosen values, weighted by the softmax of their scores; 0 where none is."""
    # A finite score for what is not chosen: rows of -inf alone would have a NaN for a gradient.
    weights = scores.masked_fill(~chosen, torch.finfo(scores.dtype).min).softmax(dim=1)
    return (weights * values * chosen).sum(dim=1)


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
