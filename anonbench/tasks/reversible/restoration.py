"""Restoration by somebody else: a generator that learns originals from hidden pictures, and from nothing more.

task = RestorationTask(shown, originals, recipe)
history = fit(task, recipe.epochs, seed=0, precision=recipe.precision)
save_generator(path, task.recovery, {...})
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from anonbench.tasks.reid.samplers import Shuffle
from anonbench.tasks.reversible.base import ADVICE, Indices
from anonbench.tasks.reversible.networks import PatchDiscriminator, fooling, telling_apart
from anonbench.tasks.reversible.pairs import Pairs
from anonbench.tasks.reversible.recipe import JointRecipe
from anonbench.training.device import place
from anonbench.training.fit import Batches, Step, Task
from anonbench.training.generators import UNet, frozen


class RestorationTask(Task[Indices]):
    """pix2pix from hidden pictures to originals: equations 4 to 6 with fixed pictures in the place of G_X(x).

    shown: (N, 3, H, W) uint8: desensitized, or protected ones as they are stored.
    originals: (N, 3, H, W) uint8 of the same people, in the same order.
    recipe: of it the generator, the discriminator, their optimizers, the schedule, l1_weight, flip, epochs and batch
        size.
        Every image is seen once an epoch: nobody needs to know who is who.

    gan: how far the generator is from deceiving its discriminator. l1: mean absolute difference in -1..1.
    discriminator: how far the discriminator is from telling apart.
    """

    values = ("gan", "l1", "discriminator")
    advice = ADVICE

    def __init__(self, shown: Tensor, originals: Tensor, recipe: JointRecipe) -> None:
        assert shown.shape == originals.shape
        self.shown, self.originals, self.recipe = shown, originals, recipe

    def setup(self) -> None:
        recipe, device = self.recipe, self.run.device
        self.recovery = UNet(recipe.generator.levels, recipe.generator.width)
        self.discriminator = PatchDiscriminator(recipe.discriminator.width, recipe.discriminator.layers)
        self.networks = {"recovery": self.recovery, "discriminator": self.discriminator}
        for network in self.networks.values():
            place(network, device, channels_last=True)
        self.optimizers = {
            "recovery": recipe.generator_optimizer.build(self.recovery.parameters()),
            "discriminator": recipe.discriminator_optimizer.build(self.discriminator.parameters()),
        }
        self.pairs = Pairs(self.shown, self.originals, recipe.flip, device)

    def batches(self, epoch: int) -> Batches[Indices]:
        rng = np.random.default_rng(self.run.seed_of("sampler", epoch))
        return Shuffle().batches(np.arange(len(self.shown)), self.recipe.batch_size, rng)

    def learning_rates(self, at: Step) -> Mapping[str, float]:
        share = self.recipe.schedule.factor(at.epoch, at.share, self.run.epochs)
        return {
            "recovery": self.recipe.generator_optimizer.lr * share,
            "discriminator": self.recipe.discriminator_optimizer.lr * share,
        }

    def step(self, batch: Indices, at: Step) -> Mapping[str, Tensor]:
        shown, originals = self.pairs.batch(torch.from_numpy(batch), at.seed_of("pairs"))  # (B, 3, H, W) each
        with self.run.autocast():
            recovered = self.recovery(shown)
            discriminator = telling_apart(self.discriminator, shown, originals, recovered.detach())
        self.descend(discriminator, "discriminator")
        with self.run.autocast(), frozen(self.discriminator):
            gan = fooling(self.discriminator, shown, recovered)
        l1 = (recovered.float() - originals).abs().mean()
        self.descend(gan + self.recipe.l1_weight * l1, "recovery")
        return {"gan": gan, "l1": l1, "discriminator": discriminator}
