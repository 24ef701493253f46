"""Trained networks of instances on disk, with what rebuilds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from anonbench.core.errors import TrainingError
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
    path: Path,
    network: nn.Module,
    entry: Mapping[str, Any],
    categories: Sequence[str],
    keypoints: int,
    origin: Mapping[str, Any] | None = None,
) -> None:
    """Write a network's weights with its config entry, its classes and the number of its keypoints.

    origin: what `training.checkpoint.origin` says it was trained on.
    """
    about = {"model": dict(entry), "categories": list(categories), "keypoints": keypoints, **(origin or {})}
    checkpoint.save_network(path, network, about)


def load_network(path: Path) -> Trained:
    """Raises `TrainingError` when the file is missing, damaged, or of another architecture than the code now builds."""
    network, content = checkpoint.load_network(path, _build, STAGE)
    return Trained(network, tuple(content["categories"]), create_model(content["model"]).finds)


def take_weights(network: nn.Module, path: Path) -> int:
    """Copy the weights of a trained network into another one of the same architecture; returns how many tensors fit.

    Those of another shape are left as they are: the layers that know classes, where there are others.

    Raises `TrainingError` as `load_network` does, and for a network of which less than half fits.
    """
    own, found = network.state_dict(), load_network(path).network.state_dict()
    fitting = {name: value for name, value in found.items() if name in own and own[name].shape == value.shape}
    if 2 * len(fitting) < len(own):
        raise TrainingError(
            f"{path}: {len(fitting)} of the network's {len(own)} tensors are in it; expected a network of the same "
            f"architecture. Check `initial:` of the model."
        )
    network.load_state_dict(own | fitting)
    return len(fitting)


def _build(content: Mapping[str, Any]) -> nn.Module:
    return create_model(content["model"]).build(len(content["categories"]), content["keypoints"], load=False)
