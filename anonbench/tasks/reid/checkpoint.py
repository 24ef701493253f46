"""Trained re-identification networks on disk, with the config entry that rebuilds them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anonbench.tasks.reid.models._network import ReidNetwork, create_model
from anonbench.training import checkpoint


def save_network(
    path: Path,
    network: ReidNetwork,
    entry: Mapping[str, Any],
    num_identities: int,
    origin: Mapping[str, Any] | None = None,
) -> None:
    """Write a network's weights with what rebuilds it: its config entry and the number of training identities.

    origin: what `training.checkpoint.origin` says it was trained on.
    """
    about = {"model": dict(entry), "num_identities": num_identities, **(origin or {})}
    checkpoint.save_network(path, network, about)


def load_network(path: Path) -> tuple[ReidNetwork, dict[str, Any]]:
    """The network of a file by `save_network`, on the CPU in eval mode, and its model's config entry.

    Raises `TrainingError` when the file is missing, damaged, or of another architecture than the code now builds.
    """
    network, content = checkpoint.load_network(path, _build)
    return network, content["model"]


def _build(content: Mapping[str, Any]) -> ReidNetwork:
    return create_model(content["model"]).build(content["num_identities"], pretrained=False)
