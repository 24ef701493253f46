"""What DVC compares: equal weights are equal bytes, whatever process wrote them and where."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

import pytest
import torch

from anonbench.tasks.reid.checkpoint import save_network
from anonbench.tasks.reid.models._network import ReidNetwork


def test_equal_weights_are_equal_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = cast(ReidNetwork, torch.nn.Linear(3, 2))
    save_network(tmp_path / "one.pt", network, {"method": "linear"}, 2)
    process = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: process)
    save_network(tmp_path / "other.pt", network, {"method": "linear"}, 2)
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "other.pt").read_bytes()
