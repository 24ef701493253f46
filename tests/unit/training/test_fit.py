"""The training loop on a re-identification task: learning, repeatability, errors, and going on after a kill."""

import dataclasses
import errno
import logging
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anonbench.core.errors import DataError, TrainingError
from anonbench.tasks.reid.augmentation import Augmentation
from anonbench.tasks.reid.losses import LossSettings
from anonbench.tasks.reid.models._network import ReidNetwork, TrainingOutput
from anonbench.tasks.reid.models.bot import BoT
from anonbench.tasks.reid.recipe import Recipe
from anonbench.tasks.reid.samplers import IdentitySampler
from anonbench.tasks.reid.training import ReidTask, train_network
from anonbench.training import fit as fit_module
from anonbench.training.checkpoint import Resume
from anonbench.training.fit import Run, Step, _Values
from anonbench.training.optimizers import SGD, Adam
from anonbench.training.progress import EpochSummary
from anonbench.training.schedules import Constant, OneCycle, WarmupStep

CPU = torch.device("cpu")
ALWAYS = 1e9  # Resume.share that saves after every epoch

PLAIN = Recipe(epochs=4, batch_size=8, optimizer=Adam(lr=1e-2), schedule=Constant(), precision="fp32")
EVERYTHING = Recipe(
    epochs=4,
    batch_size=8,
    optimizer=Adam(lr=1e-3),
    schedule=WarmupStep(warmup_epochs=2, milestones=(3,)),
    loss=LossSettings(triplet_weight=1.0, center_weight=5e-4),
    sampler=IdentitySampler(4, 2),
    augmentation=Augmentation(pad_crop=2, erase=0.5),
    precision="fp32",
)
ONE_CYCLE = dataclasses.replace(PLAIN, optimizer=SGD(lr=0.1), schedule=OneCycle())
RECIPES = {"plain": PLAIN, "everything": EVERYTHING, "one_cycle": ONE_CYCLE}


class TinyNetwork(ReidNetwork):
    """Convolution, batch normalisation, dropout: everything that must be restored."""

    def __init__(self, identities: int) -> None:
        super().__init__(feature_dim=16)
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self.embedding = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.2))
        self.classifier = nn.Linear(16, identities)

    def forward(self, images: Tensor) -> TrainingOutput | Tensor:
        features = self.embedding(self.body(images))
        return TrainingOutput((self.classifier(features),), features) if self.training else features


def tiny_network(identities: int = 5) -> TinyNetwork:
    torch.manual_seed(3)
    return TinyNetwork(identities)


def coloured_images(identities: int = 5, each: int = 4) -> tuple[Tensor, Tensor]:
    """(N, 3, 24, 12) uint8 whose mean colour tells the identity, with noise; (N,) labels."""
    generator = torch.Generator().manual_seed(0)
    colours = torch.randint(40, 216, (identities, 3, 1, 1), generator=generator)
    labels = torch.arange(identities).repeat_interleave(each)
    noise = torch.randint(-40, 40, (len(labels), 3, 24, 12), generator=generator)
    return (colours[labels] + noise).to(torch.uint8), labels


def trained(recipe: Recipe, resume: Resume | None = None, seed: int = 1) -> tuple[TinyNetwork, list[EpochSummary]]:
    network = tiny_network()
    return network, train_network(network, *coloured_images(), recipe, seed, CPU, resume)


def identical(first: nn.Module, second: nn.Module) -> bool:
    return all(torch.equal(a, second.state_dict()[n]) for n, a in first.state_dict().items())


def untimed(history: list[EpochSummary]) -> list[EpochSummary]:
    return [dataclasses.replace(row, seconds=0, images_per_second=0) for row in history]


def test_it_learns() -> None:
    recipe = dataclasses.replace(PLAIN, epochs=25, loss=LossSettings(label_smoothing=0))
    _, history = trained(recipe)
    assert [row.epoch for row in history] == list(range(1, 26))
    assert history[-1].values["loss"] < history[0].values["loss"] / 3
    assert history[-1].values["accuracy"] > 0.9
    assert all(row.images_per_second > 0 and row.lr == 1e-2 for row in history)


def test_bfloat16_learns_too() -> None:
    recipe = dataclasses.replace(PLAIN, epochs=25, loss=LossSettings(label_smoothing=0), precision="bf16")
    _, history = trained(recipe)
    assert history[-1].values["accuracy"] > 0.9


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_the_same_seed_gives_bit_identical_weights(recipe: Recipe) -> None:
    first, history = trained(recipe)
    torch.manual_seed(99)  # the state of the global generator plays no part
    second, again = trained(recipe)
    other, _ = trained(recipe, seed=2)
    assert identical(first, second)
    assert untimed(history) == untimed(again)
    assert not identical(first, other)


def test_a_real_network_repeats_itself() -> None:
    networks = []
    for _ in range(2):
        torch.manual_seed(0)
        networks.append(BoT().build(5, pretrained=False))
        train_network(networks[-1], *coloured_images(), dataclasses.replace(EVERYTHING, epochs=1), 1, CPU)
    assert identical(*networks)


def test_the_callers_random_state_is_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train_network(TinyNetwork(5), *coloured_images(), dataclasses.replace(EVERYTHING, epochs=0), 1, CPU)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    trained_network = TinyNetwork(5)
    torch.set_rng_state(state)
    train_network(trained_network, *coloured_images(), EVERYTHING, 1, CPU)
    assert torch.equal(torch.rand(3), expected)


class KilledError(Exception):
    pass


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
@pytest.mark.parametrize("epochs_done", [1, 3])
def test_an_interrupted_training_ends_like_an_undisturbed_one(
    recipe: Recipe, epochs_done: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    undisturbed, history = trained(recipe)
    resume = Resume(tmp_path / "resume", key="k", share=ALWAYS)
    save = Resume.save

    def save_and_stop(self: Resume, state: dict) -> float:
        seconds = save(self, state)
        if len(state["history"]) == epochs_done:
            raise KilledError
        return seconds

    with monkeypatch.context() as patch:
        patch.setattr(Resume, "save", save_and_stop)
        with pytest.raises(KilledError):
            trained(recipe, resume)
    with caplog.at_level(logging.INFO):
        network, resumed = trained(recipe, resume)
    assert f"continuing after epoch {epochs_done} of 4" in caplog.text
    assert identical(undisturbed, network)
    assert untimed(resumed) == untimed(history)


KILLED_CHILD = """
import os, signal, sys, torch
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import test_fit as t
torch.set_num_threads(1)
save = t.Resume.save
def save_then_start_the_next_epoch(self, state):
    seconds = save(self, state)
    if len(state["history"]) == 2:
        (self.folder / ".state.pt.1.partial").write_bytes(b"half a state")
        os.kill(os.getpid(), signal.SIGKILL)
    return seconds
t.Resume.save = save_then_start_the_next_epoch
t.trained(t.EVERYTHING, t.Resume(Path(sys.argv[1]), key="k", share=t.ALWAYS))
"""


def test_a_killed_process_is_continued(tmp_path: Path) -> None:
    folder = tmp_path / "resume"
    here = str(Path(__file__).parent)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.run([sys.executable, "-c", KILLED_CHILD, str(folder), here], env=environment, check=False)
    assert child.returncode == -signal.SIGKILL
    network, history = trained(EVERYTHING, Resume(folder, key="k"))
    assert len(history) == 4
    assert identical(trained(EVERYTHING)[0], network)


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    resume = Resume(tmp_path, key="k", share=ALWAYS)
    first, history = trained(PLAIN, resume)
    second, again = trained(PLAIN, resume)
    assert again == history  # timings included: nothing was run
    assert identical(first, second)


def test_a_state_is_forgotten_even_where_its_folder_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS keeps a mapped file under another name, and then the folder is not empty."""

    def busy(path: object, **options: object) -> None:
        raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(path))

    resume = Resume(tmp_path / "r", key="k", share=ALWAYS)
    resume.remove()  # nothing there
    resume.save({})
    monkeypatch.setattr(os, "rmdir", busy)
    resume.remove()
    assert resume.load(CPU) is None
    assert list((tmp_path / "r").iterdir()) == []


def test_a_state_of_another_training_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trained(ONE_CYCLE, Resume(tmp_path, key="other", share=ALWAYS))
    network, history = trained(PLAIN, Resume(tmp_path, key="k"))
    assert "belongs to another recipe, data set, seed or version of the code; training starts afresh" in caplog.text
    assert len(history) == 4
    assert identical(network, trained(PLAIN)[0])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a zip file", b"no zip file at all"])
def test_a_damaged_state_starts_afresh(content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "state.pt").write_bytes(content)
    network, _ = trained(PLAIN, Resume(tmp_path, key="k", share=ALWAYS))
    assert "state.pt: cannot be read" in caplog.text
    assert "training starts afresh" in caplog.text
    assert identical(network, trained(PLAIN)[0])
    assert Resume(tmp_path, key="k").load(CPU) is not None  # the damaged file has been replaced


def test_saving_takes_a_bounded_share_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []

    def slow_save(self: Resume, state: dict) -> float:
        saved.append(len(state["history"]))
        return 1e6  # seconds

    monkeypatch.setattr(Resume, "save", slow_save)
    trained(PLAIN, Resume(tmp_path, key="k", share=0.05))
    assert len(saved) == 1  # the first, whose cost is only guessed


def test_a_diverging_training_stops_with_advice() -> None:
    recipe = dataclasses.replace(PLAIN, optimizer=SGD(lr=1e30, momentum=0))
    with pytest.raises(TrainingError) as caught:
        trained(recipe)
    message = str(caught.value)
    assert "the loss is nan in epoch 1 of 4, batch 2 of 2" in message
    assert "learning rate 1.00e+30" in message
    assert "Lower training.optimizer.lr" in message


def test_steps_do_not_wait_for_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    # On a GPU each look waits for all the work before it. A tensor on `meta` has no value: reading one is an error.
    task = ReidTask(tiny_network(), *coloured_images(), PLAIN)
    values = _Values(task, torch.device("meta"))
    values.add(dict.fromkeys(ReidTask.values, torch.ones((), device="meta")), 8)
    looks: list[int] = []
    look = _Values.first_not_finite
    monkeypatch.setattr(_Values, "first_not_finite", lambda self: (looks.append(len(self.rows)), look(self))[1])
    train_network(tiny_network(), *coloured_images(each=10), dataclasses.replace(PLAIN, batch_size=2, epochs=1), 1, CPU)
    assert looks == [10, 20, 25]


def test_the_task_of_the_loops_documentation() -> None:
    example = textwrap.dedent(fit_module.__doc__.split("double a number:")[1].split("Larger ones")[0])
    names = {**vars(fit_module), "SGD": SGD}
    exec(example, names)
    history = names["history"]
    assert [row.epoch for row in history] == [1, 2, 3]
    assert history[-1].values["loss"] < history[0].values["loss"] / 5


def test_a_batch_larger_than_the_data_set_takes_all_of_it() -> None:
    recipe = dataclasses.replace(PLAIN, batch_size=1000)
    assert len(trained(recipe)[1]) == 4


@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_single_identity_cannot_be_trained(count: int) -> None:
    images = torch.zeros(count, 3, 24, 12, dtype=torch.uint8)
    with pytest.raises(DataError, match=rf"has {count} images of {min(count, 1)} identities; expected at least two"):
        train_network(tiny_network(), images, torch.zeros(count, dtype=torch.long), PLAIN, 1, CPU)


def test_centers_move_by_the_gradient_of_their_own_loss() -> None:
    # One SGD step of rate 0.5 on mean |x - c|^2, undisturbed by the loss's weight in the sum.
    images, labels = coloured_images()
    recipe = dataclasses.replace(PLAIN, loss=LossSettings(center_weight=5e-4, center_lr=0.5))
    task = ReidTask(tiny_network(), images, labels, recipe)
    task.run = Run(seed=1, epochs=4)
    task.setup()
    assert task.center is not None
    before = task.center.centers.detach().clone()
    features: list[Tensor] = []
    task.network.register_forward_hook(lambda _m, _i, output: features.append(output.features.detach()))
    task.step(np.arange(20), Step(0, 0, 1, seed=1))
    expected = before.clone()
    for label in range(5):
        own = features[0][labels == label]
        expected[label] -= 0.5 * 2 * (before[label] - own).sum(dim=0) / 20
    torch.testing.assert_close(task.center.centers.detach(), expected)
