"""Multi-scale Deep network (torchreid's architecture)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from anonbench.tasks.reid.models import MODELS, _imagenet
from anonbench.tasks.reid.models._network import InputSize
from anonbench.tasks.reid.models._torchreid import TorchreidNetwork, architecture_module, return_contiguous

PUBLISHED_FEATURES, PUBLISHED_POOL = 4096, 4
CHANNELS, MAP = 256, (16, 8)  # of the fused map, pooled: what the fully connected layer is made for


@MODELS.register("mudeep")
@dataclass(frozen=True)
class MuDeep:
    """Parallel convolution streams of several receptive fields, fused by learned weights a channel.

    One head of logits. Feature and embedding are the same vector, after batch normalisation and ReLU. As published, its
    fully connected layer (32,768 x 4,096) holds 134 of 138 million parameters and fixes the input to 256 x 128 pixels.

    features: width of the fully connected layer, the embedding, >= 1. Published: 4096. Fewer for machines without a
        GPU.
    pool: side of the average pooling of the fused map, 2 or 4. torchreid's: 4. With 2 the input is 128 x 64 pixels,
        a quarter of the work.

    Source: Qian et al., "Multi-scale Deep Learning Architectures for Person Re-identification", ICCV 2017, as in
    torchreid, which pools the fused map by 4 (the paper does not) and trains one classifier without the paper's
    verification branch.
    """

    features: int = PUBLISHED_FEATURES
    pool: int = PUBLISHED_POOL

    def __post_init__(self) -> None:
        if self.features < 1:
            raise ValueError(f"features must be >= 1, got {self.features}")
        if self.pool not in (2, 4):
            raise ValueError(f"pool must be 2 or 4, got {self.pool}")

    @property
    def input_size(self) -> InputSize | None:
        """Two layers of stride 2 and the pooling lead from it to a map of 16 x 8."""
        return (4 * self.pool * MAP[0], 4 * self.pool * MAP[1])

    def build(self, num_identities: int, pretrained: bool) -> TorchreidNetwork:
        _imagenet.refuse("mudeep", pretrained)
        network: Any = self._small(num_identities) if self != MuDeep() else self._published(num_identities)
        return_contiguous(network.block5)
        return TorchreidNetwork(network, feature_dim=self.features, input_size=self.input_size)

    def _published(self, num_identities: int) -> nn.Module:
        network: nn.Module = architecture_module("mudeep").MuDeep(num_identities, loss="triplet")
        return network

    def _small(self, num_identities: int) -> Any:
        """The same blocks under the same names, without drawing 134 million weights first."""
        source = architecture_module("mudeep")
        network: Any = source.MuDeep.__new__(source.MuDeep)
        nn.Module.__init__(network)
        network.loss, network.feat_dim = "triplet", self.features
        network.block1, network.block2, network.block3 = source.ConvLayers(), source.MultiScaleA(), source.Reduction()
        network.block4, network.block5 = source.MultiScaleB(), source.Fusion()
        network.block5.avgpool = nn.AvgPool2d(kernel_size=self.pool, stride=self.pool)
        flat = CHANNELS * MAP[0] * MAP[1]
        network.fc = nn.Sequential(nn.Linear(flat, self.features), nn.BatchNorm1d(self.features), nn.ReLU())
        network.classifier = nn.Linear(self.features, num_identities)
        return network
