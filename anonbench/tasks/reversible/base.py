"""Re-identification from pairs of a raw and a hidden picture: within the joint training, and alone as its base.

task = BaseTask(network, originals, desensitized, labels, recipe)
fit(task, recipe.reid_epochs, seed=0)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anonbench.tasks.reid.augmentation import MEAN, STD
from anonbench.tasks.reid.losses import CenterLoss, reid_loss
from anonbench.tasks.reid.models._network import ReidNetwork, TrainingOutput
from anonbench.tasks.reversible.pairs import Noise, Pairs
from anonbench.tasks.reversible.recipe import JointRecipe
from anonbench.training.device import place
from anonbench.training.fit import Batches, Run, Step, Task

Indices = NDArray[np.int64]  # (B,) of training images
ADVICE = (
    "Lower the `lr` of the recipe's optimizers (a tenth is a good start) or lengthen the warm-up; if that does not "
    "help, try `precision: fp32`."
)


class PairedReid:
    """A re-identification network that learns raw and hidden pictures of a person to be the same (equation 7).

    Raw and hidden pictures pass together, so that batch normalisation sees in training the mixture that its running
    statistics describe later. The losses are those of each kind alone, and their sum counts.
    Source: Zhang et al. 2022, section 3.3, which leaves open whether they pass together.
    """

    values = ("reid_raw", "reid_hidden", "accuracy_raw", "accuracy_hidden")

    def __init__(self, network: ReidNetwork, num_identities: int, recipe: JointRecipe) -> None:
        self.network, self.num_identities, self.recipe = network, num_identities, recipe
        self.center: CenterLoss | None = None

    def setup(self, run: Run) -> tuple[dict[str, nn.Module], dict[str, torch.optim.Optimizer]]:
        """Place the network on the device; returns what is trained and its optimizers, by name."""
        self.run, loss = run, self.recipe.loss
        place(self.network, run.device, channels_last=True)
        # Made once: a copy from the CPU in every step would wait for the GPU.
        mean, std = (torch.tensor(values, device=run.device).view(1, 3, 1, 1) for values in (MEAN, STD))
        self.scale, self.shift = 0.5 / std, (0.5 - mean) / std
        networks: dict[str, nn.Module] = {"reid": self.network}
        trained = [weight for weight in self.network.parameters() if weight.requires_grad]
        optimizers = {"reid": self.recipe.reid_optimizer.build(trained)}
        if loss.center_weight:
            torch.manual_seed(run.seed_of("centers"))
            self.center = CenterLoss(self.num_identities, self.network.feature_dim).to(run.device)
            networks["centers"] = self.center
            optimizers["centers"] = torch.optim.SGD(self.center.parameters(), loss.center_lr)
        return networks, optimizers

    def losses(self, raw: Tensor, hidden: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum of both losses, and what there is to report.

        raw, hidden: (B, 3, H, W) float in -1..1. Gradients reach the hidden pictures.
        labels: (B,).
        """
        both = torch.cat([raw, hidden.float()])  # (2B, 3, H, W)
        with self.run.autocast():
            output = self.network(both * self.scale + self.shift)  # normalised as ImageNet's pictures
        assert isinstance(output, TrainingOutput)
        count = len(labels)
        values: dict[str, Tensor] = {}
        total = raw.new_zeros(())
        for name, part in (("raw", slice(count)), ("hidden", slice(count, None))):
            half = TrainingOutput(tuple(head[part] for head in output.logits), output.features[part])
            loss = reid_loss(half, labels, self.recipe.loss, self.center)
            hits = [(head.argmax(dim=1) == labels).float().mean() for head in half.logits]
            values[f"reid_{name}"], values[f"accuracy_{name}"] = loss, torch.stack(hits).mean()
            total = total + loss
        return total, values

    def learning_rate(self, epoch: int, at: Step) -> float:
        """In a step of so many epochs, from 0, after the network's first."""
        recipe = self.recipe
        return recipe.reid_optimizer.lr * recipe.schedule.factor(epoch, at.share, recipe.reid_epochs)

    def scale_centers(self, weight: float) -> None:
        """Let the centres' own optimizer see the gradient of their loss itself, without its weights in the sum."""
        if self.center is not None:
            assert self.center.centers.grad is not None
            self.center.centers.grad /= weight * self.recipe.loss.center_weight


class BaseTask(Task[Indices]):
    """The base of Study 2: a re-identification network on raw and desensitized pictures, in pairs.

    network: in place.
    originals: (N, 3, H, W) uint8, of the training identities alone.
    wanted: the desensitized ones, (N, 3, H, W) uint8, or noise.
    labels: (N,) int64 in 0..num_identities-1.
    """

    values = PairedReid.values
    advice = ADVICE

    def __init__(
        self, network: ReidNetwork, originals: Tensor, wanted: Tensor | Noise, labels: Tensor, recipe: JointRecipe
    ) -> None:
        self.originals, self.wanted, self.all_labels, self.recipe = originals, wanted, labels, recipe
        self.reid = PairedReid(network, int(labels.max()) + 1, recipe)

    def setup(self) -> None:
        self.pairs = Pairs(self.originals, self.wanted, self.recipe.flip, self.run.device)
        self.labels = self.all_labels.to(self.run.device)
        self.networks, self.optimizers = self.reid.setup(self.run)

    def batches(self, epoch: int) -> Batches[Indices]:
        return sampled(self.recipe, self.all_labels, self.run, epoch)

    def learning_rates(self, at: Step) -> Mapping[str, float]:
        return {"reid": self.reid.learning_rate(at.epoch, at)}

    def step(self, batch: Indices, at: Step) -> Mapping[str, Tensor]:
        indices = torch.from_numpy(batch)  # (B,)
        raw, hidden = self.pairs.batch(indices, at.seed_of("pairs"))
        loss, values = self.reid.losses(raw, hidden, self.labels[self.pairs.sent(indices)])
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.reid.scale_centers(1)
        for optimizer in self.optimizers.values():
            optimizer.step()
        return values


def sampled(recipe: JointRecipe, labels: Tensor, run: Run, epoch: int) -> Batches[Indices]:
    """The batches of an epoch: indices into (N,) `labels`."""
    rng = np.random.default_rng(run.seed_of("sampler", epoch))
    return recipe.sampler.batches(labels.numpy(), recipe.batch_size, rng)
