"""The identities that are held out, what is measured on them, and the rule of the upgrades."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from reversible_tasks import CAMIDS, CPU, TinyReid, desensitized, pictures, recipe, validation
from torch import Tensor, nn

from anonbench.core.errors import DataError
from anonbench.tasks.reversible.quality import psnr, ssim
from anonbench.tasks.reversible.recipe import UpgradeSettings, ValidationSettings
from anonbench.tasks.reversible.validation import Quality, Scores, Upgrading, Validation, divide, judged

SETTINGS = ValidationSettings()


def many(identities: int = 60, images: int = 8, cameras: int = 4) -> tuple[list[int], list[int]]:
    count = identities * images
    return [7 * (n // images) for n in range(count)], [n % cameras for n in range(count)]


def test_identities_are_divided_four_to_one_and_their_images_again() -> None:
    pids, camids = many()
    division = divide(pids, camids, SETTINGS, seed=3)
    people = {name: {pids[n] for n in getattr(division, name)} for name in ("train", "query", "gallery")}
    assert len(people["train"]) == 48
    assert len(people["query"] | people["gallery"]) == 12
    assert not people["train"] & (people["query"] | people["gallery"])
    assert (len(division.query), len(division.gallery)) == (19, 77)  # of 96
    numbers = np.concatenate([division.train, division.query, division.gallery])
    assert sorted(numbers) == list(range(480))
    assert [division.role(n) for n in (division.train[0], division.query[0], division.gallery[0])] == [
        "train", "query", "gallery",
    ]  # fmt: skip


def test_the_seed_alone_decides() -> None:
    pids, camids = many()
    first, again, other = (divide(pids, camids, SETTINGS, seed).held_out.tolist() for seed in (3, 3, 4))
    assert first == again != other


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("query_share", [0.2, 0.5, 0.9])
def test_every_query_has_a_match_from_another_camera(seed: int, query_share: float) -> None:
    rng = np.random.default_rng(seed)
    pids = np.repeat(np.arange(20), rng.integers(1, 7, 20)).tolist()  # some have one image alone
    camids = rng.integers(0, 3, len(pids)).tolist()
    division = divide(pids, camids, ValidationSettings(share=0.5, query_share=query_share), seed)
    gallery = [(pids[n], camids[n]) for n in division.gallery]
    for number in division.query:
        assert any(pid == pids[number] and camid != camids[number] for pid, camid in gallery)


def test_without_cameras_any_other_image_is_a_match() -> None:
    pids = [n // 3 for n in range(30)]
    division = divide(pids, [5] * 30, SETTINGS, seed=0)
    assert not division.uses_cameras
    assert len(division.query) == 1
    originals = pictures()[:1].repeat(30, 1, 1, 1)
    looked_at = Validation(division, originals, originals, pids, [5] * 30, "cosine", CPU, "fp32")
    assert 0 <= looked_at.desensitized_rank1(TinyReid(2)) <= 1  # and not: no query has a match


def test_what_cannot_be_divided_is_refused() -> None:
    with pytest.raises(DataError, match=r"has 2 identities, and 1 of them .* at least two to learn from"):
        divide([1, 1, 2, 2], [0, 1, 0, 1], SETTINGS, seed=0)
    lonely = list(range(20))
    with pytest.raises(DataError, match=r"none of the 4 images of the 4 identities .* from another camera\. Raise"):
        divide(lonely, [n % 2 for n in lonely], SETTINGS, seed=0)


def test_the_first_person_of_a_data_set_may_have_the_pid_0() -> None:
    """MSMT17's training identities begin at 0, which a ranking takes for a distractor."""
    pids = [n // 4 for n in range(20)]
    settings = ValidationSettings(share=0.6, query_share=0.5)
    held = next(d for d in (divide(pids, CAMIDS, settings, s) for s in range(50)) if 0 in {pids[n] for n in d.query})
    looked_at = Validation(held, pictures(), desensitized(), pids, CAMIDS, "cosine", CPU, "fp32")
    assert 0 <= looked_at.desensitized_rank1(TinyReid(2)) <= 1


class Shift(nn.Module):
    """Adds to pictures in -1..1; notes whether it was in train mode."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by, self.modes = by, set[bool]()

    def forward(self, x: Tensor) -> Tensor:
        self.modes.add(self.training)
        return x + self.by


class ByColour(TinyReid):
    """Embeds a picture as its mean colours."""

    def forward(self, images: Tensor) -> Tensor:
        assert not self.training
        return images.mean(dim=(2, 3))


def test_scores_are_of_whole_numbers_and_recovery_starts_from_those() -> None:
    division, looked_at = validation(recipe())
    held = pictures()[torch.from_numpy(division.held_out)]
    anonymizer, recovery, reid = Shift(0.1), Shift(-0.05), ByColour(2)
    scores = looked_at.look(anonymizer, recovery, reid)
    protected = (held.float() + 12.75).round().clamp(0, 255).to(torch.uint8)
    recovered = (protected.float() - 6.375).round().clamp(0, 255).to(torch.uint8)
    assert scores.protected.psnr == pytest.approx(float(psnr(protected, held).mean()))
    assert scores.protected.ssim == pytest.approx(float(ssim(protected, held).mean()))
    assert scores.recovered == Quality(float(psnr(recovered, held).mean()), float(ssim(recovered, held).mean()))
    assert anonymizer.modes == recovery.modes == {False}
    assert anonymizer.training
    assert recovery.training
    assert reid.training


def test_rank1_is_of_raw_queries_in_the_protected_gallery() -> None:
    settings = recipe(validation={"share": 0.6, "query_share": 0.5})
    _, looked_at = validation(settings)
    same = looked_at.look(Shift(0), Shift(0), ByColour(2))
    assert same.rank1 == 1  # every identity has its own colour
    assert math.isinf(same.protected.psnr)  # and the pictures hide nothing

    class Confused(Shift):
        """Gives every picture the next one's look."""

        def forward(self, x: Tensor) -> Tensor:
            return x.roll(4, 0)

    assert looked_at.look(Confused(0), Shift(0), ByColour(2)).rank1 < 1


def test_networks_come_back_in_their_modes_after_an_error() -> None:
    networks = nn.Linear(1, 1).train(), nn.Linear(1, 1).eval()

    def fail() -> None:
        with judged(*networks):
            assert not networks[0].training
            assert not torch.is_grad_enabled()
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert [network.training for network in networks] == [True, False]
    assert torch.is_grad_enabled()


def scores(psnr: float, ssim: float, rank1: float) -> Scores:
    return Scores(Quality(psnr, ssim), Quality(30, 0.9), rank1)


def upgrading() -> Upgrading:
    """Limits 21 dB and 0.55; the first rank-1 value that counts must exceed 0.70."""
    return Upgrading(UpgradeSettings(1.0, 0.05, 0.05), Quality(20, 0.5), reference=0.75)


# PSNR below the limit, SSIM below the limit, rank-1 above the best: all three or nothing.
@pytest.mark.parametrize("facts", [*itertools.product([True, False], repeat=3)])
def test_an_upgrade_needs_all_three(facts: tuple[bool, bool, bool]) -> None:
    low_psnr, low_ssim, high_rank1 = facts
    rule = upgrading()
    found = rule.decide(scores(20.9 if low_psnr else 21.0, 0.54 if low_ssim else 0.55, 0.71 if high_rank1 else 0.70))
    assert found is all(facts)
    assert rule.private is (low_psnr and low_ssim)
    assert rule.uses_upgrade is all(facts)


def test_the_next_upgrade_must_beat_the_best_and_the_rule_leads_back() -> None:
    rule = upgrading()
    # (PSNR, SSIM, rank-1), upgraded, whether the generator is to make its own pictures afterwards
    course = [
        ((15, 0.3, 0.60), False, False),  # private, and too bad
        ((22, 0.3, 0.99), False, False),  # good, and not private
        ((20.5, 0.3, 0.74), True, True),  # below the reference, within epsilon of it
        ((20.5, 0.3, 0.74), False, True),  # not better
        ((20.5, 0.6, 0.95), False, False),  # shows too much: back to the desensitized pictures
        ((20.5, 0.5, 0.70), False, True),  # private again: what was best
        ((20.9, 0.54, 0.80), True, True),
        ((20.9, 0.54, 0.78), False, True),
    ]
    for number, (found, upgraded, own) in enumerate(course):
        assert rule.decide(scores(*found)) is upgraded, number
        assert rule.uses_upgrade is own, number
    assert (rule.best, rule.upgrades) == (0.80, 2)
