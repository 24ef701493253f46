"""Several ranks learn what one learns. Run on CPUs over gloo; a rank is a process that imports this module."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from test_fit import ALWAYS, CPU, EVERYTHING, KilledError, coloured_images, identical, untimed
from torch import Tensor, nn

from anonbench.core.errors import ConfigError
from anonbench.data.images import encode_image
from anonbench.tasks.reid.losses import LossSettings
from anonbench.tasks.reid.models._network import ReidNetwork, TrainingOutput
from anonbench.tasks.reid.models.bot import BoT
from anonbench.tasks.reid.recipe import Recipe
from anonbench.tasks.reid.samplers import IdentitySampler
from anonbench.tasks.reid.training import check_ranks, train_network
from anonbench.training import loading as data
from anonbench.training.checkpoint import Resume
from anonbench.training.distributed import ALONE, Ranks, gather, joined, share_batch_statistics
from anonbench.training.fit import _Loop
from anonbench.training.launch import launch
from anonbench.training.loading import load_images
from anonbench.training.optimizers import SGD, Adam
from anonbench.training.progress import EpochSummary
from anonbench.training.schedules import Constant

# Largest difference of a tensor of weights, relative to its largest value. What differs between one rank and two is the
# order in which sums are taken. Seen after 2 to 12 steps: 2e-6, as much as one rank differs from itself when its
# initial weights are changed by one part in ten million. Adam may turn the rounding error of a tiny gradient into a
# step; here it did not.
TOLERANCE = 1e-4
ADAM_TOLERANCE = 1e-3

METRIC = dataclasses.replace(EVERYTHING, epochs=4, optimizer=SGD(lr=0.02))
SOFTMAX = Recipe(epochs=4, batch_size=8, optimizer=SGD(lr=0.05), schedule=Constant(), precision="fp32")
BOT = dataclasses.replace(
    METRIC, epochs=1, optimizer=SGD(lr=1e-3), loss=LossSettings(triplet_weight=1.0, center_weight=5e-4)
)


class TwoHeads(ReidNetwork):
    """Batch normalisation of maps and of vectors, two classifiers, and a layer that the loss never reaches.

    Smooth: at the kink of a ReLU or of a maximum rounding may choose the other side (seen: 1e-4 in the weights).
    """

    def __init__(self, identities: int = 5) -> None:
        super().__init__(feature_dim=16)
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, bias=False), nn.BatchNorm2d(8), nn.Softplus())
        self.embedding = nn.Linear(16, 16)
        self.neck = nn.BatchNorm1d(16, momentum=None)  # averages over all batches
        self.neck.bias.requires_grad_(False)
        self.heads = nn.ModuleList([nn.Linear(16, identities), nn.Linear(16, identities)])
        self.unreached = nn.Linear(2, 2)

    def forward(self, images: Tensor) -> TrainingOutput | Tensor:
        maps = self.body(images)
        features = self.embedding(torch.cat([maps.mean(dim=(2, 3)), maps.square().mean(dim=(2, 3))], dim=1))
        embedding = self.neck(features)
        if not self.training:
            return embedding
        return TrainingOutput(tuple(head(embedding) for head in self.heads), features)


@dataclasses.dataclass(frozen=True)
class Case:
    recipe: Recipe
    network: Callable[[], ReidNetwork] = TwoHeads
    images: int = 20
    tolerance: float = TOLERANCE


def bot() -> ReidNetwork:
    return BoT(depth=18).build(5, pretrained=False)


CASES = {
    "metric losses on P x K batches": Case(METRIC),
    "identities cut in two": Case(dataclasses.replace(METRIC, batch_size=6, sampler=IdentitySampler(3, 2))),
    "softmax": Case(SOFTMAX),
    "one batch of 13 images": Case(dataclasses.replace(METRIC, batch_size=64, sampler=SOFTMAX.sampler), images=13),
    "adam": Case(dataclasses.replace(METRIC, optimizer=Adam(lr=1e-3)), tolerance=ADAM_TOLERANCE),
    "bot": Case(BOT, network=bot),
}


def train_case(
    case: Case, ranks: Ranks = ALONE, resume: Resume | None = None
) -> tuple[ReidNetwork, list[EpochSummary]]:
    images, labels = coloured_images()
    torch.manual_seed(3)
    network = case.network()
    # Rank 0's weights are everybody's, even where another one has drawn others.
    with torch.no_grad():
        next(network.parameters()).add_(ranks.rank)
    images, labels = images[: case.images], labels[: case.images]
    return network, train_network(network, images, labels, case.recipe, 1, CPU, resume, ranks)


class Memory:
    """A memory of so many bytes, while the block runs."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __enter__(self) -> None:
        self.real, data.available_memory = data.available_memory, lambda: self.size

    def __exit__(self, *_: object) -> None:
        data.available_memory = self.real


def in_a_rank(folder: Path) -> None:
    """Everything that two ranks are asked for, in one go: starting them takes seconds."""
    torch.set_num_threads(1)
    with joined("cpu") as ranks:
        results = {name: train_case(case, ranks) for name, case in CASES.items()}
        results["resumed"] = train_in_two_goes(CASES["softmax"], ranks, folder)
        saved = {name: (network.state_dict(), history) for name, (network, history) in results.items()}
        torch.save(saved, folder / f"{ranks.rank}.pt")
        names = sorted(path.name for path in folder.glob("*.png"))
        with Memory(2 * 2 * len(names) * 40 * 20 * 3 - 1):  # a byte too little for two copies in half of it
            mapped = load_images(folder, names, (40, 20), 1, folder / "cache", ranks)
        assert "pixels.uint8 (deleted)" in Path("/proc/self/maps").read_text()
        assert not list((folder / "cache").iterdir())
        torch.save(mapped, folder / f"images{ranks.rank}.pt")
        torch.save(gather(outputs(ranks.part(5)), ranks.sizes(5), ranks.rank), folder / f"gathered{ranks.rank}.pt")


def outputs(part: slice) -> dict:
    """What a network may return, of these images of a batch of five."""
    numbers = torch.arange(5.0)[part]
    return {
        "maps": numbers.view(-1, 1, 1) * torch.ones(2, 3),
        "more": [numbers.double(), (numbers > 2, numbers[:, None])],
    }


def train_in_two_goes(case: Case, ranks: Ranks, folder: Path) -> tuple[ReidNetwork, list[EpochSummary]]:
    resume, save = Resume(folder / "resume", key="k", share=ALWAYS), _Loop.save

    def save_and_stop(self: _Loop, resume: Resume | None) -> None:
        save(self, resume)
        if len(self.history) == 2:
            ranks.wait()
            raise KilledError

    _Loop.save = save_and_stop
    try:
        train_case(case, ranks, resume)
    except KilledError:
        pass
    finally:
        _Loop.save = save
    assert resume.file.exists()
    return train_case(case, ranks, resume)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two ranks left."""
    folder = tmp_path_factory.mktemp("ranks")
    rng = np.random.default_rng(0)
    for number in range(5):
        pixels = rng.integers(0, 256, (60, 30, 3), dtype=np.uint8)
        (folder / f"{number}.png").write_bytes(encode_image(pixels, ".png", 90))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        launch(in_a_rank, {"folder": folder}, ranks=2, threads=2)
    return folder


def left_by(folder: Path, rank: int) -> dict:
    with torch.serialization.safe_globals([EpochSummary]):
        return torch.load(folder / f"{rank}.pt")


def difference(first: Tensor, second: Tensor) -> float:
    return float((first.double() - second.double()).abs().max() / second.double().abs().max().clamp(min=1e-3))


@pytest.mark.parametrize("name", CASES)
def test_two_ranks_learn_what_one_learns(name: str, folder: Path) -> None:
    case = CASES[name]
    weights, history = left_by(folder, 0)[name]
    alone, expected = train_case(case)
    untrained = train_case(dataclasses.replace(case, recipe=dataclasses.replace(case.recipe, epochs=0)))[0]
    assert list(weights) == list(alone.state_dict())
    differences = {key: difference(weights[key], value) for key, value in alone.state_dict().items()}
    assert max(differences.values()) < case.tolerance, differences
    first = next(iter(weights))
    assert difference(untrained.state_dict()[first], weights[first]) > 5 * case.tolerance
    assert [row.epoch for row in history] == [row.epoch for row in expected]
    assert [row.values["loss"] for row in history] == pytest.approx(
        [row.values["loss"] for row in expected], rel=case.tolerance
    )
    assert [row.values["accuracy"] for row in history] == [row.values["accuracy"] for row in expected]
    assert [row.lr for row in history] == [row.lr for row in expected]


def test_ranks_end_with_the_same_weights_to_the_bit(folder: Path) -> None:
    first, second = left_by(folder, 0), left_by(folder, 1)
    for name, (weights, history) in first.items():
        others, other_history = second[name]
        assert all(torch.equal(value, others[key]) for key, value in weights.items()), name
        assert untimed(history) == untimed(other_history)


def test_interrupted_ranks_end_like_undisturbed_ones(folder: Path) -> None:
    left = left_by(folder, 0)
    assert len(left["resumed"][1]) == 4
    assert all(torch.equal(value, left["softmax"][0][key]) for key, value in left["resumed"][0].items())
    assert untimed(left["resumed"][1]) == untimed(left["softmax"][1])


def test_one_process_goes_on_where_two_ranks_stopped(folder: Path) -> None:
    case = dataclasses.replace(CASES["softmax"], recipe=dataclasses.replace(SOFTMAX, epochs=5))
    network, history = train_case(case, resume=Resume(folder / "resume", key="k"))
    expected, rows = train_case(case)
    assert [row.values["loss"] for row in history] == pytest.approx([row.values["loss"] for row in rows], rel=TOLERANCE)
    differences = [difference(v, expected.state_dict()[k]) for k, v in network.state_dict().items()]
    assert max(differences) < TOLERANCE


def test_ranks_map_one_file_that_they_make_together(folder: Path) -> None:
    names = sorted(path.name for path in folder.glob("*.png"))
    expected = load_images(folder, names, (40, 20), 1)
    for rank in range(2):
        assert torch.equal(torch.load(folder / f"images{rank}.pt"), expected)


def test_outputs_of_any_shape_are_gathered(folder: Path) -> None:
    whole = outputs(slice(None))
    for rank in range(2):
        found = torch.load(folder / f"gathered{rank}.pt")
        assert list(found) == list(whole)
        assert torch.equal(found["maps"], whole["maps"])
        scores, (large, column) = found["more"]
        assert torch.equal(scores, torch.arange(5.0))
        assert large.tolist() == [0, 0, 0, 1, 1]
        assert torch.equal(column, whole["more"][1][1])


def test_every_batch_is_shared_out_once() -> None:
    for length in range(12):
        for count in range(1, 5):
            parts = [Ranks(rank, count).part(length) for rank in range(count)]
            expected = [part.tolist() for part in torch.arange(length).tensor_split(count)]
            assert [list(range(length))[part] for part in parts] == expected
            assert Ranks(0, count).sizes(length) == [len(part) for part in expected]


@pytest.mark.parametrize(
    ("batch_size", "ranks", "images", "message"),
    [
        (8, 3, 100, "training.batch_size is 8 and gpus is 3; expected a batch_size that is a multiple of gpus"),
        (4, 4, 100, "training.batch_size is 4 and gpus is 4; expected .* and at least 8"),
        (8, 4, 7, "gpus is 4, but the training set has 7 images; expected at least 8, two for each GPU"),
    ],
)
def test_batches_that_cannot_be_shared_out(batch_size: int, ranks: int, images: int, message: str) -> None:
    recipe = dataclasses.replace(SOFTMAX, batch_size=batch_size)
    with pytest.raises(ConfigError, match=message):
        check_ranks(recipe, ranks, images)
    check_ranks(recipe, 1, images)
    check_ranks(recipe, 2, images)


def test_layers_are_replaced_under_their_names() -> None:
    network = TwoHeads()
    before, parameters = dict(network.state_dict()), list(network.parameters())
    share_batch_statistics(network, Ranks(0, 2))
    assert list(network.state_dict()) == list(before)
    assert all(a is b for a, b in zip(parameters, network.parameters(), strict=True))
    assert not [module for module in network.modules() if type(module) in (nn.BatchNorm1d, nn.BatchNorm2d)]
    images = coloured_images()[0][:4].float()
    assert torch.equal(network.eval()(images), TwoHeads.forward(network, images))


def test_one_rank_exchanges_nothing() -> None:
    tensor = torch.ones(2)
    assert ALONE.sum(tensor) is tensor
    assert ALONE.agree(7) == 7
    ALONE.wait()
    ALONE.average(tensor)
    assert tensor.tolist() == [1, 1]
    assert ALONE.part(5) == slice(0, 5)


def test_progress_is_told_by_rank_0_alone(caplog: pytest.LogCaptureFixture) -> None:
    from anonbench.training.progress import Progress

    row = EpochSummary(1, {"loss": 0.5, "accuracy": 0.5}, 0.1, 10.0, 1.0)
    with caplog.at_level(logging.INFO):
        Progress(2, 0, shown=False).report(row)
        assert not caplog.messages
        Progress(2, 0).report(row)
    assert caplog.messages == ["epoch 1/2: loss 0.500, accuracy 0.500, 10 images/s, lr 1.00e-01, 1.0 s"]


def test_alone_is_identical_to_before() -> None:
    # A network trained by one process is not touched: its layers stay, and so does every bit.
    first, _ = train_case(CASES["softmax"])
    second, _ = train_case(CASES["softmax"])
    assert identical(first, second)
    assert type(first.neck) is nn.BatchNorm1d
