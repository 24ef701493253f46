"""Which of a machine's GPUs a job takes: free ones, that no other job of ours on this machine has taken.

Nothing here imports torch: which GPUs a process sees must be settled before that.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from anonbench.core.errors import ConfigError
from anonbench.core.locks import lock

logger = logging.getLogger(__name__)
VISIBLE = "CUDA_VISIBLE_DEVICES"  # which GPUs CUDA offers to a process, by number or by UUID
POLL_SECONDS = 1.0
LISTING_SECONDS = 30  # nvidia-smi may have to wake the driver

# The locks that this process has: GPU -> open file. The kernel drops a lock when its process ends, however it ends.
_claimed: dict[str, int] = {}


def gpu_count() -> int:
    """How many GPUs this process may use: those of the machine, unless CUDA_VISIBLE_DEVICES narrows them."""
    return len(gpu_ids())


def gpu_ids() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; none where torch was built without CUDA.

    With multi-instance GPUs (MIG) each instance counts as one, under its UUID.
    """
    if _torch_without_cuda():
        return []
    if VISIBLE in os.environ:
        # CUDA ignores a number that is not there and everything after it; -1 is how users hide all GPUs.
        named = [name.strip() for name in os.environ[VISIBLE].split(",")]
        stop = next((i for i, name in enumerate(named) if not name or name.startswith("-")), len(named))
        return named[:stop]
    if shutil.which("nvidia-smi"):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            command = ["nvidia-smi", "-L"]
            listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=LISTING_SECONDS)
            return _read_listing(listed.stdout)
    folder = Path("/proc/driver/nvidia/gpus")
    return [str(number) for number in range(len(list(folder.iterdir())))] if folder.is_dir() else []


def claim_gpus(device: str, count: int = 1, ids: Sequence[str] | None = None, folder: Path | None = None) -> None:
    """Take `count` free GPUs for this process and hide all others from it, waiting for other jobs to end if need be.

    Jobs avoid each other by locks on files, which only our jobs know. Under SLURM the scheduler has chosen, and there
    is something left to choose only where several jobs share its choice. A process keeps what it has claimed: claiming
    again gives the same.

    device: auto, cpu, cuda. Nothing is claimed for `cpu`, nor where there is no GPU (torch will say so, or do without).
    ids: the GPUs to choose from; those of `gpu_ids` when left out.
    folder: of the locks.

    Raises `ConfigError` when more GPUs are asked for than there are.
    """
    candidates = gpu_ids() if ids is None else list(ids)
    if device == "cpu" or not candidates:
        return
    if len(candidates) < count:
        raise ConfigError(
            f"{count} GPUs are asked for, but only {len(candidates)} can be seen here ({', '.join(candidates)}). Lower "
            f"`gpus:` of the model, or run it where there are more (`nvidia-smi -L` and {VISIBLE} tell)."
        )
    chosen_by_slurm = "SLURM_JOB_ID" in os.environ and VISIBLE in os.environ
    if chosen_by_slurm and len(candidates) == count:
        return
    if folder is None:
        # Within a job of SLURM GPUs may be numbered from 0 again.
        job = f"-{os.environ['SLURM_JOB_ID']}" if chosen_by_slurm else ""
        folder = Path(f"/tmp/anonbench-gpus-{os.getuid()}{job}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    announced = False
    while not _claim(candidates, count, folder):
        if not announced:
            logger.info("waiting for %d of the GPUs %s: other jobs have them", count, ", ".join(candidates))
            announced = True
        time.sleep(POLL_SECONDS)
    os.environ[VISIBLE] = ",".join(list(_claimed)[:count])


def _claim(candidates: Sequence[str], count: int, folder: Path) -> bool:
    """Take so many of the candidates that this process has `count`; none of them when they do not suffice."""
    choosing = lock(folder / "choosing", wait=True)  # two jobs that want two GPUs each must not end up with one each
    taken: dict[str, int] = {}
    try:
        for name in candidates:
            if len(_claimed) + len(taken) < count and name not in _claimed:
                descriptor = lock(folder / name, wait=False)
                if descriptor is not None:
                    taken[name] = descriptor
        if len(_claimed) + len(taken) == count:
            _claimed.update(taken)
            taken = {}
        return len(_claimed) >= count
    finally:
        for descriptor in (*taken.values(), choosing):
            if descriptor is not None:
                os.close(descriptor)


def _read_listing(text: str) -> list[str]:
    """The GPUs that `nvidia-smi -L` lists, by number; by UUID the instances of those that are cut up.

    A GPU in MIG mode without instances cannot be used at all, but is not told apart here.
    """
    found: list[str] = []
    for line in text.splitlines():
        if whole := re.match(r"GPU (\d+):", line):
            found.append(whole[1])
        elif instance := re.search(r"\(UUID: (MIG-[^)]+)\)", line):
            if found and found[-1].isdecimal():
                found.pop()
            found.append(instance[1])
    return found


def _torch_without_cuda() -> bool:
    """Whether the torch of this interpreter is a build that no GPU helps. Unknown without torch: then it may be."""
    module = sys.modules.get("torch")
    if module is not None:
        return bool(module.version.cuda is None)
    spec = importlib.util.find_spec("torch")  # finds, does not import
    if spec is None or spec.origin is None:
        return False
    text = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
    return re.search(r"^cuda\b.*=\s*None\s*$", text, re.MULTILINE) is not None
