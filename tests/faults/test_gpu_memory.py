"""A GPU without enough memory: said in a sentence, not in a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

TORCHS_WORDS = (
    "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 7.79 GiB of which 9.12 MiB is free."
)


def test_a_gpu_without_enough_memory(run_command: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(**_: object) -> None:
        raise torch.OutOfMemoryError(f"{TORCHS_WORDS}\nSee documentation for Memory Management")

    monkeypatch.setattr("anonbench.stages.train.train", refuse)
    paths = [f"--{name}={tmp_path / name}" for name in ("manifest", "root", "output", "history", "resume-dir")]
    done = run_command("train", "--spec", '{"method": "bot"}', "--seed", 0, *paths)
    assert done.status == 2
    assert done.errors.startswith(f"anonbench train: the GPU has too little memory ({TORCHS_WORDS}). `nvidia-smi`")
    assert "Traceback" not in done.errors


def test_a_bug_keeps_its_traceback(run_command: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("anonbench.stages.train.train", lambda **_: 1 / 0)
    paths = [f"--{name}={tmp_path / name}" for name in ("manifest", "root", "output", "history", "resume-dir")]
    with pytest.raises(ZeroDivisionError):
        run_command("train", "--spec", '{"method": "bot"}', "--seed", 0, *paths)
