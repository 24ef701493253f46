"""A joint training so small that a step takes milliseconds: what tests of Study 2's tasks have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anonbench.tasks.reid.models._network import ReidNetwork, TrainingOutput
from anonbench.tasks.reversible.pairs import Noise
from anonbench.tasks.reversible.recipe import JointRecipe
from anonbench.tasks.reversible.training import JointTask
from anonbench.tasks.reversible.validation import Division, Scores, Validation, divide

CPU = torch.device("cpu")
HEIGHT, WIDTH = 32, 16
IDENTITIES, IMAGES = 5, 4
PIDS = [10 * (1 + n // IMAGES) for n in range(IDENTITIES * IMAGES)]
CAMIDS = [n % 2 for n in range(IDENTITIES * IMAGES)]
RECIPE: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 4,
    "sampler": {"identities": 2, "images": 2},
    "generator": {"levels": 4, "width": 2},
    "discriminator": {"width": 2, "layers": 1},
    "upgrade": {"every": 1},
    "precision": "fp32",
}


class TinyReid(ReidNetwork):
    """A convolution, a neck and a classifier."""

    def __init__(self, num_identities: int) -> None:
        super().__init__(feature_dim=6)
        self.conv = nn.Conv2d(3, 6, 4, 4)
        self.neck = nn.BatchNorm1d(6)
        self.classifier = nn.Linear(6, num_identities, bias=False)

    def forward(self, images: Tensor) -> TrainingOutput | Tensor:
        features = self.conv(images).relu().mean(dim=(2, 3))  # (B, 6)
        embedding = self.neck(features)
        return TrainingOutput((self.classifier(embedding),), features) if self.training else embedding


def recipe(**more: Any) -> JointRecipe:
    return JointRecipe.from_config({**RECIPE, **more})


def pictures() -> Tensor:
    """(20, 3, 32, 16) uint8: each identity has a colour of its own, and there is some noise."""
    rng = np.random.default_rng(0)
    colours = rng.integers(40, 216, (IDENTITIES, 1, 3, 1, 1))
    noise = rng.integers(-30, 30, (IDENTITIES, IMAGES, 3, HEIGHT, WIDTH))
    return torch.from_numpy((colours + noise).reshape(-1, 3, HEIGHT, WIDTH).astype(np.uint8))


def desensitized() -> Tensor:
    """The same, each picture grey in the middle of its own mean."""
    means = pictures().float().mean(dim=(2, 3), keepdim=True).expand(-1, -1, HEIGHT, WIDTH)
    return means.round().to(torch.uint8).contiguous()


class Foreseen(Validation):
    """A validation whose scores are given beforehand, one an epoch; the last one is repeated."""

    foreseen: list[Scores]

    def look(self, *networks: nn.Module) -> Scores:
        super().look(*networks)
        return self.foreseen.pop(0) if len(self.foreseen) > 1 else self.foreseen[0]


def validation(settings: JointRecipe, kind: type[Validation] = Validation) -> tuple[Division, Validation]:
    division = divide(PIDS, CAMIDS, settings.validation, seed=0)
    return division, kind(division, pictures(), desensitized(), PIDS, CAMIDS, "cosine", CPU, "fp32")


def joint_task(
    settings: JointRecipe,
    reference: float | None = None,
    noise: Noise | None = None,
    foreseen: list[Scores] | None = None,
) -> JointTask:
    """A joint training that has not begun."""
    division, looked_at = validation(settings, Validation if foreseen is None else Foreseen)
    if foreseen is not None:
        assert isinstance(looked_at, Foreseen)
        looked_at.foreseen = list(foreseen)
    taught = torch.from_numpy(division.train)
    labels = torch.from_numpy(np.unique(np.array(PIDS)[division.train], return_inverse=True)[1])
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = TinyReid(int(labels.max()) + 1)
    wanted = noise or desensitized()[taught]
    return JointTask(network, pictures()[taught], wanted, labels, looked_at, settings, reference)


def weights(*networks: nn.Module) -> list[Tensor]:
    return [weight.detach().clone() for network in networks for weight in network.parameters()]


def moved(before: list[Tensor], *networks: nn.Module) -> bool:
    return any(not torch.equal(a, b) for a, b in zip(before, weights(*networks), strict=True))
