"""Files of weights for TinyFaces that tests make: random ones in our own format."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from anonbench.detectors._tinyfaces.network import TinyFacesNetwork
from anonbench.detectors._tinyfaces.weights import save_network


def random_network(trunk: str = "resnet18", seed: int = 0, spread: float = 0.05) -> TinyFacesNetwork:
    """A network whose heads are random, too, with running statistics that are not those of a new network."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = TinyFacesNetwork(trunk)
        for head in (network.score_res3, network.score_res4):
            nn.init.normal_(head.weight, std=spread)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
    return network.eval()


def save_random_weights(path: Path, trunk: str = "resnet18") -> None:
    save_network(path, random_network(trunk))
