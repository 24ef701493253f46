"""A generator learns to put people into holes, against a discriminator that knows real ones.

task = InpaintingTask(crops, judged, recipe)
history = fit(task, recipe.epochs, seed=0, precision=recipe.precision)
save_inpainter(path, task.averaged, task.styles(), {...})
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anonbench.tasks.inpainting.crops import Batch, CropBatches, Crops
from anonbench.tasks.inpainting.distance import RandomFeatures, relative_distance
from anonbench.tasks.inpainting.networks import Discriminator, fooling, gradient_penalty, telling_apart
from anonbench.tasks.inpainting.recipe import InpaintingRecipe
from anonbench.training.device import place
from anonbench.training.fit import Batches, Step, Task
from anonbench.training.generators import frozen
from anonbench.training.inpainter import Inpainter, Styles

Indices = NDArray[np.int64]
JUDGED_AT_ONCE = 32  # crops
STYLES_PER_CENTRE = 50  # that are drawn for the clusters
CLUSTER_ROUNDS = 25  # k-means has moved for the last time long before, or nearly


class InpaintingTask(Task[Indices]):
    """DeepPrivacy2's training in short: non-saturating logistic loss, lazy R1, a running mean of the generator.

    crops: to learn from.
    judged: crops that are not learnt from.

    generator: how far the generator is from deceiving its discriminator. discriminator: how far that is from telling
    apart. r1: the penalty on its gradient. l1: mean absolute difference to the hidden people, in -1..1; it is not
    learnt from unless the recipe gives it a weight. distance: `distance.relative_distance` of the running mean's people
    on the judged crops.
    """

    values = ("generator", "discriminator", "r1", "l1", "distance")
    advice = "Lower optimizer.lr (a third is a good start), or raise r1."

    def __init__(self, crops: Crops, judged: Crops, recipe: InpaintingRecipe) -> None:
        self.crops, self.judged, self.recipe = crops, judged, recipe

    def setup(self) -> None:
        recipe, device = self.recipe, self.run.device
        self.generator = Inpainter(recipe.network)
        self.discriminator = Discriminator(recipe.network, recipe.discriminator_width)
        self.averaged = copy.deepcopy(self.generator)
        self.networks = {
            "generator": self.generator, "discriminator": self.discriminator, "averaged": self.averaged,
        }  # fmt: skip
        for network in self.networks.values():
            place(network, device, channels_last=True)
        self.averaged.requires_grad_(False)
        self.optimizers = {
            "generator": recipe.optimizer.build(self.generator.parameters()),
            "discriminator": recipe.optimizer.build(self.discriminator.parameters()),
        }
        self.taught = CropBatches(self.crops, recipe.flip, device)
        self.features = RandomFeatures().to(device)
        self.real_features = self._features_of(self._judged_batches())

    def batches(self, epoch: int) -> Batches[Indices]:
        """All crops in random order, again and again, until the epoch has as many as the recipe says."""
        rng = np.random.default_rng(self.run.seed_of("sampler", epoch))
        recipe, count = self.recipe, len(self.crops)
        size = min(recipe.batch_size, count)
        steps = max(1, recipe.crops_per_epoch // size)
        rounds = -(-steps * size // count)
        order = np.concatenate([rng.permutation(count) for _ in range(rounds)])
        return [order[step * size : (step + 1) * size] for step in range(steps)]

    def learning_rates(self, at: Step) -> Mapping[str, float]:
        rate = self.recipe.optimizer.lr * self.recipe.schedule.factor(at.epoch, at.share, self.run.epochs)
        return dict.fromkeys(self.optimizers, rate)

    def step(self, batch: Indices, at: Step) -> Mapping[str, Tensor]:
        recipe = self.recipe
        crops = self.taught.batch(torch.from_numpy(batch), at.seed_of("flips"))
        done = at.epoch * at.steps + at.number
        numbers = self._numbers(len(crops), at.seed_of("people"))
        with self.run.autocast():
            made = self._put(self.generator, crops, numbers)
            real = self.discriminator(crops.originals, crops.own, crops.points)
            fake = self.discriminator(made.detach(), crops.own, crops.points)
        discriminator = telling_apart(real, fake, recipe.drift)
        self.descend(discriminator, "discriminator")
        values = {"discriminator": discriminator}
        if recipe.r1 and done % recipe.r1_every == 0:
            values["r1"] = gradient_penalty(self.discriminator, crops.originals, crops.own, crops.points)
            self.descend(recipe.r1 * recipe.r1_every * values["r1"], "discriminator")
        with self.run.autocast(), frozen(self.discriminator):
            values["generator"] = fooling(self.discriminator(made, crops.own, crops.points))
        values["l1"] = ((made - crops.originals).abs() * crops.own).sum() / (3 * crops.own.sum()).clamp_min(1)
        self.descend(values["generator"] + recipe.l1 * values["l1"], "generator")
        self._average(min(recipe.average, (1 + done) / (10 + done)))
        if at.number == at.steps - 1 and self._is_judged(at.epoch):
            values["distance"] = relative_distance(self.made_features(), self.real_features)
        return values

    def styles(self) -> Styles:
        """Mean and cluster centres of the styles of many people that the trained generator may be asked for."""
        draws = max(2000, STYLES_PER_CENTRE * self.recipe.centres)
        with torch.no_grad():
            found = self.averaged.mapping(self._numbers(draws, self.run.seed_of("styles"))).float().cpu()
        return Styles(found.mean(dim=0), cluster_centres(found, self.recipe.centres, self.run.seed_of("centres")))

    def made_features(self) -> Tensor:
        """(V, D) of the people that the running mean puts into the judged crops, always the same ones."""
        batches = []
        with torch.no_grad(), self.run.autocast():
            for number, crops in enumerate(self._judged_batches()):
                numbers = self._numbers(len(crops), self.run.seed_of("judged", number))
                made = self._put(self.averaged, crops, numbers).float()
                batches.append(Batch(made, crops.own, crops.known, crops.points))
        return self._features_of(batches)

    def _put(self, network: Inpainter, crops: Batch, numbers: Tensor) -> Tensor:
        """The crops with somebody else in them, (B, 3, h, w) float32. People beside the hole stay as they are.

        A generator is shown none of them; the discriminator sees the same ones beside real and made people.
        """
        styles = network.mapping(numbers)
        made = network(crops.originals, crops.own, crops.known, crops.points, styles)
        return torch.where(crops.own, made.float(), crops.originals)

    def _numbers(self, count: int, seed: int) -> Tensor:
        """(count, z) from N(0, 1), drawn on the CPU, so that a CPU and a GPU ask for the same people."""
        draw = torch.randn(count, self.recipe.network.z, generator=torch.Generator().manual_seed(seed))
        return draw if self.run.device.type == "cpu" else draw.pin_memory().to(self.run.device, non_blocking=True)

    def _average(self, decay: float) -> None:
        with torch.no_grad():
            for kept, new in zip(self.averaged.parameters(), self.generator.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)

    def _is_judged(self, epoch: int) -> bool:
        return (epoch + 1) % self.recipe.judged_every == 0 or epoch + 1 == self.run.epochs

    def _judged_batches(self) -> list[Batch]:
        part = self.judged[torch.arange(min(len(self.judged), self.recipe.most_judged))]
        batches = CropBatches(part, 0.0, self.run.device)
        return [batches.batch(indices, 0) for indices in torch.arange(len(part)).split(JUDGED_AT_ONCE)]

    def _features_of(self, batches: list[Batch]) -> Tensor:
        """(V, D) of what is inside the masks alone: the surroundings are the same, whoever stands there."""
        with torch.no_grad():
            return torch.cat([self.features(torch.where(b.own, b.originals, 0.0)) for b in batches])


def cluster_centres(values: Tensor, count: int, seed: int) -> Tensor:
    """(K, D) centres of the clusters of values (N, D) by k-means, from `count` random ones; K = count if N allows.

    >>> cluster_centres(torch.tensor([[0.0], [0.2], [4.0], [4.2]]), 2, seed=0).sort(dim=0).values.flatten()
    tensor([0.1000, 4.1000])
    """
    draw = torch.Generator().manual_seed(seed)
    centres = values[torch.randperm(len(values), generator=draw)[:count]].clone()
    for _ in range(CLUSTER_ROUNDS):
        nearest = torch.cdist(values, centres).argmin(dim=1)  # (N,)
        sums = torch.zeros_like(centres).index_add_(0, nearest, values)
        sizes = torch.bincount(nearest, minlength=len(centres))[:, None]  # an empty cluster keeps its centre
        centres = torch.where(sizes > 0, sums / sizes.clamp_min(1), centres)
    return centres
