"""Which cells a step learns from, and the two losses on them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss, soft_margin_loss

from anonbench.detectors._tinyfaces.templates import NUM_TEMPLATES


@dataclass(frozen=True)
class SamplingSettings:
    """How many of an image's cells a step learns from.

    positives, negatives: most faces and most background templates an image, drawn at random from those that are hard.
    easy_loss: templates with a smaller classification loss are dropped before drawing. 0 keeps all.
    Source: the authors' cnn_train_dag_hardmine.m (sampleSize 256, posFraction .5, loss below .03 dropped).
    """

    positives: int = 128
    negatives: int = 128
    easy_loss: float = 0.03


def select(logits: Tensor, labels: Tensor, seed: int, settings: SamplingSettings) -> Tensor:
    """Labels (B, 25, h, w) of the cells to learn from, 0 everywhere else.

    logits: (B, 25, h, w).
    labels: the same shape, -1, 0 or 1.
    seed: of the draw, which is the same on every device.
    """
    loss = soft_margin_loss(logits.detach().float(), labels.float(), reduction="none")
    hard = torch.where(loss < settings.easy_loss, 0, labels).flatten(1)  # (B, N)
    # On the CPU, whose generator draws the same numbers everywhere
    keys = torch.rand(hard.shape, generator=torch.Generator().manual_seed(seed)).to(hard.device)
    kept = torch.zeros_like(hard)
    for label, most in ((1, settings.positives), (-1, settings.negatives)):
        order = torch.where(hard == label, keys, -1.0)
        value, index = order.topk(min(most, order.shape[1]), dim=1)
        kept.scatter_add_(1, index, torch.where(value >= 0, label, 0).to(kept.dtype))
    return kept.view_as(labels)


def detection_loss(maps: Tensor, labels: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Soft-margin loss log(1 + exp(-y x)) of the scores and smooth L1 loss of the boxes, each summed, per image.

    maps: (B, 125, h, w).
    labels: (B, 25, h, w), 0 where nothing is learnt.
    targets: (B, 100, h, w), used where 1.
    Source: the authors' DetLoss and HuberLoss, divided by the batch as in their cnn_train_dag_hardmine.m; the port
    does not divide.
    """
    maps = maps.float()
    scores, boxes = maps[:, :NUM_TEMPLATES], maps[:, NUM_TEMPLATES:]
    learnt = labels != 0
    classification = soft_margin_loss(scores[learnt], labels[learnt].float(), reduction="sum")
    faces = (labels == 1).repeat(1, 4, 1, 1)
    regression = smooth_l1_loss(boxes[faces], targets[faces], reduction="sum")
    return classification / len(maps), regression / len(maps)
