"""Which crops a rendered dataset holds, and which settings are refused."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import defaultdict

import pytest

from anonbench.core.errors import ConfigError
from anonbench.rendered import RenderSpec, plan_crops
from anonbench.rendered.identity import sample_identity

NAME = re.compile(r"^(bounding_box_train|query|bounding_box_test)/(-1|\d{4})_c([1-6])s[1-6]_\d{6}_\d{2}\.jpg$")


def spec(**changes):
    return RenderSpec(**({"train_identities": 10, "test_identities": 7, "junk": 5, "distractors": 9} | changes))


def by_folder(plans):
    folders = defaultdict(list)
    for plan in plans:
        folders[plan.path.split("/")[0]].append(plan)
    return folders


def test_names_follow_market1501_and_agree_with_the_plan():
    plans = plan_crops(spec())
    assert len({p.path for p in plans}) == len(plans)
    for plan in plans:
        match = NAME.match(plan.path)
        assert match, plan.path
        assert (int(match[2]), int(match[3])) == (plan.pid, plan.camid)


def test_counts_and_splits():
    folders = by_folder(plan_crops(spec()))
    assert len(folders["bounding_box_train"]) == 10 * 6 * 2
    assert len(folders["query"]) == 7 * 6
    assert len(folders["bounding_box_test"]) == 7 * 6 + 5 + 9
    train, query = ({p.pid for p in folders[f]} for f in ("bounding_box_train", "query"))
    assert not train & query
    assert sorted(train | query) == list(range(1, 18))
    assert sum(p.pid == -1 for p in folders["bounding_box_test"]) == 5
    assert sum(p.pid == 0 for p in folders["bounding_box_test"]) == 9


@pytest.mark.parametrize(("images", "coverage"), [(2, 1.0), (2, 0.0), (1, 1.0), (1, 0.0), (3, 0.5)])
def test_every_query_has_a_match_by_another_camera(images, coverage):
    folders = by_folder(plan_crops(spec(images_per_camera=images, camera_coverage=coverage)))
    assert len({(p.pid, p.camid) for p in folders["query"]}) == len(folders["query"])
    assert len({p.pid for p in folders["query"]}) == 7
    for query in folders["query"]:
        assert any(p.pid == query.pid and p.camid != query.camid for p in folders["bounding_box_test"])
    for pid in {p.pid for p in folders["query"]}:
        seen = {p.camid for p in folders["query"] + folders["bounding_box_test"] if p.pid == pid}
        assert len(seen) >= 2


def test_nobody_and_no_set_of_clothes_is_in_both_halves():
    folders = by_folder(plan_crops(spec(clothes_group=4)))
    halves = [
        {p.person for p in folders["bounding_box_train"]},
        {p.person for p in folders["query"] + folders["bounding_box_test"] if p.person is not None},
    ]
    assert not halves[0] & halves[1]
    assert not {n // 4 for n in halves[0]} & {n // 4 for n in halves[1]}


def test_the_plan_depends_on_the_seed_alone():
    assert plan_crops(spec()) == plan_crops(spec())
    assert {p.path for p in plan_crops(spec())} != {p.path for p in plan_crops(spec(seed=1))}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layout": "market1502"}, r"unknown layout 'market1502': did you mean 'market1501'"),
        ({"cameras": 1}, r"cameras must be a whole number from 2 to 15, got 1"),
        ({"cameras": 2.0}, r"cameras must be a whole number from 2 to 15, got 2.0"),
        ({"train_identities": "ten"}, r"train_identities must be a whole number"),
        ({"camera_coverage": 1.5}, r"camera_coverage must be a number from 0 to 1, got 1.5"),
        ({"junk": True}, r"junk must be a whole number"),
        ({"height_px": 128, "width_px": 90}, r"width_px must be between a third and two thirds of height_px, 43 to 85"),
    ],
)
def test_bad_settings_are_refused_with_what_was_expected(changes, message):
    with pytest.raises(ConfigError, match=message):
        spec(**changes)


def test_the_plan_of_the_demo_stays_what_it_was():
    """Other names would be other crops: the numbers of the README's demo stand on these."""
    demo = RenderSpec(seed=1, train_identities=60, test_identities=40, cameras=4, junk=10, distractors=30)
    paths = "\n".join(p.path for p in plan_crops(demo))
    assert hashlib.sha256(paths.encode()).hexdigest().startswith("a5b0e85d2c4cfc9d")


def test_queries_in_other_clothes():
    """Of a share of the people: queries show one outfit, the gallery the other, training images both."""
    plans = plan_crops(spec(train_identities=40, test_identities=40, other_clothes=0.5))
    changing = {plan.person for plan in plans if plan.outfit}
    people = {plan.person for plan in plans if plan.pid > 0}
    assert 0.3 < len(changing) / len(people) < 0.7
    for plan in plans:
        if plan.split in ("query", "gallery"):
            assert plan.outfit == (plan.person in changing and plan.split == "query" and plan.pid > 0)
    trained = [plan for plan in plans if plan.split == "train" and plan.person in changing]
    assert {plan.outfit for plan in trained} == {0, 1}
    same = plan_crops(spec(train_identities=40, test_identities=40))
    assert [plan.path for plan in plans] == [plan.path for plan in same]  # nothing else changes
    assert not any(plan.outfit for plan in same)


def test_another_outfit_leaves_the_person():
    one, other = (sample_identity(3, 12, 4, outfit) for outfit in (0, 1))
    assert one.outfit != other.outfit
    assert dataclasses.replace(other, outfit=one.outfit) == one
    assert one == sample_identity(3, 12, 4)


@pytest.mark.parametrize("layout", ["viper", "airport"])
def test_layouts_whose_reader_draws_the_queries_have_one_outfit(layout):
    size = {"cameras": 2, "images_per_camera": 1, "distractors": 0} if layout == "viper" else {}
    with pytest.raises(ConfigError, match="other_clothes"):
        spec(layout=layout, junk=0, other_clothes=0.5, **size)
