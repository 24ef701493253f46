"""The native layouts: what their files are called, which protocol files they ship, which settings they refuse."""

from __future__ import annotations

import io
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from dataset_writers import write_layout

from anonbench.core.errors import ConfigError
from anonbench.datasets import DATASETS, PersonImage
from anonbench.rendered import RenderSpec, plan_crops
from anonbench.rendered.plan import LAYOUTS, VIPER_ANGLES, sidecars

CASES = {
    "market1501": (
        {"cameras": 3, "junk": 2, "distractors": 3},
        r"(bounding_box_(train|test)|query)/(-1|\d{4})_c\ds\d_",
    ),
    "dukemtmcreid": ({"cameras": 8, "distractors": 4}, r"(bounding_box_(train|test)|query)/\d{4}_c[1-8]_f\d{7}\.jpg"),
    "cuhk03": ({"cameras": 2, "images_per_camera": 5}, r"images_detected/1_\d{3}_(1_0[1-5]|2_(0[6-9]|10))\.png"),
    "viper": ({"cameras": 2, "images_per_camera": 1}, r"cam_[ab]/\d{3}_(0|45|90|180)\.bmp"),
    "airport": ({"cameras": 6, "distractors": 4}, r"cam[1-6]/\d{7}/\d{6}\.jpg"),
    "msmt17": ({"cameras": 15}, r"(train|test)/(\d{4})/\2_\d{3}_\d{2}_\d{4}(morning|noon|afternoon)_\d{4}_0\.jpg"),
}


def spec(layout: str, **changes: object) -> RenderSpec:
    settings = {"train_identities": 6, "test_identities": 4, "junk": 0, "distractors": 0, **CASES[layout][0], **changes}
    return RenderSpec(layout=layout, **settings)  # type: ignore[arg-type]


def test_every_layout_has_a_case() -> None:
    assert set(CASES) == set(LAYOUTS)


@pytest.mark.parametrize("layout", CASES)
def test_names(layout: str) -> None:
    plans = plan_crops(spec(layout))
    assert len({p.path for p in plans}) == len(plans)
    assert [p.path for p in plans] == sorted(p.path for p in plans)
    for plan in plans:
        assert re.match(CASES[layout][1], plan.path), plan.path
        assert 1 <= plan.camid <= spec(layout).cameras


@pytest.mark.parametrize("layout", CASES)
def test_plans_and_protocol_files_depend_on_the_seed_alone(layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = plan_crops(spec(layout))
    files = dict(sidecars(spec(layout), first))
    monkeypatch.setattr(time, "asctime", lambda *_: "Thu Jan  1 00:00:00 1970")  # what SciPy writes into .mat files
    again = plan_crops(spec(layout))
    assert again == first
    assert dict(sidecars(spec(layout), again)) == files
    assert plan_crops(spec(layout, seed=1)) != first


@pytest.mark.parametrize("layout", sorted(set(CASES) - {"viper", "airport"}))
def test_the_adapter_reads_what_was_planned(layout: str, tmp_path: Path) -> None:
    """VIPeR and Airport divide people themselves: see the tests of their adapters."""
    plans = write_layout(tmp_path, layout, **CASES[layout][0])
    images = DATASETS.get(layout)(tmp_path, expect="any").images
    assert [(i.path, i.camid, i.split) for i in images] == [(p.path, p.camid, p.split) for p in plans]
    numbers = {(p.pid, i.pid) for p, i in zip(plans, images, strict=True)}
    assert len(numbers) == len({p.pid for p in plans}) == len({i.pid for i in images})
    if layout != "msmt17":  # which numbers people twice
        assert images == tuple(PersonImage(p.path, p.pid, p.camid, str(p.split)) for p in plans)


@pytest.mark.parametrize("layout", sorted(set(CASES) - {"viper", "airport"}))
def test_every_query_has_a_match_by_another_camera_and_halves_share_nobody(layout: str) -> None:
    plans = plan_crops(spec(layout))
    people = {s: {p.person for p in plans if p.split == s} for s in ("train", "query", "gallery")}
    assert not people["train"] & (people["query"] | people["gallery"])
    assert len(people["query"]) == 4
    for query in (p for p in plans if p.split == "query"):
        assert any(p.split == "gallery" and p.pid == query.pid and p.camid != query.camid for p in plans)


def test_cuhk03_has_two_views_and_a_protocol_file() -> None:
    plans = plan_crops(spec("cuhk03"))
    files = sidecars(spec("cuhk03"), plans)
    (content,) = files.values()
    assert list(files) == ["cuhk03_new_protocol_config_detected.mat"]
    protocol = scipy.io.loadmat(io.BytesIO(content))
    names = [str(np.ravel(cell)[0]) for cell in protocol["filelist"].ravel()]
    assert names == [Path(p.path).name for p in plans]
    assert protocol["train_idx"].ravel().tolist() == [k for k, p in enumerate(plans, 1) if p.split == "train"]
    assert Counter((p.pid, p.camid) for p in plans) == {(pid, view): 5 for pid in range(1, 11) for view in (1, 2)}
    for plan in plans:
        assert int(Path(plan.path).name.split("_")[2]) == plan.camid


def test_viper_names_tell_the_view_that_is_drawn() -> None:
    shares = ((0.0, 0.0, 1.0, 0.0), (0.0, 0.5, 0.0, 0.5))
    plans = plan_crops(spec("viper", view_shares=shares, train_identities=40))
    assert len(plans) == 2 * 44
    for plan in plans:
        assert int(re.findall(r"_(\d+)\.bmp", plan.path)[0]) == VIPER_ANGLES[str(plan.view)]
        assert plan.view in (("profile",) if plan.camid == 1 else ("three_quarter", "back"))
        assert plan.path.startswith("cam_a/" if plan.camid == 1 else "cam_b/")
    assert len({p.view for p in plans}) == 3
    assert set(Counter(p.pid for p in plans).values()) == {2}


def test_airport_lists_have_a_line_an_image_and_distractors_numbers_of_their_own() -> None:
    plans = plan_crops(spec("airport"))
    lists = {name: content.decode().splitlines() for name, content in sidecars(spec("airport"), plans).items()}
    assert lists["filepath.txt"] == [p.path.replace("/", "\\") for p in plans]
    assert lists["personID.txt"] == [str(p.pid) for p in plans]
    assert lists["camID.txt"] == [str(p.camid) for p in plans]
    strangers = [p for p in plans if p.pid > 10]
    assert sorted(p.pid for p in strangers) == [1_320_011, 1_320_012, 1_320_013, 1_320_014]
    assert all(int(p.path.split("/")[1]) == p.pid for p in plans)


def test_msmt17_lists_name_every_image_once() -> None:
    plans = plan_crops(spec("msmt17"))
    files = sidecars(spec("msmt17"), plans)
    lines = [line.split() for content in files.values() for line in content.decode().splitlines()]
    assert sorted(path for path, _ in lines) == sorted(p.path.partition("/")[2] for p in plans)
    assert all(int(path[:4]) == int(person) for path, person in lines)
    assert len(files["list_val.txt"].splitlines()) == 18  # of 6 people x 15 cameras x 2 images


@pytest.mark.parametrize(
    ("layout", "changes", "message"),
    [
        ("cuhk03", {"cameras": 6}, "layout 'cuhk03' wants cameras 2, got 6"),
        ("cuhk03", {"images_per_camera": 6}, "layout 'cuhk03' wants images_per_camera 1 to 5, got 6"),
        ("viper", {"images_per_camera": 2}, "layout 'viper' wants images_per_camera 1, got 2"),
        ("viper", {"distractors": 1}, "layout 'viper' wants distractors 0, got 1"),
        ("dukemtmcreid", {"junk": 3}, "layout 'dukemtmcreid' wants junk 0, got 3"),
        ("airport", {"junk": 3}, "layout 'airport' wants junk 0, got 3"),
        ("msmt17", {"distractors": 3}, "layout 'msmt17' wants distractors 0, got 3"),
    ],
)
def test_settings_that_a_layout_cannot_hold(layout: str, changes: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        spec(layout, **changes)
