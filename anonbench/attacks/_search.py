"""What every attack by search does: rank a gallery for each probe, with people whom the attacker cannot know.

Half of the people are enrolled, that is, in the gallery. The others are the control: for each of them an enrolled
person is drawn who stands in for them, and a hit is a picture of that person at rank 1. How often that happens is what
place, light and chance give an attacker who knows nothing of the person.

Similarity is the cosine of two features. Pictures that are alike to 5 decimals are ranked in a random order: where
everything is hidden alike, no order of files helps the attacker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anonbench.attacks._outcome import Trial
from anonbench.core import checks
from anonbench.core.errors import DataError
from anonbench.datasets import DISTRACTOR_PID
from anonbench.tasks.reid.distance import BlockedDistance, blocked_distance, check_feature_pair
from anonbench.tasks.reid.features import read_features

Bits = NDArray[np.bool_]
Labels = NDArray[np.int64]
DECIMALS = 5  # below them similarities are rounding
SPLITS = ("query", "gallery")


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures as a recognizer sees them.

    features: (n, d) float32.
    paths: (n,) str.
    pids, camids: (n,) int64.
    """

    features: NDArray[np.float32]
    paths: NDArray[np.str_]
    pids: Labels
    camids: Labels

    def __len__(self) -> int:
        return len(self.paths)

    def of(self, rows: Bits | Labels) -> Pictures:
        """Some of them, by a mask or by numbers."""
        return Pictures(self.features[rows], self.paths[rows], self.pids[rows], self.camids[rows])


@dataclass(frozen=True, eq=False)
class Sought:
    """What a probe is to be found by.

    right: (m,) pictures of the gallery that are a hit.
    compared: (m,) pictures that are ranked; every right one is.
    """

    right: Bits
    compared: Bits


@dataclass(frozen=True, eq=False)
class Findings:
    """What a search finds.

    trials: one a probe, in their order.
    unranked: probes without a right answer in the gallery.
    n_gallery: pictures of the gallery.
    genuine: (g,) similarities of pairs of one person, without the control.
    impostors: blocks of similarities of pairs of two people, made when asked for.
    """

    trials: Sequence[Trial]
    unranked: int
    n_gallery: int
    genuine: NDArray[np.float64]
    impostors: Iterator[NDArray[np.float64]]


@dataclass(frozen=True)
class Enrolment:
    """Who is in the gallery, and who stands in for the others.

    known: identities that are enrolled.
    stand_in: identity that is not -> one that is.
    """

    known: frozenset[int]
    stand_in: dict[int, int]

    @classmethod
    def draw(cls, people: Sequence[int], share: float, seed: int) -> Enrolment:
        """Enrol a share of the people at random. Raises `DataError` where one side has nobody.

        >>> sorted(Enrolment.draw([1, 2, 3, 4], 0.5, seed=0).known)
        [3, 4]
        """
        rng = np.random.default_rng(seed)
        order = rng.permutation(sorted(set(people))).tolist()
        count = round(share * len(order))
        if not 0 < count < len(order):
            raise DataError(
                f"{len(order)} people are in probes and gallery, of whom {count} would be enrolled; expected at least "
                f"one who is and one who is not. Use a dataset with more people."
            )
        known = order[:count]
        return cls(frozenset(known), {pid: int(rng.choice(known)) for pid in order[count:]})


@dataclass(frozen=True)
class Search:
    """An attack that ranks a gallery in which a share of the people are.

    enrolled: share of the people who are in the gallery, 0..1. The others are the control.
    seed: of who is, >= 0.
    """

    enrolled: float = 0.5
    seed: int = 0
    probe_splits: ClassVar[Sequence[str]] = SPLITS
    gallery_splits: ClassVar[Sequence[str]] = SPLITS
    """Of the test pictures: those that are hidden, and those that the attacker has."""

    def __post_init__(self) -> None:
        checks.number("enrolled", self.enrolled, 0, 1, above=True)
        checks.integer("seed", self.seed, 0)

    def enrol(self, probes: Pictures, gallery: Pictures) -> tuple[Enrolment, Pictures]:
        """Who is in the gallery, and the probes of people whom both sides show.

        Raises `DataError` where nobody can be enrolled, or nobody is left.
        """
        people = people_of(probes, gallery)
        return Enrolment.draw(people, self.enrolled, self.seed), probes.of(np.isin(probes.pids, people))


def read_pictures(file: Path, splits: Sequence[str] = SPLITS) -> Pictures:
    """The pictures of some splits of a feature file. Raises `DataError` where one is empty."""
    parts = [read_features(file, split) for split in splits]
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Pictures(arrays["features"], arrays["paths"], arrays["pids"], arrays["camids"])


def people_of(probes: Pictures, gallery: Pictures) -> list[int]:
    """Identities that probes and gallery share, without distractors and junk."""
    common = set(probes.pids.tolist()) & set(gallery.pids.tolist())
    return sorted(pid for pid in common if pid > DISTRACTOR_PID)


def search(
    probes: Pictures, gallery: Pictures, sought: Callable[[int], Sought], enrolment: Enrolment, seed: int
) -> Findings:
    """Rank the gallery for every probe.

    sought: number of a probe -> what it is to be found by.
    enrolment: probes of people who have a stand-in are the control.
    seed: of the order of pictures that are equally similar.
    Raises `DataError` where no probe has a right answer.
    """
    control = np.isin(probes.pids, list(enrolment.stand_in))
    rng = np.random.default_rng(seed)
    distance = blocked_distance(*check_feature_pair(probes.features, gallery.features), "cosine")
    trials: list[Trial] = []
    genuine: list[NDArray[np.float64]] = []
    unranked = 0
    for number, row in _similarities(distance):
        target = sought(number)
        if not target.right.any():
            unranked += 1
            continue
        trials.append(_trial(probes, number, row, target, bool(control[number]), rng))
        if not control[number]:
            genuine.append(row[target.right])
    if not genuine:
        raise DataError(f"none of {len(probes)} probes has a right answer in the gallery; there is nothing to attack.")

    def impostors() -> Iterator[NDArray[np.float64]]:
        for number, row in _similarities(distance):
            target = sought(number)
            if not control[number] and target.right.any():
                yield row[target.compared & ~target.right]

    return Findings(trials, unranked, len(gallery), np.concatenate(genuine), impostors())


def _similarities(distance: BlockedDistance) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """(number of a probe, (m,) cosine similarities to 5 decimals) of each probe."""
    for start, stop in distance.spans():
        block = distance.block(start, stop)
        for offset, row in enumerate(np.round(1 - block.astype(np.float64), DECIMALS)):
            yield start + offset, row


def _trial(
    probes: Pictures,
    number: int,
    row: NDArray[np.float64],
    sought: Sought,
    control: bool,
    rng: np.random.Generator,
) -> Trial:
    right, compared = sought.right, sought.compared
    own, others = row[right], row[compared & ~right]
    lots = rng.uniform(0, 10 ** -(DECIMALS + 1), int(compared.sum()))  # among equals chance decides
    ranked = np.argsort(lots - row[compared], kind="stable")
    places = np.flatnonzero(right[compared][ranked]) + 1  # 1-based ranks of the right answers
    precision = np.arange(1, len(places) + 1) / places
    return Trial(
        path=str(probes.paths[number]),
        pid=int(probes.pids[number]),
        camid=int(probes.camids[number]),
        control=control,
        rank=int(places[0]),
        ap=float(precision.mean()),
        right=float(own.max()),
        wrong=float(others.max()) if len(others) else float("nan"),
        matches=int(right.sum()),
        ranked=int(compared.sum()),
    )
