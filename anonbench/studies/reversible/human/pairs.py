"""Draw the pairs of a human evaluation: for every participant a form, in every group as many same as different.

    forms = draw_forms(pictures, study, seed)
    forms[0][0].left, forms[0][0].truth

Source: Zhang et al. 2022, section 4.3 and Table 2: 13 groups of 100 pairs from the test set, spread equally over 10
participants, who say of each pair whether it shows the same person. Deviations, since the paper says no more:

- Half the pairs of a group show the same person.
- Two pictures of one person are from different cameras, where the person has pictures of several. A pair of different
  people is from the cameras of a pair of the same person, so that the background gives nothing away.
- A participant meets a person again only when all others have been shown as often: who has seen someone unprotected
  might know him.
- Control pairs, of which everybody knows the answer, and a few pairs that come a second time.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from anonbench.core.errors import ConfigError, DataError, nearest
from anonbench.core.fields import build
from anonbench.core.structure import check_known
from anonbench.data.pictures import Picture
from anonbench.data.seeding import generator
from anonbench.data.variants import ORIGINAL

T = TypeVar("T")

SAME, DIFFERENT = "same", "different"
GROUP, CONTROL, REPEAT = "group", "control", "repeat"
TESTED = ("query", "gallery")
TRIES = 40  # draws after a pair that the group has not shown yet
STRANGERS = 60  # pairs of different people among which the least alike are the control


@dataclass(frozen=True)
class Group:
    """A kind of pairs that gets a privacy value of its own: a row of Table 2.

    name: what the table calls it.
    left, right: variants of the two pictures; which one is shown on which side is drawn.
    published: column -> value that find its row in the published table, such as {"method": "Base"}; {} for none.
    """

    name: str
    left: str
    right: str
    published: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """What a human evaluation shows to whom.

    groups: kinds of pairs.
    pairs: in each group, an even number.
    participants: forms, over which the pairs of a group are spread equally.
    controls: pairs of each form of which everybody knows the answer, half of them the same picture twice.
    repeats: pairs of each form that come a second time.
    raw: the variant that shows people as they are, for the controls.
    upper: the group of unprotected people, against which the published effects are compared; "" for none.
    real_people: whether people who are not drawn may be shown.
    contact: whom participants ask and send their file to, a line or two on the page.
    """

    groups: tuple[Group, ...]
    pairs: int = 100
    participants: int = 10
    controls: int = 8
    repeats: int = 5
    raw: str = ORIGINAL
    upper: str = ""
    real_people: bool = False
    contact: str = ""

    def __post_init__(self) -> None:
        names = [group.name for group in self.groups]
        if not names:
            raise ValueError("there is no group of pairs; expected at least one with a name, left and right")
        for name, count in Counter(names).items():
            if count > 1:
                raise ValueError(f"{count} groups are called '{name}'; give each a name of its own")
        if self.upper and self.upper not in names:
            raise ValueError(f"upper is '{self.upper}', which is no group: {nearest(self.upper, names)}")
        if self.participants < 1:
            raise ValueError(f"participants is {self.participants}; expected at least 1")
        if self.pairs < 2 or self.pairs % 2 or self.pairs % self.participants:
            raise ValueError(
                f"pairs is {self.pairs} for {self.participants} participants; expected an even number that can be "
                f"divided by the number of participants, such as {2 * self.participants}"
            )
        if self.controls < 0 or self.controls % 2:
            raise ValueError(f"controls is {self.controls}; expected an even number, 0 for none")
        most = len(names) * self.pairs // self.participants // 2
        if not 0 <= self.repeats <= most:
            raise ValueError(f"repeats is {self.repeats}; expected 0 to {most}, half of the pairs of a form")

    @property
    def variants(self) -> list[str]:
        """The variants that are shown."""
        shown = [variant for group in self.groups for variant in (group.left, group.right)]
        return list(dict.fromkeys([*shown, *([self.raw] if self.controls else [])]))

    def check_variants(self, known: Sequence[str]) -> None:
        """Raise `ConfigError` for a variant of which there are no pictures."""
        for group in self.groups:
            check_known(f"group '{group.name}'", (group.left, group.right), known)
        if self.controls:
            check_known("raw (for the control pairs)", [self.raw], known)


def read_study(entry: Mapping[str, Any]) -> Study:
    """The human evaluation that a config entry describes; raises `ConfigError` for an unknown key or a bad value."""
    groups = entry.get("groups")
    if not isinstance(groups, list | tuple):
        raise ConfigError(f"human evaluation: groups is {groups!r}; expected a list, each with name, left and right")
    built = tuple(build(Group, group, f"groups[{number}]") for number, group in enumerate(groups))
    return build(Study, {**entry, "groups": built}, "human evaluation")


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture: the path that it has in every variant, and the variant."""

    path: str
    variant: str


@dataclass(frozen=True, slots=True)
class Pair:
    """What a participant judges.

    id: eight hexadecimal digits, drawn, that say nothing.
    kind: `GROUP`, `CONTROL` or `REPEAT`.
    group: the name of its group, "" for a control.
    truth: `SAME` or `DIFFERENT`.
    of: for a repeat the id of the pair that comes again, "" for others.
    """

    id: str
    kind: str
    group: str
    truth: str
    left: Shown
    right: Shown
    of: str = ""


Unlikeness = Callable[[str, str], float]
"""How little alike two pictures look, by their paths; larger is less."""


def draw_forms(
    pictures: Sequence[Picture], study: Study, seed: int, unlike: Unlikeness = lambda a, b: 0.0
) -> list[list[Pair]]:
    """The pairs of every participant, in the order in which they are shown.

    pictures: of the dataset, with labels pid and camid; those of query and gallery are used.
    unlike: for control pairs of different people: the least alike of those drawn is taken.

    Raises `DataError` when there are too few people for a pair of either kind.
    """
    people = _People.of(pictures)
    sides = {
        (group.name, truth): _half(study.pairs // 2, generator(seed, "human sides", group.name, truth))
        for group in study.groups
        for truth in (SAME, DIFFERENT)
    }
    drawn: Counter[tuple[str, frozenset[str]]] = Counter()
    forms = [_draw_form(people, study, seed, number, sides, drawn, unlike) for number in range(study.participants)]
    return _named(forms, generator(seed, "human names"))


def _draw_form(
    people: _People,
    study: Study,
    seed: int,
    number: int,
    sides: Mapping[tuple[str, str], list[bool]],
    drawn: Counter[tuple[str, frozenset[str]]],
    unlike: Unlikeness,
) -> list[Pair]:
    draw = _Draw(people, generator(seed, "human form", number), drawn)
    share = study.pairs // study.participants
    tests: list[Pair] = []
    for k, group in enumerate(study.groups):
        same = (share + (number + k) % 2) // 2  # of an odd number the odd one falls to either kind in turn
        cameras = []
        for _ in range(same):
            a, b = draw.same(group.name)
            cameras.append((people.camera[a], people.camera[b]))
            tests.append(_pair(group, SAME, a, b, sides[group.name, SAME].pop()))
        for n in range(share - same):
            wanted = cameras[n % same] if same else draw.cameras()
            a, b = draw.different(group.name, wanted)
            tests.append(_pair(group, DIFFERENT, a, b, sides[group.name, DIFFERENT].pop()))
    controls = []
    for _ in range(study.controls // 2):
        a = draw.one()
        controls.append(Pair("", CONTROL, "", SAME, Shown(a, study.raw), Shown(a, study.raw)))
        a, b = draw.strangers(unlike)
        controls.append(Pair("", CONTROL, "", DIFFERENT, Shown(a, study.raw), Shown(b, study.raw)))
    return _in_order([*tests, *controls], study.repeats, draw.rng)


def _pair(group: Group, truth: str, a: str, b: str, turned: bool) -> Pair:
    one, other = Shown(a, group.left), Shown(b, group.right)
    return Pair("", GROUP, group.name, truth, *((other, one) if turned else (one, other)))


def _in_order(pairs: list[Pair], repeats: int, rng: np.random.Generator) -> list[Pair]:
    """Shuffled; some of the first half come again, sides exchanged, somewhere in the second half."""
    shuffled = [pairs[k] for k in rng.permutation(len(pairs))]
    tests = [pair for pair in shuffled if pair.kind == GROUP]
    half = len(shuffled) // 2
    early = [pair for pair in shuffled[:half] if pair.kind == GROUP]
    candidates = early if len(early) >= repeats else tests
    again = [candidates[k] for k in rng.permutation(len(candidates))[:repeats]]
    for pair in again:
        first = max(half, shuffled.index(pair) + 1)
        place = int(rng.integers(first, len(shuffled) + 1))
        shuffled.insert(place, dataclasses.replace(pair, kind=REPEAT, left=pair.right, right=pair.left))
    return shuffled


def _named(forms: list[list[Pair]], rng: np.random.Generator) -> list[list[Pair]]:
    """The same with ids that say nothing, and repeats that name the pair that they repeat."""
    wanted = sum(map(len, forms))
    names: dict[str, None] = {}
    while len(names) < wanted:
        names.setdefault(f"{int(rng.integers(2**32)):08x}")
    fresh = iter(names)
    found = []
    for form in forms:
        firsts: dict[tuple[str, Shown, Shown], str] = {}
        named = []
        for pair in form:
            name = next(fresh)
            if pair.kind == GROUP:
                firsts[pair.group, pair.left, pair.right] = name
            of = firsts[pair.group, pair.right, pair.left] if pair.kind == REPEAT else ""
            named.append(dataclasses.replace(pair, id=name, of=of))
        found.append(named)
    return found


def _half(count: int, rng: np.random.Generator) -> list[bool]:
    """As many true as false, in random order; one more of either for an odd count."""
    odd = count % 2 and bool(rng.integers(2))
    values = np.arange(count) < count // 2 + odd
    return [bool(value) for value in rng.permutation(values)]


@dataclass(frozen=True)
class _People:
    """Who is in the test set.

    paths: person -> camera -> paths, all sorted.
    camera, owner: path -> camera, and person.
    """

    paths: Mapping[int, Mapping[int, Sequence[str]]]
    camera: Mapping[str, int]
    owner: Mapping[str, int]

    @classmethod
    def of(cls, pictures: Sequence[Picture]) -> _People:
        found: dict[int, dict[int, list[str]]] = {}
        camera: dict[str, int] = {}
        owner: dict[str, int] = {}
        for picture in sorted(pictures, key=lambda p: p.path):
            pid, camid = picture.labels["pid"], picture.labels["camid"]
            if picture.split in TESTED and pid > 0:  # junk and distractors are nobody in particular
                found.setdefault(pid, {}).setdefault(camid, []).append(picture.path)
                camera[picture.path], owner[picture.path] = camid, pid
        people = cls({pid: dict(sorted(found[pid].items())) for pid in sorted(found)}, camera, owner)
        if len(people.paths) < 2 or not people.twice:
            raise DataError(
                f"{len(camera)} pictures of {len(people.paths)} people in query and gallery, "
                f"{len(people.twice)} of them with two or more; expected at least two people, and one of them with two "
                f"pictures."
            )
        return people

    @property
    def twice(self) -> list[int]:
        """Those of whom a pair can be drawn: with two cameras; where nobody has two, with two pictures."""
        several = [pid for pid, cameras in self.paths.items() if len(cameras) > 1]
        return several or [pid for pid, cameras in self.paths.items() if any(len(p) > 1 for p in cameras.values())]


class _Draw:
    """Draws for one form: who has been shown least comes first."""

    def __init__(self, people: _People, rng: np.random.Generator, drawn: Counter[tuple[str, frozenset[str]]]) -> None:
        self.people, self.rng, self.drawn = people, rng, drawn
        self.seen: Counter[int] = Counter()
        self.everybody, self.twice = list(people.paths), people.twice
        self.of_camera: dict[int, list[int]] = {}
        for pid, cameras in people.paths.items():
            for camid in cameras:
                self.of_camera.setdefault(camid, []).append(pid)

    def same(self, group: str) -> tuple[str, str]:
        """Two pictures of a person."""

        def attempt() -> tuple[str, str]:
            cameras = self.people.paths[self._person(self.twice)]
            if len(cameras) > 1:
                one, other = self.rng.choice(list(cameras), 2, replace=False)
                return self._of(cameras[int(one)]), self._of(cameras[int(other)])
            (paths,) = cameras.values()
            a, b = self.rng.choice(len(paths), 2, replace=False)
            return paths[a], paths[b]

        return self._new(group, attempt)

    def different(self, group: str, cameras: tuple[int, int]) -> tuple[str, str]:
        """Pictures of two people from two cameras; from any where only one person was seen by the second."""

        def attempt() -> tuple[str, str]:
            one = self._person(self.of_camera[cameras[0]])
            others = [p for p in self.of_camera[cameras[1]] if p != one] or [p for p in self.everybody if p != one]
            other = self._person(others)
            found = self.people.paths[other]
            of_other = found.get(cameras[1]) or [path for paths in found.values() for path in paths]
            return self._of(self.people.paths[one][cameras[0]]), self._of(of_other)

        return self._new(group, attempt)

    def one(self) -> str:
        """Any picture."""
        path = self._any(self._person(self.everybody))
        self._show(path)
        return path

    def strangers(self, unlike: Unlikeness) -> tuple[str, str]:
        """Pictures of two people who look as little alike as any of those drawn, however often they were shown."""
        best: tuple[float, str, str] | None = None
        for _ in range(STRANGERS):
            one, other = self.rng.choice(self.everybody, 2, replace=False)
            a, b = self._any(int(one)), self._any(int(other))
            found = (unlike(a, b), a, b)
            best = found if best is None else max(best, found)
        assert best is not None
        self._show(best[1], best[2])
        return best[1], best[2]

    def cameras(self) -> tuple[int, int]:
        cameras = list(self.of_camera)
        return self._of(cameras), self._of(cameras)

    def _new(self, group: str, attempt: Callable[[], tuple[str, str]]) -> tuple[str, str]:
        """A pair that the group has shown least often: where there are too few, some are judged by several people."""
        tried: list[tuple[int, tuple[str, str]]] = []
        for _ in range(TRIES):
            pair = attempt()
            times = self.drawn[group, frozenset(pair)]
            tried.append((times, pair))
            if not times:
                break
        _, pair = min(tried, key=lambda entry: entry[0])
        self.drawn[group, frozenset(pair)] += 1
        self._show(*pair)
        return pair

    def _show(self, *paths: str) -> None:
        self.seen.update({self.people.owner[path] for path in paths})

    def _person(self, among: Sequence[int]) -> int:
        least = min(self.seen[pid] for pid in among)
        return self._of([pid for pid in among if self.seen[pid] == least])

    def _any(self, pid: int) -> str:
        return self._of([path for paths in self.people.paths[pid].values() for path in paths])

    def _of(self, choices: Sequence[T]) -> T:
        return choices[int(self.rng.integers(len(choices)))]
