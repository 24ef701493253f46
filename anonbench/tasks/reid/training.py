"""Train a re-identification network: a task for `training.fit`.

history = train_network(network, images, labels, Recipe(epochs=60), seed=0, device=torch.device("cpu"))
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anonbench.core.errors import ConfigError, DataError
from anonbench.tasks.reid.losses import CenterLoss, reid_loss
from anonbench.tasks.reid.models._network import ReidNetwork, TrainingOutput
from anonbench.tasks.reid.recipe import Recipe
from anonbench.training.checkpoint import Resume
from anonbench.training.device import place
from anonbench.training.distributed import ALONE, Ranks, parallel
from anonbench.training.fit import Batches, Step, Task, fit
from anonbench.training.loading import DeviceImages
from anonbench.training.progress import EpochSummary

Indices = NDArray[np.int64]  # (B,) of images


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

    images: (N, 3, H, W) uint8, in memory or mapped from a file. Kept on the device if they fit.
    labels: (N,) int64 in 0..num_identities-1.
    resume: where to keep the state, see `fit`.
    ranks: the processes that train this network together, each called with all of the data. They learn what one would
        but for rounding and the masks of dropout, which differ from rank to rank. Another number may resume a state.
        Batch normalisation layers of `network` are replaced.

    Raises `DataError` for fewer than two images or identities, `TrainingError` when the loss is no longer finite,
    `ConfigError` for batches that cannot be shared out among the ranks.
    """
    task = ReidTask(network, images, labels, recipe)
    check_ranks(recipe, ranks.count, len(images))
    return fit(task, recipe.epochs, seed, device, recipe.precision, resume, ranks)


def check_ranks(recipe: Recipe, ranks: int, images: int | None = None) -> None:
    """Raise `ConfigError` unless every batch gives each of `ranks` processes two images or more.

    Full batches must give all of them the same number, so that none waits for another. The exception is a dataset
    smaller than a batch, which makes one batch of all of it.
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


class ReidTask(Task[Indices]):
    """Classification of identities, with triplet and center losses where the recipe has them.

    loss: mean over images. accuracy: share of training images (augmented, in train mode) whose identity has the highest
    logit, averaged over classifiers, 0..1. A batch is the indices of its images.
    """

    values = ("loss", "accuracy")
    advice = (
        "Lower training.optimizer.lr (a tenth is a good start) or lengthen its warm-up; if that does not help, try "
        "`precision: fp32`."
    )
    shares_ranks = True

    def __init__(self, network: ReidNetwork, images: Tensor, labels: Tensor, recipe: Recipe) -> None:
        self.num_identities = _check_data(images, labels)
        self.network, self.all_images, self.all_labels, self.recipe = network, images, labels, recipe
        self.memory_format = torch.contiguous_format if recipe.channels_last is False else torch.channels_last

    def setup(self) -> None:
        run, loss = self.run, self.recipe.loss
        place(self.network, run.device, self.memory_format is torch.channels_last)
        self.images = DeviceImages(self.all_images, run.device)
        self.labels = self.all_labels.to(run.device)  # (N,)
        uses_features = bool(loss.triplet_weight or loss.center_weight)
        outputs = _as_it_is if uses_features else _without_features
        self.parallel = parallel(self.network, run.ranks, outputs) if run.ranks.count > 1 else None
        self.networks = {"network": self.network}
        self.optimizers = {
            "network": self.recipe.optimizer.build(p for p in self.network.parameters() if p.requires_grad)
        }
        self.center: CenterLoss | None = None
        if loss.center_weight:
            torch.manual_seed(run.seed_of("centers"))
            self.center = CenterLoss(self.num_identities, self.network.feature_dim).to(run.device)
            self.networks["centers"] = self.center
            self.optimizers["centers"] = torch.optim.SGD(self.center.parameters(), loss.center_lr)

    def batches(self, epoch: int) -> Batches[Indices]:
        rng = np.random.default_rng(self.run.seed_of("sampler", epoch))
        return self.recipe.sampler.batches(self.all_labels.numpy(), self.recipe.batch_size, rng)

    def learning_rates(self, at: Step) -> Mapping[str, float]:
        factor = self.recipe.schedule.factor(at.epoch, at.share, self.run.epochs)
        return {"network": self.recipe.optimizer.lr * factor}

    def step(self, batch: Indices, at: Step) -> Mapping[str, Tensor]:
        indices = torch.from_numpy(batch)  # (B,)
        labels = self.labels[indices.to(self.run.device)]  # (B,)
        output = self._outputs(indices, at.seed_of("augmentation"))
        loss = reid_loss(output, labels, self.recipe.loss, self.center)
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizers["network"].step()
        self._step_centers()
        hits = torch.stack([(head.argmax(dim=1) == labels).float().mean() for head in output.logits])
        return {"loss": loss, "accuracy": hits.mean()}

    def _outputs(self, indices: Tensor, seed: int) -> TrainingOutput:
        """What the network makes of the augmented images `indices`; with several ranks each computes a part of it."""
        part = self.run.ranks.part(len(indices))  # of b images
        images = self.recipe.augmentation.apply(self.images[indices[part]], seed, part, len(indices))
        images = images.contiguous(memory_format=self.memory_format)  # (b, 3, H, W) float32
        with self.run.autocast():
            output = self.parallel(images, len(indices)) if self.parallel else self.network(images)
        assert isinstance(output, TrainingOutput)
        return output

    def _step_centers(self) -> None:
        if self.center is None:
            return
        assert self.center.centers.grad is not None
        # Every rank has the gradient of the whole batch. Their mean keeps the ranks' centres equal on GPUs, too, where
        # the order of its sums is not always the same.
        self.run.ranks.average(self.center.centers.grad)
        self.center.centers.grad /= self.recipe.loss.center_weight
        self.optimizers["centers"].step()


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


def _as_it_is(output: TrainingOutput) -> TrainingOutput:
    return output


def _without_features(output: TrainingOutput) -> TrainingOutput:
    """Without the gradient of features that no loss looks at."""
    return TrainingOutput(output.logits, output.features.detach())
