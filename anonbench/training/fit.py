"""One training loop for every task. It knows epochs, seeds, states and reports, and nothing of what is learnt.

A task brings networks, optimizers, batches and what one step does. This one learns to double a number:

    class Doubling(Task[Tensor]):
        def setup(self) -> None:
            self.networks = {"line": nn.Linear(1, 1).to(self.run.device)}
            self.optimizers = {"line": SGD(lr=0.1).build(self.networks["line"].parameters())}

        def batches(self, epoch: int) -> Batches[Tensor]:
            return torch.rand(10, 8, 1, generator=self.run.generator("numbers", epoch))  # ten batches of eight

        def step(self, numbers: Tensor, at: Step) -> Mapping[str, Tensor]:
            loss = (self.networks["line"](numbers) - 2 * numbers).square().mean()
            self.descend(loss, "line")
            return {"loss": loss}

    history = fit(Doubling(), epochs=3, seed=1)

Larger ones: `tasks/reid/training.py`, `detectors/_tinyfaces/train.py`; a GAN in `tests/unit/training/test_gan_task.py`.
"""

from __future__ import annotations

import logging
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sized
from dataclasses import asdict, dataclass
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from anonbench.core.errors import DataError, TrainingError
from anonbench.data.seeding import derive_seed
from anonbench.training.checkpoint import Resume
from anonbench.training.device import autocast, reproducible
from anonbench.training.distributed import ALONE, CPU, Ranks
from anonbench.training.progress import EpochSummary, Progress

logger = logging.getLogger(__name__)
CHECK_EVERY = 10  # steps between looks at the values; each one waits for the GPU
SAVE_BYTES_PER_SECOND = 5e8  # a cautious guess until the first state has been written

Batch = TypeVar("Batch")
Yielded = TypeVar("Yielded", covariant=True)


class Batches(Protocol[Yielded]):
    """The batches of one epoch: a list, a `DataLoader`, a `loading.Prefetched`. Their number is known beforehand."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Yielded]: ...


@dataclass(frozen=True)
class Run:
    """What a task may know of its training.

    seed: every random choice follows from it.
    epochs: passes over the data.
    device: where networks and batches belong.
    precision: auto, fp32 or bf16, for the forward passes.
    ranks: the processes that train together.
    """

    seed: int
    epochs: int
    device: torch.device = CPU
    precision: str = "fp32"
    ranks: Ranks = ALONE

    def seed_of(self, *names: int | str) -> int:
        """The seed of one named thing, such as ("sampler", epoch)."""
        return derive_seed(self.seed, *names)

    def generator(self, *names: int | str) -> torch.Generator:
        """A generator on the CPU, whose numbers are the same for every device."""
        return torch.Generator().manual_seed(self.seed_of(*names))

    def autocast(self) -> torch.autocast:
        """The context for forward passes at this training's precision."""
        return autocast(self.precision, self.device)


@dataclass(frozen=True)
class Step:
    """Where a training is.

    epoch: from 0.
    number: of the step in its epoch, from 0.
    steps: in this epoch.
    seed: of the training.
    """

    epoch: int
    number: int
    steps: int
    seed: int

    @property
    def share(self) -> float:
        """The share of the epoch's steps that are done, 0 <= share < 1."""
        return self.number / self.steps

    def seed_of(self, name: str) -> int:
        """The seed of one named thing in this step: a resumed training draws the same."""
        return derive_seed(self.seed, name, self.epoch, self.number)


class Task(ABC, Generic[Batch]):
    """What is trained. Subclasses define `setup`, `batches` and `step`, the rest where it differs.

    values: names of what `step` returns, the columns of the history.
    advice: what to do when one of them is not finite, the end of a message.
    shares_ranks: whether `step` computes a part of its batch where several processes train together.
    run: set before `setup`.
    networks: what is trained, by name. In train mode during epochs, and part of the saved state. A network that is only
        used (frozen, in eval mode) does not belong here.
    optimizers: by name. Their state is saved, too. The history shows the learning rate of the first one.
    """

    values: tuple[str, ...] = ("loss",)
    advice: str = "Lower the learning rate (a tenth is a good start)."
    shares_ranks: bool = False
    run: Run
    networks: Mapping[str, nn.Module]
    optimizers: Mapping[str, torch.optim.Optimizer]

    @abstractmethod
    def setup(self) -> None:
        """Set `networks` and `optimizers`, on `run.device`. Torch's generator is seeded: new weights are repeatable."""

    @abstractmethod
    def batches(self, epoch: int) -> Batches[Batch]:
        """The batches of an epoch (from 0), which must follow from `run.seed` and `epoch` alone.

        Called once, before the epoch's first step: what happens between epochs, such as new targets, belongs here.
        """

    @abstractmethod
    def step(self, batch: Batch, at: Step) -> Mapping[str, Tensor]:
        """Learn from one batch; returns scalars by name, means over the batch's images, on whatever device.

        A name may be missing where the step does not compute it: the history has the mean over steps that do. Reading
        a value here, as `float(loss)` does, makes every step wait for the GPU.
        """

    def size(self, batch: Batch) -> int:
        """How many images a batch has."""
        assert isinstance(batch, Sized)
        return len(batch)

    def learning_rates(self, at: Step) -> Mapping[str, float]:
        """The learning rates of a step, by optimizer; one that is missing keeps its own.

        A parameter group with the key `factor` gets so many times the rate.
        """
        return {}

    def state_dict(self) -> dict[str, Any]:
        """What else changes while training: tensors, numbers and texts, in lists and mappings."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""

    def descend(self, loss: Tensor, *names: str, clip: float | None = None) -> None:
        """Take one step of the optimizers `names` against the gradient of `loss`. Other parameters stay as they are.

        clip: largest norm of the gradient of each optimizer's parameters; None for any.
        """
        for name in names:
            self.optimizers[name].zero_grad(set_to_none=True)
        loss.backward()
        for name in names:
            if clip is not None:
                groups = self.optimizers[name].param_groups
                nn.utils.clip_grad_norm_([weight for group in groups for weight in group["params"]], clip)
            self.optimizers[name].step()


def fit(
    task: Task[Any],
    epochs: int,
    seed: int,
    device: torch.device = CPU,
    precision: str = "fp32",
    resume: Resume | None = None,
    ranks: Ranks = ALONE,
) -> list[EpochSummary]:
    """Train a task's networks. Returns the history, one row an epoch.

    precision: auto, fp32 or bf16 (`device.uses_bfloat16`).
    resume: where to keep the state. A state of the same key found there is continued, and on a CPU in fp32 the
        weights come out bit-identical to those of an undisturbed run. The caller removes it once the results are safe.
    ranks: the processes that train together, each called with the same task.

    The same seed on the same hardware and number of threads gives bit-identical weights in fp32 (on GPUs see
    `device.reproducible`). The caller's random state is left alone.

    Raises `TrainingError` when a value is no longer finite, `DataError` for an epoch without a batch.
    """
    assert ranks.count == 1 or task.shares_ranks, f"{type(task).__name__} cannot be shared out among processes"
    task.run = Run(seed, epochs, device, precision, ranks)
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), reproducible(precision, device):
        torch.manual_seed(task.run.seed_of("weights"))
        task.setup()
        loop = _Loop(task)
        loop.restore(resume)
        progress = Progress(epochs, len(loop.history), shown=ranks.main)
        try:
            for epoch in range(len(loop.history), epochs):
                progress.report(loop.run_epoch(epoch, progress))
                loop.save(resume)
        finally:
            progress.close()
    return loop.history


class _Loop:
    """What changes while a task is trained, and what saves and restores it."""

    def __init__(self, task: Task[Any]) -> None:
        self.task, self.run = task, task.run
        self.history: list[EpochSummary] = []
        self.unsaved_seconds = 0.0
        size = sum(p.nbytes for network in task.networks.values() for p in network.parameters())
        self.save_seconds = 3 * size / SAVE_BYTES_PER_SECOND

    def run_epoch(self, epoch: int, progress: Progress) -> EpochSummary:
        """Train for one epoch; every random choice in it follows from the seed and the epoch alone."""
        started = time.perf_counter()
        task, ranks = self.task, self.run.ranks
        for network in task.networks.values():
            network.train()
        # Rank 0 draws as a training alone does; the others' slices get masks of dropout that differ from its.
        torch.manual_seed(self.run.seed_of("dropout", epoch, *([] if ranks.main else [ranks.rank])))
        values = _Values(task, self.run.device)
        batches = task.batches(epoch)
        lr = 0.0
        for number, batch in enumerate(batches):
            at = Step(epoch, number, len(batches), self.run.seed)
            lr = self._set_learning_rates(at)
            values.add(task.step(batch, at), task.size(batch))
            if (number + 1) % CHECK_EVERY == 0 or number + 1 == len(batches):
                self._check_finite(values, at, lr)
            progress.step(epoch, number + 1, len(batches))
        if not values.sizes:
            raise DataError(f"epoch {epoch + 1} of the training has no batch. Is the training set empty?")
        means = values.means()
        seconds = time.perf_counter() - started
        row = EpochSummary(epoch + 1, means, lr, sum(values.sizes) / seconds, seconds)
        self.history.append(row)
        self.unsaved_seconds += seconds
        return row

    def _set_learning_rates(self, at: Step) -> float:
        """Set the learning rates of a step; returns that of the first optimizer."""
        rates = self.task.learning_rates(at)
        for name, lr in rates.items():
            for group in self.task.optimizers[name].param_groups:
                group["lr"] = lr * group.get("factor", 1.0)
        first = next(iter(self.task.optimizers))
        return rates[first] if first in rates else float(self.task.optimizers[first].param_groups[0]["lr"])

    def _check_finite(self, values: _Values, at: Step, lr: float) -> None:
        found = values.first_not_finite()
        if found is not None:
            number, name, value = found
            raise TrainingError(
                f"the {name} is {value} in epoch {at.epoch + 1} of {self.run.epochs}, batch {number + 1} of {at.steps} "
                f"(learning rate {lr:.2e}, seed {self.run.seed}). {self.task.advice}"
            )

    def restore(self, resume: Resume | None) -> None:
        """Continue from a saved state when there is one."""
        state = resume.load(self.run.device) if resume is not None else None
        self._check_agreement(state)
        if state is None:
            return
        for name, network in self.task.networks.items():
            network.load_state_dict(state["networks"][name])
        for name, optimizer in self.task.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.task.load_state_dict(state["task"])
        self.history = [EpochSummary(**row) for row in state["history"]]
        logger.info("continuing after epoch %d of %d", len(self.history), self.run.epochs)

    def _check_agreement(self, state: Mapping[str, Any] | None) -> None:
        """Ranks that go on from different epochs would wait for each other forever."""
        ranks, epochs = self.run.ranks, 0 if state is None else len(state["history"])
        differing = ranks.sum(torch.tensor(int(epochs != ranks.agree(epochs)), device=ranks.device))
        if int(differing):
            raise TrainingError(
                "the ranks do not read the same saved state of this training. Run it again; if that does not help, "
                "remove the state."
            )

    def save(self, resume: Resume | None) -> None:
        """Save the state unless that would take more than `resume.share` of the time spent since the last one."""
        if not self.run.ranks.main or resume is None or self.save_seconds > resume.share * self.unsaved_seconds:
            return
        self.save_seconds = resume.save(
            {
                "networks": {name: network.state_dict() for name, network in self.task.networks.items()},
                "optimizers": {name: optimizer.state_dict() for name, optimizer in self.task.optimizers.items()},
                "task": self.task.state_dict(),
                "history": [asdict(row) for row in self.history],
            }
        )
        self.unsaved_seconds = 0.0


class _Values:
    """What the steps of one epoch returned. It stays on the device, so that no step waits for another's value.

    sizes: images of each step.
    """

    def __init__(self, task: Task[Any], device: torch.device) -> None:
        self.names, self.kind = task.values, type(task).__name__
        self.missing = torch.zeros((), dtype=torch.float64, device=device)
        self.rows: list[Tensor] = []  # (values,) float64 of each step, 0 where one is missing
        self.weights: list[list[int]] = []  # of the same, 0 where one is missing
        self.sizes: list[int] = []
        self.checked = 0

    def add(self, values: Mapping[str, Tensor], size: int) -> None:
        unknown = sorted(values.keys() - set(self.names))
        if unknown:
            raise ValueError(
                f"{self.kind}.step returned {', '.join(unknown)}; {self.kind}.values lists {', '.join(self.names)}"
            )
        row = [values[name].detach().to(self.missing) if name in values else self.missing for name in self.names]
        self.rows.append(torch.stack(row))
        self.weights.append([size if name in values else 0 for name in self.names])
        self.sizes.append(size)

    def first_not_finite(self) -> tuple[int, str, float] | None:
        """(step, name, value) of the first value since the last call that is infinite or not a number."""
        first, self.checked = self.checked, len(self.rows)
        for number, row in enumerate(torch.stack(self.rows[first:]).tolist(), start=first):
            for name, value in zip(self.names, row, strict=True):
                if not math.isfinite(value):
                    return number, name, value
        return None

    def means(self) -> dict[str, float]:
        """The mean over images of each value; nan for one that no step returned."""
        rows = torch.stack(self.rows).cpu()  # (steps, values)
        weights = torch.tensor(self.weights, dtype=torch.float64)  # (steps, values)
        means = (rows * weights).sum(dim=0) / weights.sum(dim=0)
        return dict(zip(self.names, means.tolist(), strict=True))
