"""The stage unite: the files of several detectors become one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anonbench.core.errors import DataError
from anonbench.data.regions import Region, read_regions, write_regions
from anonbench.stages.unite import unite

HAND = Region((2.0, 3.0, 9.0, 12.0), source="annotated")


@pytest.fixture
def by_hand(make_dataset: Callable[..., Any], tmp_path: Path) -> tuple[Any, Path]:
    """A dataset with detections, and a box by hand in its last picture, in which nothing was found."""
    dataset = make_dataset()
    found = {path: [] for path in dataset.paths} | {dataset.paths[-1]: [HAND]}
    write_regions(tmp_path / "by_hand.csv", found)
    return dataset, tmp_path / "by_hand.csv"


def test_the_files_of_all_members_become_one(by_hand: Any, tmp_path: Path, capsys: Any) -> None:
    dataset, hand = by_hand
    capsys.readouterr()
    unite(dataset.manifest, [dataset.detections, hand], tmp_path / "both.csv")
    assert read_regions(tmp_path / "both.csv") == dataset.boxes | {dataset.paths[-1]: [HAND]}
    assert capsys.readouterr().out == "unite: 10 regions in 7 of 9 images (detections 9, by_hand 1; 0 alike)\n"


def test_order_changes_no_byte_and_one_member_is_its_own_file(by_hand: Any, tmp_path: Path) -> None:
    dataset, hand = by_hand
    orders = ([dataset.detections, hand], [hand, dataset.detections], [dataset.detections])
    files = [tmp_path / f"{n}.csv" for n in range(3)]
    for members, file in zip(orders, files, strict=True):
        unite(dataset.manifest, members, file)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[2].read_bytes() == dataset.detections.read_bytes()


def test_members_of_other_pictures_are_refused(by_hand: Any, tmp_path: Path) -> None:
    dataset, hand = by_hand
    write_regions(hand, {path: [] for path in dataset.paths[1:]})
    with pytest.raises(DataError, match=rf"by_hand\.csv: does not belong to .*: {dataset.paths[0]} is not in it\. Run"):
        unite(dataset.manifest, [dataset.detections, hand], tmp_path / "both.csv")
    write_regions(hand, {path: [] for path in (*dataset.paths, "gone.png")})
    with pytest.raises(DataError, match=r"by_hand\.csv: .*: gone\.png is not in the manifest"):
        unite(dataset.manifest, [dataset.detections, hand], tmp_path / "both.csv")
