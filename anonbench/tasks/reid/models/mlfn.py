"""Multi-Level Factorisation Net (torchreid's architecture)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from anonbench.core.errors import ConfigError
from anonbench.tasks.reid.models import MODELS, _imagenet
from anonbench.tasks.reid.models._network import InputSize
from anonbench.tasks.reid.models._torchreid import TorchreidNetwork, architecture_module

PUBLISHED_CHANNELS = (64, 256, 512, 1024, 2048)


@MODELS.register("mlfn")
@dataclass(frozen=True)
class MLFN:
    """Sixteen ResNeXt-like blocks of 32 groups, each with a gate that selects among its groups.

    One head of logits. Feature and embedding are the same vector: the mean of the projected last map and the projected
    gates of all blocks, both after batch normalisation and ReLU.

    embed_dim: width of the embedding, >= 1. Published: 1024.
    channels: of the stem and the four stages, multiples of 64 behind the stem. Published: 64, 256, 512, 1024, 2048;
        fewer for machines without a GPU.
    Source: Chang et al., "Multi-Level Factorisation Net for Person Re-Identification", CVPR 2018.
    """

    embed_dim: int = 1024
    channels: tuple[int, ...] = PUBLISHED_CHANNELS
    input_size: ClassVar[InputSize | None] = None

    def __post_init__(self) -> None:
        if self.embed_dim < 1:
            raise ValueError(f"embed_dim must be >= 1, got {self.embed_dim}")
        if len(self.channels) != 5 or any(c < 64 or c % 64 for c in self.channels[1:]) or self.channels[0] < 1:
            raise ValueError(
                f"channels must be five numbers, all but the first multiples of 64, got {list(self.channels)}"
            )

    def build(self, num_identities: int, pretrained: bool) -> TorchreidNetwork:
        network = architecture_module("mlfn").MLFN(
            num_identities, loss="triplet", channels=list(self.channels), embed_dim=self.embed_dim
        )
        if pretrained:
            if self.channels != PUBLISHED_CHANNELS:
                raise ConfigError(
                    f"model 'mlfn': pretrained is true, but there are no ImageNet weights for channels "
                    f"{list(self.channels)}. Write `channels: {list(PUBLISHED_CHANNELS)}` or `pretrained: false`."
                )
            _imagenet.load_mlfn(network)
        return TorchreidNetwork(network, feature_dim=self.embed_dim)
