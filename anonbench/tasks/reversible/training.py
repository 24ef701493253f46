"""The joint training of Study 2: generators, discriminators and a re-identification network (equations 1 to 8).

    task = JointTask(network, originals, desensitized, labels, validation, recipe, reference=0.75)
    history = fit(task, recipe.epochs, seed=0, precision=recipe.precision)
    task.finish()  # validates what the last epoch has left
    task.validated, task.upgrades  # one row a validated epoch, one an upgrade

In the equations' letters: x are the originals, y what the anonymizer G_X is to make of them (the supervision: the
desensitized pictures, or after an upgrade what it made itself when it was best), G_Y the recovery, D_Y and D_X the
discriminators of the protected and of the recovered pictures.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from anonbench.tasks.reid.models._network import ReidNetwork
from anonbench.tasks.reversible.base import ADVICE, Indices, PairedReid, sampled
from anonbench.tasks.reversible.networks import PatchDiscriminator, fooling, telling_apart
from anonbench.tasks.reversible.pairs import Noise, Pairs
from anonbench.tasks.reversible.recipe import JointRecipe
from anonbench.tasks.reversible.validation import Scores, Upgrading, Validation, judged, made
from anonbench.training.device import place
from anonbench.training.fit import Batches, Step, Task
from anonbench.training.generators import UNet, frozen

logger = logging.getLogger(__name__)
DESENSITIZED, UPGRADED = "desensitized", "upgraded"


@dataclass(frozen=True)
class Validated:
    """What a validation found: a row of the table of them.

    epoch: after which, from 1.
    psnr_protected .. ssim_recovered: means over the held-out images, of stored pictures against originals.
    rank1: R1(raw, protected) on the held-out identities, 0..1.
    private: whether the privacy rule is met.
    upgraded: whether the supervision was upgraded.
    supervision: what the generator is to make from now on, `desensitized` or `upgraded`.
    """

    epoch: int
    psnr_protected: float
    ssim_protected: float
    psnr_recovered: float
    ssim_recovered: float
    rank1: float
    private: bool
    upgraded: bool
    supervision: str


@dataclass(frozen=True)
class Upgrade:
    """An upgrade of the supervision: what was found, and the limits that it was found within.

    number: from 1.
    epoch: after which.
    psnr, ssim: of the protected pictures; must be below their limits.
    rank1: R1(raw, protected); must be above rank1_before.
    """

    number: int
    epoch: int
    psnr: float
    psnr_limit: float
    ssim: float
    ssim_limit: float
    rank1: float
    rank1_before: float


class JointTask(Task[Indices]):
    """Anonymizer, recovery, their discriminators and a re-identification network, each with its own loss in every step.

    First the discriminators descend on the sum of equations 1 and 4, then the generators and the re-identification
    network on equation 8. In the second pass the discriminators are frozen. The re-identification losses of the
    protected pictures reach the anonymizer, and so do those of the recovery, through what it is given.

    network: the re-identification network, trained in place.
    originals: (N, 3, H, W) uint8, of the training identities alone.
    wanted: what the anonymizer is to make at first: the desensitized pictures (N, 3, H, W) uint8, or noise.
    labels: (N,) int64 in 0..num_identities-1.
    validation: the identities that are held out.
    reference: the base's R1(raw, desensitized), 0..1. None: the supervision is never upgraded.

    gan_*: how far each generator is from deceiving its discriminator. l1_*: mean absolute difference in -1..1.
    discriminator_*: how far each discriminator is from telling apart. reid_*, accuracy_*: of the raw and of the hidden
    (protected) pictures.

    Source: Zhang et al. 2022, sections 3.1 to 3.5. Deviations from their code: raw and protected pictures pass through
    the re-identification network together; what goes into generators is in -1..1.
    """

    values = (
        "gan_protected", "gan_recovered", "l1_protected", "l1_recovered", "discriminator_protected",
        "discriminator_recovered", *PairedReid.values,
    )  # fmt: skip
    advice = ADVICE

    def __init__(
        self,
        network: ReidNetwork,
        originals: Tensor,
        wanted: Tensor | Noise,
        labels: Tensor,
        validation: Validation,
        recipe: JointRecipe,
        reference: float | None = None,
    ) -> None:
        self.originals, self.desensitized, self.all_labels = originals, wanted, labels
        self.recipe, self.validation, self.reference = recipe, validation, reference
        self.reid = PairedReid(network, int(labels.max()) + 1, recipe)
        self.validated: list[Validated] = []
        self.upgrades: list[Upgrade] = []
        self.best: dict[str, Tensor] | None = None

    def setup(self) -> None:
        recipe, device = self.recipe, self.run.device
        self.anonymizer, self.recovery = (UNet(recipe.generator.levels, recipe.generator.width) for _ in range(2))
        self.discriminator_protected, self.discriminator_recovered = (
            PatchDiscriminator(recipe.discriminator.width, recipe.discriminator.layers) for _ in range(2)
        )
        generators = {"anonymizer": self.anonymizer, "recovery": self.recovery}
        discriminators = {
            "discriminator_protected": self.discriminator_protected,
            "discriminator_recovered": self.discriminator_recovered,
        }
        for network in (*generators.values(), *discriminators.values()):
            place(network, device, channels_last=True)
        reid_networks, reid_optimizers = self.reid.setup(self.run)
        self.networks = {**generators, **discriminators, **reid_networks}
        self.optimizers = {
            "generators": recipe.generator_optimizer.build(_weights(*generators.values())),
            "discriminators": recipe.discriminator_optimizer.build(_weights(*discriminators.values())),
            **reid_optimizers,
        }
        self.pairs = Pairs(self.originals, self.desensitized, recipe.flip, device)
        self.labels = self.all_labels.to(device)  # (N,)
        reference = math.inf if self.reference is None else self.reference
        self.upgrading = Upgrading(recipe.upgrade, self.validation.desensitized_quality(), reference)

    def batches(self, epoch: int) -> Batches[Indices]:
        if epoch and epoch % self.recipe.validation.every == 0:
            self._validate(epoch)
        return sampled(self.recipe, self.all_labels, self.run, epoch)

    def learning_rates(self, at: Step) -> Mapping[str, float]:
        recipe = self.recipe
        share = recipe.schedule.factor(at.epoch, at.share, self.run.epochs)
        return {
            "generators": recipe.generator_optimizer.lr * share,
            "discriminators": recipe.discriminator_optimizer.lr * share,
            "reid": self.reid.learning_rate(max(0, at.epoch - recipe.head_start), at),
        }

    def step(self, batch: Indices, at: Step) -> Mapping[str, Tensor]:
        indices = torch.from_numpy(batch)  # (B,)
        originals, wanted = self.pairs.batch(indices, at.seed_of("pairs"))  # (B, 3, H, W) each
        with self.run.autocast():
            protected = self.anonymizer(originals)
            recovered = self.recovery(protected)
            hidden, found = protected.detach(), recovered.detach()
            discriminator_protected = telling_apart(self.discriminator_protected, originals, wanted, hidden)
            discriminator_recovered = telling_apart(self.discriminator_recovered, hidden, originals, found)
        self.descend(discriminator_protected + discriminator_recovered, "discriminators")
        with self.run.autocast(), frozen(self.discriminator_protected, self.discriminator_recovered):
            gan_protected = fooling(self.discriminator_protected, originals, protected)
            gan_recovered = fooling(self.discriminator_recovered, protected, recovered)
        l1_protected = (protected.float() - wanted).abs().mean()
        l1_recovered = (recovered.float() - originals).abs().mean()
        loss = gan_protected + gan_recovered + self.recipe.l1_weight * (l1_protected + l1_recovered)
        values: dict[str, Tensor] = {}
        if at.epoch < self.recipe.head_start:
            self.descend(loss, "generators")
        else:
            reid, values = self.reid.losses(originals, protected, self.labels[self.pairs.sent(indices)])
            self._descend(loss + self.recipe.reid_weight * reid)
        return {
            "gan_protected": gan_protected,
            "gan_recovered": gan_recovered,
            "l1_protected": l1_protected,
            "l1_recovered": l1_recovered,
            "discriminator_protected": discriminator_protected,
            "discriminator_recovered": discriminator_recovered,
            **values,
        }

    def _descend(self, loss: Tensor) -> None:
        """One step of all optimizers but the discriminators'."""
        optimizers = [optimizer for name, optimizer in self.optimizers.items() if name != "discriminators"]
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.reid.scale_centers(self.recipe.reid_weight)
        for optimizer in optimizers:
            optimizer.step()

    def finish(self) -> None:
        """Validate what the last epoch has left. Nothing is upgraded: no epoch would see it."""
        if self.run.epochs:
            self._validate(self.run.epochs)

    def _validate(self, done: int) -> None:
        """Look at the held-out images after so many epochs, and decide on the supervision where that is due."""
        scores = self.validation.look(self.anonymizer, self.recovery, self.reid.network)
        due = self.reference is not None and self.recipe.head_start < done < self.run.epochs
        due = due and done % self.recipe.upgrade.every == 0
        upgraded = self._decide(done, scores) if due else False
        row = Validated(
            epoch=done,
            psnr_protected=scores.protected.psnr,
            ssim_protected=scores.protected.ssim,
            psnr_recovered=scores.recovered.psnr,
            ssim_recovered=scores.recovered.ssim,
            rank1=scores.rank1,
            private=self.upgrading.is_private(scores),
            upgraded=upgraded,
            supervision=UPGRADED if self.upgrading.uses_upgrade else DESENSITIZED,
        )
        self.validated.append(row)
        logger.info(
            "validation after epoch %d: protected %.2f dB, SSIM %.3f (%s); recovered %.2f dB, SSIM %.3f; R1(raw, "
            "protected) %.3f%s",
            done, row.psnr_protected, row.ssim_protected, "private" if row.private else "NOT private",
            row.psnr_recovered, row.ssim_recovered, row.rank1, "; supervision upgraded" if upgraded else "",
        )  # fmt: skip

    def _decide(self, done: int, scores: Scores) -> bool:
        used, before = self.upgrading.uses_upgrade, self.upgrading.best
        upgraded = self.upgrading.decide(scores)
        if upgraded:
            psnr_limit, ssim_limit = self.upgrading.limits
            self.best = {name: value.detach().cpu().clone() for name, value in self.anonymizer.state_dict().items()}
            found = scores.protected
            self.upgrades.append(
                Upgrade(
                    number=len(self.upgrades) + 1,
                    epoch=done,
                    psnr=found.psnr,
                    psnr_limit=psnr_limit,
                    ssim=found.ssim,
                    ssim_limit=ssim_limit,
                    rank1=scores.rank1,
                    rank1_before=before,
                )
            )
        if upgraded or used != self.upgrading.uses_upgrade:
            self._supervise()
        return upgraded

    def _supervise(self) -> None:
        """Make the pictures that the anonymizer is to make from now on."""
        if not self.upgrading.uses_upgrade:
            self.pairs.want(self.desensitized)
            return
        assert self.best is not None
        network = copy.deepcopy(self.anonymizer)
        network.load_state_dict(self.best)
        with judged(network):
            self.pairs.want(made(network, self.originals, self.run.device, self.run.precision))

    def state_dict(self) -> dict[str, Any]:
        upgrading = self.upgrading
        return {
            "validated": [asdict(row) for row in self.validated],
            "upgrades": [asdict(row) for row in self.upgrades],
            "upgrading": {"best": upgrading.best, "upgrades": upgrading.upgrades, "private": upgrading.private},
            "best": self.best,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.validated = [Validated(**row) for row in state["validated"]]
        self.upgrades = [Upgrade(**row) for row in state["upgrades"]]
        for name, value in state["upgrading"].items():
            setattr(self.upgrading, name, value)
        self.best = None if state["best"] is None else {name: value.cpu() for name, value in state["best"].items()}
        self._supervise()


def _weights(*networks: nn.Module) -> list[nn.Parameter]:
    return [weight for network in networks for weight in network.parameters()]


def columns(row: type[Any]) -> tuple[str, ...]:
    """The columns of a table of `Validated` or `Upgrade`."""
    return tuple(field.name for field in fields(row))
