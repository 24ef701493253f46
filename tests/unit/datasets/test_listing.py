"""The checks that every dataset must pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.pictures import DroppedImage
from anonbench.datasets import PersonImage
from anonbench.datasets._listing import (
    DatasetInfo,
    DatasetListing,
    SplitCounts,
    check_published,
    check_twins,
    complete,
    list_files,
    some,
)

INFO = DatasetInfo("Toy", "toy", "  a/b.jpg", "nobody", "none", "Ask a child.")
GOOD = [
    PersonImage("t.jpg", 5, 1, "train"),
    PersonImage("q.jpg", 7, 1, "query"),
    PersonImage("g.jpg", 7, 2, "gallery"),
    PersonImage("h.jpg", 0, 2, "gallery"),
    PersonImage("i.jpg", -1, 1, "gallery"),
]


def finish(root: Path, images: list[PersonImage], files: list[str] | None = None) -> DatasetListing:
    return complete(root, INFO, images, files or [], reason=lambda path: "stray")


def test_divides_the_files(tmp_path: Path) -> None:
    others = ["x.JPG", "readme.TXT", "Thumbs.db", "faces.zip", "._t.jpg"]
    listing = finish(tmp_path, GOOD, [*others, *(i.path for i in GOOD)])
    assert listing.images == tuple(sorted(GOOD, key=lambda i: i.path))
    assert listing.sidecars == ("readme.TXT",)
    assert listing.dropped == (
        DroppedImage("._t.jpg", "hidden file"),
        DroppedImage("Thumbs.db", "not a text or protocol file: may hold images"),
        DroppedImage("faces.zip", "not a text or protocol file: may hold images"),
        DroppedImage("x.JPG", "stray"),
    )


def test_path_twice(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.jpg is listed twice; expected one entry an image"):
        finish(tmp_path, [*GOOD, PersonImage("t.jpg", 6, 1, "train")])


@pytest.mark.parametrize(("pid", "split"), [(0, "train"), (-1, "query"), (-2, "gallery")])
def test_special_pids_are_for_the_gallery(tmp_path: Path, pid: int, split: str) -> None:
    with pytest.raises(DataError, match=rf"z\.jpg has pid {pid} in the split {split}; expected a pid >= 1"):
        finish(tmp_path, [*GOOD, PersonImage("z.jpg", pid, 1, split)])


@pytest.mark.parametrize("split", ["query", "gallery"])
def test_identity_on_both_sides(tmp_path: Path, split: str) -> None:
    with pytest.raises(DataError, match="1 identities are both in train and in query or gallery: 5"):
        finish(tmp_path, [*GOOD, PersonImage("z.jpg", 5, 1, split)])


def test_no_query_with_a_match(tmp_path: Path) -> None:
    same_camera = [PersonImage(i.path, i.pid, 1, i.split) for i in GOOD]
    with pytest.raises(DataError, match="no query has a gallery image of the same identity under another camera"):
        finish(tmp_path, same_camera)
    finish(tmp_path, [*same_camera, PersonImage("z.jpg", 7, 3, "gallery")])  # one is enough


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no image for train and query and gallery; the folder holds nothing"):
        finish(tmp_path, [])


def test_twins() -> None:
    check_twins(Path("d"), ["a/x.jpg", "b/x.jpg", "a/y.jpg"])
    with pytest.raises(DataError, match=r"d: a/x\.jpg and a/x\.png are two files for one image"):
        check_twins(Path("d"), ["a/x.png", "b/x.jpg", "a/x.jpg"])


def test_published_counts(tmp_path: Path) -> None:
    listing = finish(tmp_path, GOOD)
    right = {"train": SplitCounts(1, 1), "query": SplitCounts(1, 1), "gallery": SplitCounts(3, 1, junk=1)}
    check_published(tmp_path, INFO, listing, right, "published")
    wrong = {"train": SplitCounts(12_936, 751), "query": SplitCounts(1, 1), "gallery": SplitCounts(3, 1, junk=2)}
    check_published(tmp_path, INFO, listing, wrong, "any")
    with pytest.raises(DataError) as error:
        check_published(tmp_path, INFO, listing, wrong, "published")
    message = str(error.value)
    assert "not the published Toy:\n  train: found 1 images of 1 identities; expected 12,936 images of 751" in message
    assert "gallery: found 3 images of 1 identities, 1 junk; expected 3 images of 1 identities, 2 junk" in message
    assert "query" not in message
    assert "`expect: any`" in message
    with pytest.raises(ConfigError, match="option 'expect' is 'all'; expected one of published, any"):
        check_published(tmp_path, INFO, listing, right, "all")


def divided(root: Path, *changes: dict[str, str]) -> DatasetListing:
    """GOOD under its own division and under others that differ from it by `changes`."""
    own = {image.path: image.split for image in GOOD}
    return complete(root, INFO, GOOD, [], lambda path: "stray", splits=[own, *({**own, **c} for c in changes)])


def test_several_divisions(tmp_path: Path) -> None:
    back = {"q.jpg": "gallery", "g.jpg": "query"}
    listing = divided(tmp_path, back)
    assert listing.images == finish(tmp_path, GOOD).images
    assert [s["q.jpg"] for s in listing.splits] == ["query", "gallery"]
    assert finish(tmp_path, GOOD).splits == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"q.jpg": "train", "g.jpg": "train"}, "split 2: no image for query; the folder holds nothing"),
        ({"t.jpg": "gallery"}, "split 2: no image for train"),
        ({"h.jpg": "query"}, r"split 2: h\.jpg has pid 0 in the split query"),
        ({"q.jpg": "train", "t.jpg": "query"}, "split 2: 1 identities are both in train and in query or gallery: 7"),
        ({"q.jpg": "gallery", "t.jpg": "query", "g.jpg": "train"}, "split 2: 1 identities are both in train"),
    ],
)
def test_a_later_division_is_checked_and_named(tmp_path: Path, change: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=f"{tmp_path.name}: {message}"):
        divided(tmp_path, {}, change)


def test_a_later_division_without_a_match(tmp_path: Path) -> None:
    images = [*GOOD, PersonImage("s.jpg", 8, 1, "query"), PersonImage("r.jpg", 8, 1, "gallery")]
    own = {i.path: i.split for i in images}
    other = {**own, "t.jpg": "query", "q.jpg": "train", "g.jpg": "train"}  # 5 and 8 are asked for, by one camera each
    with pytest.raises(DataError, match="split 1: no query has a gallery image of the same identity"):
        complete(tmp_path, INFO, images, [], lambda path: "stray", splits=[own, other])


def test_every_division_has_the_published_size(tmp_path: Path) -> None:
    published = {"train": SplitCounts(1, 1), "query": SplitCounts(1, 1), "gallery": SplitCounts(3, 1, junk=1)}
    back = {"q.jpg": "gallery", "g.jpg": "query"}
    check_published(tmp_path, INFO, divided(tmp_path, back), published, "published")
    images = [*GOOD, PersonImage("f.jpg", 7, 3, "gallery")]
    own = {i.path: i.split for i in images}
    listing = complete(tmp_path, INFO, images, [], lambda path: "", splits=[own, {**own, "f.jpg": "query"}])
    published["gallery"] = SplitCounts(4, 1, junk=1)
    with pytest.raises(DataError) as error:
        check_published(tmp_path, INFO, listing, published, "published")
    assert str(error.value).splitlines()[1:3] == [
        "  split 1: query: found 2 images of 1 identities; expected 1 images of 1 identities",
        "  split 1: gallery: found 3 images of 1 identities, 1 junk; expected 4 images of 1 identities, 1 junk",
    ]
    check_published(tmp_path, INFO, listing, published, "any")


def test_list_files_skips_hidden_folders_and_keeps_hidden_images(tmp_path: Path) -> None:
    for name in ["b/x.jpg", "a.txt", ".git/x.jpg", ".DS_Store", "b/._x.jpg", "b/c/d.PNG"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list_files(tmp_path, INFO) == ["a.txt", "b/._x.jpg", "b/c/d.PNG", "b/x.jpg"]


def test_a_folder_linked_twice_is_listed_twice(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.jpg").touch()
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert list_files(tmp_path, INFO) == ["a/x.jpg", "b/x.jpg"]


def test_some() -> None:
    assert some([3, 1, 2]) == "1, 2, 3"
    assert some("hgfedcba") == "a, b, c, d, e and 3 more"


def test_a_number_that_no_array_holds(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"z\.jpg has pid {10**25}, camid 1; expected at most {2**63 - 1}"):
        finish(tmp_path, [*GOOD, PersonImage("z.jpg", 10**25, 1, "gallery")])
