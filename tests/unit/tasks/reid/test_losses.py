"""Losses against cases worked by hand and naive implementations."""

import math

import pytest
import torch

from anonbench.tasks.reid.losses import CenterLoss, batch_hard_triplet, cross_entropy, euclidean


def random_batch(seed: int, size: int = 12, width: int = 5, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(size, width, generator=generator), torch.randint(0, classes, (size,), generator=generator)


def test_label_smoothing_by_hand() -> None:
    # Two classes, logits 0 and 0: every log-probability is -ln 2 whatever the targets.
    assert cross_entropy([torch.zeros(1, 2)], torch.tensor([0]), 0.1).item() == pytest.approx(math.log(2))
    # Logits ln 3 and 0: probabilities 3/4, 1/4; targets 0.95, 0.05 at smoothing 0.1.
    logits = torch.tensor([[math.log(3), 0.0]])
    expected = -0.95 * math.log(0.75) - 0.05 * math.log(0.25)
    assert cross_entropy([logits], torch.tensor([0]), 0.1).item() == pytest.approx(expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_cross_entropy_against_its_definition(smoothing: float) -> None:
    logits, labels = random_batch(0, width=4)
    targets = torch.full((12, 4), smoothing / 4)
    targets[torch.arange(12), labels] += 1 - smoothing
    expected = -(targets * logits.log_softmax(dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(cross_entropy([logits], labels, smoothing), expected)


def test_cross_entropy_is_averaged_over_classifiers() -> None:
    (first, labels), (second, _) = random_batch(0, width=4), random_batch(1, width=4)
    alone = [cross_entropy([head], labels, 0.1) for head in (first, second)]
    torch.testing.assert_close(cross_entropy([first, second], labels, 0.1), sum(alone) / 2)


def test_triplet_by_hand() -> None:
    features = torch.tensor([[0.0], [3.0], [4.0], [10.0]])
    labels = torch.tensor([0, 0, 1, 1])
    # anchor: farthest positive, nearest negative -> 0: 3, 4; 1: 3, 1; 2: 6, 1; 3: 6, 7
    expected = (0 + (0.3 + 3 - 1) + (0.3 + 6 - 1) + 0) / 4
    assert batch_hard_triplet(features, labels, 0.3).item() == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_triplet_against_every_triplet(seed: int) -> None:
    features, labels = random_batch(seed)
    losses = []
    for anchor in range(len(labels)):
        positives = [j for j in range(len(labels)) if labels[j] == labels[anchor]]
        negatives = [j for j in range(len(labels)) if labels[j] != labels[anchor]]
        distance = [math.dist(features[anchor].tolist(), f.tolist()) for f in features]
        losses.append(max(0.0, max(0.3 + distance[p] - distance[n] for p in positives for n in negatives)))
    assert batch_hard_triplet(features, labels, 0.3).item() == pytest.approx(sum(losses) / len(losses), abs=1e-4)


def test_triplet_leaves_out_anchors_without_a_negative() -> None:
    features, _ = random_batch(0)
    assert batch_hard_triplet(features, torch.zeros(12, dtype=torch.long), 0.3).item() == 0


def test_triplet_has_finite_gradients_for_equal_features() -> None:
    features = torch.ones(4, 3, requires_grad=True)
    batch_hard_triplet(features, torch.tensor([0, 0, 1, 1]), 0.3).backward()
    assert features.grad.isfinite().all()


def test_distances_against_cdist() -> None:
    features, _ = random_batch(3)
    torch.testing.assert_close(euclidean(features), torch.cdist(features, features), atol=2e-3, rtol=1e-4)


def test_center_loss_by_hand() -> None:
    loss = CenterLoss(2, 2)
    loss.centers.data = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    features = torch.tensor([[3.0, 4.0], [1.0, 1.0], [2.0, 1.0]])
    value = loss(features, torch.tensor([0, 1, 1]))
    assert value.item() == pytest.approx((25 + 0 + 1) / 3)
    value.backward()
    # d/dc of |x - c|^2 / B = -2 (x - c) / B
    torch.testing.assert_close(loss.centers.grad, torch.tensor([[-2.0, -8 / 3], [-2 / 3, 0.0]]))
