"""What is put into a dataset's folder makes nothing again unless the manifest would change."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anonbench.data import paths
from anonbench.data.pictures import read_sidecars
from anonbench.ops.unchanged import is_as_indexed, is_older
from anonbench.stages.index import index
from tests.dataset_writers import FORMATS, write_image

LATER = 10**9  # ns


@pytest.fixture
def place(tmp_path: Path) -> Callable[[str], tuple[Path, dict[str, Any]]]:
    """Writes and indexes a dataset of a format; the manifest is a second younger. Returns its folder and entry."""

    def make(name: str) -> tuple[Path, dict[str, Any]]:
        root = tmp_path / "data"
        FORMATS[name].write(root)
        entry = {"format": name, "root": "data", **FORMATS[name].options}
        files = [paths.manifest("d"), paths.dropped("d"), paths.sidecars("d"), paths.splits("d")]
        index(root, entry, *(tmp_path / file for file in files))
        _date(tmp_path / files[0])
        return root, entry

    return make


def _date(manifest: Path) -> None:
    """A clock's tick between the dataset and its manifest: ctimes cannot be set."""
    while time.time_ns() - manifest.stat().st_mtime_ns < 20_000_000:
        time.sleep(0.005)
    os.utime(manifest)
    while time.time_ns() - manifest.stat().st_mtime_ns < 20_000_000:
        time.sleep(0.005)


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"cuhk03"}))
def test_a_file_of_the_file_manager_changes_nothing(
    name: str, place: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, entry = place(name)
    capsys.readouterr()
    assert not is_as_indexed("d", entry, tmp_path), "there is no question: the folder is older"
    assert capsys.readouterr().err == ""
    (root / ".DS_Store").touch()
    (root / "Thumbs.db").touch()
    (root / "notes.txt").write_text("mine")
    assert is_as_indexed("d", entry, tmp_path)
    said = capsys.readouterr().err
    assert said.startswith("data: something was added or removed since it was indexed, but none of its ")
    assert "Not copied into variants: Thumbs.db, notes.txt." in said


def test_a_changed_image_is_seen_whatever_its_date(place: Callable[..., Any], tmp_path: Path) -> None:
    root, entry = place("folder")
    (root / "notes.txt").touch()
    image = next(root / line.split(",")[0] for line in (root / "images.csv").read_text().splitlines()[1:])
    dates, data = image.stat(), image.read_bytes()
    write_image(image, 77)
    os.utime(image, ns=(dates.st_atime_ns, dates.st_mtime_ns))  # as `cp -p` and `rsync -t` do
    assert not is_as_indexed("d", entry, tmp_path)
    image.write_bytes(data)
    assert is_as_indexed("d", entry, tmp_path), "the same bytes, written again"
    image.unlink()
    assert not is_as_indexed("d", entry, tmp_path)


def test_other_images_labels_splits_and_sidecars_are_seen(place: Callable[..., Any], tmp_path: Path) -> None:
    root, entry = place("folder")
    (root / "added").mkdir()
    assert is_as_indexed("d", entry, tmp_path)
    assert not is_as_indexed("d", {**entry, "format": "market1501"}, tmp_path)
    rows = (root / "images.csv").read_text()
    (root / "images.csv").write_text(rows.replace(",train", ",gallery", 1))
    assert not is_as_indexed("d", entry, tmp_path)
    (root / "images.csv").write_text("nonsense")
    assert not is_as_indexed("d", entry, tmp_path), "`index` says what is wrong"


def test_a_list_of_pictures_to_leave_out_counts(place: Callable[..., Any], tmp_path: Path) -> None:
    root, entry = place("market1501")
    image = next(root.glob("bounding_box_train/*")).relative_to(root).as_posix()
    (root / "notes.txt").touch()
    (tmp_path / "out.txt").write_text(f"{image}\n")
    entry["leave_out"] = "out.txt"
    assert not is_as_indexed("d", entry, tmp_path)
    files = [tmp_path / file for file in (paths.manifest("d"), paths.dropped("d"), paths.sidecars("d"))]
    index(root, entry, *files, tmp_path / paths.splits("d"), leave_out=[tmp_path / "out.txt"])
    _date(files[0])
    (root / "more.txt").touch()
    assert is_as_indexed("d", entry, tmp_path)
    (tmp_path / "out.txt").write_text("")
    assert not is_as_indexed("d", entry, tmp_path)


def test_a_sidecar_that_was_written_since_counts(place: Callable[..., Any], tmp_path: Path) -> None:
    root, entry = place("market1501")
    (root / ".DS_Store").touch()
    assert is_as_indexed("d", entry, tmp_path)
    sidecar = next(iter(read_sidecars(tmp_path / paths.sidecars("d"))))
    (root / sidecar).write_text("other boxes")
    assert not is_as_indexed("d", entry, tmp_path)


def test_without_a_manifest_or_a_folder(place: Callable[..., Any], tmp_path: Path) -> None:
    root, entry = place("folder")
    (root / "x").touch()
    shutil.rmtree(tmp_path / "results")
    assert not is_as_indexed("d", entry, tmp_path)


def test_older_files(tmp_path: Path) -> None:
    labels, product = tmp_path / "labels.txt", tmp_path / "stamp.json"
    assert not is_older([labels], product), "neither is there"
    labels.touch()
    product.touch()
    _date(product)
    assert is_older([labels, tmp_path / "none"], product)
    assert not is_older([], product)
    os.utime(labels, ns=(product.stat().st_mtime_ns + LATER,) * 2)
    assert not is_older([labels], product)
