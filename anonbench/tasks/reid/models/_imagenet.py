"""ImageNet weights for the networks that start from them, through torch.hub's download and cache."""

from __future__ import annotations

import pickle
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor, nn

from anonbench.core.errors import ConfigError, MissingDependencyError

# torchvision's ResNet50_Weights.IMAGENET1K_V1, the weights that BoT, PCB and ResNet50Mid were published with.
RESNET50_URL = "https://download.pytorch.org/models/resnet50-0676ba61.pth"
MLFN_FILE = "mlfn_imagenet.pth"


RESNET50_LAYERS = (3, 4, 6, 3)


def cache_folder() -> Path:
    """Where torch.hub keeps downloaded weights (`TORCH_HOME` moves it)."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def load_resnet50(backbone: nn.Module) -> None:
    """Copy ImageNet weights into a network whose parameters are named like torchvision's `resnet50`.

    The 1000-class layer `fc` is left out. Parameters the backbone has beyond ResNet-50 keep their values.

    Raises `MissingDependencyError` when the file is neither in the cache nor downloadable.
    """
    file = cache_folder() / Path(RESNET50_URL).name
    try:
        weights = torch.hub.load_state_dict_from_url(RESNET50_URL, map_location="cpu", progress=False)
    except (URLError, OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise MissingDependencyError(
            f"ImageNet weights of ResNet-50 cannot be loaded ({error}). Put {RESNET50_URL} at {file}, "
            f"or set `pretrained: false` in the model's config entry to train from random weights."
        ) from error
    _copy(backbone, {k: v for k, v in weights.items() if not k.startswith("fc.")}, file)


def load_mlfn(network: nn.Module) -> None:
    """Copy MLFN's ImageNet weights, which torchreid's authors share by hand only, into the architecture.

    Raises `MissingDependencyError` when the file is not in the cache.
    """
    file = cache_folder() / MLFN_FILE
    try:
        weights = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise MissingDependencyError(
            f"ImageNet weights of MLFN cannot be loaded ({error}). They have no direct download: fetch the file that "
            f"torchreid's model zoo links for `mlfn` in a browser and put it at {file}, or set `pretrained: false` "
            f"in the model's config entry to train from random weights."
        ) from error
    _copy(network, {k: v for k, v in weights.items() if not k.startswith("classifier.")}, file)


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


def _copy(network: nn.Module, weights: dict[str, Tensor], file: Path) -> None:
    own = network.state_dict()
    wrong = [k for k, v in weights.items() if k not in own or own[k].shape != v.shape]
    if wrong or not weights:
        raise MissingDependencyError(
            f"{file}: not the weights of this architecture ({len(wrong)} of {len(weights)} tensors do not fit, "
            f"first: {wrong[0] if wrong else 'none'}). Remove the file and fetch it again."
        )
    network.load_state_dict(own | weights)
