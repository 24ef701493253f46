"""Which GPU a job takes."""

from __future__ import annotations

from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/gpus")


def gpu_count() -> int:
    """GPUs of this machine, without loading torch."""
    return len(list(DRIVER.iterdir())) if DRIVER.is_dir() else 0
