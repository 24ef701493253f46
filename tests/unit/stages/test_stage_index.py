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
    assert {r.split for r in rows} == {"train", "query", "gallery"}
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
