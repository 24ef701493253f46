"""ResNet-50 with mid-level features (torchreid's architecture)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from anonbench.tasks.reid.models import MODELS, _imagenet
from anonbench.tasks.reid.models._network import InputSize
from anonbench.tasks.reid.models._torchreid import TorchreidNetwork, architecture_module


@MODELS.register("resnet50mid")
@dataclass(frozen=True)
class ResNet50Mid:
    """ResNet-50 that fuses the pooled outputs of its last three blocks.

    One head of logits. Feature and embedding are the same vector: the first two blocks of the last stage, pooled and
    projected to `fusion_dim`, then the third block pooled to 2,048 values: 3,072 in all. Last stride 2.

    fusion_dim: width of the projected mid-level features, >= 1. Published: 1024.
    layers: blocks in each of the four stages, three in the last. ResNet-50's: 3, 4, 6, 3; fewer for machines without
        a GPU.
    Source: Yu et al., "The Devil is in the Middle", arXiv:1711.08106.
    """

    fusion_dim: int = 1024
    layers: tuple[int, ...] = _imagenet.RESNET50_LAYERS
    input_size: ClassVar[InputSize | None] = None

    def __post_init__(self) -> None:
        if self.fusion_dim < 1:
            raise ValueError(f"fusion_dim must be >= 1, got {self.fusion_dim}")

        if len(self.layers) != 4 or min(self.layers) < 1 or self.layers[3] != 3:
            raise ValueError(f"layers must be four numbers >= 1, the last of them 3, got {list(self.layers)}")

    def build(self, num_identities: int, pretrained: bool) -> TorchreidNetwork:
        source = architecture_module("resnetmid")
        network = source.ResNetMid(
            num_classes=num_identities,
            loss="triplet",
            block=source.Bottleneck,
            layers=list(self.layers),
            last_stride=2,
            fc_dims=[self.fusion_dim],
        )
        if pretrained:
            _imagenet.require_layers("resnet50mid", self.layers)
            _imagenet.load_resnet50(network)
        return TorchreidNetwork(network, feature_dim=self.fusion_dim + 2048)
