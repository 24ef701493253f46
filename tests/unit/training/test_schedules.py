"""Learning rates against the papers' formulas."""

import pytest
import torch

from anonbench.training.schedules import Constant, OneCycle, Step, WarmupShares, WarmupStep


def test_warmup_follows_the_paper() -> None:
    # Section IV-A: 3.5e-5 to 3.5e-4 in the first 10 epochs, x 0.1 after epochs 40 and 70; t counts from 1.
    def paper(t: int) -> float:
        if t <= 10:
            return 3.5e-4 * t / 10
        return 3.5e-4 if t <= 40 else 3.5e-5 if t <= 70 else 3.5e-6

    schedule = WarmupStep()
    for t in range(1, 121):
        assert 3.5e-4 * schedule.factor(t - 1, 0.0, 120) == pytest.approx(paper(t)), t


def test_a_warmup_of_one_epoch_is_none() -> None:
    assert WarmupStep(warmup_epochs=1, milestones=()).factor(0, 0.0, 5) == 1


def test_step_counts_finished_epochs() -> None:
    factors = [Step(milestones=(2, 3), gamma=0.5).factor(epoch, 0.9, 5) for epoch in range(5)]
    assert factors == [1, 1, 0.5, 0.25, 0.25]


def test_shares_are_detectron2s_numbers_of_batches() -> None:
    # WarmupMultiStepLR of 24,000 batches: warm-up over 1,000 from 0.001, a tenth from 18,000 on.
    schedule = WarmupShares(warmup=1000 / 24_000, warmup_start=0.001, milestones=(0.75,))

    def detectron2(batch: int) -> float:
        alpha = batch / 1000
        return (0.001 * (1 - alpha) + alpha if batch < 1000 else 1) * (0.1 if batch >= 18_000 else 1)

    for batch in (0, 1, 500, 999, 1000, 17_999, 18_000, 23_999):
        assert schedule.factor(0, batch / 24_000, 1) == pytest.approx(detectron2(batch)), batch
        assert schedule.factor(batch // 1000, batch % 1000 / 1000, 24) == pytest.approx(detectron2(batch)), batch


@pytest.mark.parametrize("wrong", [{"warmup": 2}, {"milestones": (0.9, 0.7)}, {"milestones": (3,)}, {"gamma": 0}])
def test_shares_lie_within_a_training(wrong: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        WarmupShares(**wrong)


def test_constant() -> None:
    assert {Constant().factor(e, 0.5, 9) for e in range(9)} == {1.0}


def test_one_cycle_against_torch() -> None:
    epochs, batches = 5, 8
    schedule = OneCycle()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    # torch's last step lies at the end of the cycle, ours at the beginning of the last batch: one more for torch
    peer = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1.0, total_steps=epochs * batches + 1, pct_start=(0.3 * epochs * batches + 1) / 41
    )
    for step in range(epochs * batches):
        found = schedule.factor(step // batches, step % batches / batches, epochs)
        assert found == pytest.approx(peer.get_last_lr()[0], abs=1e-9), step
        optimizer.step()
        peer.step()


@pytest.mark.parametrize("rise", [0.0, 1.0])
def test_one_cycle_may_only_rise_or_only_fall(rise: float) -> None:
    factors = [OneCycle(rise=rise).factor(e, 0.0, 10) for e in range(10)]
    assert factors == sorted(factors, reverse=rise == 0.0)
    assert max(factors) <= 1
