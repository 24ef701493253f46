"""What every dataset format must do, whoever wrote its adapter."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dataset_writers import FORMATS, Format, write_image

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.images import IMAGE_SUFFIXES
from anonbench.datasets import DATASETS, SPLITS
from anonbench.datasets._listing import DatasetInfo, DatasetListing

DOCS = Path(__file__).parents[2] / "docs" / "datasets.md"


@pytest.fixture(params=DATASETS.names())
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def example(name: str) -> Format:
    assert name in FORMATS, f"give the format '{name}' an entry in tests/dataset_writers.py"
    return FORMATS[name]


@pytest.fixture
def read(name: str, example: Format) -> Callable[[Path], DatasetListing]:
    return lambda root: DATASETS.get(name)(root, **example.options)


@pytest.fixture
def root(tmp_path: Path, example: Format) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    example.write(folder)
    return folder


@pytest.fixture
def info(name: str) -> DatasetInfo:
    return DATASETS.get(name).info  # type: ignore[attr-defined]


def tree_digest(root: Path) -> dict[str, tuple[str, int]]:
    """Content and modification time of every file and folder below `root`."""
    return {
        str(path.relative_to(root)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder",
            path.stat().st_mtime_ns,
        )
        for path in [root, *root.rglob("*")]
    }


def test_every_visible_file_is_in_exactly_one_group(read: Callable[[Path], DatasetListing], root: Path) -> None:
    listing = read(root)
    groups = [*(i.path for i in listing.images), *(d.path for d in listing.dropped), *listing.sidecars]
    files = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
    hidden = {f for f in files if f.rpartition("/")[2].startswith(".") and not f.endswith(IMAGE_SUFFIXES)}
    assert sorted(groups) == sorted(files - hidden)
    assert listing.dropped, "the example must hold an image outside the protocol"
    assert listing.sidecars, "the example must hold a sidecar"


def test_sidecars_are_no_images_and_dropped_files_have_reasons(
    read: Callable[[Path], DatasetListing], root: Path
) -> None:
    listing = read(root)
    pictures = {s for s in listing.sidecars if s.lower().endswith(IMAGE_SUFFIXES)}
    assert pictures == listing.label_pictures, "pictures of labels alone may be sidecars"
    assert all(d.reason for d in listing.dropped)


def test_all_splits_and_valid_records(read: Callable[[Path], DatasetListing], root: Path, example: Format) -> None:
    listing = read(root)
    assert {i.split for i in listing.images} == set(example.splits) == set(listing.roles)
    assert len(listing.people) == (len(listing.images) if example.splits == SPLITS else 0)
    for image in listing.images:
        assert (root / image.path).resolve().is_relative_to(root.resolve())
    for image in listing.people:
        assert image.pid >= (-1 if image.split == "gallery" else 1)
        assert type(image.pid) is int
        assert type(image.camid) is int
        assert image.camid >= 0


def test_no_identity_on_both_sides(read: Callable[[Path], DatasetListing], root: Path) -> None:
    images = read(root).people
    train = {i.pid for i in images if i.split == "train"}
    assert not train & {i.pid for i in images if i.split != "train"}


@pytest.mark.parametrize("seed", range(3))
def test_sorted_whatever_the_order_of_the_folder(
    read: Callable[[Path], DatasetListing], root: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    expected = read(root)
    for group in ([i.path for i in expected.images], [d.path for d in expected.dropped], list(expected.sidecars)):
        assert group == sorted(group)

    scandir, listdir = os.scandir, os.listdir
    shuffle = random.Random(seed)

    @contextmanager
    def shuffled(path: str = ".") -> Iterator[Iterator[os.DirEntry[str]]]:
        with scandir(path) as entries:
            yield iter(shuffle.sample(found := list(entries), len(found)))

    monkeypatch.setattr(os, "scandir", shuffled)
    monkeypatch.setattr(os, "listdir", lambda path=".": shuffle.sample(found := listdir(path), len(found)))
    assert read(root) == expected


def test_links_count_as_what_they_lead_to(read: Callable[[Path], DatasetListing], root: Path, tmp_path: Path) -> None:
    expected = read(root)
    for path in sorted(root.iterdir()):
        moved = tmp_path / "elsewhere" / path.name
        moved.parent.mkdir(exist_ok=True)
        path.rename(moved)
        path.symlink_to(moved)
    assert read(root) == expected


def test_raw_data_is_never_written(read: Callable[[Path], DatasetListing], root: Path) -> None:
    before = tree_digest(root)
    listing = read(root)
    assert tree_digest(root) == before

    folders = [root, *(p for p in root.rglob("*") if p.is_dir())]
    try:
        for folder in folders:
            folder.chmod(0o555)
        assert read(root) == listing
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_missing_folder_says_what_belongs_there_and_where_it_comes_from(
    read: Callable[[Path], DatasetListing], tmp_path: Path, info: DatasetInfo
) -> None:
    missing = tmp_path / "nowhere"
    with pytest.raises(DataError) as error:
        read(missing)
    message = str(error.value)
    assert message.startswith(f"{missing}: no such folder. Expected {info.title} (format '{info.format}') laid out as")
    assert info.layout in message
    assert info.request_from in message
    assert not missing.exists()


def test_a_file_in_place_of_the_folder(read: Callable[[Path], DatasetListing], tmp_path: Path) -> None:
    (tmp_path / "data.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"data\.zip: is a file, not a folder"):
        read(tmp_path / "data.zip")


def test_foreign_folder_says_what_was_expected(
    read: Callable[[Path], DatasetListing], tmp_path: Path, info: DatasetInfo
) -> None:
    write_image(tmp_path / "holidays" / "beach.jpg")
    with pytest.raises(DataError) as error:
        read(tmp_path)
    assert str(tmp_path) in str(error.value)
    assert info.layout in str(error.value)


def test_empty_split(
    read: Callable[[Path], DatasetListing], tmp_path: Path, example: Format, info: DatasetInfo
) -> None:
    for split in example.splits:
        root = tmp_path / split / "data"
        root.mkdir(parents=True)
        example.write(root)
        example.empty_split(root, split)
        with pytest.raises(DataError, match=f"data: no image for {split}; the folder holds ") as error:
            read(root)
        assert info.layout in str(error.value)


def test_duplicates(read: Callable[[Path], DatasetListing], root: Path, example: Format) -> None:
    example.duplicate(root)
    with pytest.raises(DataError, match=r"two files for one image|listed a second time"):
        read(root)


def test_hidden_images_are_dropped(read: Callable[[Path], DatasetListing], root: Path) -> None:
    """macOS leaves `._x.jpg` beside `x.jpg`: no image of the protocol, whatever its suffix says."""
    folder = (root / read(root).images[0].path).parent
    (folder / "._ghost.jpg").write_bytes(b"resource fork")
    dropped = {d.path: d.reason for d in read(root).dropped}
    assert dropped[(folder / "._ghost.jpg").relative_to(root).as_posix()] == "hidden file"


def test_an_endless_link_is_refused(read: Callable[[Path], DatasetListing], root: Path) -> None:
    (root / "again").symlink_to(root)
    with pytest.raises(DataError, match="again: links back to a folder above it"):
        read(root)


def test_unknown_option_names_the_nearest(name: str, example: Format, root: Path) -> None:
    for option in example.options:
        with pytest.raises(ConfigError, match=f"dataset format '{name}' has no option '{option}x': .*'{option}'"):
            DATASETS.get(name)(root, **{f"{option}x": 1})
    with pytest.raises(ConfigError, match=f"dataset format '{name}' has no option 'no_such_thing'"):
        DATASETS.get(name)(root, no_such_thing=1)


def test_documentation_agrees_with_the_messages(name: str, info: DatasetInfo) -> None:
    text = " ".join(DOCS.read_text(encoding="utf-8").split())
    assert info.format == name
    for part in info.layout, info.citation, info.licence, info.request_from:
        assert " ".join(part.split()) in text, f"docs/datasets.md lacks: {part}"
