"""ImageNet weights for the networks that start from them, through torch.hub's download and cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from anonbench.core.errors import ConfigError, MissingDependencyError

# torchvision's ResNet50_Weights.IMAGENET1K_V1, the weights that BoT, PCB and ResNet50Mid were published with.
RESNET50_URL = "https://download.pytorch.org/models/resnet50-0676ba61.pth"
RESNET50_PARTS = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")
MLFN_FILE = "mlfn_imagenet.pth"
SHOWN = 3  # tensors named in a message, of each kind
RESNET50_LAYERS = (3, 4, 6, 3)


def cache_folder() -> Path:
    """Where torch.hub keeps downloaded weights (`TORCH_HOME` moves it)."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def load_resnet50(backbone: nn.Module) -> None:
    """Copy ImageNet weights into a network whose parameters are named like torchvision's `resnet50`.

    The 1000-class layer `fc` is left out. Layers that the backbone has beyond ResNet-50 keep their values.

    Raises `MissingDependencyError` when the file is neither in the cache nor downloadable, or not all are in it.
    """
    file = cache_folder() / Path(RESNET50_URL).name
    weights = _read(
        lambda: torch.hub.load_state_dict_from_url(RESNET50_URL, map_location="cpu", progress=False),
        "ResNet-50",
        f"Put {RESNET50_URL} at {file}",
    )
    _copy(backbone, weights, file, {key for key in backbone.state_dict() if key.split(".")[0] in RESNET50_PARTS}, "fc")


def load_mlfn(network: nn.Module) -> None:
    """Copy MLFN's ImageNet weights, which torchreid's authors share by hand only, into the architecture.

    Raises `MissingDependencyError` when the file is not in the cache, or not all are in it.
    """
    file = cache_folder() / MLFN_FILE
    weights = _read(
        lambda: torch.load(file, map_location="cpu", weights_only=True),
        "MLFN",
        f"They have no direct download: fetch the file that torchreid's model zoo links for `mlfn` in a browser and "
        f"put it at {file}",
    )
    _copy(
        network, weights, file, {key for key in network.state_dict() if key.split(".")[0] != "classifier"}, "classifier"
    )


def refuse(name: str, pretrained: bool) -> None:
    """Raise `ConfigError` when ImageNet weights are asked of an architecture that has none."""
    if pretrained:
        raise ConfigError(
            f"model '{name}': pretrained is true, but no ImageNet weights exist for this architecture (it is trained "
            f"from scratch in the literature). Write `pretrained: false`."
        )


def require_layers(name: str, layers: tuple[int, ...]) -> None:
    """Raise `ConfigError` when ImageNet weights are asked of a network with other stages than ResNet-50's."""
    if tuple(layers) != RESNET50_LAYERS:
        raise ConfigError(
            f"model '{name}': pretrained is true, but there are no ImageNet weights for layers {list(layers)}. "
            f"Write `layers: {list(RESNET50_LAYERS)}` or `pretrained: false`."
        )


def _read(load: Callable[[], Any], name: str, advice: str) -> Mapping[str, Any]:
    """What a file of weights holds. torch raises whatever its parsers meet in a file that is missing or damaged."""
    try:
        weights = load()
        problem = "" if isinstance(weights, Mapping) else f"it holds {type(weights).__name__}, not tensors by name"
    except Exception as error:
        weights, problem = {}, f"{type(error).__name__}: {error}".rstrip(": ")
    if problem:
        raise MissingDependencyError(
            f"ImageNet weights of {name} cannot be loaded ({problem}). {advice}, or set `pretrained: false` in the "
            f"model's config entry to train from random weights."
        )
    return weights


def _copy(network: nn.Module, weights: Mapping[str, Any], file: Path, needed: set[str], classifier: str) -> None:
    """Copy weights into a network; the classifier's are left out.

    needed: the network's tensors that must be in the file. Counters of batches, which old files lack, need not.
    """
    own = network.state_dict()
    found = {key: value for key, value in weights.items() if str(key).split(".")[0] != classifier}
    tensors = {key: value for key, value in found.items() if isinstance(value, Tensor)}
    wanted = [key for key in own if key in needed and not key.endswith(".num_batches_tracked")]
    faults = {
        "missing": ([key for key in wanted if key not in found], len(wanted)),
        "unknown": ([key for key in found if key not in own], len(found)),
        "of another shape": ([k for k in found if k in own and (k not in tensors or own[k].shape != tensors[k].shape)],
                             len(found)),
        "not finite": ([key for key, value in tensors.items() if not value.double().isfinite().all()], len(found)),
    }  # fmt: skip
    report = "; ".join(
        f"{len(keys)} of {of} tensors {what}: {_some(keys)}" for what, (keys, of) in faults.items() if keys
    )
    if report:
        raise MissingDependencyError(
            f"{file}: not the weights of this architecture. {report}. Expected every tensor but those of "
            f"`{classifier}`. Remove the file and fetch it again, or set `pretrained: false` in the model's entry."
        )
    network.load_state_dict(own | tensors)


def _some(keys: list[Any]) -> str:
    more = len(keys) - SHOWN
    return ", ".join(map(str, keys[:SHOWN])) + (f" and {more} more" if more > 0 else "")
