"""Trained networks of instances on disk, with what rebuilds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from anonbench.tasks.instances.models._rcnn import create_model
from anonbench.training import checkpoint

STAGE = "train_instances"


@dataclass(frozen=True)
class Trained:
    """A network of a file.

    network: on the CPU, in eval mode.
    categories: its classes; class k is categories[k - 1].
    finds: what it predicts: boxes, and masks or keypoints.
    """

    network: nn.Module
    categories: tuple[str, ...]
    finds: tuple[str, ...]


def save_network(
    path: Path, network: nn.Module, entry: Mapping[str, Any], categories: Sequence[str], keypoints: int
) -> None:
    """Write a network's weights with its config entry, its classes and the number of its keypoints."""
    about = {"model": dict(entry), "categories": list(categories), "keypoints": keypoints}
    checkpoint.save_network(path, network, about)


def load_network(path: Path) -> Trained:
    """Raises `TrainingError` when the file is missing, damaged, or of another architecture than the code now builds."""
    network, content = checkpoint.load_network(path, _build, STAGE)
    return Trained(network, tuple(content["categories"]), create_model(content["model"]).finds)


def _build(content: Mapping[str, Any]) -> nn.Module:
    return create_model(content["model"]).build(len(content["categories"]), content["keypoints"], load=False)
