"""The training identities that are held out, and what a joint training is judged by on them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anonbench.core.errors import DataError
from anonbench.data.seeding import generator
from anonbench.tasks.reid.augmentation import normalize
from anonbench.tasks.reid.models._network import ReidNetwork
from anonbench.tasks.reid.ranking import evaluate_ranking
from anonbench.tasks.reversible.quality import psnr, ssim
from anonbench.tasks.reversible.recipe import UpgradeSettings, ValidationSettings
from anonbench.training.device import autocast
from anonbench.training.generators import from_pixels, to_pixels

Numbers = NDArray[np.int64]
BATCH = 64  # images at a time, enough for a GPU


@dataclass(frozen=True)
class Division:
    """The images of a training split, as a joint training divides them: indices, ascending.

    train: of the identities that the networks learn from.
    query, gallery: of those held out.
    uses_cameras: whether a query's matches must come from another camera.
    """

    train: Numbers
    query: Numbers
    gallery: Numbers
    uses_cameras: bool

    @property
    def held_out(self) -> Numbers:
        """Query, then gallery."""
        return np.concatenate([self.query, self.gallery])

    def role(self, number: int) -> str:
        """What an image is here: train, query or gallery."""
        return next(name for name in ("train", "query", "gallery") if number in getattr(self, name))


def divide(pids: Sequence[int], camids: Sequence[int], settings: ValidationSettings, seed: int) -> Division:
    """Hold out identities and choose queries among their images, both at random and by the seed alone.

    pids, camids: of the images of the training split, and of no others.

    An image becomes a query only if it, and every query of its identity before it, still has a match in the gallery:
    an image from another camera. Where all images that are held out come from one camera, any other image of the
    identity is a match. So there may be fewer queries than `query_share`, and never one without a match.

    Raises `DataError` when fewer than two identities would be left to learn from, or no query can be found.
    Source: Zhang et al. 2022, section 4.2. Their code takes the first fifth of the sorted images instead, which may
    cut through an identity, and a fifth of those as queries.
    """
    people, cameras = np.asarray(pids, np.int64), np.asarray(camids, np.int64)
    known = np.unique(people)
    count = max(1, round(settings.share * len(known)))
    if len(known) - count < 2:
        raise DataError(
            f"the training split has {len(known)} identities, and {count} of them are held out for validation; "
            f"expected at least two to learn from. Lower validation.share of the recipe ({settings.share}), or take "
            f"more people."
        )
    rng = generator(seed, "validation")
    out = np.isin(people, rng.permutation(known)[:count])
    held_out = np.flatnonzero(out)
    uses_cameras = len(np.unique(cameras[held_out])) > 1
    wanted = max(1, round(settings.query_share * len(held_out)))
    queries: list[int] = []
    for candidate in rng.permutation(held_out):
        if len(queries) == wanted:
            break
        chosen = [*(q for q in queries if people[q] == people[candidate]), int(candidate)]
        gallery = [n for n in held_out if people[n] == people[candidate] and n not in chosen]
        places = [cameras[n] for n in gallery] if uses_cameras else [-1] * len(gallery)
        if all(any(place != cameras[q] for place in places) for q in chosen):
            queries.append(int(candidate))
    if not queries:
        raise DataError(
            f"none of the {len(held_out)} images of the {count} identities that are held out for validation has "
            f"another image of its identity{' from another camera' if uses_cameras else ''}. Raise validation.share of "
            f"the recipe ({settings.share}), or take a data set with more images of a person."
        )
    query = np.sort(np.array(queries, np.int64))
    return Division(np.flatnonzero(~out), query, np.setdiff1d(held_out, query), uses_cameras)


@dataclass(frozen=True)
class Quality:
    """How much of the originals pictures show: means over images.

    psnr: in dB, inf when some picture equals its original.
    ssim: at most 1.
    """

    psnr: float
    ssim: float


@dataclass(frozen=True)
class Scores:
    """What one validation found.

    protected: the anonymizer's pictures against the originals. recovered: the same of what is recovered from them.
    rank1: of raw queries among protected gallery pictures, 0..1.
    """

    protected: Quality
    recovered: Quality
    rank1: float


class Validation:
    """The held-out images, ready to be looked at again and again.

    originals, desensitized: (N, 3, H, W) uint8 of a whole training split; `division` says which are held out.
    pids, camids: of the same.
    metric: of the ranking, as in a model's `evaluation:`.
    """

    def __init__(
        self,
        division: Division,
        originals: Tensor,
        desensitized: Tensor,
        pids: Sequence[int],
        camids: Sequence[int],
        metric: str,
        device: torch.device,
        precision: str,
    ) -> None:
        self.division, self.metric, self.device, self.precision = division, metric, device, precision
        indices = torch.from_numpy(division.held_out)
        self.originals = originals[indices]  # (V, 3, H, W), query first
        self.desensitized = desensitized[indices]
        self.queries = len(division.query)
        # From 1 on: a ranking takes 0, the first person of some training splits, for a distractor.
        self.pids = np.unique(pids, return_inverse=True)[1][division.held_out] + 1
        cameras = np.asarray(camids, np.int64)[division.held_out]
        # One camera for all queries, another one for the gallery: then none of a query's matches is left out.
        self.camids = cameras if division.uses_cameras else (np.arange(len(cameras)) >= self.queries).astype(np.int64)

    def look(self, anonymizer: nn.Module, recovery: nn.Module, reid: ReidNetwork) -> Scores:
        """The scores of three networks, in eval mode; each is left in the mode it came in.

        What is judged are pictures of whole numbers, as they are stored, and what is recovered is recovered from those.
        """
        with judged(anonymizer, recovery, reid):
            protected = self._made(anonymizer, self.originals)
            recovered = self._made(recovery, protected)
            return Scores(self._quality(protected), self._quality(recovered), self._rank1(reid, protected))

    def desensitized_quality(self) -> Quality:
        """Of the desensitized pictures: what the privacy rule compares with."""
        return self._quality(self.desensitized)

    def desensitized_rank1(self, reid: ReidNetwork) -> float:
        """R1(raw, desensitized): of raw queries among desensitized gallery pictures, 0..1."""
        with judged(reid):
            return self._rank1(reid, self.desensitized)

    def _made(self, network: nn.Module, pictures: Tensor) -> Tensor:
        return made(network, pictures, self.device, self.precision)

    def _quality(self, pictures: Tensor) -> Quality:
        return Quality(float(psnr(pictures, self.originals).mean()), float(ssim(pictures, self.originals).mean()))

    def _rank1(self, reid: ReidNetwork, gallery: Tensor) -> float:
        queries = self._features(reid, self.originals[: self.queries])
        ranking = evaluate_ranking(
            queries, self._features(reid, gallery[self.queries :]),
            self.pids[: self.queries], self.camids[: self.queries],
            self.pids[self.queries :], self.camids[self.queries :],
            metric=self.metric,
        )  # fmt: skip
        return ranking.rank(1)

    def _features(self, reid: ReidNetwork, pictures: Tensor) -> NDArray[np.float32]:
        """(n, D) embeddings of (n, 3, H, W) uint8 pictures, as `embed` computes them."""
        found = []
        for batch in pictures.split(BATCH):
            with autocast(self.precision, self.device):
                embedding = reid(normalize(batch.to(self.device)).contiguous(memory_format=torch.channels_last))
            found.append(embedding.float().cpu())
        return torch.cat(found).numpy()


def made(network: nn.Module, pictures: Tensor, device: torch.device, precision: str) -> Tensor:
    """What a generator makes of (N, 3, H, W) uint8 pictures: the same, on the CPU. Call it within `judged`."""
    found = torch.empty_like(pictures, device="cpu")
    for start in range(0, len(pictures), BATCH):
        batch = from_pixels(pictures[start : start + BATCH].to(device)).contiguous(memory_format=torch.channels_last)
        with autocast(precision, device):
            output = network(batch)
        found[start : start + BATCH] = to_pixels(output).cpu()
    return found


@contextlib.contextmanager
def judged(*networks: nn.Module) -> Iterator[None]:
    """No gradients, and networks in eval mode that are put back into the mode they came in."""
    modes = [network.training for network in networks]
    for network in networks:
        network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for network, mode in zip(networks, modes, strict=True):
            network.train(mode)


@dataclass
class Upgrading:
    """Which pictures the anonymizer is to make, decided after validations (section 3.4).

    settings: the three epsilons.
    desensitized: quality of the desensitized pictures.
    reference: the base's R1(raw, desensitized), 0..1.
    best: the rank-1 value that the next upgrade must exceed. It begins at reference - epsilon_rank1.
    upgrades: so far.
    private: whether the last validation met the privacy rule.

    The rule: PSNR(raw, protected) < PSNR(raw, desensitized) + epsilon_psnr, and the same of SSIM. If it is met and the
    rank-1 value exceeds the best one, what the generator makes of the training images at this moment becomes what it is
    to make from now on. If it is not met, the generator is led back: until a validation meets it again, it is to make
    the desensitized pictures, whatever has been upgraded before.
    Source: Zhang et al. 2022, section 3.4 ("will keep as desensitized images ... if the privacy need is not met"), and
    their code, which looks at the last validation in every step. Deviation: there rank-1 is compared with a number that
    is typed in, and also leads back when it falls below.
    """

    settings: UpgradeSettings
    desensitized: Quality
    reference: float
    best: float = math.nan
    upgrades: int = 0
    private: bool = False

    def __post_init__(self) -> None:
        if math.isnan(self.best):
            self.best = self.reference - self.settings.epsilon_rank1

    @property
    def limits(self) -> tuple[float, float]:
        """What PSNR and SSIM of protected pictures must be below."""
        return self.desensitized.psnr + self.settings.epsilon_psnr, self.desensitized.ssim + self.settings.epsilon_ssim

    def is_private(self, scores: Scores) -> bool:
        """Whether a validation meets the privacy rule."""
        psnr_limit, ssim_limit = self.limits
        return scores.protected.psnr < psnr_limit and scores.protected.ssim < ssim_limit

    def decide(self, scores: Scores) -> bool:
        """Take note of a validation; returns whether it is an upgrade."""
        self.private = self.is_private(scores)
        if not (self.private and scores.rank1 > self.best):
            return False
        self.best = scores.rank1
        self.upgrades += 1
        return True

    @property
    def uses_upgrade(self) -> bool:
        """Whether the generator is to make its own best pictures now, and not the desensitized ones."""
        return self.private and self.upgrades > 0
