"""Part-based Convolutional Baseline (torchreid's architecture)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from anonbench.tasks.reid.models import MODELS, _imagenet
from anonbench.tasks.reid.models._network import InputSize
from anonbench.tasks.reid.models._torchreid import TorchreidNetwork, architecture_module, return_contiguous


@MODELS.register("pcb")
@dataclass(frozen=True)
class PCB:
    """ResNet-50 whose last map is pooled into horizontal strips, one classifier a strip.

    In training: one head of logits a strip; features are the strips, after dropout, L2-normalised over channels and
    concatenated. The embedding is the same without dropout: parts x 2048 values (12,288 at six parts), taken before
    the 256-channel reduction that feeds the classifiers. Last stride 1.

    parts: number of horizontal strips, >= 1. The paper's: 6.
    reduced_dim: channels of each strip in front of its classifier, >= 1. Published: 256.
    layers: blocks in each of the four stages. ResNet-50's: 3, 4, 6, 3; fewer for machines without a GPU.
    Source: Sun et al., "Beyond Part Models", ECCV 2018, without refined part pooling. Published at 384 x 128 pixels;
    Dietlmeier et al. 2020 use torchreid's 256 x 128.
    """

    parts: int = 6
    reduced_dim: int = 256
    layers: tuple[int, ...] = _imagenet.RESNET50_LAYERS
    input_size: ClassVar[InputSize | None] = None

    def __post_init__(self) -> None:
        if self.parts < 1 or self.reduced_dim < 1:
            raise ValueError(f"parts and reduced_dim must be >= 1, got {self.parts} and {self.reduced_dim}")

        if len(self.layers) != 4 or min(self.layers) < 1:
            raise ValueError(f"layers must be four numbers >= 1, got {list(self.layers)}")

    def build(self, num_identities: int, pretrained: bool) -> TorchreidNetwork:
        source = architecture_module("pcb")
        network = source.PCB(
            num_classes=num_identities,
            loss="triplet",
            block=source.Bottleneck,
            layers=list(self.layers),
            parts=self.parts,
            reduced_dim=self.reduced_dim,
        )
        return_contiguous(network.parts_avgpool)
        if pretrained:
            _imagenet.require_layers("pcb", self.layers)
            _imagenet.load_resnet50(network)
        return TorchreidNetwork(network, feature_dim=2048 * self.parts)
