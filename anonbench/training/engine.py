"""The training loop that all models share."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anonbench.errors import DataError, TrainingError
from anonbench.models._network import ReidNetwork, TrainingOutput
from anonbench.training.checkpoint import Resume
from anonbench.training.device import autocast, place, reproducible
from anonbench.training.losses import CenterLoss, batch_hard_triplet, cross_entropy
from anonbench.training.progress import EpochSummary, Progress
from anonbench.training.recipe import Recipe
from anonbench.training.seeding import derive_seed

logger = logging.getLogger(__name__)
CHECK_EVERY = 10  # steps between looks at the loss; each one waits for the GPU
SAVE_BYTES_PER_SECOND = 5e8  # a cautious guess until the first state has been written


def train_network(
    network: ReidNetwork,
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    resume: Resume | None = None,
) -> list[EpochSummary]:
    """Train a network in place and leave it on `device`; returns the history, one row an epoch.

    images: (N, 3, H, W) uint8, held on the device for the whole training. labels: (N,) int64 in 0..num_identities-1.
    resume: where to keep the state; a state of the same key found there is continued, and on a CPU in fp32 the
        weights come out bit-identical to those of an undisturbed run. The caller removes it once the results are safe.

    The same seed on the same hardware and number of threads gives bit-identical weights in fp32 (on GPUs see
    `device.reproducible`).

    Raises `DataError` for fewer than two images or identities, `TrainingError` when the loss is no longer finite.
    """
    num_identities = _check_data(images, labels)
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), reproducible(recipe.precision, device):
        training = _Training(network, images, labels, recipe, seed, device, num_identities)
        training.restore(resume)
        progress = Progress(recipe.epochs, len(training.history))
        try:
            for epoch in range(len(training.history), recipe.epochs):
                progress.report(training.run_epoch(epoch))
                training.save(resume)
        finally:
            progress.close()
    return training.history


def _check_data(images: Tensor, labels: Tensor) -> int:
    """The number of identities of a usable training set."""
    assert images.dtype == torch.uint8
    assert len(images) == len(labels)
    num_identities = int(labels.max()) + 1 if len(labels) else 0
    if len(images) < 2 or num_identities < 2:
        raise DataError(
            f"the training set has {len(images)} images of {num_identities} identities; expected at least two images "
            f"and two identities. Check the split column of the manifest."
        )
    return num_identities


class _Training:
    """Everything that changes while a network is trained, and what saves and restores it."""

    def __init__(
        self,
        network: ReidNetwork,
        images: Tensor,
        labels: Tensor,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        num_identities: int,
    ) -> None:
        channels_last = recipe.channels_last is not False
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        place(network, device, channels_last)
        self.network = network
        self.images = images.to(device)  # (N, 3, H, W) uint8
        self.labels = labels.to(device)  # (N,)
        self.label_array = labels.numpy()
        self.recipe, self.seed, self.device = recipe, seed, device
        self.optimizer = recipe.optimizer.build(p for p in network.parameters() if p.requires_grad)
        self.center: CenterLoss | None = None
        self.center_optimizer: torch.optim.Optimizer | None = None
        if recipe.loss.center_weight:
            torch.manual_seed(derive_seed(seed, "centers"))
            self.center = CenterLoss(num_identities, network.feature_dim).to(device)
            self.center_optimizer = torch.optim.SGD(self.center.parameters(), recipe.loss.center_lr)
        self.history: list[EpochSummary] = []
        self.unsaved_seconds = 0.0
        self.save_seconds = 3 * sum(p.nbytes for p in network.parameters()) / SAVE_BYTES_PER_SECOND

    def run_epoch(self, epoch: int) -> EpochSummary:
        """Train for one epoch; every random choice in it follows from the seed and the epoch alone."""
        started = time.perf_counter()
        self.network.train()
        torch.manual_seed(derive_seed(self.seed, "dropout", epoch))
        rng = np.random.default_rng(derive_seed(self.seed, "sampler", epoch))
        batches = self.recipe.sampler.batches(self.label_array, self.recipe.batch_size, rng)
        results: list[Tensor] = []  # (loss, accuracy) of each batch
        lr = 0.0
        for number, indices in enumerate(batches):
            lr = self._set_learning_rate(epoch, number / len(batches))
            results.append(self._step(torch.from_numpy(indices).to(self.device), epoch, number))
            if (number + 1) % CHECK_EVERY == 0 or number + 1 == len(batches):
                self._check_finite(results, epoch, len(batches), lr)
        sizes = torch.tensor([len(b) for b in batches], dtype=torch.float64)
        loss, accuracy = (torch.stack(results).double().cpu() * sizes[:, None]).sum(dim=0) / sizes.sum()
        seconds = time.perf_counter() - started
        rate = float(sizes.sum()) / seconds
        row = EpochSummary(epoch + 1, float(loss), float(accuracy), lr, rate, seconds)
        self.history.append(row)
        self.unsaved_seconds += seconds
        return row

    def _set_learning_rate(self, epoch: int, progress: float) -> float:
        lr = self.recipe.optimizer.lr * self.recipe.schedule.factor(epoch, progress, self.recipe.epochs)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        return lr

    def _step(self, indices: Tensor, epoch: int, number: int) -> Tensor:
        """One optimisation step; returns (loss, accuracy) as a tensor on the device, without waiting for it."""
        labels = self.labels[indices]  # (B,)
        seed = derive_seed(self.seed, "augmentation", epoch, number)
        images = self.recipe.augmentation.apply(self.images[indices], seed)  # (B, 3, H, W) float32
        images = images.contiguous(memory_format=self.memory_format)
        with autocast(self.recipe.precision, self.device):
            output = self.network(images)
        assert isinstance(output, TrainingOutput)
        loss = self._loss(output, labels)
        self.optimizer.zero_grad(set_to_none=True)
        if self.center_optimizer is not None:
            self.center_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self._step_centers()
        hits = torch.stack([(head.argmax(dim=1) == labels).float().mean() for head in output.logits])
        return torch.stack([loss.detach(), hits.mean()])

    def _loss(self, output: TrainingOutput, labels: Tensor) -> Tensor:
        settings = self.recipe.loss
        loss = cross_entropy(output.logits, labels, settings.label_smoothing)
        if settings.triplet_weight:
            loss = loss + settings.triplet_weight * batch_hard_triplet(output.features, labels, settings.triplet_margin)
        if self.center is not None:
            loss = loss + settings.center_weight * self.center(output.features, labels)
        return loss

    def _step_centers(self) -> None:
        if self.center is None or self.center_optimizer is None:
            return
        assert self.center.centers.grad is not None
        self.center.centers.grad /= self.recipe.loss.center_weight
        self.center_optimizer.step()

    def _check_finite(self, results: list[Tensor], epoch: int, batches: int, lr: float) -> None:
        first = (len(results) - 1) // CHECK_EVERY * CHECK_EVERY
        for number, loss in enumerate(torch.stack(results[first:])[:, 0].tolist(), start=first):
            if not math.isfinite(loss):
                raise TrainingError(
                    f"the loss is {loss} in epoch {epoch + 1} of {self.recipe.epochs}, batch {number + 1} of {batches} "
                    f"(learning rate {lr:.2e}, seed {self.seed}). Lower training.optimizer.lr (a tenth is a good "
                    f"start) or lengthen its warm-up; if that does not help, try `precision: fp32`."
                )

    def restore(self, resume: Resume | None) -> None:
        """Continue from a saved state when there is one."""
        state = resume.load(self.device) if resume is not None else None
        if state is None:
            return
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.center is not None and self.center_optimizer is not None:
            self.center.load_state_dict(state["center"])
            self.center_optimizer.load_state_dict(state["center_optimizer"])
        self.history = [EpochSummary(**row) for row in state["history"]]
        logger.info("continuing after epoch %d of %d", len(self.history), self.recipe.epochs)

    def save(self, resume: Resume | None) -> None:
        """Save the state unless that would take more than `resume.share` of the time spent since the last one."""
        if resume is None or self.save_seconds > resume.share * self.unsaved_seconds:
            return
        state: dict[str, Any] = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": [asdict(row) for row in self.history],
        }
        if self.center is not None and self.center_optimizer is not None:
            state |= {"center": self.center.state_dict(), "center_optimizer": self.center_optimizer.state_dict()}
        self.save_seconds = resume.save(state)
        self.unsaved_seconds = 0.0
