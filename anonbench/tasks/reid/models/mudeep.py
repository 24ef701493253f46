"""Multi-scale Deep network (torchreid's architecture)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from anonbench.tasks.reid.models import MODELS, _imagenet
from anonbench.tasks.reid.models._network import InputSize
from anonbench.tasks.reid.models._torchreid import TorchreidNetwork, architecture_module, return_contiguous


@MODELS.register("mudeep")
@dataclass(frozen=True)
class MuDeep:
    """Parallel convolution streams of several receptive fields, fused by learned weights a channel.

    One head of logits. Feature and embedding are the same 4,096 values, after batch normalisation and ReLU. Its fully
    connected layer (32,768 x 4,096) holds 134 of 138 million parameters and fixes the input to 256 x 128 pixels.

    Source: Qian et al., "Multi-scale Deep Learning Architectures for Person Re-identification", ICCV 2017, as in
    torchreid, which pools the fused map by 4 (the paper does not) and trains one classifier without the paper's
    verification branch.
    """

    input_size: ClassVar[InputSize | None] = (256, 128)

    def build(self, num_identities: int, pretrained: bool) -> TorchreidNetwork:
        _imagenet.refuse("mudeep", pretrained)
        network = architecture_module("mudeep").MuDeep(num_identities, loss="triplet")
        return_contiguous(network.block5)
        return TorchreidNetwork(network, feature_dim=4096, input_size=self.input_size)
