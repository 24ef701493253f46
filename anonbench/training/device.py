"""Where and how precisely a network runs."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator

import torch
from torch import nn

from anonbench.core.errors import ConfigError

DEVICES = ("auto", "cpu", "cuda")


def select_device(name: str, threads: int) -> torch.device:
    """The device that `auto`, `cpu` or `cuda` means here. Also sets torch's number of CPU threads.

    Two jobs of two threads each on two cores run 5-10 times slower than two of one: `threads` must be what the
    scheduler has reserved.

    Raises `ConfigError` for another name, or for `cuda` where there is none.
    """
    if name not in DEVICES:
        raise ConfigError(f"device is '{name}'; expected one of {', '.join(DEVICES)}")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "device is 'cuda', but torch sees no GPU. Install a CUDA build of torch, check `nvidia-smi`, or write "
            "`device: auto`."
        )
    if threads < 1:
        raise ConfigError(f"threads is {threads}; expected an integer >= 1")
    torch.set_num_threads(threads)
    keep_freed_memory()
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def keep_freed_memory() -> None:
    """Let glibc's allocator reuse large blocks instead of returning them to the kernel. Elsewhere do nothing.

    A returned block costs its page faults again at the next step. MuDeep, whose matrix of 134 million weights is cast
    to bfloat16 in every step, trains 1.8 times faster (one thread, batch 16: 0.29 -> 0.16 s an image).
    """
    mmap_max, trim_threshold = -4, -1  # M_MMAP_MAX, M_TRIM_THRESHOLD of malloc.h
    with contextlib.suppress(AttributeError, OSError):  # not glibc
        allocator = ctypes.CDLL(None)
        allocator.mallopt(mmap_max, 0)
        allocator.mallopt(trim_threshold, -1)


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether `auto`, `fp32` or `bf16` means bfloat16 on this device."""
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    features = torch.cpu.get_capabilities()
    return any(features.get(name, False) for name in ("amx_bf16", "avx512_bf16"))


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """The context in which a network's forward pass runs at a recipe's precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=uses_bfloat16(precision, device))


def exact_if(narrow: bool) -> torch.autocast | contextlib.nullcontext[None]:
    """The context for a convolution on a CPU: without autocast where its maps are one pixel wide, else unchanged.

    narrow: whether what goes in or what comes out is one pixel wide. Give the layer float32 then.

    In bfloat16 such convolutions of torch 2.13.0, or their gradients, now and then are what lay in memory before,
    not-a-numbers among it. On a processor with AMX more of them are (findings/torch_bfloat16_narrow_maps.sh).
    """
    return torch.autocast("cpu", enabled=False) if narrow else contextlib.nullcontext()


def place(network: nn.Module, device: torch.device, channels_last: bool) -> None:
    """Move a network to a device, in place, its convolution weights in the memory order of the maps to come."""
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    network.to(device).to(memory_format=memory_format)  # type: ignore[call-overload]


@contextlib.contextmanager
def reproducible(precision: str, device: torch.device) -> Iterator[None]:
    """Make float32 on a GPU mean float32 and repeat itself; nothing to do on a CPU or in bfloat16.

    TensorFloat-32 is off and cuDNN uses its deterministic algorithms. PCB's and HACNN's pooling and sampling layers
    have no deterministic gradient on GPUs. BoT's, MLFN's and ResNet50Mid's layers do.
    """
    if device.type != "cuda" or uses_bfloat16(precision, device):
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        matmul = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = False
        try:
            yield
        finally:
            torch.backends.cuda.matmul.allow_tf32 = matmul
