"""A detector as a task: pictures of different sizes that no tensor holds, loaded by threads while others are learnt."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anonbench.core.errors import DataError
from anonbench.data.images import encode_image, read_image
from anonbench.training.checkpoint import Resume
from anonbench.training.fit import Batches, Step, Task, fit
from anonbench.training.loading import Prefetched
from anonbench.training.optimizers import SGD
from anonbench.training.progress import EpochSummary

SIZES = [(40, 64), (48, 48), (72, 40), (32, 96), (56, 56), (64, 48)]  # height, width
Example = tuple[Tensor, Tensor]  # picture (3, h, w) float in 0..1, box (4,): x0, y0, x1, y1 in pixels


class BoxTask(Task[list[Example]]):
    """Finds the one bright box of a picture: a heat map, and its centre as the mean position under it."""

    values = ("heat", "distance")

    def __init__(self, pictures: list[tuple[Path, Tensor]], threads: int = 2) -> None:
        self.pictures, self.threads = pictures, threads
        self.read: list[Path] = []
        self.readers: set[str] = set()

    def setup(self) -> None:
        self.network = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 1, 3, 2, 1)).to(self.run.device)
        self.networks = {"network": self.network}
        self.optimizers = {"network": SGD(0.2).build(self.network.parameters())}

    def batches(self, epoch: int) -> Batches[list[Example]]:
        order = torch.randperm(len(self.pictures), generator=self.run.generator("order", epoch)).tolist()
        keys = [(epoch, order[start : start + 4]) for start in range(0, len(order), 4)]
        return Prefetched(keys, self._load, self.threads, ahead=1)

    def _load(self, key: tuple[int, list[int]]) -> list[Example]:
        epoch, numbers = key
        return [self._example(epoch, number) for number in numbers]

    def _example(self, epoch: int, number: int) -> Example:
        path, box = self.pictures[number]
        self.read.append(path)
        self.readers.add(threading.current_thread().name)
        picture = torch.from_numpy(read_image(path).copy()).permute(2, 0, 1) / 255  # (3, h, w)
        if torch.rand((), generator=self.run.generator("flip", epoch, number)) < 0.5:
            width = picture.shape[2]
            picture, box = picture.flip(2), torch.stack([width - box[2], box[1], width - box[0], box[3]])
        return picture, box

    def step(self, batch: list[Example], at: Step) -> Mapping[str, Tensor]:
        losses = [self._losses(picture.to(self.run.device), box) for picture, box in batch]
        heat, distance = (torch.stack(column).mean() for column in zip(*losses, strict=True))
        self.descend(heat, "network")
        return {"heat": heat, "distance": distance}

    def _losses(self, picture: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
        heat = self.network(picture[None])[0, 0]  # (h / 4, w / 4)
        rows, columns = (torch.arange(side, device=heat.device) * 4.0 for side in heat.shape)
        x0, y0, x1, y1 = box
        inside = ((rows >= y0) & (rows < y1))[:, None] & ((columns >= x0) & (columns < x1))  # (h / 4, w / 4)
        loss = F.binary_cross_entropy_with_logits(heat, inside.float())
        share = heat.flatten().softmax(0).view_as(heat)
        found = torch.stack([(share.sum(0) * columns).sum(), (share.sum(1) * rows).sum()])
        return loss, (found - torch.stack([x0 + x1, y0 + y1]) / 2).norm().detach()


@pytest.fixture
def pictures(tmp_path: Path) -> list[tuple[Path, Tensor]]:
    rng = np.random.default_rng(0)
    found = []
    for number in range(18):
        height, width = SIZES[number % len(SIZES)]
        picture = rng.integers(0, 90, (height, width, 3), dtype=np.uint8)
        x0, y0 = int(rng.integers(0, width - 16)), int(rng.integers(0, height - 16))
        picture[y0 : y0 + 16, x0 : x0 + 16] = 220
        path = tmp_path / f"{number:02d}.png"
        path.write_bytes(encode_image(picture, ".png", 95))
        found.append((path, torch.tensor([x0, y0, x0 + 16, y0 + 16])))
    return found


def identical(first: BoxTask, second: BoxTask) -> bool:
    return all(torch.equal(v, second.network.state_dict()[k]) for k, v in first.network.state_dict().items())


def untimed(history: list[EpochSummary]) -> list[EpochSummary]:
    return [dataclasses.replace(row, seconds=0, images_per_second=0) for row in history]


def test_pictures_of_many_sizes_are_learnt(pictures: list[tuple[Path, Tensor]]) -> None:
    task = BoxTask(pictures)
    history = fit(task, 15, seed=1)
    assert history[-1].values["heat"] < history[0].values["heat"] / 3
    assert len(task.read) == 15 * len(pictures)
    assert threading.current_thread().name not in task.readers
    assert [len(batch) for batch in task.batches(0)] == [4, 4, 4, 4, 2]


def test_pictures_are_read_shortly_before_they_are_needed(
    pictures: list[tuple[Path, Tensor]], monkeypatch: pytest.MonkeyPatch
) -> None:
    most: list[int] = []
    step = BoxTask.step

    def watched(self: BoxTask, batch: list[Example], at: Step) -> Mapping[str, Tensor]:
        most.append(len(self.read) - 4 * (at.number + 1))
        return step(self, batch, at)

    monkeypatch.setattr(BoxTask, "step", watched)
    fit(BoxTask(pictures, threads=1), 1, seed=1)
    assert max(most) <= 4  # one batch ahead
    assert len(most) == 5


def test_threads_and_an_interruption_change_nothing(
    pictures: list[tuple[Path, Tensor]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, history = (task := BoxTask(pictures, threads=1)), fit(task, 3, seed=2)
    resume, step = Resume(tmp_path / "resume", key="k", share=1e9), BoxTask.step

    def interrupted(self: BoxTask, batch: list[Example], at: Step) -> Mapping[str, Tensor]:
        if (at.epoch, at.number) == (2, 1):
            raise KeyboardInterrupt
        return step(self, batch, at)

    with monkeypatch.context() as patch:
        patch.setattr(BoxTask, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fit(BoxTask(pictures, threads=4), 3, seed=2, resume=resume)
    resumed = BoxTask(pictures, threads=3)
    again = fit(resumed, 3, seed=2, resume=resume)
    assert len(resumed.read) == len(pictures)  # of the last epoch alone
    assert identical(resumed, undisturbed)
    assert untimed(again) == untimed(history)


def test_a_damaged_picture_is_named(pictures: list[tuple[Path, Tensor]]) -> None:
    pictures[7][0].write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"07\.png"):
        fit(BoxTask(pictures), 1, seed=1)


def test_an_empty_epoch_is_refused() -> None:
    with pytest.raises(DataError, match="epoch 1 of the training has no batch"):
        fit(BoxTask([]), 1, seed=1)


def test_a_long_epoch_says_how_far_it_is(
    pictures: list[tuple[Path, Tensor]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("anonbench.training.progress.SECONDS_BETWEEN_LINES", 0.0)
    with caplog.at_level(logging.INFO):
        fit(BoxTask(pictures), 2, seed=1)
    assert "epoch 2/2: step 3 of 5" in caplog.text
    assert caplog.messages[-1].startswith("epoch 2/2: heat 0.")


def test_batches_ahead_are_bounded_and_in_order() -> None:
    loading: list[int] = []

    def load(key: int) -> int:
        loading.append(key)
        time.sleep(0.01 if key % 2 else 0)
        return key

    batches = iter(Prefetched(range(20), load, threads=4, ahead=3))
    taken = []
    for batch in batches:
        taken.append(batch)
        assert len(loading) <= len(taken) + 3
    assert taken == list(range(20))
    stopped = iter(Prefetched(range(20), load, threads=1, ahead=2))
    next(stopped)
    stopped.close()  # waits for what is being loaded, and starts nothing more
    started = len(loading)
    time.sleep(0.05)
    assert len(loading) == started
