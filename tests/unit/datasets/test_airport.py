"""Airport's lists, distractors and splits."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
from dataset_writers import write_image, write_layout

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.pictures import DroppedImage
from anonbench.datasets import airport
from anonbench.datasets._partition import read_partition
from anonbench.datasets.airport import read

# (person, camera) of two images each. 401003 is seen by one camera alone; the last two are nobody.
SEEN = [
    (11001, 32), (11001, 33), (12002, 32), (12002, 35), (401003, 34), (20004, 33), (20004, 36), (20004, 37),
    (31005, 32), (31005, 33), (1320011, 32), (0, 36),
]  # fmt: skip


def write_lists(root: Path, rows: list[tuple[str, int, int]]) -> None:
    (root / "filepath.txt").write_text("".join(path.replace("/", "\\") + "\r\n" for path, _, _ in rows))
    (root / "personID.txt").write_text("".join(f"{person}\n" for _, person, _ in rows))
    (root / "camID.txt").write_text("".join(f"{camera}\n" for _, _, camera in rows))


@pytest.fixture
def rows() -> list[tuple[str, int, int]]:
    return [(f"cam{c}/{p}/{n:06d}.jpg", p, c) for p, c in SEEN for n in (1, 2)]


@pytest.fixture
def root(tmp_path: Path, rows: list[tuple[str, int, int]]) -> Path:
    write_lists(tmp_path, rows)
    for seed, (path, _, _) in enumerate(rows):
        write_image(tmp_path / path, seed)
    return tmp_path


def test_a_drawn_split(root: Path, rows: list[tuple[str, int, int]]) -> None:
    images = {i.path: i for i in read(root, expect="any").images}
    assert set(images) == {path for path, _, _ in rows}
    by_split = {s: {i.pid for i in images.values() if i.split == s} for s in ("train", "query", "gallery")}
    assert len(by_split["train"]) == len(by_split["query"]) == 2  # half of the four whom two cameras see
    assert by_split["train"] | by_split["query"] == {11001, 12002, 20004, 31005}
    assert by_split["gallery"] == {0, 401003} | by_split["query"]
    for path, person, camera in rows:
        image = images[path]
        assert image.camid == camera
        assert image.pid == (0 if person in (0, 1320011) else person)
    for person in by_split["query"]:  # one camera asks, all others answer
        asking = {i.camid for i in images.values() if i.pid == person and i.split == "query"}
        answering = {i.camid for i in images.values() if i.pid == person and i.split == "gallery"}
        assert len(asking) == 1
        assert asking.isdisjoint(answering)
        assert asking | answering == {c for p, c in SEEN if p == person}


@pytest.mark.parametrize("seed", [0, 3])
def test_it_can_be_reproduced_from_the_documentation(root: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    order = rng.permutation([11001, 12002, 20004, 31005])
    asking = {p: rng.choice(sorted(c for q, c in SEEN if q == p)) for p in order[2:]}
    images = read(root, seed=seed, expect="any").images
    assert {i.pid for i in images if i.split == "train"} == set(order[:2].tolist())
    assert {(i.pid, i.camid) for i in images if i.split == "query"} == {(int(p), int(c)) for p, c in asking.items()}


def test_seeds_differ_and_lists_order_does_not_matter(root: Path, rows: list[tuple[str, int, int]]) -> None:
    drawn = {s: read(root, seed=s, expect="any").images for s in range(6)}
    assert len(set(drawn.values())) > 1
    write_lists(root, rows[::-1])
    assert read(root, seed=0, expect="any").images == drawn[0]


# --- split files ---

CHOSEN = {
    "cam32/11001/000001.jpg": "train",
    "cam33/11001/000001.jpg": "train",
    "cam32/12002/000001.jpg": "query",
    "cam35/12002/000001.jpg": "gallery",
    "cam32/1320011/000001.jpg": "gallery",
}


def test_a_csv_with_backslashes_and_what_it_leaves_out(root: Path) -> None:
    lines = [f"{path.replace('/', chr(92))},{split}" for path, split in CHOSEN.items()]
    (root / "mine.csv").write_text("\ufeffpath,split\n" + "\n".join(lines) + "\n")
    write_image(root / "stray.jpg")
    listing = read(root, split_file="mine.csv", expect="any")
    assert {i.path: i.split for i in listing.images} == CHOSEN
    assert listing.sidecars == ("camID.txt", "filepath.txt", "mine.csv", "personID.txt")
    assert DroppedImage("stray.jpg", "not listed in filepath.txt") in listing.dropped
    assert DroppedImage("cam36/0/000001.jpg", "in no part of split 0 of mine.csv") in listing.dropped
    assert len(listing.dropped) == 24 - 5 + 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,split\n", r"mine\.csv:1: no column 'path': found .*; expected path,split"),
        ("path,split\ncam32/11001/000001.jpg,test\n", r"mine\.csv:2: column split is test; expected train, query"),
        ("path,split\ncam32/11001/9.jpg,train\n", r"mine\.csv:2: cam32/11001/9\.jpg is no image of this dataset"),
        (
            "path,split\ncam32/11001/000001.jpg,train\ncam32/11001/000001.jpg,query\n",
            r"mine\.csv:3: cam32/11001/000001\.jpg is listed a second time \(before: train\)",
        ),
    ],
)
def test_a_bad_csv(root: Path, text: str, message: str) -> None:
    (root / "mine.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read(root, split_file="mine.csv", expect="any")


def test_a_csv_that_is_no_text(root: Path) -> None:
    (root / "mine.csv").write_bytes(b"path,split\n\xff\xfe")
    with pytest.raises(DataError, match=r"mine\.csv:2: not a UTF-8 text file"):
        read(root, split_file="mine.csv", expect="any")


def test_who_trains_or_is_asked_for_is_no_distractor(root: Path) -> None:
    """The number says nobody, the split file says somebody: the file counts, and an overlap of the halves is seen."""
    asked = {**CHOSEN, "cam32/1320011/000002.jpg": "query"}
    (root / "mine.csv").write_text("path,split\n" + "".join(f"{path},{split}\n" for path, split in asked.items()))
    images = read(root, split_file="mine.csv", expect="any").images
    assert [i.split for i in images if i.pid == 1320011] == ["gallery", "query"]
    (root / "mine.csv").write_text((root / "mine.csv").read_text().replace("000002.jpg,query", "000002.jpg,train"))
    with pytest.raises(DataError, match="1 identities are both in train and in query or gallery: 1320011"):
        read(root, split_file="mine.csv", expect="any")


def test_json_with_several_splits(root: Path) -> None:
    splits = [
        {s: [[f"D:\\Airport\\{p}", 0, 0] for p, r in c.items() if r == s] for s in ("train", "query", "gallery")}
        for c in (CHOSEN, {**CHOSEN, "cam32/12002/000001.jpg": "gallery", "cam35/12002/000001.jpg": "query"})
    ]
    (root / "mine.json").write_text(json.dumps(splits))
    for split_id, asked in enumerate(("cam32/12002/000001.jpg", "cam35/12002/000001.jpg")):
        images = read(root, split_file="mine.json", split_id=split_id, expect="any").images
        assert [i.path for i in images if i.split == "query"] == [asked]


def masks_of(rows: list[tuple[str, int, int]]) -> dict[str, Any]:
    """Persons 11001 and 31005 train; in round k the images of camera 32 or 35 are the gallery, the others probes."""
    train = np.array([person in (11001, 31005) for _, person, _ in rows])
    cameras = np.array([camera for _, _, camera in rows])[~train]
    people = np.array([person for _, person, _ in rows])[~train]
    galleries = np.array([cameras == 32, cameras == 35])
    return {
        "idx_train": train, "idx_test": ~train, "idx_gallery": galleries,
        "idx_probe": ~galleries & (people == 12002),
    }  # fmt: skip


def write_partition(root: Path, rows: list[tuple[str, int, int]], **changes: Any) -> None:
    changed = masks_of(rows) | {"galCam": [32, 35]} | changes
    content = {key: value for key, value in changed.items() if value is not None}
    scipy.io.savemat(root / "Partition_airport.mat", {"partition": content})


def rounds_of(rows: list[tuple[str, int, int]]) -> list[dict[str, Any]]:
    """The two rounds of `masks_of` as two structures of one round each."""
    masks = masks_of(rows)
    return [{k: v[i : i + 1] if v.ndim == 2 else v[None] for k, v in masks.items()} for i in range(2)]


def write_array(file: Path, structures: list[dict[str, Any]]) -> None:
    """An array of structures, version 5."""
    array = np.zeros((1, len(structures)), [(key, object) for key in structures[0]])
    for i, structure in enumerate(structures):
        array[0, i] = tuple(np.atleast_2d(value) for value in structure.values())
    scipy.io.savemat(file, {"partition": array})


def write_hdf5(file: Path, structures: list[dict[str, Any]]) -> None:
    """As MATLAB 7.3 stores it, and the public Partition_viper.mat is: a header of 512 bytes, matrices transposed, and
    for an array of structures a column of references a field.
    """
    with h5py.File(file, "w", userblock_size=512) as content:
        group = content.create_group("partition")
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        for key in structures[0]:
            values = [np.atleast_2d(structure[key]).T.astype(np.uint8) for structure in structures]
            if len(structures) == 1:
                group[key] = values[0]
                continue
            stored = [content.create_dataset(f"#refs#/{key}{i}", data=value) for i, value in enumerate(values)]
            group[key] = np.array([[dataset.ref] for dataset in stored], h5py.ref_dtype)
    with file.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: PCWIN64, Created on: Mon Feb 15 18:47:11 2016 HDF5 schema 1.00 .")


def test_the_owners_partition(root: Path, rows: list[tuple[str, int, int]]) -> None:
    write_partition(root, rows)
    first = read(root, split_file="Partition_airport.mat", expect="any")
    assert Counter((i.split, i.pid, i.camid) for i in first.images) == {
        ("train", 11001, 32): 2, ("train", 11001, 33): 2, ("train", 31005, 32): 2, ("train", 31005, 33): 2,
        ("query", 12002, 35): 2, ("gallery", 12002, 32): 2, ("gallery", 0, 32): 2,
    }  # fmt: skip
    assert "Partition_airport.mat" in first.sidecars
    second = read(root, split_file="Partition_airport.mat", split_id=1, expect="any")
    assert {(i.split, i.pid, i.camid) for i in second.images if i.split != "train"} == {
        ("query", 12002, 32),
        ("gallery", 12002, 35),
    }
    assert DroppedImage("cam32/1320011/000001.jpg", "in no part of split 1 of Partition_airport.mat") in second.dropped


@pytest.mark.parametrize("write", [write_array, write_hdf5])
@pytest.mark.parametrize("structures", [1, 2])
def test_every_form_of_the_partition_gives_the_same_splits(
    root: Path, rows: list[tuple[str, int, int]], write: Any, structures: int
) -> None:
    file = root / "Partition_airport.mat"
    paths = [path for path, _, _ in rows]
    write_partition(root, rows)
    expected = read_partition(file, paths)
    write(file, [masks_of(rows)] if structures == 1 else rounds_of(rows))
    assert read_partition(file, paths) == expected
    assert len(expected) == 2


def test_a_partition_of_several_structures_names_the_bad_one(root: Path, rows: list[tuple[str, int, int]]) -> None:
    bad = rounds_of(rows)
    bad[1]["idx_train"] = np.zeros((1, 3))
    write_hdf5(root / "Partition_airport.mat", bad)
    with pytest.raises(DataError, match=r"partition\(2\): idx_train is not a mask of 24 images"):
        read(root, split_file="Partition_airport.mat", expect="any")


def test_a_cut_off_partition(root: Path, rows: list[tuple[str, int, int]]) -> None:
    file = root / "Partition_airport.mat"
    write_hdf5(file, rounds_of(rows))
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"Partition_airport\.mat: not a readable MATLAB 7\.3 \(HDF5\) file"):
        read(root, split_file="Partition_airport.mat", expect="any")


def test_the_partition_lies_there_but_is_not_asked_for(root: Path, rows: list[tuple[str, int, int]]) -> None:
    drawn = read(root, expect="any").images
    write_partition(root, rows)
    assert read(root, expect="any").images == drawn


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"idx_train": None, "idx_probe": None},
            "partition has no idx_train and no idx_probe. Expected idx_train, idx_t",
        ),
        ({"idx_train": np.zeros(3)}, r"idx_train is not a mask of 24 images in its rows; found the shape \(1, 3\)"),
        ({"idx_gallery": np.full((2, 16), 7)}, "idx_gallery is not a mask of 16 images in its rows"),
        ({"idx_probe": np.ones((2, 16))}, "partition contradicts itself: an image is in two parts"),
        ({"idx_probe": np.zeros((3, 16))}, "partition contradicts itself"),
    ],
)
def test_a_bad_partition(root: Path, rows: list[tuple[str, int, int]], changes: dict[str, Any], message: str) -> None:
    write_partition(root, rows, **changes)
    with pytest.raises(DataError, match=message):
        read(root, split_file="Partition_airport.mat", expect="any")


def test_an_unreadable_partition(root: Path) -> None:
    (root / "Partition_airport.mat").write_bytes(b"no MATLAB file" * 50)
    with pytest.raises(DataError, match=r"Partition_airport\.mat: not a readable MATLAB file"):
        read(root, split_file="Partition_airport.mat", expect="any")


def test_no_such_split(root: Path, rows: list[tuple[str, int, int]]) -> None:
    write_partition(root, rows)
    with pytest.raises(ConfigError, match=r"option 'split_id' is 2; .*Partition_airport\.mat has 2, numbered from 0"):
        read(root, split_file="Partition_airport.mat", split_id=2, expect="any")


@pytest.mark.parametrize("option", ["seed", "split_id"])
@pytest.mark.parametrize("value", [-1, True, 0.5])
def test_bad_numbers(root: Path, option: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"{option}.* is .*; expected (a whole number >= 0|an integer)"):
        read(root, **{option: value})


# --- the lists ---


@pytest.mark.parametrize("name", airport.LISTS)
def test_a_missing_list(root: Path, name: str) -> None:
    (root / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: missing\. Expected Airport"):
        read(root, expect="any")


def test_lists_of_unequal_length(root: Path) -> None:
    (root / "camID.txt").write_text("32\n")
    with pytest.raises(
        DataError, match=r"different numbers of lines \(filepath\.txt 24, personID\.txt 24, camID\.txt 1\)"
    ):
        read(root, expect="any")


def test_a_line_that_is_no_number(root: Path) -> None:
    text = (root / "personID.txt").read_text().replace("12002", "alice", 1)
    (root / "personID.txt").write_text(text)
    with pytest.raises(DataError, match=r"personID\.txt:5: alice; expected a whole number >= 0"):
        read(root, expect="any")


def test_a_blank_line_does_not_move_the_lists_against_each_other(root: Path) -> None:
    """Line 3 is empty in one list, line 5 in another: as many lines are left, yet of other images."""
    for name in airport.LISTS:
        (root / name).write_text((root / name).read_text() + "\n \n")
    assert len(read(root, expect="any").images) == 24  # blank lines at the end are nothing
    for name, line, expected in (("camID.txt", 3, "expected a whole number"), ("filepath.txt", 5, "expected the path")):
        lines = (root / name).read_text().split("\n")
        (root / name).write_text("\n".join([*lines[: line - 1], "", *lines[line:]]))
        with pytest.raises(DataError, match=rf"{name}:{line}: empty; {expected}"):
            read(root, expect="any")
        (root / name).write_text("\n".join(lines))


def test_missing_images_are_counted(root: Path) -> None:
    for path in ("cam32/11001/000001.jpg", "cam36/0/000002.jpg"):
        (root / path).unlink()
    with pytest.raises(
        DataError, match=r"2 of 24 images that filepath\.txt lists are missing: cam32/11001/000001\.jpg, "
    ):
        read(root, expect="any")


def test_published_counts_take_persons_as_the_lists_number_them(
    root: Path, rows: list[tuple[str, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="found 24 images of 6 identities; expected 39,902 images of 9,651 identities"):
        read(root)
    monkeypatch.setattr(airport, "PUBLISHED_IMAGES", 24)
    for people, accepted in ((5, False), (6, True), (7, True), (8, False)):  # 6 people, 7 numbers with 0
        monkeypatch.setattr(airport, "PUBLISHED_PEOPLE", people)
        if accepted:
            read(root)
        else:
            with pytest.raises(DataError, match="not the published"):
                read(root)


def test_rendered_people_are_read_as_planned(tmp_path: Path) -> None:
    plans = write_layout(tmp_path, "airport", cameras=6, distractors=5)
    images = read(tmp_path, expect="any").images
    assert [(i.path, i.camid) for i in images] == [(p.path, p.camid) for p in plans]
    assert [i.pid for i in images] == [0 if p.pid >= airport.FIRST_DISTRACTOR else p.pid for p in plans]
    assert sum(i.pid == 0 for i in images) == 5
    assert "\\" in (tmp_path / "filepath.txt").read_text().splitlines()[0]
