"""The weights of a training, to the bit, are those of a loop written out plainly here, in fp32 on one CPU thread.

Bits differ between kinds of processors, so no hash is kept: the plain loop runs beside the training that is checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anonbench.data.images import encode_image
from anonbench.data.seeding import derive_seed
from anonbench.detectors._tinyfaces.crops import CropSettings, TrainingCrops
from anonbench.detectors._tinyfaces.face_images import FaceImage
from anonbench.detectors._tinyfaces.losses import detection_loss, select
from anonbench.detectors._tinyfaces.network import TinyFacesNetwork
from anonbench.detectors._tinyfaces.targets import TargetSettings
from anonbench.detectors._tinyfaces.train import TrainingRecipe, train_tinyfaces
from anonbench.tasks.reid.augmentation import Augmentation
from anonbench.tasks.reid.losses import LossSettings, batch_hard_triplet, cross_entropy
from anonbench.tasks.reid.models._network import ReidNetwork
from anonbench.tasks.reid.models.bot import BoT
from anonbench.tasks.reid.models.pcb import PCB
from anonbench.tasks.reid.recipe import Recipe
from anonbench.tasks.reid.samplers import IdentitySampler
from anonbench.tasks.reid.training import train_network
from anonbench.training.optimizers import Adam
from anonbench.training.schedules import OneCycle, WarmupStep

CPU = torch.device("cpu")
SEED, IDENTITIES = 5, 5
BOT = Recipe(
    epochs=2,
    batch_size=8,
    optimizer=Adam(lr=3.5e-4),
    schedule=WarmupStep(warmup_epochs=2, milestones=(3,)),
    loss=LossSettings(triplet_weight=1.0, center_weight=5e-4),
    sampler=IdentitySampler(4, 2),
    augmentation=Augmentation(pad_crop=2, translate=0.0, erase=0.5),
    precision="fp32",
)
PARTS = Recipe(epochs=2, batch_size=6, optimizer=Adam(lr=1e-3), schedule=OneCycle(), precision="fp32")
FACES = TrainingRecipe(
    trunk="resnet18",
    pretrained=False,
    epochs=2,
    batch_size=2,
    images_per_epoch=5,
    lr=2e-4,
    step_epochs=1,
    warmup_steps=4,
    crops=CropSettings(side=64),
    targets=TargetSettings(ignore_border=False),
)


def digest(network: nn.Module) -> str:
    """sha256 over the tensors of the state, in order."""
    total = hashlib.sha256()
    for tensor in network.state_dict().values():
        total.update(tensor.contiguous().numpy().tobytes())
    return total.hexdigest()


def noise(height: int, width: int) -> tuple[Tensor, Tensor]:
    """(20, 3, height, width) uint8, stored channels last as decoded images are; (20,) labels."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (20, height, width, 3), dtype=np.uint8)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.arange(20) % IDENTITIES


def bot() -> ReidNetwork:
    return BoT(depth=18).build(IDENTITIES, pretrained=False)


def pcb() -> ReidNetwork:
    return PCB().build(IDENTITIES, pretrained=False)


def plain_reid(network: ReidNetwork, images: Tensor, labels: Tensor, recipe: Recipe) -> None:
    """What training a re-identification network means, without ranks, states or reports."""
    network.to(memory_format=torch.channels_last).train()
    loss_settings = recipe.loss
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, recipe.optimizer.lr, weight_decay=recipe.optimizer.weight_decay, fused=True)
    torch.manual_seed(derive_seed(SEED, "centers"))
    centers = torch.randn(IDENTITIES, network.feature_dim, requires_grad=True)
    for epoch in range(recipe.epochs):
        torch.manual_seed(derive_seed(SEED, "dropout", epoch))
        rng = np.random.default_rng(derive_seed(SEED, "sampler", epoch))
        batches = recipe.sampler.batches(labels.numpy(), recipe.batch_size, rng)
        for number, batch in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = recipe.optimizer.lr * recipe.schedule.factor(epoch, number / len(batches), recipe.epochs)
            indices = torch.from_numpy(batch)
            pixels = recipe.augmentation.apply(images[indices], derive_seed(SEED, "augmentation", epoch, number))
            output = network(pixels.contiguous(memory_format=torch.channels_last))
            own = labels[indices]
            loss = cross_entropy(output.logits, own, loss_settings.label_smoothing)
            if loss_settings.triplet_weight:
                triplet = batch_hard_triplet(output.features, own, loss_settings.triplet_margin)
                loss = loss + loss_settings.triplet_weight * triplet
            if loss_settings.center_weight:
                center = (output.features - centers[own]).square().sum(dim=1).mean()
                loss = loss + loss_settings.center_weight * center
            optimizer.zero_grad()
            centers.grad = None
            loss.backward()
            optimizer.step()
            if loss_settings.center_weight:
                with torch.no_grad():
                    centers -= loss_settings.center_lr * (centers.grad / loss_settings.center_weight)


def plain_tinyfaces(images: list[FaceImage]) -> TinyFacesNetwork:
    torch.manual_seed(derive_seed(SEED, "weights"))
    network = TinyFacesNetwork("resnet18").to(memory_format=torch.channels_last).train()
    crops = TrainingCrops(images, FACES.crops, FACES.targets, SEED)
    fine = list(network.score_res3.parameters())
    rest = [*network.model.parameters(), *network.score_res4.parameters()]
    optimizer = torch.optim.SGD([{"params": rest}, {"params": fine}], FACES.lr, FACES.momentum, weight_decay=5e-4)
    done = 0
    for epoch in range(FACES.epochs):
        rng = np.random.default_rng(derive_seed(SEED, "order", epoch))
        order = np.concatenate([rng.permutation(len(images)) for _ in range(3)])[: FACES.images_per_epoch]
        for step, batch in enumerate((order[0:2], order[2:4], order[4:])):
            items = [crops[epoch, int(index)] for index in batch]
            pixels, labels, targets = (torch.stack(column) for column in zip(*items, strict=True))
            lr = FACES.lr * 0.1**epoch * min(1.0, (done + 1) / FACES.warmup_steps)
            for group, factor in zip(optimizer.param_groups, (1.0, FACES.fine_head_lr), strict=True):
                group["lr"] = lr * factor
            maps = network(pixels.float().contiguous(memory_format=torch.channels_last))
            chosen = select(maps[:, :25], labels, derive_seed(SEED, "sampling", epoch, step), FACES.sampling)
            optimizer.zero_grad()
            sum(detection_loss(maps, chosen, targets)).backward()
            optimizer.step()
            done += 1
    return network


def assert_equal_bits(network: nn.Module, plain: nn.Module, initial: nn.Module) -> None:
    expected, start = plain.state_dict(), initial.state_dict()
    differing = [name for name, value in network.state_dict().items() if not torch.equal(value, expected[name])]
    assert not differing
    assert not any(torch.equal(value, start[name]) for name, value in expected.items() if name.endswith("conv1.weight"))
    print(digest(network))  # shown by pytest -s


@pytest.mark.parametrize(
    ("build", "recipe", "size"), [(bot, BOT, (48, 24)), (pcb, PARTS, (96, 48))], ids=["bot", "pcb"]
)
def test_reid_weights(build: Callable[[], ReidNetwork], recipe: Recipe, size: tuple[int, int]) -> None:
    networks = []
    for _ in range(3):
        torch.manual_seed(11)
        networks.append(build())
    images, labels = noise(*size)
    history = train_network(networks[0], images, labels, recipe, SEED, CPU)
    plain_reid(networks[1], images, labels, recipe)
    assert_equal_bits(*networks)
    assert len(history) == recipe.epochs


def test_tinyfaces_weights(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    images = []
    for number in range(3):
        file = tmp_path / f"{number}.png"
        file.write_bytes(encode_image(rng.integers(0, 256, (70, 80, 3), dtype=np.uint8), ".png", 95))
        images.append(FaceImage(file, np.array([[14.0, 8, 50, 52], [60, 20, 72, 36]]), np.array([False, number == 1])))
    network, history = train_tinyfaces(images, FACES, SEED, CPU)
    torch.manual_seed(derive_seed(SEED, "weights"))
    assert_equal_bits(network, plain_tinyfaces(images), TinyFacesNetwork("resnet18"))
    assert [row.epoch for row in history] == [1, 2]
