"""VIPeR's layout and its 20 splits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_writers import write_image, write_layout, write_splits_json

from anonbench.core.errors import ConfigError, DataError
from anonbench.datasets import PersonImage
from anonbench.datasets.viper import read

NUMBERS = (0, 1, 45, 200, 873)  # with gaps, as in the real data


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for seed, number in enumerate(NUMBERS):
        write_image(tmp_path / f"cam_a/{number:03d}_{45 * (seed % 3)}.bmp", seed)
        write_image(tmp_path / f"cam_b/{number:03d}_90.bmp", 100 + seed)
    return tmp_path


def person(path: str) -> int:
    return int(path[6:9])


def test_records(root: Path) -> None:
    images = {i.path: i for i in read(root, expect="any").images}
    assert len(images) == 10
    for path, image in images.items():
        assert image.pid == person(path) + 1  # 0 would be a distractor
        assert image.camid == (1 if path.startswith("cam_a/") else 2)


def test_twenty_splits_ten_divisions_in_two_directions(root: Path) -> None:
    listing = read(root, expect="any")
    assert len(listing.splits) == 20
    assert {i.path: i.split for i in listing.images} == listing.splits[0]
    trained = []
    for division in range(10):
        forth, back = listing.splits[2 * division : 2 * division + 2]
        assert set(forth) == set(back) == {i.path for i in listing.images}
        trained.append(frozenset(person(p) for p, role in forth.items() if role == "train"))
        assert len(trained[-1]) == 2  # half of five, rounded down
        for path, role in forth.items():
            if person(path) in trained[-1]:
                assert role == back[path] == "train"
            else:
                assert (role, back[path]) == (("query", "gallery") if "cam_a" in path else ("gallery", "query"))
    assert len(set(trained)) > 3


def test_the_divisions_can_be_reproduced_from_the_documentation(root: Path) -> None:
    splits = read(root, seed=7, expect="any").splits
    for division in range(10):
        shuffled = np.random.default_rng([7, division]).permutation(np.array(sorted(NUMBERS)))
        trained = {person(p) for p, role in splits[2 * division].items() if role == "train"}
        assert trained == set(shuffled[:2].tolist())
    assert splits == read(root, seed=7, expect="any").splits
    assert splits != read(root, seed=8, expect="any").splits


def test_every_image_has_its_fair_share_of_training(tmp_path: Path) -> None:
    write_layout(tmp_path, "viper", cameras=2, images_per_camera=1, train_identities=20, test_identities=20)
    splits = read(tmp_path, expect="any").splits
    for roles in splits:
        assert sorted(roles.values()).count("train") == 40
        assert sorted(roles.values()).count("query") == 20
    often = np.array([sum(roles[p] == "train" for roles in splits) for p in splits[0]])
    assert often.mean() == 10
    assert often.min() > 0
    assert often.max() < 20


def entries(split: dict[str, list[str]]) -> list[dict[str, Any]]:
    """One split as torchreid writes it: absolute paths of another machine."""
    return [{k: [[f"/home/me/reid-data/viper/VIPeR/{p}", n, 0] for n, p in enumerate(v)] for k, v in split.items()}]


def test_a_split_file_in_torchreids_format(root: Path) -> None:
    files = sorted(p.relative_to(root).as_posix() for p in root.rglob("*.bmp"))
    split = {
        "train": [f for f in files if person(f) < 40],
        "query": [f for f in files if person(f) > 40 and "cam_b" in f],
        "gallery": [f for f in files if person(f) > 40 and "cam_a" in f],
    }
    (root / "mine.json").write_text(json.dumps([*entries(split), {**entries(split)[0], "num_train_pids": 2}]))
    listing = read(root, split_file="mine.json", expect="any")
    assert len(listing.splits) == 2
    assert listing.splits[0] == {f: role for role, paths in split.items() for f in paths}
    assert PersonImage("cam_b/045_90.bmp", 46, 2, "query") in listing.images
    assert "mine.json" in listing.sidecars

    (root / "mine.json").rename(root / "splits.json")  # found by its name
    assert read(root, expect="any").splits == listing.splits


def test_a_later_split_is_checked_too(root: Path) -> None:
    """Person 45 is trained on and asked for in the second split of the file."""
    files = sorted(p.relative_to(root).as_posix() for p in root.rglob("*.bmp"))
    good = {
        "train": [f for f in files if person(f) < 40],
        "query": [f for f in files if person(f) > 40 and "cam_b" in f],
        "gallery": [f for f in files if person(f) > 40 and "cam_a" in f],
    }
    bad = {**good, "train": [*good["train"], "cam_b/045_90.bmp"], "query": good["query"][1:]}
    write_splits_json(root, [good, bad])
    with pytest.raises(DataError, match="split 1: 1 identities are both in train and in query or gallery: 46"):
        read(root, expect="any")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"splits\.json: not a readable JSON file"),
        ("[]", r"splits\.json: expected a list of splits"),
        ('[{"train": []}]', r"splits\.json: split 0, query: missing; expected a list of \[path, pid, camid\]"),
        (
            '[{"train": [3], "query": [], "gallery": []}]',
            r"split 0, train: entry 0 is 3; expected \[path, pid, camid\]",
        ),
        (
            '[{"train": [["/x/cam_a/999_0.bmp", 0, 0]], "query": [], "gallery": []}]',
            r"split 0, train, entry 0: /x/cam_a/999_0\.bmp is no image of this dataset",
        ),
        (
            '[{"train": [["cam_a/000_0.bmp", 0, 0]], "query": [["cam_a/000_0.bmp", 0, 0]], "gallery": []}]',
            r"split 0, query, entry 0: cam_a/000_0\.bmp is listed a second time \(before: train\)",
        ),
        (
            '[{"train": [["cam_a/000_0.bmp", 0, 0]], "query": [], "gallery": []}]',
            r"split 0 leaves out cam_a/001_45\.bmp, .* and 4 more; expected every image",
        ),
    ],
)
def test_a_bad_split_file(root: Path, content: str, message: str) -> None:
    (root / "splits.json").write_text(content)
    with pytest.raises(DataError, match=message):
        read(root, expect="any")


def test_a_split_file_that_is_not_there(root: Path) -> None:
    with pytest.raises(DataError, match=r"theirs\.json: no such split file"):
        read(root, split_file="theirs.json", expect="any")


@pytest.mark.parametrize("seed", [-1, 1.0, True, "0"])
def test_bad_seed(root: Path, seed: Any) -> None:
    with pytest.raises(ConfigError, match=r"seed.* is .*; expected (a whole number >= 0|an integer)"):
        read(root, seed=seed)


def test_people_whom_one_camera_lacks(root: Path) -> None:
    (root / "cam_b/045_90.bmp").unlink()
    with pytest.raises(DataError, match="045 have no image by one of the two cameras"):
        read(root, expect="any")


def test_two_images_of_one_person(root: Path) -> None:
    write_image(root / "cam_a/045_135.bmp")
    with pytest.raises(DataError, match=r"cam_a/045_135\.bmp and cam_a/045_90\.bmp are two images of one person"):
        read(root, expect="any")


def test_foreign_name(root: Path) -> None:
    write_image(root / "cam_a/x.bmp")
    with pytest.raises(DataError, match=r"cam_a/x\.bmp: not a VIPeR name; expected <person>_<angle>\.bmp"):
        read(root, expect="any")


def test_the_published_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"cam_{c}/{n:03d}_90.bmp" for c in "ab" for n in range(632)]
    monkeypatch.setattr("anonbench.datasets.viper.list_files", lambda root, info: sorted(names))
    assert len(read(tmp_path).images) == 1264
    monkeypatch.setattr("anonbench.datasets.viper.list_files", lambda root, info: sorted(names[1:632] + names[633:]))
    with pytest.raises(DataError, match="train: found 630 images of 315 identities; expected 632 images of 316"):
        read(tmp_path)
