"""The base (re-identification on raw and desensitized pairs) and the restoration by somebody without the key."""

from __future__ import annotations

import copy
import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from reversible_tasks import CAMIDS, CPU, PIDS, desensitized, joint_task, moved, pictures, recipe, validation, weights
from torch import Tensor

from anonbench.core.errors import TrainingError
from anonbench.tasks.reid.ranking import evaluate_ranking
from anonbench.tasks.reversible.base import BaseTask
from anonbench.tasks.reversible.pairs import Noise
from anonbench.tasks.reversible.restoration import RestorationTask
from anonbench.tasks.reversible.validation import judged, made
from anonbench.training.checkpoint import Resume
from anonbench.training.fit import Step, fit


def base_task(**more: Any) -> BaseTask:
    joint = joint_task(recipe(**more))
    return BaseTask(joint.reid.network, joint.originals, joint.desensitized, joint.all_labels, joint.recipe)


def test_the_base_learns_from_the_pairs_of_the_joint_training() -> None:
    """With generators that make exactly the desensitized pictures, both would take the same steps."""
    joint, base = joint_task(recipe()), base_task()
    for task in (joint, base):
        fit(task, 0, seed=1)
        task.run = dataclasses.replace(task.run, epochs=3)
        for network in task.networks.values():
            network.train()
    base.reid.center.centers.data.copy_(joint.reid.center.centers)  # type: ignore[union-attr]
    at = Step(1, 0, 4, seed=1)
    chosen = base.batches(1)[0]  # type: ignore[index]
    assert [*joint.batches(0)[0]] == [*base.batches(0)[0]]  # type: ignore[index]
    assert base.learning_rates(at)["reid"] == joint.learning_rates(at)["reid"]
    raw, wanted = joint.pairs.batch(torch.from_numpy(chosen), at.seed_of("pairs"))
    twin = copy.deepcopy(joint.reid)
    expected, _ = twin.losses(raw, wanted, joint.labels[chosen])
    found = base.step(chosen, at)
    assert float((found["reid_raw"] + found["reid_hidden"]).detach()) == pytest.approx(float(expected.detach()))


def test_the_base_finds_people_by_desensitized_pictures() -> None:
    settings = recipe(epochs=30, reid_optimizer={"lr": 0.01}, schedule={"method": "constant"},
                      validation={"share": 0.4, "query_share": 0.5})  # fmt: skip
    division, looked_at = validation(settings)
    task = base_task(epochs=30, reid_optimizer={"lr": 0.01}, schedule={"method": "constant"},
                     validation={"share": 0.4, "query_share": 0.5})  # fmt: skip
    history = fit(task, 30, seed=1)
    assert history[-1].values["accuracy_hidden"] > 0.6  # of three identities
    network = task.reid.network
    rank1 = looked_at.desensitized_rank1(network)

    # By the ranking itself, with features of one picture at a time.
    def features(images: Tensor, numbers: Any) -> Tensor:
        with judged(network):
            return torch.cat([network(((images[n : n + 1].float() / 255) - MEAN) / STD) for n in numbers])

    query, gallery = division.query, division.gallery
    expected = evaluate_ranking(
        features(pictures(), query), features(desensitized(), gallery),
        [PIDS[n] for n in query], [CAMIDS[n] for n in query], [PIDS[n] for n in gallery], [CAMIDS[n] for n in gallery],
        metric="cosine",
    )  # fmt: skip
    assert rank1 == expected.rank(1)


MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def test_the_base_takes_noise() -> None:
    joint = joint_task(recipe())
    task = BaseTask(joint.reid.network, joint.originals, Noise(0.5), joint.all_labels, joint.recipe)
    (row,) = fit(task, 1, seed=1)
    assert all(math.isfinite(value) for value in row.values.values())


def test_the_base_without_a_center_loss() -> None:
    task = base_task(loss={"center_weight": 0})
    fit(task, 1, seed=1)
    assert set(task.networks) == {"reid"}


def restoration(**more: Any) -> RestorationTask:
    return RestorationTask(desensitized(), pictures(), recipe(**more))


def test_a_restoration_learns_to_undo() -> None:
    """The hidden pictures are the negatives of the originals: to be learnt in a few steps."""
    settings = {"generator": {"levels": 2, "width": 8}, "generator_optimizer": {"lr": 0.01}, "epochs": 30,
                "schedule": {"method": "constant"}}  # fmt: skip
    task = RestorationTask(255 - pictures(), pictures(), recipe(**settings))
    history = fit(task, 30, seed=1)
    assert history[-1].values["l1"] < history[0].values["l1"] / 2
    with judged(task.recovery):
        restored = made(task.recovery, 255 - pictures(), CPU, "fp32")
    assert restored.dtype == torch.uint8
    assert float((restored.float() - pictures().float()).abs().mean()) < 30  # of up to 255


def test_every_picture_is_seen_once_an_epoch() -> None:
    task = restoration(batch_size=5, sampler={"method": "shuffle"})
    fit(task, 0, seed=1)
    assert sorted(n for batch in task.batches(0) for n in batch) == list(range(20))


def test_the_judge_and_the_generator_descend_apart() -> None:
    task = restoration()
    fit(task, 0, seed=1)
    task.run = dataclasses.replace(task.run, epochs=3)
    before = weights(task.recovery), weights(task.discriminator)
    seen = []
    descend = task.descend

    def watched(loss: Tensor, *names: str) -> None:
        descend(loss, *names)
        seen.append((names, moved(before[0], task.recovery), weights(task.discriminator)))

    task.descend = watched  # type: ignore[method-assign]
    task.step(task.batches(0)[0], Step(0, 0, 5, seed=1))  # type: ignore[index]
    (first, second) = seen
    assert (first[0], first[1]) == (("discriminator",), False)
    assert (second[0], second[1]) == (("recovery",), True)
    assert all(torch.equal(a, b) for a, b in zip(first[2], second[2], strict=True))


@pytest.mark.parametrize("make", [base_task, restoration])
def test_a_resumed_training_ends_like_an_undisturbed_one(make: Any, tmp_path: Path) -> None:
    whole = make()
    fit(whole, 3, seed=1)
    fit(make(), 2, seed=1, resume=Resume(tmp_path, "k", share=1e9))
    resumed = make()
    history = fit(resumed, 3, seed=1, resume=Resume(tmp_path, "k", share=1e9))
    assert len(history) == 3
    for name, network in whole.networks.items():
        found = resumed.networks[name].state_dict()
        assert all(torch.equal(value, found[key]) for key, value in network.state_dict().items())


def test_a_restoration_that_diverges_is_named() -> None:
    task = restoration(generator_optimizer={"lr": 1e20}, schedule={"method": "constant"})
    with pytest.raises(TrainingError, match=r"the \w+ is (nan|inf) in epoch \d of 3"):
        fit(task, 3, seed=1)
