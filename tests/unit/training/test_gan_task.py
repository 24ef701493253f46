"""A joint GAN as a task: four networks, two optimizers in alternate steps, and a memory of its own."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anonbench.core.errors import TrainingError
from anonbench.training.checkpoint import Resume
from anonbench.training.fit import Batches, Step, Task, fit
from anonbench.training.optimizers import Adam
from anonbench.training.progress import EpochSummary, write_history

ALWAYS = 1e9  # Resume.share that saves after every epoch


def images() -> Tensor:
    """(12, 3, 8, 8) float in 0..1: smooth noise."""
    generator = torch.Generator().manual_seed(0)
    return F.interpolate(torch.rand(12, 3, 2, 2, generator=generator), (8, 8), mode="bilinear")


def image_network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1))


def discriminator() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.LeakyReLU(0.2), nn.Dropout(0.1), nn.Flatten(), nn.Linear(72, 1))


def judged(logits: Tensor, real: bool) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))


class JointGan(Task[Tensor]):
    """A generator that hides images and a second one that recovers them, each with a discriminator.

    Even steps train the two discriminators, odd steps the two generators. After each epoch the targets that the
    generator is pulled to move towards what it makes: they belong to the state.
    """

    values = ("generator", "recovery", "discriminators")

    def __init__(self, real: Tensor, lr: float = 1e-3) -> None:
        self.real, self.lr = real, lr

    def setup(self) -> None:
        build = {
            "generator": image_network,
            "recovery": image_network,
            "judge_hidden": discriminator,
            "judge_recovered": discriminator,
        }
        self.networks = {name: make().to(self.run.device) for name, make in build.items()}
        self.optimizers = {
            "generators": Adam(self.lr).build(self._parameters("generator", "recovery")),
            "judges": Adam(2 * self.lr).build(self._parameters("judge_hidden", "judge_recovered")),
        }
        self.targets = self.real.flip(3).clone()

    def _parameters(self, *names: str) -> list[nn.Parameter]:
        return [parameter for name in names for parameter in self.networks[name].parameters()]

    def batches(self, epoch: int) -> Batches[Tensor]:
        order = torch.randperm(len(self.real), generator=self.run.generator("order", epoch))
        return [batch for part in order.split(4) for batch in (part, part)]  # one for the judges, one for the rest

    def learning_rates(self, at: Step) -> Mapping[str, float]:
        return {"generators": self.lr * (1 - at.epoch / self.run.epochs)}

    def step(self, batch: Tensor, at: Step) -> Mapping[str, Tensor]:
        real, targets = self.real[batch], self.targets[batch]
        hidden = self.networks["generator"](real)
        recovered = self.networks["recovery"](hidden)
        if at.number % 2 == 0:
            loss = self._judge(targets, real, True) + self._judge(hidden.detach(), recovered.detach(), False)
            self.descend(loss, "judges")
            return {"discriminators": loss}
        fooling = self._judge(hidden, recovered, True)
        recovery = F.l1_loss(recovered, real)
        self.descend(fooling + F.l1_loss(hidden, targets) + 10 * recovery, "generators")
        self.targets[batch] = self.targets[batch].lerp(hidden.detach(), 0.1)
        return {"generator": fooling, "recovery": recovery}

    def _judge(self, hidden: Tensor, recovered: Tensor, real: bool) -> Tensor:
        return judged(self.networks["judge_hidden"](hidden), real) + judged(
            self.networks["judge_recovered"](recovered), real
        )

    def state_dict(self) -> dict[str, Any]:
        return {"targets": self.targets}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.targets = state["targets"]


def trained(resume: Resume | None = None, epochs: int = 4) -> tuple[JointGan, list[EpochSummary]]:
    task = JointGan(images())
    return task, fit(task, epochs, seed=1, resume=resume)


def tensors(task: JointGan) -> dict[str, Tensor]:
    weights = {f"{name}.{k}": v for name, network in task.networks.items() for k, v in network.state_dict().items()}
    return weights | task.state_dict()


def untimed(history: list[EpochSummary]) -> list[EpochSummary]:
    return [dataclasses.replace(row, seconds=0, images_per_second=0) for row in history]


def test_losses_are_named_in_the_history(tmp_path: Path) -> None:
    task, history = trained(epochs=20)
    assert list(history[0].values) == ["generator", "recovery", "discriminators"]
    assert history[-1].values["recovery"] < history[0].values["recovery"] / 2
    assert [row.lr for row in history] == [1e-3 * (1 - epoch / 20) for epoch in range(20)]
    write_history(tmp_path / "history.csv", task.values, history)
    head, *rows = (tmp_path / "history.csv").read_text().splitlines()
    assert head == "epoch,generator,recovery,discriminators,lr,images_per_second,seconds"
    assert len(rows) == 20


def test_a_mean_is_over_the_steps_that_return_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    returned: list[float] = []
    step = JointGan.step

    def watched(self: JointGan, batch: Tensor, at: Step) -> Mapping[str, Tensor]:
        values = step(self, batch, at)
        returned.extend(float(values[name].detach()) for name in values if name == "discriminators")
        return values

    monkeypatch.setattr(JointGan, "step", watched)
    _, (row,) = trained(epochs=1)
    assert len(returned) == 3
    assert row.values["discriminators"] == pytest.approx(sum(returned) / 3)


def test_each_optimizer_moves_its_own_networks_alone() -> None:
    task = JointGan(images())
    fit(task, 0, seed=1)
    before = {name: value.clone() for name, value in tensors(task).items()}
    for number, moving in enumerate(("judge", ("generator", "recovery"))):
        task.step(torch.arange(4), Step(0, number, 2, seed=1))
        after = tensors(task)
        moved = {n for n, v in after.items() if n.endswith(".weight") and not torch.equal(v, before[n])}
        assert moved == {n for n in after if n.endswith(".weight") and n.startswith(moving)}
        before = {name: value.clone() for name, value in after.items()}


KILLED_CHILD = """
import os, signal, sys, torch
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import test_gan_task as t
torch.set_num_threads(1)
save = t.Resume.save
def save_and_die(self, state):
    seconds = save(self, state)
    if len(state["history"]) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return seconds
t.Resume.save = save_and_die
t.trained(t.Resume(Path(sys.argv[1]), key="k", share=t.ALWAYS))
"""


def test_a_killed_gan_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    here, environment = str(Path(__file__).parent), {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.run([sys.executable, "-c", KILLED_CHILD, str(tmp_path), here], env=environment, check=False)
    assert child.returncode == -signal.SIGKILL
    undisturbed, history = trained()
    torch.manual_seed(99)  # the state of torch's own generator plays no part
    resumed, again = trained(Resume(tmp_path, key="k"))
    assert again[0].seconds != history[0].seconds  # read from the state
    assert untimed(again) == untimed(history)
    expected = tensors(undisturbed)
    assert [name for name, value in tensors(resumed).items() if not torch.equal(value, expected[name])] == []


def test_the_value_that_is_not_finite_is_named() -> None:
    with pytest.raises(
        TrainingError, match=r"the \w+ is (nan|inf) in epoch \d of 9, batch \d of 6 .*Lower the learning"
    ):
        fit(JointGan(images(), lr=1e30), 9, seed=1)


class Misnamed(JointGan):
    values = ("generator", "recovery")


def test_a_value_without_a_column_is_a_mistake() -> None:
    expected = r"Misnamed\.step returned discriminators; Misnamed\.values lists generator, recovery"
    with pytest.raises(ValueError, match=expected):
        fit(Misnamed(images()), 1, seed=1)
