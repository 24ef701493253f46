"""Pairs of a human evaluation: balanced in every way, repeatable, and from the right people and cameras."""

from __future__ import annotations

from collections import Counter

import pytest

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.pictures import Picture
from anonbench.studies.reversible.human.pairs import (
    CONTROL,
    DIFFERENT,
    GROUP,
    REPEAT,
    SAME,
    Group,
    Pair,
    Study,
    draw_forms,
)

METHODS = ("blurring", "pixelation", "noise")
PROTECTED = [
    Group(f"{method} {who} {'OI' if left == 'original' else 'PI'}-PI", left, f"{method}_{who}")
    for method in METHODS
    for who in ("base", "ours")
    for left in ("original", f"{method}_{who}")
]
GROUPS = (*PROTECTED, Group("upper", "original", "original"))


def crowd(people: int = 60, cameras: int = 4, each: int = 2) -> list[Picture]:
    """Test pictures, one query a camera; train, junk and distractors beside them."""
    labels = [(pid, camid, n) for pid in range(1, people + 1) for camid in range(cameras) for n in range(each)]
    found = [
        Picture(f"{p:03d}_{c}_{n}.jpg", "gallery" if n else "query", 4, 8, "x", {"pid": p, "camid": c})
        for p, c, n in labels
    ]
    strays = [(-1, "gallery"), (0, "gallery"), (500, "train")]
    return found + [
        Picture(f"stray_{pid}_{n}.jpg", split, 4, 8, "x", {"pid": pid, "camid": n})
        for pid, split in strays
        for n in range(3)
    ]


def owner(pair: Pair) -> tuple[str, str]:
    return pair.left.path[:3], pair.right.path[:3]


def cameras(pair: Pair) -> frozenset[str]:
    return frozenset([pair.left.path[4], pair.right.path[4]])


@pytest.fixture(scope="module")
def paper() -> list[list[Pair]]:
    """The paper's size: 13 groups of 100 pairs, ten participants."""
    return draw_forms(crowd(), Study(GROUPS), seed=0)


def of_kind(forms: list[list[Pair]], kind: str = GROUP) -> list[Pair]:
    return [pair for form in forms for pair in form if pair.kind == kind]


def test_every_group_has_its_pairs_half_of_them_the_same_person(paper: list[list[Pair]]) -> None:
    counts = Counter((pair.group, pair.truth) for pair in of_kind(paper))
    assert counts == {(group.name, truth): 50 for group in GROUPS for truth in (SAME, DIFFERENT)}
    assert len(GROUPS) == 13


def test_the_pairs_of_a_group_are_spread_equally_over_the_forms(paper: list[list[Pair]]) -> None:
    assert len(paper) == 10
    for form in paper:
        counts = Counter(pair.group for pair in form if pair.kind == GROUP)
        assert set(counts.values()) == {10}
        same = Counter(pair.group for pair in form if pair.kind == GROUP and pair.truth == SAME)
        assert set(same.values()) == {5}
        assert Counter(pair.kind for pair in form) == {GROUP: 130, CONTROL: 8, REPEAT: 5}


def test_an_odd_share_is_balanced_over_the_forms() -> None:
    forms = draw_forms(crowd(), Study(GROUPS[:3], pairs=20, participants=4, repeats=2), seed=0)
    counts = Counter((pair.group, pair.truth) for pair in of_kind(forms))
    assert set(counts.values()) == {10}
    for form in forms:
        found = Counter(pair.truth for pair in form if pair.kind == GROUP)
        assert abs(found[SAME] - found[DIFFERENT]) <= 1


def test_truth_is_true_and_the_variants_are_the_groups(paper: list[list[Pair]]) -> None:
    by_name = {group.name: group for group in GROUPS}
    for pair in of_kind(paper):
        assert (owner(pair)[0] == owner(pair)[1]) == (pair.truth == SAME)
        assert pair.left.path != pair.right.path
        group = by_name[pair.group]
        assert sorted([pair.left.variant, pair.right.variant]) == sorted([group.left, group.right])


def test_sides_are_balanced_in_every_group(paper: list[list[Pair]]) -> None:
    for group in GROUPS:
        if group.left == group.right:
            continue
        for truth in (SAME, DIFFERENT):
            pairs = [pair for pair in of_kind(paper) if (pair.group, pair.truth) == (group.name, truth)]
            assert sum(pair.left.variant == group.left for pair in pairs) == 25


def test_cameras_say_nothing_about_the_answer(paper: list[list[Pair]]) -> None:
    """Same people from two cameras, and different people from cameras as often as those."""
    for form in paper:
        for group in GROUPS:
            found = {
                truth: Counter(cameras(p) for p in form if (p.kind, p.group, p.truth) == (GROUP, group.name, truth))
                for truth in (SAME, DIFFERENT)
            }
            assert all(len(pair) == 2 for pair in found[SAME])
            assert found[SAME] == found[DIFFERENT]


def test_nobody_in_particular_and_nobody_of_the_training_set_is_shown(paper: list[list[Pair]]) -> None:
    shown = {picture.path for form in paper for pair in form for picture in (pair.left, pair.right)}
    assert not [path for path in shown if path.startswith("stray")]


def test_people_are_shown_to_a_participant_about_as_often_as_each_other(paper: list[list[Pair]]) -> None:
    for form in paper:
        counts = Counter(pid for pair in form if pair.kind == GROUP for pid in set(owner(pair)))
        assert len(counts) == 60
        assert max(counts.values()) - min(counts.values()) <= 2


def test_no_pair_of_a_group_is_judged_twice_where_there_are_enough(paper: list[list[Pair]]) -> None:
    pictures = Counter((p.group, frozenset([p.left.path, p.right.path])) for p in of_kind(paper))
    assert set(pictures.values()) == {1}


def test_too_few_pictures_are_used_again() -> None:
    forms = draw_forms(crowd(people=3, cameras=2, each=1), Study(GROUPS[-1:], pairs=20, participants=2), seed=0)
    same = Counter(frozenset([p.left.path, p.right.path]) for p in of_kind(forms) if p.truth == SAME)
    assert len(same) == 3
    assert sum(same.values()) == 10
    assert max(same.values()) - min(same.values()) <= 2


def test_one_camera_still_gives_pairs_of_two_pictures() -> None:
    forms = draw_forms(crowd(people=10, cameras=1, each=3), Study(GROUPS[-1:], pairs=20, participants=2), seed=0)
    assert all(pair.left.path != pair.right.path for pair in of_kind(forms))


def test_controls_are_the_same_picture_and_people_who_look_least_alike() -> None:
    def unlike(a: str, b: str) -> float:
        return abs(int(a[:3]) - int(b[:3]))

    forms = draw_forms(crowd(), Study(GROUPS[-1:], pairs=20, participants=2, controls=20), seed=0, unlike=unlike)
    controls = of_kind(forms, CONTROL)
    assert Counter(pair.truth for pair in controls) == {SAME: 20, DIFFERENT: 20}
    assert {picture.variant for pair in controls for picture in (pair.left, pair.right)} == {"original"}
    assert all((pair.left == pair.right) == (pair.truth == SAME) for pair in controls)
    strangers = [pair for pair in controls if pair.truth == DIFFERENT]
    assert min(unlike(pair.left.path, pair.right.path) for pair in strangers) > 30  # 20 on average where drawn blindly


def test_repeats_come_later_with_the_sides_exchanged(paper: list[list[Pair]]) -> None:
    for form in paper:
        place = {pair.id: n for n, pair in enumerate(form)}
        for pair in form:
            assert bool(pair.of) == (pair.kind == REPEAT)
            if pair.of:
                first = form[place[pair.of]]
                assert place[pair.of] < place[pair.id]
                assert first.kind == GROUP
                assert (first.left, first.right, first.truth) == (pair.right, pair.left, pair.truth)
                assert place[pair.id] >= len(form) // 2 - 5


def test_ids_and_order_say_nothing(paper: list[list[Pair]]) -> None:
    pairs = [pair for form in paper for pair in form]
    ids = [pair.id for pair in pairs]
    assert len(set(ids)) == len(ids)
    assert all(len(name) == 8 and int(name, 16) >= 0 for name in ids)
    first = Counter(form[0].group for form in paper)
    assert len(first) > 4  # not a group after the other
    ranks = sorted(range(len(ids)), key=ids.__getitem__)
    truth = [pairs[k].truth == SAME for k in ranks]
    assert 0.4 < sum(truth[: len(truth) // 2]) / (len(truth) // 2) < 0.6


def test_a_seed_repeats_and_another_does_not(paper: list[list[Pair]]) -> None:
    shuffled = list(reversed(crowd()))
    assert draw_forms(shuffled, Study(GROUPS), seed=0) == paper
    other = draw_forms(crowd(), Study(GROUPS), seed=1)
    assert [p.id for p in other[0]] != [p.id for p in paper[0]]
    assert {(p.left, p.right) for p in of_kind(other)} != {(p.left, p.right) for p in of_kind(paper)}


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        (crowd(people=1), "expected at least two people"),
        (crowd(people=3, cameras=1, each=1), "0 of them with two or more"),
        ([p for p in crowd() if p.labels["pid"] < 1], "0 pictures of 0 people"),
    ],
)
def test_too_few_people_are_named(pictures: list[Picture], message: str) -> None:
    with pytest.raises(DataError, match=message):
        draw_forms(pictures, Study(GROUPS[-1:], pairs=20, participants=2), seed=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"groups": ()}, "no group"),
        ({"groups": (GROUPS[0], GROUPS[0])}, "2 groups are called"),
        ({"pairs": 25}, "even number that can be divided"),
        ({"pairs": 24}, "even number that can be divided"),
        ({"participants": 0}, "at least 1"),
        ({"controls": 3}, "controls is 3"),
        ({"repeats": 100}, "expected 0 to 65"),
        ({"upper": "uper"}, "did you mean 'upper'"),
    ],
)
def test_a_study_that_cannot_be_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Study(**{"groups": GROUPS, **changes})


def test_an_unknown_variant_is_named() -> None:
    with pytest.raises(ConfigError, match="did you mean 'noise_ours'"):
        Study((Group("a", "original", "noise_our"),)).check_variants(["original", "noise_ours"])
    with pytest.raises(ConfigError, match="raw"):
        Study((Group("a", "x", "x"),)).check_variants(["x"])
    Study((Group("a", "x", "x"),), controls=0).check_variants(["x"])
