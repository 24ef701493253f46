"""Losses against cases worked by hand and naive implementations."""

import math

import pytest
import torch

from anonbench.tasks.reid.losses import (
    CenterLoss,
    LossSettings,
    batch_hard_triplet,
    cross_entropy,
    euclidean,
    reid_loss,
    weighted_triplet,
)
from anonbench.tasks.reid.models._network import TrainingOutput


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


def test_weighted_triplet_by_hand() -> None:
    features = torch.tensor([[0.0], [1.0], [3.0], [4.0]])
    labels = torch.tensor([0, 0, 0, 1])
    # anchor 0: positives at 1 and 3, weights e and e^3; one negative at 4.  anchor 1: at 1 and 2; 3.  anchor 2: at 3
    # and 2; 1.  anchor 3 has no positive but itself, at 0; negatives at 4, 3, 1, weights e^-4, e^-3, e^-1.
    e = math.exp
    differences = [
        (1 * e(1) + 3 * e(3)) / (e(1) + e(3)) - 4,
        (1 * e(1) + 2 * e(2)) / (e(1) + e(2)) - 3,
        (3 * e(3) + 2 * e(2)) / (e(3) + e(2)) - 1,
        0 - (4 * e(-4) + 3 * e(-3) + 1 * e(-1)) / (e(-4) + e(-3) + e(-1)),
    ]
    expected = sum(math.log(1 + e(difference)) for difference in differences) / 4
    assert weighted_triplet(features, labels).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_weighted_triplet_against_a_loop(seed: int) -> None:
    features, labels = random_batch(seed)
    losses = []
    for anchor in range(len(labels)):
        distance = [math.dist(features[anchor].tolist(), f.tolist()) for f in features]
        positives = [j for j in range(len(labels)) if labels[j] == labels[anchor] and j != anchor]
        negatives = [j for j in range(len(labels)) if labels[j] != labels[anchor]]
        far = {j: math.exp(distance[j]) for j in positives}
        near = {j: math.exp(-distance[j]) for j in negatives}
        positive = sum(far[j] * distance[j] for j in far) / sum(far.values()) if far else 0
        negative = sum(near[j] * distance[j] for j in near) / sum(near.values())
        losses.append(math.log(1 + math.exp(positive - negative)))
    assert weighted_triplet(features, labels).item() == pytest.approx(sum(losses) / len(losses), abs=1e-4)


def test_weighted_triplet_of_features_far_apart() -> None:
    """exp(100) and exp(-100) are beyond float32: the farthest positive and the nearest negative decide alone."""
    features = torch.tensor([[0.0], [100.0], [300.0]], requires_grad=True)
    loss = weighted_triplet(features, torch.tensor([0, 0, 1]))
    # anchor 0: 100 - 300; anchor 1: 100 - 200; anchor 2: itself, 0 - 200
    assert loss.item() == pytest.approx(0)
    loss = weighted_triplet(features, torch.tensor([0, 1, 0]))
    # anchor 0: 300 - 100; anchor 1: itself, 0 - 100; anchor 2: 300 - 200
    assert loss.item() == pytest.approx((200 + 0 + 100) / 3)
    loss.backward()
    # d/dx of ((x2 - x0) - (x1 - x0) + (x2 - x0) - (x2 - x1)) / 3
    torch.testing.assert_close(features.grad, torch.tensor([[-1 / 3], [0.0], [1 / 3]]))


@pytest.mark.parametrize("labels", [[0, 0, 1, 1], [0, 1, 2, 3], [0, 0, 0, 0]])
@pytest.mark.parametrize("equal", [True, False])
def test_weighted_triplet_has_finite_gradients(labels: list[int], equal: bool) -> None:
    features = torch.ones(4, 3) if equal else random_batch(0, 4, 3)[0]
    features.requires_grad_()
    loss = weighted_triplet(features, torch.tensor(labels))
    loss.backward()
    assert features.grad.isfinite().all()
    if len(set(labels)) == 1:
        assert loss.item() == 0


def test_weighted_triplet_against_the_authors_weights() -> None:
    """As theirs is written, with each anchor among its own positives and 1e-6 in the sums, where neither counts."""
    features, _ = random_batch(0, size=6, width=200)  # distances of 20: an anchor at 0 has no weight
    features = torch.cat([features, features + 0.05])  # 0.7 apart
    labels = torch.arange(12) % 2
    distances = torch.cdist(features, features)
    same = (labels[:, None] == labels[None, :]).float()
    far = (distances - (distances * same).amax(1, keepdim=True)).exp() * same
    near = (-distances + (distances + 99 * same).amin(1, keepdim=True)).exp() * (1 - same)  # theirs would underflow
    positive = (far / (far.sum(1, keepdim=True) + 1e-6) * distances).sum(1)
    negative = (near / (near.sum(1, keepdim=True) + 1e-6) * distances).sum(1)
    expected = torch.nn.functional.soft_margin_loss(negative - positive, torch.ones(12))
    assert weighted_triplet(features, labels).item() == pytest.approx(expected.item(), rel=1e-4)


def test_the_sum_of_the_losses() -> None:
    features, labels = random_batch(0, width=4)
    logits, _ = random_batch(1, width=4)
    torch.manual_seed(0)
    center, output = CenterLoss(4, 4), TrainingOutput((logits,), features)
    alone = reid_loss(output, labels, LossSettings(), None)
    assert alone.item() == cross_entropy([logits], labels, 0.1).item()
    hard = reid_loss(output, labels, LossSettings(triplet_weight=2.0, triplet_margin=0.5), None)
    assert (hard - alone).item() == pytest.approx(2 * batch_hard_triplet(features, labels, 0.5).item())
    weighted = LossSettings(triplet="weighted", triplet_weight=2.0, center_weight=0.01)
    expected = 2 * weighted_triplet(features, labels) + 0.01 * center(features, labels)
    assert (reid_loss(output, labels, weighted, center) - alone).item() == pytest.approx(expected.item())


def test_an_unknown_triplet_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="triplet is 'hard'; expected one of batch_hard, weighted"):
        LossSettings(triplet="hard")


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
