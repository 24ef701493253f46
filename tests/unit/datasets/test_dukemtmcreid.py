"""DukeMTMC-reID's layout."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_writers import write_image, write_layout

from anonbench.core.errors import DataError
from anonbench.datasets import PersonImage
from anonbench.datasets.dukemtmcreid import INFO, PUBLISHED, read


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (
        "bounding_box_train/0001_c2_f0046182.jpg",
        "query/0005_c2_f0046985.jpg",
        "bounding_box_test/0005_c8_f0044158.jpg",
        "bounding_box_test/7139_c1_f0044158.jpg",
    ):
        write_image(tmp_path / name)
    return tmp_path


def test_records_and_distractors_with_their_own_numbers(root: Path) -> None:
    assert read(root, expect="any").images == (
        PersonImage("bounding_box_test/0005_c8_f0044158.jpg", 5, 8, "gallery"),
        PersonImage("bounding_box_test/7139_c1_f0044158.jpg", 7139, 1, "gallery"),
        PersonImage("bounding_box_train/0001_c2_f0046182.jpg", 1, 2, "train"),
        PersonImage("query/0005_c2_f0046985.jpg", 5, 2, "query"),
    )


@pytest.mark.parametrize("name", ["0002_c1s1_000451_03.jpg", "-1_c1_f0044158.jpg", "0001_c2_0046182.jpg"])
def test_foreign_name(root: Path, name: str) -> None:
    write_image(root / "query" / name)
    with pytest.raises(DataError) as error:
        read(root, expect="any")
    assert str(error.value) == (
        f"{root / 'query' / name}: not a DukeMTMC-reID name; expected <pid>_c<camera>_f<frame>.jpg such as "
        f"0001_c2_f0046182.jpg. Rename the file or move it out of query/."
    )


def test_the_notice_of_withdrawal_is_in_every_place_where_users_look() -> None:
    assert "Withdrawn by its owners in 2019" in INFO.licence
    assert "without their consent" in INFO.licence
    assert "no longer given out" in INFO.request_from


def test_the_published_size_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names alone, no files, with the published numbers of people."""
    names = [f"bounding_box_train/{1 + i % 702:04d}_c{1 + i // 702 % 8}_f{i:07d}.jpg" for i in range(16_522)]
    names += [f"query/{2001 + i % 702:04d}_c{1 + i // 702 % 8}_f{i:07d}.jpg" for i in range(2_228)]
    names += [f"bounding_box_test/{2001 + i % 1110:04d}_c{1 + i // 1110 % 8}_f{i:07d}.jpg" for i in range(17_661)]
    monkeypatch.setattr("anonbench.datasets.dukemtmcreid.list_files", lambda root, info: sorted(names))
    assert len(read(tmp_path).images) == sum(s.images for s in PUBLISHED.values()) == 36_411
    names.pop()
    with pytest.raises(DataError, match="gallery: found 17,660 images of 1,110 identities; expected 17,661 images"):
        read(tmp_path)


def test_rendered_people_are_read_as_planned(tmp_path: Path) -> None:
    plans = write_layout(tmp_path, "dukemtmcreid", cameras=8, distractors=6)
    images = read(tmp_path, expect="any").images
    assert images == tuple(PersonImage(p.path, p.pid, p.camid, str(p.split)) for p in plans)
    people = {i.pid for i in images if i.split != "gallery"}
    assert len({i.pid for i in images} - people) == 6
    assert min(i.pid for i in images) >= 1
