"""A CSV from the names of files: what matches, what is left out, who is drawn for what."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anonbench.data.tables import read_user_csv
from anonbench.datasets import DATASETS
from anonbench.ops.make_csv import draw_splits, read_names

Run = Callable[..., Any]
PATTERN = r"(?P<pid>\d{4})_c(?P<camid>\d)_\d+\.png"


def write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"not opened")
    return folder


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Ten people under two cameras, two images each."""
    return write(tmp_path / "mine", *(f"{p:04}_c{c}_{n}.png" for p in range(1, 11) for c in (1, 2) for n in range(2)))


def rows(folder: Path, name: str = "images.csv") -> list[dict[str, str]]:
    return [row for _, row in read_user_csv(folder / name, ("path", "pid", "camid", "split"), "")]


def test_what_is_drawn_is_a_dataset(people: Path, run_command: Run) -> None:
    write(people, "notes.txt", "odd name.png", ".hidden.png", "sub/0011_c1_0.png", "sub/0011_c2_0.png")
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in people.rglob("*") if path.is_file()}
    outcome = run_command("make-csv", people, "--pattern", PATTERN)
    assert outcome.status == 0, outcome.errors
    assert "images.csv: 42 images of 11 people" in outcome.output
    assert "left out, names that do not match: 1, the first: odd name.png" in outcome.output
    assert f"Next: anonbench check dataset folder --root {people}\n" in outcome.output
    after = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in before}
    assert after == before
    listing = DATASETS.get("folder")(people)
    roles = defaultdict(set)
    for image in listing.images:
        roles[image.pid].add(image.split)
    assert sorted(map(sorted, roles.values())) == [["gallery", "query"]] * 6 + [["train"]] * 5
    queries = [image for image in listing.images if image.split == "query"]
    assert len(queries) in (11, 12)  # one of each camera; of one image each, one stays in the gallery


def test_every_query_has_a_match_under_another_camera(tmp_path: Path) -> None:
    names = ["0001_c1_0.png", "0001_c2_0.png", "0002_c1_0.png", "0002_c1_1.png", "0003_c1_0.png", "0003_c2_0.png",
             "0003_c3_0.png", "0004_c1_0.png", "0005_c1_0.png", "0005_c2_0.png", "0005_c2_1.png"]  # fmt: skip
    found = read_names(write(tmp_path, *names), re.compile(PATTERN)).images
    for seed in range(20):
        for queries in (1, 3):
            images = draw_splits(found, 0.6, seed, queries)
            assert draw_splits(found, 0.6, seed, queries) == images
            gallery = [image for image in images if image.split == "gallery"]
            asked = [image for image in images if image.split == "query"]
            assert asked
            for query in asked:
                assert any(g.pid == query.pid and g.camid != query.camid for g in gallery)
            assert {i.pid for i in images if i.split == "train"}.isdisjoint(i.pid for i in (*gallery, *asked))
            assert {i.pid for i in images if i.split != "train"} == {1, 3, 5}  # seen by two cameras
    assert len({draw_splits(found, 0.4, seed, 1) for seed in range(20)}) > 1


def test_names_that_say_everything(tmp_path: Path, run_command: Run) -> None:
    write(tmp_path, "train/ann/a-1.png", "query/bob/a-1.png", "gallery/bob/b-1.png", "gallery/-1/b-2.png")
    pattern = r"(?P<split>\w+)/(?P<pid>[-\w]+)/(?P<camid>[ab])-\d\.png"
    outcome = run_command("make-csv", tmp_path, "--pattern", pattern, "--output", tmp_path / "mine.csv")
    assert outcome.status == 0, outcome.errors
    assert "pid: its texts are no numbers, so they were numbered from 1" in outcome.output
    assert "drawn" not in outcome.output
    assert """--spec '{"csv": "mine.csv"}'""" in outcome.output
    assert [tuple(row.values()) for row in rows(tmp_path, "mine.csv")] == [
        ("gallery/-1/b-2.png", "1", "2", "gallery"), ("gallery/bob/b-1.png", "3", "2", "gallery"),
        ("query/bob/a-1.png", "3", "1", "query"), ("train/ann/a-1.png", "2", "1", "train"),
    ]  # fmt: skip


def test_one_camera_for_each_image(tmp_path: Path, run_command: Run) -> None:
    write(tmp_path, *(f"{p:04}{n:03}.png" for p in range(1, 5) for n in range(3)))
    pattern = r"(?P<pid>\d{4})(?P<img>\d{3}).png"
    outcome = run_command("make-csv", tmp_path, "--pattern", pattern)
    assert outcome.status == 2
    assert "has no group camid" in outcome.errors
    assert "--camid each" in outcome.errors
    assert run_command("make-csv", tmp_path, "--pattern", pattern, "--camid", "each").status == 0
    assert {row["camid"] for row in rows(tmp_path)} == {"0", "1", "2"}
    DATASETS.get("folder")(tmp_path)


def test_a_csv_that_is_there_is_kept(people: Path, run_command: Run) -> None:
    (people / "images.csv").write_text("mine")
    outcome = run_command("make-csv", people, "--pattern", PATTERN)
    assert (outcome.status, (people / "images.csv").read_text()) == (2, "mine")
    assert "images.csv: already there" in outcome.errors
    (people / "images.csv").unlink()
    (people / "images.csv").symlink_to(people / "gone.csv")
    assert run_command("make-csv", people, "--pattern", PATTERN).status == 2
    assert not (people / "gone.csv").exists()


def test_what_is_not_yet_a_dataset_is_said(people: Path, run_command: Run) -> None:
    outcome = run_command("make-csv", people, "--pattern", PATTERN, "--split", "train")
    assert outcome.status == 0
    assert "Not yet a dataset: " in outcome.output
    assert "no image for query and gallery" in outcome.output


def test_names_that_no_job_can_use_are_counted(people: Path, run_command: Run) -> None:
    (people / "0011_c1\\_0.png").touch()
    (people / " 0012_c1_0.png").touch()
    with open(os.fsencode(people) + b"/0013_c1_\xff.png", "wb"):  # noqa: PTH123, bytes are the point
        pass
    outcome = run_command("make-csv", people, "--pattern", PATTERN)
    assert "images.csv: 40 images of 10 people" in outcome.output
    assert "left out, files that cannot be used: 3, the first:  0012_c1_0.png" in outcome.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pattern", "(?P<pid>"], "is no regular expression"),
        (["--pattern", r"(\d+).*"], r"says nobody's identity; expected a group such as (?P<pid>\d+)."),
        (["--pattern", r"(?P<id>\d+).*"], "It has the groups id."),
        (["--pattern", r"(?P<pid>\d{9}).png", "--camid", "0"], "no image's name matches"),
        (["--pattern", PATTERN, "--camid", "1"], "has a group camid, and --camid is given"),
        (
            ["--pattern", r"(?P<pid>\d+)_.*", "--camid", "x"],
            "--camid is 'x'; expected a whole number from 0 on, or each",
        ),
        (["--pattern", PATTERN, "--split", "trian"], "--split is 'trian': did you mean 'train'?"),
        (
            ["--pattern", r"(?P<pid>\d+)_(?P<split>c\d)_.*", "--camid", "0"],
            "the group split is 'c1'; expected train, query",
        ),
        (["--pattern", r"(?P<pid>\d+)_(?P<camid>x?).*"], "the group camid is empty"),
        (["--pattern", PATTERN, "--test", "1"], "--test is 1; expected a share of the people between 0 and 1"),
        (["--pattern", PATTERN, "--test", "nan"], "--test is nan"),
        (["--pattern", r"(?P<pid>0)\d+_c(?P<camid>\d).*"], "the names tell 1 people apart"),
    ],
)
def test_what_cannot_be_used(options: list[str], message: str, people: Path, run_command: Run) -> None:
    outcome = run_command("make-csv", people, *options)
    assert outcome.status == 2
    assert message in outcome.errors
    assert not (people / "images.csv").exists()


def test_junk_stays_in_the_gallery(people: Path, run_command: Run) -> None:
    write(people, "-001_c1_0.png")
    assert run_command("make-csv", people, "--pattern", r"(?P<pid>-?\d+)_c(?P<camid>\d)_\d+\.png").status == 0
    assert [row["split"] for row in rows(people) if row["pid"] == "-1"] == ["gallery"]
    DATASETS.get("folder")(people)
