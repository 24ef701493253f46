"""What every model promises."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from anonbench.core.contract import BrokenPromiseError, Contract, expect, expect_frozen
from anonbench.core.errors import ConfigError
from anonbench.tasks.reid.models import MODELS
from anonbench.tasks.reid.models._network import ENTRY_KEYS, Model, ReidNetwork, TrainingOutput, create_model

IDENTITIES, BATCH = 3, 4
DEFAULT_INPUT = (128, 64)
MALFORMED_SIZES: list[Any] = [None, [128], [128, 64, 3], "128x64", [128, 8], [128.0, 64.0]]
STEPS, LEARNING_RATE = 5, 1e-3
SHOWN = 5  # names of parameters quoted in a message


@dataclass(frozen=True)
class ModelSubject:
    """A model's config entry as far as it concerns the architecture: parameters, and `input` where it matters.

    steps: optimiser steps in which the loss must fall.
    """

    name: str
    parameters: Mapping[str, Any]
    steps: int = STEPS

    @cached_property
    def entry(self) -> dict[str, Any]:
        entry = {"method": self.name, **self.parameters}
        if "input" not in entry:
            plugin = MODELS.create(entry, ignore=ENTRY_KEYS)
            size = getattr(plugin, "input_size", None)
            entry["input"] = list(size if isinstance(size, tuple) else DEFAULT_INPUT)
        return entry

    @cached_property
    def model(self) -> Model:
        return create_model(self.entry)

    def build(self, seed: int = 0, num_identities: int = IDENTITIES) -> ReidNetwork:
        """A network with random weights, in the memory order in which it is trained."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self.model.build(num_identities, pretrained=False)
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @cached_property
    def network(self) -> ReidNetwork:
        return self.build()

    @cached_property
    def images(self) -> Tensor:
        """(BATCH, 3, H, W) float32, of about the spread of normalised pixels, channels_last."""
        with torch.inference_mode(False):  # whoever asks first: gradients pass through them later
            pixels = torch.randn(BATCH, 3, *self.entry["input"], generator=torch.Generator().manual_seed(1))
            return pixels.contiguous(memory_format=torch.channels_last)

    @property
    def labels(self) -> Tensor:
        return torch.arange(BATCH) % IDENTITIES

    def train_output(self, bf16: bool = False) -> TrainingOutput:
        """The output in train mode, without gradients; batch statistics move."""
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            return self.network.train()(self.images)


CONTRACT: Contract[ModelSubject] = Contract("model")


@CONTRACT.promise("is a frozen dataclass with `input_size`: the only (height, width) that it accepts, or None")
def is_a_value(subject: ModelSubject) -> None:
    plugin = MODELS.create(subject.entry, ignore=ENTRY_KEYS)
    expect_frozen(plugin)
    size = getattr(plugin, "input_size", "missing")
    pair = isinstance(size, tuple) and len(size) == 2 and all(type(side) is int for side in size)
    expect(
        size is None or pair,
        f"input_size is {size!r}; write `input_size: ClassVar[InputSize | None] = None` or (height, width).",
    )


@CONTRACT.promise("refuses parameters that it does not have, and sizes that it cannot work with")
def refuses_bad_entries(subject: ModelSubject) -> None:
    _refused(subject, {"no_such_thing": 1})
    for size in MALFORMED_SIZES:
        _refused(subject, {"input": size})
    if subject.model.input_size is not None:
        height, width = subject.model.input_size
        _refused(subject, {"input": [height + 32, width]})


@CONTRACT.promise("builds a ReidNetwork whose feature_dim says how wide its embedding is")
def builds_a_network(subject: ModelSubject) -> str:
    network = subject.network
    expect(isinstance(network, ReidNetwork), f"build() returned {type(network).__name__}; subclass ReidNetwork.")
    dim = getattr(network, "feature_dim", None)
    expect(type(dim) is int and dim > 0, f"feature_dim is {dim!r}; call super().__init__(feature_dim=...).")
    count = sum(p.numel() for p in network.parameters())
    height, width = subject.entry["input"]
    return f"{count / 1e6:.2f} million parameters, {dim} features, at {height} x {width} pixels"


@CONTRACT.promise("draws its weights from torch's global generator alone: the seed decides them")
def the_seed_decides(subject: ModelSubject) -> None:
    first, again, other = (_checksums(subject.build(seed)) for seed in (5, 5, 6))
    differing = [key for key in first if first[key] != again[key]]
    expect(not differing, f"{_some(differing)} differ between two networks of one seed: so would two trainings.")
    expect(first != other, "Another seed gives the same weights.")


@CONTRACT.promise("returns embeddings in eval mode: (B, feature_dim), finite, alike alone and in a batch, every time")
def embeds(subject: ModelSubject) -> None:
    network = subject.network.eval()
    with torch.inference_mode():
        embedding = network(subject.images)
        again = network(subject.images)
        alone = network(subject.images[:1])
        row_major = network(subject.images.contiguous(memory_format=torch.contiguous_format))
    expect(
        isinstance(embedding, Tensor),
        f"In eval mode it returns {type(embedding).__name__}; return a tensor `if not self.training`.",
    )
    wanted = (BATCH, network.feature_dim)
    expect(tuple(embedding.shape) == wanted, f"Shape {tuple(embedding.shape)}; expected (B, feature_dim) = {wanted}.")
    expect(embedding.isfinite().all(), "There are NaN or infinite values.")
    expect(torch.equal(embedding, again), "The same images embed differently a second time: dropout, or state kept?")
    expect(_alike(embedding[:1], alone), "An image embeds differently alone and in a batch: batch statistics in eval?")
    expect(
        _alike(embedding, row_major), "Row-major and channels_last images embed differently; do not rely on strides."
    )
    expect(not _alike(embedding[:1], embedding[1:2]), "Two different images have the same embedding.")


@CONTRACT.promise(
    "returns a TrainingOutput in train mode: logits (B, identities) a classifier, features (B, feature_dim)"
)
def returns_training_output(subject: ModelSubject) -> str:
    output = subject.train_output()
    expect(isinstance(output, TrainingOutput), f"In train mode it returns {type(output).__name__}.")
    _check_training_output(subject, output)
    return f"{len(output.logits)} classifier{'s' if len(output.logits) > 1 else ''}"


@CONTRACT.promise("comes back from its state_dict: a network loaded with it embeds to the bit alike")
def survives_saving(subject: ModelSubject) -> None:
    network = subject.network.eval()
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    other = subject.build(seed=1)
    other.load_state_dict(torch.load(file, weights_only=True))
    with torch.inference_mode():
        same = torch.equal(network(subject.images), other.eval()(subject.images))
    expect(same, "What the embedding depends on is not all in the state_dict; use parameters and register_buffer.")


@CONTRACT.promise("runs in bfloat16 autocast, or is to be trained with `precision: fp32`")
def runs_in_bfloat16(subject: ModelSubject) -> str:
    try:
        output = subject.train_output(bf16=True)
    except RuntimeError as error:
        return f"it does not: {error}; write `precision: fp32` in its recipe"
    _check_training_output(subject, output)
    return "it does"


@CONTRACT.promise("lets gradients reach every parameter, and steps of Adam lower the loss")
def learns(subject: ModelSubject) -> str:
    """The last promise: it changes the weights of `subject.network`."""
    network = subject.network.train()
    parameters = {n: p for n, p in network.named_parameters() if p.requires_grad}
    expect(parameters, "No parameter requires a gradient.")
    optimizer = torch.optim.Adam(parameters.values(), lr=LEARNING_RATE, fused=True)
    losses: list[float] = []
    by_features = ""
    with torch.random.fork_rng(devices=[]):
        for _ in range(subject.steps):
            torch.manual_seed(2)  # the same dropout in every step
            loss = _loss(network(subject.images), subject.labels)
            expect(loss.requires_grad, "The logits are cut off from every parameter: a detach() or no_grad() too many?")
            optimizer.zero_grad()
            loss.backward()
            if not losses:
                missing = [name for name, p in parameters.items() if p.grad is None]
                by_features = _reached_by_features(subject, missing)
            optimizer.step()
            losses.append(loss.item())
    course = f"loss {losses[0]:.2f} -> {losses[-1]:.2f} in {subject.steps} steps"
    expect(losses[-1] < losses[0], f"With Adam at {LEARNING_RATE}, {course}, on {BATCH} images that it should learn.")
    return f"{course}; {by_features} only through the features" if by_features else course


def _refused(subject: ModelSubject, change: dict[str, Any]) -> None:
    try:
        create_model({**subject.entry, **change})
    except ConfigError:
        return
    ((key, value),) = change.items()
    raise BrokenPromiseError(f"{key}: {value!r} is accepted; what cannot be used must stop the run.")


def _check_training_output(subject: ModelSubject, output: TrainingOutput) -> None:
    expect(
        isinstance(output.logits, tuple) and output.logits, "logits is no tuple; write (logits,) for one classifier."
    )
    for number, head in enumerate(output.logits):
        wanted = (BATCH, IDENTITIES)
        expect(
            tuple(head.shape) == wanted, f"logits[{number}] has shape {tuple(head.shape)}; expected (B, n) = {wanted}."
        )
        expect(head.isfinite().all(), f"logits[{number}] holds NaN or infinite values.")
    wanted = (BATCH, subject.network.feature_dim)
    found = tuple(output.features.shape)
    expect(found == wanted, f"features has shape {found}; expected (B, feature_dim) = {wanted}.")
    expect(output.features.is_floating_point() and output.features.isfinite().all(), "features are not finite floats.")


def _reached_by_features(subject: ModelSubject, names: list[str]) -> str:
    """Parameters that the logits do not depend on, in words; a promise is broken when the features do not either."""
    if not names:
        return ""
    features = subject.network(subject.images).features
    parameters = dict(subject.network.named_parameters())
    gradients: Sequence[Tensor | None] = [None] * len(names)
    if features.requires_grad:
        rest = [parameters[name] for name in names]
        gradients = torch.autograd.grad(features.float().pow(2).mean(), rest, allow_unused=True)
    dead = [name for name, gradient in zip(names, gradients, strict=True) if gradient is None]
    expect(
        not dead,
        f"No gradient reaches {_some(dead)}: neither logits nor features depend on them. Use them, drop them, or set "
        f"requires_grad_(False).",
    )
    return _some(names)


def _checksums(network: ReidNetwork) -> dict[str, int]:
    """A checksum of every parameter and buffer: cheaper to keep than a second network."""
    return {key: zlib.crc32(value.reshape(-1).view(torch.uint8).numpy()) for key, value in network.state_dict().items()}


def _loss(output: TrainingOutput, labels: Tensor) -> Tensor:
    return torch.stack([F.cross_entropy(head.float(), labels) for head in output.logits]).mean()


def _alike(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-3, atol=1e-4)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
