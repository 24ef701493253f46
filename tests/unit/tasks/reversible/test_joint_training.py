"""The joint training: where gradients reach, one step against a naive one, upgrades, a killed and resumed run."""

from __future__ import annotations

import copy
import dataclasses
import logging
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from reversible_tasks import CPU, desensitized, joint_task, moved, pictures, recipe, weights
from torch import Tensor, nn

from anonbench.core.errors import TrainingError
from anonbench.tasks.reid.augmentation import normalize
from anonbench.tasks.reid.losses import CenterLoss, cross_entropy, weighted_triplet
from anonbench.tasks.reversible import training
from anonbench.tasks.reversible.pairs import Noise, Pairs
from anonbench.tasks.reversible.quality import psnr
from anonbench.tasks.reversible.training import JointTask
from anonbench.tasks.reversible.validation import Quality, Scores
from anonbench.training.checkpoint import Resume
from anonbench.training.fit import Step, fit
from anonbench.training.generators import from_pixels

FIRST = Step(0, 0, 4, seed=1)
ALWAYS = 1e9  # Resume.share that saves after every epoch


def ready(**more: Any) -> JointTask:
    """A joint training before its first step."""
    task = joint_task(recipe(**more))
    fit(task, 0, seed=1)
    task.run = dataclasses.replace(task.run, epochs=3)
    for network in task.networks.values():
        network.train()
    return task


def batch(task: JointTask) -> Any:
    return task.batches(0)[0]  # type: ignore[index]


# --- where gradients reach ---


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let every loss but these be 0: of reid, gan_protected, gan_recovered, l1."""
    kept = set(names)
    calls = iter(["gan_protected", "gan_recovered"])
    whole = training.fooling

    def fooled(discriminator: nn.Module, condition: Tensor, made: Tensor) -> Tensor:
        loss = whole(discriminator, condition, made)
        return loss if next(calls) in kept else 0 * loss

    monkeypatch.setattr(training, "fooling", fooled)
    if "reid" not in kept:
        losses = training.PairedReid.losses

        def silent(self: Any, *arguments: Tensor) -> Any:
            total, values = losses(self, *arguments)
            return 0 * total, values

        monkeypatch.setattr(training.PairedReid, "losses", silent)


STILL = {"generator_optimizer": {"weight_decay": 0}, "loss": {"center_weight": 0}}


@pytest.mark.parametrize(
    ("loss", "l1_weight", "moving"),
    [
        ("reid", 0, {"anonymizer"}),  # the re-identification loss alone changes the anonymizer
        ("gan_recovered", 0, {"anonymizer", "recovery"}),  # and so does the recovery's discriminator
        ("gan_protected", 0, {"anonymizer"}),
        ("l1", 100, {"anonymizer", "recovery"}),
        ("nothing", 0, set()),
    ],
)
def test_each_loss_reaches_its_generators(
    monkeypatch: pytest.MonkeyPatch, loss: str, l1_weight: float, moving: set[str]
) -> None:
    task = ready(l1_weight=l1_weight, **STILL)
    only(monkeypatch, loss)
    generators = {"anonymizer": task.anonymizer, "recovery": task.recovery}
    before = {name: weights(network) for name, network in generators.items()}
    task.step(batch(task), FIRST)
    assert {name for name, network in generators.items() if moved(before[name], network)} == moving


def test_the_judges_step_changes_no_generator_and_the_generators_no_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    task = ready()
    generators = [task.anonymizer, task.recovery, task.reid.network]
    discriminators = [task.discriminator_protected, task.discriminator_recovered]
    before = weights(*generators), weights(*discriminators)
    seen: list[tuple[bool, bool]] = []
    descend = task.descend

    def watched(loss: Tensor, *names: str) -> None:
        descend(loss, *names)
        seen.append((moved(before[0], *generators), moved(before[1], *discriminators)))

    monkeypatch.setattr(task, "descend", watched)
    kept: list[list[Tensor]] = []
    others = task._descend
    monkeypatch.setattr(task, "_descend", lambda loss: (kept.append(weights(*discriminators)), others(loss)))
    task.step(batch(task), FIRST)
    assert seen == [(False, True)]
    assert not moved(kept[0], *discriminators)
    assert moved(before[0], *generators)


# --- one step, written out ---


def adam(parameters: list[nn.Parameter], lr: float, betas: tuple[float, float], weight_decay: float) -> None:
    """Adam's first step from zero moments, from the gradients that the parameters have."""
    with torch.no_grad():
        for parameter in parameters:
            if parameter.grad is None:
                continue
            gradient = parameter.grad + weight_decay * parameter
            first = (1 - betas[0]) * gradient / (1 - betas[0])
            second = (1 - betas[1]) * gradient.square() / (1 - betas[1])
            parameter -= lr * first / (second.sqrt() + 1e-8)


def naive_step(
    networks: dict[str, nn.Module], originals: Tensor, wanted: Tensor, labels: Tensor, lr: float
) -> dict[str, float]:
    """Equations 1 to 8 with a graph of its own for each half, in plain float32; returns the losses."""
    G, R, D1, D2 = (
        networks[n] for n in ("anonymizer", "recovery", "discriminator_protected", "discriminator_recovered")
    )
    reid, center = networks["reid"], networks["centers"]
    assert isinstance(center, CenterLoss)
    log = F.logsigmoid
    # Running statistics of the generators must move once only.
    with torch.no_grad():
        P = copy.deepcopy(G)(originals)
        X = copy.deepcopy(R)(P)
    discriminator1 = -(log(D1(originals, wanted)).mean() + log(-D1(originals, P)).mean())
    discriminator2 = -(log(D2(P, originals)).mean() + log(-D2(P, X)).mean())
    (discriminator1 + discriminator2).backward()
    discriminators = [*D1.parameters(), *D2.parameters()]
    adam(discriminators, lr, (0.5, 0.999), 5e-4)

    P = G(originals)
    X = R(P)
    gan1, gan2 = -log(D1(originals, P)).mean(), -log(D2(P, X)).mean()
    l1_ano, l1_rec = F.l1_loss(P, wanted), F.l1_loss(X, originals)
    pixels = torch.cat([(originals + 1) / 2 * 255, (P + 1) / 2 * 255])
    output = reid(normalize(pixels))
    total = gan1 + gan2 + 100 * l1_ano + 100 * l1_rec
    agw = []
    for part in (slice(0, len(labels)), slice(len(labels), None)):
        logits, features = output.logits[0][part], output.features[part]
        squared = (features - center.centers[labels]).square().sum(dim=1).mean()
        agw.append(cross_entropy([logits], labels, 0.1) + weighted_triplet(features, labels) + 5e-4 * squared)
    (total + agw[0] + agw[1]).backward()
    adam([*G.parameters(), *R.parameters()], lr, (0.5, 0.999), 5e-4)
    adam(list(reid.parameters()), lr, (0.9, 0.999), 5e-4)
    with torch.no_grad():
        assert center.centers.grad is not None
        center.centers -= 0.5 * center.centers.grad / 5e-4
    return {
        "discriminator_protected": float(discriminator1.detach()),
        "discriminator_recovered": float(discriminator2.detach()),
        "gan_protected": float(gan1.detach()),
        "gan_recovered": float(gan2.detach()),
        "l1_protected": float(l1_ano.detach()),
        "l1_recovered": float(l1_rec.detach()),
        "reid_raw": float(agw[0].detach()),
        "reid_hidden": float(agw[1].detach()),
    }


def test_a_step_is_that_of_the_papers_equations() -> None:
    task = ready(flip=0)
    naive = {name: copy.deepcopy(network) for name, network in task.networks.items()}
    chosen = torch.from_numpy(batch(task))
    originals = from_pixels(task.originals[chosen])
    assert isinstance(task.desensitized, Tensor)
    wanted = from_pixels(task.desensitized[chosen])
    found = task.step(chosen.numpy(), FIRST)
    expected = naive_step(naive, originals, wanted, task.all_labels[chosen], lr=3.5e-4)
    for name, value in expected.items():
        assert float(found[name].detach()) == pytest.approx(value, rel=1e-4), name
    for name, network in task.networks.items():
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                # Adam's first step is lr times the gradient's sign: where that is rounding, it may be either.
                apart = (value - naive[name].state_dict()[key]).abs()
                assert float((apart > 2e-5).float().mean()) < 0.01, f"{name}.{key}"
                assert float(apart.max()) < 1e-3, f"{name}.{key}"


def test_the_pair_passes_the_reid_network_together() -> None:
    task = ready()
    seen: list[int] = []
    hook = task.reid.network.register_forward_hook(lambda _n, inputs, output: seen.append(len(inputs[0])))
    task.step(batch(task), FIRST)
    hook.remove()
    assert seen == [8]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("noise", [None, Noise(0.5)])
def test_no_step_waits_for_the_gpu(noise: Noise | None) -> None:
    task = joint_task(recipe(precision="bf16"), noise=noise)
    fit(task, 0, seed=1, device=torch.device("cuda"), precision="bf16")
    task.run = dataclasses.replace(task.run, epochs=3)
    chosen = batch(task)
    task.step(chosen, FIRST)
    torch.cuda.set_sync_debug_mode("error")
    try:
        task.step(chosen, FIRST)
    finally:
        torch.cuda.set_sync_debug_mode("default")


# --- pictures ---


def test_both_pictures_of_a_pair_are_flipped() -> None:
    given = pictures()
    pairs = Pairs(given, 255 - given, 0.5, CPU)
    flips = set()
    for seed in range(6):
        raw, wanted = pairs.batch(torch.arange(4), seed)
        torch.testing.assert_close(raw, -wanted)
        for n in range(4):
            turned = torch.equal(raw[n], from_pixels(given[n].flip(2)))
            assert turned or torch.equal(raw[n], from_pixels(given[n]))
            flips.add(turned)
    assert flips == {True, False}


def test_noise_is_drawn_anew_and_by_the_seed() -> None:
    given = torch.full((2, 3, 32, 32), 100, dtype=torch.uint8)
    pairs = Pairs(given, Noise(0.1), 0, CPU)
    first, again, other = (pairs.batch(torch.arange(2), seed)[1] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])
    values = (first + 1) * 127.5
    assert float(values.std()) == pytest.approx(25.5, rel=0.05)
    torch.testing.assert_close(values, values.round(), atol=1e-4, rtol=0)  # whole numbers, as they are stored


# --- upgrades ---


def scores(rank1: float, ssim: float = 0.0) -> Scores:
    return Scores(Quality(0.0, ssim), Quality(20.0, 0.8), rank1)


def wanted_of(task: JointTask) -> Tensor:
    assert not isinstance(task.pairs.wanted, Noise)
    return task.pairs.wanted.images


def test_an_upgrade_replaces_the_supervision_and_a_breach_takes_it_back() -> None:
    course = [scores(0.5), scores(0.8), scores(0.7), scores(0.9, ssim=1.0), scores(0.6), scores(0.99)]
    task = joint_task(recipe(epochs=6), reference=0.8, foreseen=course)
    generators: list[dict[str, Tensor]] = []
    wanted: list[Tensor] = []
    sampled = task.batches

    def watched(epoch: int) -> Any:
        generators.append(copy.deepcopy(task.anonymizer.state_dict()))
        found = sampled(epoch)
        wanted.append(wanted_of(task).clone())
        return found

    task.batches = watched  # type: ignore[method-assign]
    fit(task, 6, seed=1)
    task.finish()
    first = task.desensitized
    assert isinstance(first, Tensor)
    upgraded = wanted[2]
    assert [torch.equal(images, first) for images in wanted] == [True, True, False, False, True, False]
    assert torch.equal(wanted[3], upgraded)  # a private validation that is not better changes nothing
    assert torch.equal(wanted[5], upgraded)  # private again: what was best
    # What is wanted is what the generator made at its best, in eval mode, of the pictures as they are.
    network = copy.deepcopy(task.anonymizer).eval()
    network.load_state_dict(generators[2])
    with torch.no_grad():
        expected = ((network(from_pixels(task.originals)) + 1) * 127.5).round()
    torch.testing.assert_close(upgraded.float(), expected, atol=1, rtol=0)
    rows = [(row.epoch, row.upgraded, row.private, row.supervision) for row in task.validated]
    assert rows == [
        (1, False, True, "desensitized"),
        (2, True, True, "upgraded"),
        (3, False, True, "upgraded"),
        (4, False, False, "desensitized"),
        (5, False, True, "upgraded"),
        (6, False, True, "upgraded"),  # the last one decides nothing: no epoch would see it
    ]
    (upgrade,) = task.upgrades
    psnr_limit, ssim_limit = task.upgrading.limits
    assert dataclasses.astuple(upgrade) == (1, 2, 0.0, psnr_limit, 0.0, ssim_limit, 0.8, pytest.approx(0.75))


def test_without_a_reference_nothing_is_upgraded() -> None:
    task = joint_task(recipe(), foreseen=[scores(1.0)])
    fit(task, 3, seed=1)
    assert task.upgrades == []
    assert {row.supervision for row in task.validated} == {"desensitized"}
    assert {row.private for row in task.validated} == {True}  # it is still said


def test_validations_and_decisions_come_as_often_as_the_recipe_says() -> None:
    settings = recipe(epochs=7, validation={"every": 2}, upgrade={"every": 4})
    task = joint_task(settings, reference=0.0, foreseen=[scores(0.5)])
    fit(task, 7, seed=1)
    task.finish()
    assert [(row.epoch, row.upgraded) for row in task.validated] == [(2, False), (4, True), (6, False), (7, False)]


def test_noise_is_wanted_until_an_upgrade() -> None:
    task = joint_task(recipe(), reference=0.3, noise=Noise(0.5), foreseen=[scores(0.2), scores(0.5)])
    kinds: list[type] = []
    step = task.step

    def watched(*arguments: Any) -> Any:
        kinds.append(type(task.pairs.wanted))
        return step(*arguments)

    task.step = watched  # type: ignore[method-assign]
    fit(task, 3, seed=1)
    assert kinds[0] is kinds[len(kinds) // 3] is Noise
    assert kinds[-1] is not Noise


def test_the_reid_network_waits_for_the_head_start() -> None:
    settings = recipe(epochs=3, head_start=2, schedule={"method": "one_cycle"})
    task = joint_task(settings, reference=0.0, foreseen=[scores(1.0)])
    before = weights(task.reid.network)
    rates: list[float] = []
    step = task.step

    def watched(chosen: Any, at: Step) -> Any:
        assert moved(before, task.reid.network) is (at.epoch == 2 and at.number > 0)
        rates.append(task.learning_rates(at)["reid"])
        return step(chosen, at)

    task.step = watched  # type: ignore[method-assign]
    history = fit(task, 3, seed=1)
    assert [math.isnan(row.values["reid_raw"]) for row in history] == [True, True, False]
    assert [row.upgraded for row in task.validated] == [False, False]  # it has learnt nothing yet
    own = rates[len(rates) * 2 // 3]
    assert own == pytest.approx(3.5e-4 * 0.04)  # its schedule begins when it does


# --- a killed run ---


def trained(resume: Resume | None = None) -> tuple[JointTask, list[Any]]:
    # Real validations: with a reference of 0 every better one is an upgrade.
    task = joint_task(recipe(epochs=5, upgrade={"every": 1, "epsilon_psnr": 99, "epsilon_ssim": 2}), reference=0.0)
    history = fit(task, 5, seed=1, resume=resume)
    task.finish()
    return task, [dataclasses.replace(row, seconds=0, images_per_second=0) for row in history]


KILLED_CHILD = """
import os, signal, sys, torch
from pathlib import Path
sys.path[:0] = [sys.argv[2], sys.argv[3]]
import test_joint_training as t
torch.set_num_threads(1)
save = t.Resume.save
def save_and_die(self, state):
    seconds = save(self, state)
    if len(state["history"]) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return seconds
t.Resume.save = save_and_die
t.trained(t.Resume(Path(sys.argv[1]), key="k", share=t.ALWAYS))
"""


def test_a_killed_training_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    here = Path(__file__).parent
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.run(
        [sys.executable, "-c", KILLED_CHILD, str(tmp_path), str(here), str(here.parents[2])],
        env=environment, check=False,
    )  # fmt: skip
    assert child.returncode == -signal.SIGKILL
    undisturbed, history = trained()
    assert undisturbed.upgrades, "the test needs an upgrade"
    assert undisturbed.upgrades[0].epoch <= 2, "and it must be before the kill"
    torch.manual_seed(99)  # the state of torch's own generator plays no part
    resumed, again = trained(Resume(tmp_path, key="k", share=ALWAYS))
    assert again == history
    assert resumed.validated == undisturbed.validated
    assert resumed.upgrades == undisturbed.upgrades
    for name, network in undisturbed.networks.items():
        found = resumed.networks[name].state_dict()
        assert [key for key, value in network.state_dict().items() if not torch.equal(value, found[key])] == [], name
    assert torch.equal(wanted_of(resumed), wanted_of(undisturbed))


# --- messages ---


def test_a_loss_that_is_not_finite_is_named() -> None:
    settings = recipe(generator_optimizer={"lr": 1e20}, schedule={"method": "constant"})
    with pytest.raises(TrainingError, match=r"the \w+ is (nan|inf) in epoch \d of 3, batch .* Lower the `lr`"):
        fit(joint_task(settings), 3, seed=1)


def test_a_validation_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    task = joint_task(recipe(epochs=1), foreseen=[scores(0.5, ssim=1.0)])
    fit(task, 1, seed=1)
    task.finish()
    assert "validation after epoch 1: protected 0.00 dB, SSIM 1.000 (NOT private)" in caplog.text
    assert "R1(raw, protected) 0.500" in caplog.text


def test_desensitized_pictures_are_measured_once() -> None:
    task = ready()
    division = task.validation.division
    held = torch.from_numpy(division.held_out)
    assert task.upgrading.desensitized.psnr == pytest.approx(float(psnr(desensitized()[held], pictures()[held]).mean()))
