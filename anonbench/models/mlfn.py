"""Multi-Level Factorisation Net (torchreid's architecture)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from anonbench.models import _imagenet
from anonbench.models._network import InputSize
from anonbench.models._torchreid import TorchreidNetwork, architecture_module
from anonbench.registry import MODELS


@MODELS.register("mlfn")
@dataclass(frozen=True)
class MLFN:
    """Sixteen ResNeXt-like blocks of 32 groups, each with a gate that selects among its groups.

    One head of logits. Feature and embedding are the same vector: the mean of the projected last map and the projected
    gates of all blocks, both after batch normalisation and ReLU.

    embed_dim: width of the embedding, >= 1. Published: 1024.
    Source: Chang et al., "Multi-Level Factorisation Net for Person Re-Identification", CVPR 2018.
    """

    embed_dim: int = 1024
    input_size: ClassVar[InputSize | None] = None

    def __post_init__(self) -> None:
        if self.embed_dim < 1:
            raise ValueError(f"embed_dim must be >= 1, got {self.embed_dim}")

    def build(self, num_identities: int, pretrained: bool) -> TorchreidNetwork:
        network = architecture_module("mlfn").MLFN(num_identities, loss="triplet", embed_dim=self.embed_dim)
        if pretrained:
            _imagenet.load_mlfn(network)
        return TorchreidNetwork(network, feature_dim=self.embed_dim)
