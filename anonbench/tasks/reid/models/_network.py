"""The contract of every re-identification network, and the one function that builds a network from its config entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

from anonbench.core.errors import ConfigError
from anonbench.core.fields import fits, found_in_words
from anonbench.tasks.reid.models import MODELS

# Keys of a model's config entry that are not parameters of the architecture.
ENTRY_KEYS = ("input", "pretrained", "training", "evaluation")
InputSize = tuple[int, int]  # height, width in pixels

# Below this the last maps of the networks are two pixels wide, and there a bfloat16 3 x 3 convolution of stride 2 on
# CPUs (oneDNN in torch 2.13) reads memory it has not written: now and then NaN. Seen at 32, never from 48 on.
SMALLEST_SIDE = 48


class TrainingOutput(NamedTuple):
    """What a network returns in train mode.

    logits: one (B, num_identities) tensor per classifier. The classification loss is averaged over them.
    features: (B, feature_dim) tensor for the metric losses (triplet, center). Not always the embedding.
    """

    logits: tuple[Tensor, ...]
    features: Tensor


class ReidNetwork(nn.Module):
    """A network for person re-identification.

    In train mode `forward` maps (B, 3, H, W) float images, normalised with the ImageNet mean and standard deviation,
    to a `TrainingOutput`, in eval mode to (B, feature_dim) embeddings, which are compared by Euclidean or cosine
    distance.

    feature_dim: width of the embedding.
    input_size: the only (height, width) the architecture accepts, or None when any will do.
    """

    feature_dim: int
    input_size: InputSize | None

    def __init__(self, feature_dim: int, input_size: InputSize | None = None) -> None:
        super().__init__()
        self.feature_dim = feature_dim
        self.input_size = input_size

    def forward(self, images: Tensor) -> TrainingOutput | Tensor:
        raise NotImplementedError


class Model(Protocol):
    """A plug-in of kind `model`: a frozen dataclass of architecture parameters.

    input_size is known before anything is built, so that a wrong size in the config stops the run at once.
    """

    input_size: InputSize | None

    def build(self, num_identities: int, pretrained: bool) -> ReidNetwork:
        """The network with random weights drawn from torch's global generator, or with ImageNet weights."""


def create_model(entry: Mapping[str, Any]) -> Model:
    """The plug-in that a model's config entry names. Raises `ConfigError` for anything unknown in it."""
    model: Model = MODELS.create(entry, ignore=ENTRY_KEYS)
    if not fits(pretrained := entry.get("pretrained", False), bool):
        raise ConfigError(
            f"model '{entry['method']}': pretrained is {found_in_words(pretrained, bool)}; expected true or false"
        )
    read_input_size(entry, model)
    return model


def read_input_size(entry: Mapping[str, Any], model: Model) -> InputSize:
    """The (height, width) in pixels that `input:` of a model's config entry asks for.

    Raises `ConfigError` when it is missing, malformed, or not the one size the architecture accepts.
    """
    name, found = entry["method"], entry.get("input")
    if (
        not isinstance(found, Sequence)
        or isinstance(found, str)
        or len(found) != 2
        or not all(isinstance(side, int) and not isinstance(side, bool) and side >= SMALLEST_SIDE for side in found)
    ):
        raise ConfigError(
            f"model '{name}': input is {found!r}; expected [height, width] in pixels, "
            f"each >= {SMALLEST_SIDE}, e.g. [256, 128]."
        )
    size = (found[0], found[1])
    if model.input_size is not None and size != model.input_size:
        height, width = model.input_size
        raise ConfigError(
            f"model '{name}': input is {list(size)}, but the architecture accepts only {height} x {width} "
            f"(height x width). Write `input: [{height}, {width}]`."
        )
    return size
