"""A plug-in model for the cluster tests, small, that can take its time, fill memory, or fail."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from anonbench.tasks.reid.models import MODELS
from anonbench.tasks.reid.models._network import InputSize, ReidNetwork, TrainingOutput

NOTES = "trial.jsonl"


@MODELS.register("trial_network")
@dataclass(frozen=True)
class TrialNetwork:
    """One convolution. step_s: seconds that a step of training sleeps. hold_mb: memory that it fills meanwhile.

    name: by which each step adds a line to trial.jsonl: time, GPUs that the job sees. fails: raise instead.
    """

    name: str = "trial"
    step_s: float = 0.0
    hold_mb: int = 0
    fails: bool = False
    input_size: ClassVar[InputSize | None] = None

    def build(self, num_identities: int, pretrained: bool) -> ReidNetwork:
        if self.fails:
            raise RuntimeError("this network was made to fail")
        return _Network(self, num_identities)


class _Network(ReidNetwork):
    def __init__(self, settings: TrialNetwork, num_identities: int) -> None:
        super().__init__(feature_dim=8)
        self.settings = settings
        self.layer = nn.Conv2d(3, 8, 3, 2)
        self.classifier = nn.Linear(8, num_identities)

    def forward(self, images: Tensor) -> TrainingOutput | Tensor:
        features = self.layer(images).mean(dim=(2, 3))  # (B, 8)
        if not self.training:
            return features
        gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "none")
        note = {"name": self.settings.name, "time": time.time(), "gpus": gpus, "job": os.environ.get("SLURM_JOB_ID")}
        with Path(NOTES).open("a") as stream:
            stream.write(json.dumps(note) + "\n")
        filled = torch.ones(self.settings.hold_mb * 2**18)
        time.sleep(self.settings.step_s)
        del filled
        return TrainingOutput((self.classifier(features),), features)
