"""What DVC compares: equal weights are equal bytes, whatever process wrote them and where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from anonbench.models._network import create_model
from anonbench.training.checkpoint import save_network

ENTRY = {"method": "bot", "depth": 18, "input": [64, 32], "pretrained": False}


def test_equal_weights_are_equal_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = create_model(ENTRY).build(2, pretrained=False)
    save_network(tmp_path / "one.pt", network, ENTRY, 2)
    process = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: process)
    save_network(tmp_path / "other.pt", network, ENTRY, 2)
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "other.pt").read_bytes()
