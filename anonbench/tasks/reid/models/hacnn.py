"""Harmonious Attention Network (torchreid's architecture)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from anonbench.tasks.reid.models import MODELS, _imagenet
from anonbench.tasks.reid.models._network import InputSize, TrainingOutput
from anonbench.tasks.reid.models._torchreid import TorchreidNetwork, architecture_module


@MODELS.register("hacnn")
@dataclass(frozen=True)
class HACNN:
    """A small Inception network with soft attention, and a local branch on four regions found by hard attention.

    Two heads of logits (global, local). Features are both branches concatenated; the embedding is the same with each
    branch L2-normalised: 2 x feat_dim values (1,024). 160 x 64 pixels only: the sizes of the local maps are constants.

    feat_dim: width of each branch, >= 1. Published: 512.
    channels: of the three stages, multiples of 4. Published: 128, 256, 384; fewer for machines without a GPU.
    Source: Li et al., "Harmonious Attention Network for Person Re-Identification", CVPR 2018, as in torchreid. That
    code leaves `align_corners` of its spatial transformer at torch's default, which changed from True to False in
    torch 1.3: weights trained before that sample regions up to half a pixel elsewhere. We keep the present default.
    """

    feat_dim: int = 512
    channels: tuple[int, ...] = (128, 256, 384)
    input_size: ClassVar[InputSize | None] = (160, 64)

    def __post_init__(self) -> None:
        if self.feat_dim < 1:
            raise ValueError(f"feat_dim must be >= 1, got {self.feat_dim}")
        if len(self.channels) != 3 or any(c < 4 or c % 4 for c in self.channels):
            raise ValueError(f"channels must be three multiples of 4, got {list(self.channels)}")

    def build(self, num_identities: int, pretrained: bool) -> TorchreidNetwork:
        _imagenet.refuse("hacnn", pretrained)
        source = architecture_module("hacnn").HACNN
        network = source(
            num_identities, loss="triplet", nchannels=list(self.channels), feat_dim=self.feat_dim, use_gpu=False
        )
        return _HACNNNetwork(network, feature_dim=2 * self.feat_dim, input_size=self.input_size)


class _HACNNNetwork(TorchreidNetwork):
    def forward(self, images: Tensor) -> TrainingOutput | Tensor:
        self.architecture.__dict__["use_gpu"] = images.is_cuda  # it builds its transformation matrices on the CPU
        with warnings.catch_warnings():  # it calls F.upsample, and grid_sample without align_corners, 15 times an image
            warnings.filterwarnings("ignore", message="Default grid_sample|.*upsample", category=UserWarning)
            return super().forward(images)
