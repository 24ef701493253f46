"""The training loop that all models share."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anonbench.core.errors import ConfigError, DataError, TrainingError
from anonbench.data.seeding import derive_seed
from anonbench.tasks.reid.losses import CenterLoss, batch_hard_triplet, cross_entropy
from anonbench.tasks.reid.models._network import ReidNetwork, TrainingOutput
from anonbench.tasks.reid.recipe import Recipe
from anonbench.training.checkpoint import Resume
from anonbench.training.device import autocast, place, reproducible
from anonbench.training.distributed import ALONE, Ranks, parallel
from anonbench.training.loading import DeviceImages
from anonbench.training.progress import EpochSummary, Progress

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
    ranks: Ranks = ALONE,
) -> list[EpochSummary]:
    """Train a network in place and leave it on `device`; returns the history, one row an epoch.

    images: (N, 3, H, W) uint8, in memory or mapped from a file; held on the device if they fit.
    labels: (N,) int64 in 0..num_identities-1.
    resume: where to keep the state; a state of the same key found there is continued, and on a CPU in fp32 the
        weights come out bit-identical to those of an undisturbed run. The caller removes it once the results are safe.
    ranks: the processes that train this network together, each called with all of the data. They learn what one would
        but for rounding and the masks of dropout, which differ from rank to rank; a state goes on under another number.
        Batch normalisation layers of `network` are replaced.

    The same seed on the same hardware and number of threads gives bit-identical weights in fp32 (on GPUs see
    `device.reproducible`).

    Raises `DataError` for fewer than two images or identities, `TrainingError` when the loss is no longer finite,
    `ConfigError` for batches that cannot be shared out among the ranks.
    """
    num_identities = _check_data(images, labels)
    check_ranks(recipe, ranks.count, len(images))
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), reproducible(recipe.precision, device):
        training = _Training(network, images, labels, recipe, seed, device, num_identities, ranks)
        training.restore(resume)
        progress = Progress(recipe.epochs, len(training.history), shown=ranks.main)
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


def check_ranks(recipe: Recipe, ranks: int, images: int | None = None) -> None:
    """Raise `ConfigError` unless every batch gives each of `ranks` processes two images or more.

    Full batches must give all of them the same number, so that none waits for another; only a data set smaller than a
    batch, which makes one batch of all of it, may not.
    """
    if ranks == 1:
        return
    if recipe.batch_size % ranks or recipe.batch_size < 2 * ranks:
        raise ConfigError(
            f"training.batch_size is {recipe.batch_size} and gpus is {ranks}; expected a batch_size that is a multiple "
            f"of gpus and at least {2 * ranks}. Change `gpus:` of the model or its recipe's `batch_size:`."
        )
    if images is not None and images < 2 * ranks:
        raise ConfigError(
            f"gpus is {ranks}, but the training set has {images} images; expected at least {2 * ranks}, two for each "
            f"GPU. Lower `gpus:` of the model."
        )


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
        ranks: Ranks = ALONE,
    ) -> None:
        channels_last = recipe.channels_last is not False
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        place(network, device, channels_last)
        self.network = network
        self.images = DeviceImages(images, device)
        self.labels = labels.to(device)  # (N,)
        self.label_array = labels.numpy()
        self.recipe, self.seed, self.device, self.ranks = recipe, seed, device, ranks
        uses_features = bool(recipe.loss.triplet_weight or recipe.loss.center_weight)
        self.parallel = parallel(network, ranks, uses_features) if ranks.count > 1 else None
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
        # Rank 0 draws as a training alone does; the others' slices get masks of their own.
        torch.manual_seed(derive_seed(self.seed, "dropout", epoch, *([] if self.ranks.main else [self.ranks.rank])))
        rng = np.random.default_rng(derive_seed(self.seed, "sampler", epoch))
        batches = self.recipe.sampler.batches(self.label_array, self.recipe.batch_size, rng)
        results: list[Tensor] = []  # (loss, accuracy) of each batch
        lr = 0.0
        for number, indices in enumerate(batches):
            lr = self._set_learning_rate(epoch, number / len(batches))
            results.append(self._step(torch.from_numpy(indices), epoch, number))
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
        """One optimisation step on the images `indices`, (B,) on the CPU.

        Returns (loss, accuracy) of the batch as a tensor on the device, without waiting for it.
        """
        labels = self.labels[indices.to(self.device)]  # (B,)
        output = self._outputs(indices, derive_seed(self.seed, "augmentation", epoch, number))
        loss = self._loss(output, labels)
        self.optimizer.zero_grad(set_to_none=True)
        if self.center_optimizer is not None:
            self.center_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self._step_centers()
        hits = torch.stack([(head.argmax(dim=1) == labels).float().mean() for head in output.logits])
        return torch.stack([loss.detach(), hits.mean()])

    def _outputs(self, indices: Tensor, seed: int) -> TrainingOutput:
        """What the network makes of the augmented images `indices`; with several ranks each computes a part of it."""
        part = self.ranks.part(len(indices))  # of b images
        images = self.recipe.augmentation.apply(self.images[indices[part]], seed, part, len(indices))
        images = images.contiguous(memory_format=self.memory_format)  # (b, 3, H, W) float32
        with autocast(self.recipe.precision, self.device):
            output = self.parallel(images, len(indices)) if self.parallel else self.network(images)
        assert isinstance(output, TrainingOutput)
        return output

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
        # Every rank has the gradient of the whole batch. Their mean keeps the ranks' centres equal on GPUs, too, where
        # the order of its sums is not always the same.
        self.ranks.average(self.center.centers.grad)
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
        self._check_agreement(state)
        if state is None:
            return
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.center is not None and self.center_optimizer is not None:
            self.center.load_state_dict(state["center"])
            self.center_optimizer.load_state_dict(state["center_optimizer"])
        self.history = [EpochSummary(**row) for row in state["history"]]
        logger.info("continuing after epoch %d of %d", len(self.history), self.recipe.epochs)

    def _check_agreement(self, state: Mapping[str, Any] | None) -> None:
        """Ranks that go on from different epochs would wait for each other forever."""
        epochs = 0 if state is None else len(state["history"])
        differing = self.ranks.sum(torch.tensor(int(epochs != self.ranks.agree(epochs)), device=self.ranks.device))
        if int(differing):
            raise TrainingError(
                "the ranks do not read the same saved state of this training. Run it again; if that does not help, "
                "remove the state."
            )

    def save(self, resume: Resume | None) -> None:
        """Save the state unless that would take more than `resume.share` of the time spent since the last one."""
        if not self.ranks.main or resume is None or self.save_seconds > resume.share * self.unsaved_seconds:
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
