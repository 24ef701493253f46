"""torchreid's metric files as oracles, loaded alone: they need NumPy only, the package itself half a dozen others."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest


class StableNumpy:
    """NumPy, except that `argsort` is stable.

    torchreid orders rows by `np.argsort` with its default algorithm, which leaves the order of equal distances to
    chance (it differs between processors). Two results can agree on ties only under one rule for them; given this
    in place of its `np`, torchreid follows the same rule as we do: equal distances in the order of their index.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def argsort(array: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.argsort(array, axis=axis, kind="stable")


def _load(file: str) -> ModuleType:
    """As the benchmarks load it; by path, since the folder of benchmarks is no installed package."""
    path = Path(__file__).parents[4] / "benchmarks" / "peers.py"
    spec = importlib.util.spec_from_file_location("benchmarks_peers", path)
    assert spec is not None
    assert spec.loader is not None
    peers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peers)
    return peers.load_torchreid_file(file)


@pytest.fixture
def torchreid_rank() -> ModuleType:
    """torchreid/reid/metrics/rank.py, fresh for every test, so that a test may patch it."""
    return _load("metrics/rank.py")


@pytest.fixture
def torchreid_rerank() -> ModuleType:
    """torchreid/reid/utils/rerank.py, fresh for every test."""
    return _load("utils/rerank.py")


@pytest.fixture
def stable_numpy() -> StableNumpy:
    return StableNumpy()
