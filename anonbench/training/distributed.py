"""One training in several processes (ranks): each sees a slice of every batch, and together they learn what one would.

Every rank has the whole plan of batches. It computes the loss of the whole batch, from its own slice of the outputs and
those of the others. Batch normalisation uses the statistics of the whole batch. Only two things differ from training
with one rank: the order in which sums are taken (rounding), and which units dropout silences.
"""

from __future__ import annotations

import contextlib
import datetime
import math
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

CPU = torch.device("cpu")
# A rank that dies is noticed by its launcher, not by a timeout: this one must outlast the decoding of a large data set.
TIMEOUT = datetime.timedelta(hours=6)


@dataclass(frozen=True)
class Ranks:
    """The processes that train one network, seen from one of them.

    rank: 0 .. count - 1. Rank 0 writes and reports.
    device: where tensors must be to be exchanged.
    With count = 1 nothing is exchanged and nothing waits.
    """

    rank: int = 0
    count: int = 1
    device: torch.device = CPU

    @property
    def main(self) -> bool:
        return self.rank == 0

    def sizes(self, length: int) -> list[int]:
        """How many of `length` things in a row each rank takes: as `torch.tensor_split` cuts them."""
        return [length // self.count + (rank < length % self.count) for rank in range(self.count)]

    def part(self, length: int) -> slice:
        """Which of `length` things in a row this rank takes."""
        sizes = self.sizes(length)
        start = sum(sizes[: self.rank])
        return slice(start, start + sizes[self.rank])

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over ranks, in place, of a tensor on `device`."""
        if self.count > 1:
            dist.all_reduce(tensor)
        return tensor

    def average(self, tensor: Tensor) -> None:
        """Replace a tensor on `device` by its mean over ranks."""
        if self.count > 1:
            self.sum(tensor).div_(self.count)

    def agree(self, value: int) -> int:
        """What rank 0 says, on every rank."""
        return int(self.sum(torch.tensor(int(value) if self.main else 0, device=self.device)))

    def wait(self) -> None:
        """Go on when every rank has come here."""
        self.agree(0)


ALONE = Ranks()


@contextlib.contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Join the ranks that the launcher has started: over NCCL, each with a separate GPU, or over gloo on CPUs.

    device: `cpu` or `cuda`. RANK, LOCAL_RANK and WORLD_SIZE are set by the launcher, as torchrun does.
    """
    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    elif "lo" in [name for _, name in socket.if_nameindex()]:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # one machine: its name need not resolve to an address
    dist.init_process_group("nccl" if device == "cuda" else "gloo", timeout=TIMEOUT)
    yield Ranks(rank, count, torch.device(device))
    dist.destroy_process_group()  # not after an error: it would wait for ranks that are no longer there


def parallel(
    network: nn.Module, ranks: Ranks, outputs: Callable[[Any], Any] = lambda output: output
) -> DistributedDataParallel:
    """Wrap a network so that its layers work for all ranks. Called with (slice of the images, size of the batch).

    It returns what `network` would for the whole batch, in float32: one tensor (B, ...), or tuples, lists and mappings
    of such tensors. Batch normalisation layers of `network` are replaced in place. Names and parameters stay.
    outputs: what is kept of the network's output, e.g. without the gradient of a part that no loss looks at.
    """
    share_batch_statistics(network, ranks)
    return DistributedDataParallel(
        _WholeBatch(network, ranks, outputs),
        forward_sync_buffers=False,  # running statistics are equal on all ranks without being sent around
        static_graph=True,  # parameters that the loss does not reach stay as they are, without a search in every step
    )


class _WholeBatch(nn.Module):
    """A network that is given a slice of a batch and returns the outputs for all of it, in float32."""

    def __init__(self, network: nn.Module, ranks: Ranks, outputs: Callable[[Any], Any]) -> None:
        super().__init__()
        self.network, self.ranks, self.outputs = network, ranks, outputs

    def forward(self, images: Tensor, batch_size: int) -> Any:
        return gather(self.outputs(self.network(images)), self.ranks.sizes(batch_size), self.ranks.rank)


def gather(output: Any, sizes: list[int], rank: int) -> Any:
    """Tensors (b, ...) of each rank to float32 tensors (B, ...) on every rank, with gradients, in one exchange.

    output: a tensor, or tuples, lists and mappings of tensors.
    sizes: b of each rank.
    """
    own: list[Tensor] = []
    _each(output, own.append)
    flat = torch.cat([tensor.float().reshape(len(tensor), -1) for tensor in own], dim=1)  # (b, sum)
    whole = _Gather.apply(flat, sizes, rank)  # (B, sum)
    columns = iter(whole.split([math.prod(tensor.shape[1:]) for tensor in own], dim=1))
    return _each(output, lambda tensor: next(columns).reshape(-1, *tensor.shape[1:]))


def _each(output: Any, function: Callable[[Tensor], Any]) -> Any:
    """The same tuples, lists and mappings with each tensor replaced by what a function makes of it, in order."""
    if isinstance(output, Tensor):
        return function(output)
    if isinstance(output, Mapping):
        return {key: _each(value, function) for key, value in output.items()}
    assert isinstance(output, (tuple, list)), f"a network returned {type(output).__name__} among its outputs"
    parts = [_each(value, function) for value in output]
    return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)  # of a named tuple, or not


class _Gather(torch.autograd.Function):
    """(b, D) of each rank to (B, D) on every rank, with gradients.

    Every rank computes the same loss from the result. The gradient of the sum of those equal losses is `count` times
    that of one; DistributedDataParallel then takes the mean over ranks and divides by `count` again.
    """

    @staticmethod
    def forward(ctx: Any, own: Tensor, sizes: list[int], rank: int) -> Tensor:
        ctx.sizes, ctx.rank = sizes, rank
        padded = own.new_zeros(max(sizes), own.shape[1])  # slices differ by one image where B is not a multiple
        padded[: len(own)] = own
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return len(ctx.sizes) * gradients[0].split(ctx.sizes)[ctx.rank], None, None


class _Sum(torch.autograd.Function):
    """The sum of a tensor over ranks, with gradients: each rank's result depends on every rank's tensor."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        total = own.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def share_batch_statistics(network: nn.Module, ranks: Ranks) -> None:
    """Replace batch normalisation layers, in place, by layers that use the statistics of the whole batch."""
    if ranks.device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, _BatchNorm):
                setattr(module, name, WholeBatchNorm.like(child))


class WholeBatchNorm(_BatchNorm):
    """Batch normalisation over the slices of all ranks. `torch.nn.SyncBatchNorm` does the same on GPUs alone."""

    @classmethod
    def like(cls, layer: _BatchNorm) -> WholeBatchNorm:
        """A layer with the parameters and buffers of another one, not copies of them."""
        new = cls(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
        new._parameters, new._buffers, new.training = layer._parameters, layer._buffers, layer.training
        return new

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions from (B, C) on."""

    def forward(self, images: Tensor) -> Tensor:
        """(b, C, ...) to the same shape and dtype; the arithmetic is float32."""
        if not self.training:
            return super().forward(images)
        values = images.float()
        axes = [0, *range(2, images.dim())]
        shape = (1, -1, *(1,) * (images.dim() - 2))  # of a value a channel
        count = values.new_tensor(images.numel() / images.shape[1])
        dist.all_reduce(count)
        # Two passes: the mean of squares less the square of the mean loses digits where the mean is large.
        mean = _Sum.apply(values.sum(axes)) / count  # (C,)
        centred = values - mean.view(shape)
        variance = _Sum.apply(centred.square().sum(axes)) / count  # (C,)
        self._track(mean.detach(), variance.detach() * count / (count - 1))
        result = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            result = result * self.weight.view(shape) + self.bias.view(shape)
        return result.to(images.dtype)

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics: exponentially, or as the mean over batches where momentum is None."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)
