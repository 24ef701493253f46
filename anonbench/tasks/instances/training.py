"""Train a network of instances: a task for `training.fit`.

task = InstanceTask(network, model.losses, pictures, truth, paths, recipe)
fit(task, recipe.passes(len(paths)), seed=0, device=device, precision=recipe.precision)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from anonbench.tasks.instances.models._rcnn import place_network
from anonbench.tasks.instances.recipe import InstanceRecipe
from anonbench.tasks.instances.scenes import Pictures, SceneBatch, Truth, as_floats, as_target
from anonbench.training.fit import Batches, Step, Task
from anonbench.training.loading import Prefetched

Key = tuple[int, int, tuple[int, ...]]  # epoch, step, numbers of pictures


class InstanceTask(Task[SceneBatch]):
    """A network of instances that learns from pictures.

    network: in place.
    losses: column of the history -> name among the network's losses. They are summed; `loss` is the sum.
    pictures: of the variant that is learnt from.
    truth: what is in them.
    paths: of the pictures.
    threads: that read pictures ahead.
    """

    advice = (
        "Lower training.optimizer.lr (a tenth is a good start), lengthen its warm-up or set `clip: 5`; if that does "
        "not help, try `precision: fp32`."
    )

    def __init__(
        self,
        network: nn.Module,
        losses: Mapping[str, str],
        pictures: Pictures,
        truth: Truth,
        paths: Sequence[str],
        recipe: InstanceRecipe,
        threads: int = 1,
    ) -> None:
        self.network, self.losses, self.recipe, self.threads = network, losses, recipe, threads
        self.pictures, self.truth, self.paths = pictures, truth, list(paths)
        self.values = ("loss", *losses)
        self.steps_of_epoch, self.total_steps = recipe.steps(len(self.paths))

    def setup(self) -> None:
        place_network(self.network, self.run.device, self.run.autocast)
        if self.recipe.short_sides:
            self.network.transform.min_size = self.recipe.short_sides  # type: ignore[union-attr]
        self.networks = {"network": self.network}
        trained = [weight for weight in self.network.parameters() if weight.requires_grad]
        self.optimizers = {"network": self.recipe.optimizer.build(trained)}

    def batches(self, epoch: int) -> Batches[SceneBatch]:
        order = np.random.default_rng(self.run.seed_of("sampler", epoch)).permutation(len(self.paths)).tolist()
        count = min(self.steps_of_epoch, self.total_steps - epoch * self.steps_of_epoch)
        size = self.recipe.batch_size
        keys = [(epoch, step, tuple(order[step * size : (step + 1) * size])) for step in range(count)]
        return Prefetched(keys, self._load, self.threads)

    def _load(self, key: Key) -> SceneBatch:
        epoch, step, numbers = key
        draws = np.random.default_rng(self.run.seed_of("flip", epoch, step)).random(len(numbers))
        pictures, targets = [], []
        for number, draw in zip(numbers, draws, strict=True):
            picture, mirrored = self.pictures.read(self.paths[number]), bool(draw < self.recipe.flip)
            height, width = picture.shape[1:]
            pictures.append(picture.flip(2) if mirrored else picture)
            targets.append(self.truth.target(self.paths[number], (height, width), mirrored))
        return SceneBatch(pictures, targets)

    def learning_rates(self, at: Step) -> Mapping[str, float]:
        if self.recipe.iterations is None:
            factor = self.recipe.schedule.factor(at.epoch, at.share, self.run.epochs)
        else:
            done = (at.epoch * self.steps_of_epoch + at.number) / self.total_steps
            factor = self.recipe.schedule.factor(0, done, 1)
        return {"network": self.recipe.optimizer.lr * factor}

    def step(self, batch: SceneBatch, at: Step) -> Mapping[str, Tensor]:
        device = self.run.device
        found = self.network(as_floats(batch.pictures, device), [as_target(t, device) for t in batch.targets])
        parts = {name: found[theirs] for name, theirs in self.losses.items()}
        loss = torch.stack(list(parts.values())).sum()
        self.descend(loss, "network", clip=self.recipe.clip)
        return {"loss": loss, **parts}
