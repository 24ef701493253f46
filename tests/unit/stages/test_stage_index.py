"""The stage index: every image decoded once, described in the manifest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dataset_writers import FORMATS
from PIL import Image

from anonbench.core.errors import DataError
from anonbench.data.images import read_image, sha256
from anonbench.data.pictures import DROPPED_COLUMNS, read_manifest, read_sidecars
from anonbench.data.tables import read_csv
from anonbench.stages.index import index


def run(root: Path, results: Path, workers: int = 1, **options: Any) -> Path:
    # None of these is an option of the adapter.
    entry = {"root": str(root), "published_as": "x", "splits": [0], "unpack": False, **options}
    index(
        root,
        entry,
        results / "m.csv",
        results / "dropped.csv",
        results / "sidecars.csv",
        results / "splits.csv",
        threads=workers,
    )
    return results / "m.csv"


@pytest.mark.parametrize("name", FORMATS)
def test_the_manifest_says_what_the_files_say(name: str, tmp_path: Path) -> None:
    root = tmp_path / "raw"
    FORMATS[name].write(root)
    rows = read_manifest(run(root, tmp_path, format=name, **FORMATS[name].options))
    assert {r.split for r in rows} in ({"train", "query", "gallery"}, {"train", "val"})
    for row in rows:
        assert read_image(root / row.path).shape == (row.height, row.width, 3)
        assert row.sha256 == sha256((root / row.path).read_bytes())
    dropped = {row["path"]: row["reason"] for _, row in read_csv(tmp_path / "dropped.csv", DROPPED_COLUMNS)}
    assert dropped
    assert all(dropped.values())
    assert not set(dropped) & {r.path for r in rows}
    assert read_sidecars(tmp_path / "sidecars.csv")


def test_the_number_of_workers_does_not_change_a_byte(make_dataset: Callable[..., Any], tmp_path: Path) -> None:
    dataset = make_dataset(count=70)
    files = [run(dataset.root, tmp_path / str(n), n, format="folder") for n in (1, 2)]
    assert files[0].read_bytes() == files[1].read_bytes() == dataset.manifest.read_bytes()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_truncated_image_is_found_here_and_nothing_is_written(
    workers: int, make_dataset: Callable[..., Any], tmp_path: Path
) -> None:
    dataset = make_dataset(".jpg", count=70)
    victim = dataset.root / dataset.paths[40]
    victim.write_bytes(victim.read_bytes()[:300])
    with pytest.raises(DataError, match=rf"{dataset.paths[40]}: not a readable image \(300 bytes: .*fetch it again"):
        run(dataset.root, tmp_path / "again", workers, format="folder")
    assert not (tmp_path / "again/m.csv").exists()


def test_the_raw_folder_is_left_as_it_was(
    make_dataset: Callable[..., Any], hashes: Callable[[Path], dict[str, str]], tmp_path: Path
) -> None:
    dataset = make_dataset()
    before = hashes(dataset.root)
    run(dataset.root, tmp_path / "again", format="folder")
    assert hashes(dataset.root) == before


def test_what_the_files_hold_besides_is_counted(make_dataset: Callable[..., Any], tmp_path: Path, capsys: Any) -> None:
    dataset = make_dataset(".jpg")
    for path in dataset.paths[:2]:
        image = Image.open(dataset.root / path)
        image.save(dataset.root / path, comment=b"in the garden")
    run(dataset.root, tmp_path, format="folder")
    expected = f"index: 2 of 9 pictures: comment ({dataset.paths[0]}, {dataset.paths[1]})\n"
    assert expected in capsys.readouterr().out


# --- pictures that are left out ---


def dropped_of(results: Path) -> dict[str, str]:
    return {row["path"]: row["reason"] for _, row in read_csv(results / "dropped.csv", DROPPED_COLUMNS)}


@pytest.mark.parametrize("name", FORMATS)
def test_pictures_are_left_out_of_every_format_with_the_reason(name: str, tmp_path: Path) -> None:
    root, listed = tmp_path / "raw", tmp_path / "out.txt"
    FORMATS[name].write(root)
    entry = {"format": name, **FORMATS[name].options}
    before = [row.path for row in read_manifest(run(root, tmp_path / "all", **entry))]
    gone = next(path for path in before if _can_go(root, tmp_path, entry, path))
    listed.write_text(f"./{gone}\n")
    rows = read_manifest(run(root, tmp_path, leave_out=str(listed), **entry))
    assert [row.path for row in rows] == [path for path in before if path != gone]
    assert dropped_of(tmp_path) == {**dropped_of(tmp_path / "all"), gone: f"left out by {listed}"}
    assert gone not in (tmp_path / "splits.csv").read_text()


def _can_go(root: Path, tmp_path: Path, entry: dict[str, Any], path: str) -> bool:
    """The examples are small: some pictures are needed for a query with a match."""
    try:
        run(root, tmp_path / "tried", leave_out=[path], **entry)
    except DataError:
        return False
    return True


def test_all_that_is_no_picture_of_the_dataset_is_named(make_dataset: Callable[..., Any], tmp_path: Path) -> None:
    dataset = make_dataset()
    listed = tmp_path / "out.csv"
    listed.write_text(
        "path\n" + "".join(f"{name}\n" for name in (dataset.paths[0], *(f"gone{n}.png" for n in range(12))))
    )
    with pytest.raises(DataError, match=r"out\.csv:3: gone0\.png is no picture of (.*\n){10}and 2 more") as caught:
        run(dataset.root, tmp_path / "r", format="folder", leave_out=str(listed))
    assert dataset.paths[0] not in str(caught.value)
    with pytest.raises(DataError, match=r"^leave_out: CAM0/a\.png is no picture"):
        run(dataset.root, tmp_path / "r", format="folder", leave_out=["CAM0/a.png"])
    assert not (tmp_path / "r").exists()


def test_what_is_dropped_anyway_may_be_listed_and_keeps_its_reason(
    make_dataset: Callable[..., Any], tmp_path: Path, capsys: Any
) -> None:
    dataset = make_dataset()
    run(dataset.root, tmp_path, format="folder", leave_out=["cam0/not_listed.png", dataset.paths[-1]])
    assert dropped_of(tmp_path)["cam0/not_listed.png"] == "not listed in images.csv"
    assert dropped_of(tmp_path)[dataset.paths[-1]] == "left out by the configuration"
    assert "index: 1 pictures left out, 8 used\n" in capsys.readouterr().out


def test_several_files_and_single_pictures_together(make_dataset: Callable[..., Any], tmp_path: Path) -> None:
    """As the workflow calls it, with the files as inputs; the first that lists a picture is its reason."""
    dataset = make_dataset()
    a, b = tmp_path / "a.txt", tmp_path / "b.csv"
    a.write_text(f"{dataset.paths[-1]}\n")
    b.write_text(f"path,leave_out\n{dataset.paths[-1]},x\n{dataset.paths[1]},x\n{dataset.paths[2]},\n")
    entry = {"format": "folder", "leave_out": [str(a), dataset.paths[4], str(b)]}
    files = [tmp_path / f"{name}.csv" for name in ("m", "dropped", "sidecars", "splits")]
    index(dataset.root, entry, *files, leave_out=[a, b])
    expected = {dataset.paths[-1]: f"left out by {a}", dataset.paths[1]: f"left out by {b}"}
    expected[dataset.paths[4]] = "left out by the configuration"
    assert {path: why for path, why in dropped_of(tmp_path).items() if path in dataset.paths} == expected
    index(dataset.root, {"format": "folder"}, *files, leave_out=[a])
    assert len(read_manifest(files[0])) == 8


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (("query",), r"without the 3 images that are left out: no image is left for query\. Leave out fewer"),
        (("gallery_00", "gallery_01"), r"without .*: no query has a gallery image of the same identity under another"),
    ],
)
def test_what_is_left_must_still_be_a_dataset(
    splits: tuple[str, ...], message: str, make_dataset: Callable[..., Any], tmp_path: Path
) -> None:
    dataset = make_dataset()
    gone = [path for path in dataset.paths if path.partition("/")[2].startswith(splits)]
    if splits != ("query",):
        gone = [path for path in dataset.paths if "gallery" in path][1:]
        gone += [path for path in dataset.paths if "query" in path and path[:4] != "cam0"]
    with pytest.raises(DataError, match=message):
        run(dataset.root, tmp_path / "r", format="folder", leave_out=gone)
