"""Optimizers of a recipe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from anonbench.core import checks as _checks


@dataclass(frozen=True)
class Adam:
    """Adam with L2 regularisation added to the gradient (not AdamW), on biases and batch normalisation too.

    lr: peak learning rate, > 0. Default: the paper's 3e-3. torchreid's own default and results use 3e-4, BoT 3.5e-4.
    weight_decay: >= 0.
    betas: decay of the two moments, within 0..1.
    Source: Dietlmeier et al. 2020, section IV-A. Weight decay from torchreid and BoT.
    """

    lr: float = 3e-3
    weight_decay: float = 5e-4
    betas: tuple[float, float] = (0.9, 0.999)

    def __post_init__(self) -> None:
        _checks.number("lr", self.lr, 0, above=True)
        _checks.number("weight_decay", self.weight_decay, 0)
        _checks.pair("betas", self.betas, 0, 1)

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, self.lr, self.betas, weight_decay=self.weight_decay, fused=True)


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent.

    lr: peak learning rate, > 0.
    weight_decay: >= 0.
    momentum: 0..1.
    nesterov: Nesterov's form of momentum.
    """

    lr: float = 0.03
    weight_decay: float = 5e-4
    momentum: float = 0.9
    nesterov: bool = False

    def __post_init__(self) -> None:
        _checks.number("lr", self.lr, 0, above=True)
        _checks.number("weight_decay", self.weight_decay, 0)
        _checks.number("momentum", self.momentum, 0, 1)
        _checks.choice("nesterov", self.nesterov, (True, False))
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov is true without momentum; set momentum above 0")

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            parameters, self.lr, self.momentum, weight_decay=self.weight_decay, nesterov=self.nesterov, fused=True
        )


Optimizer = Adam | SGD
