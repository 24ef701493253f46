from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anonbench.core.errors import DataError
from anonbench.data.instances import COCO_KEYPOINTS, Instance, InstanceFile, Vocabulary, write_instances
from anonbench.data.masks import Mask

VOCABULARY = Vocabulary(("person", "car"), COCO_KEYPOINTS)


def an_instance(number: int = 1, category: str = "person") -> Instance:
    pixels = np.zeros((6, 8), bool)
    pixels[1:4, 2:5] = True
    points = tuple((float(n), 2.5, 2) for n in range(17))
    return Instance(number, category, (2, 1, 5, 4), Mask.pack(pixels), 9.0, keypoints=points)


def test_what_is_written_is_read_a_picture_at_a_time(tmp_path: Path) -> None:
    crowd = Instance(2, "person", (0, 0, 8, 6), None, 12.5, crowd=True, ignore=True)
    file = tmp_path / "instances.jsonl"
    counts = write_instances(file, VOCABULARY, [("a.jpg", [an_instance(), crowd]), ('b "ü".jpg', [])])
    assert counts == {"person": 2, "car": 0}
    read = InstanceFile(file)
    assert read.paths == ["a.jpg", 'b "ü".jpg']
    assert read.of("a.jpg") == [an_instance(), crowd]
    assert read.of('b "ü".jpg') == []
    assert read.vocabulary == VOCABULARY


def test_void_pixels_lie_beside_the_instances(tmp_path: Path) -> None:
    void = an_instance().mask
    pictures = [("a.jpg", [an_instance()], void), ("b.jpg", [], None), ("c.jpg", [])]
    write_instances(tmp_path / "i.jsonl", VOCABULARY, pictures)
    read = InstanceFile(tmp_path / "i.jsonl")
    assert [read.void(path) for path in read.paths] == [void, None, None]
    assert read.of("a.jpg") == [an_instance()]


def test_a_picture_that_is_not_there_says_so(tmp_path: Path) -> None:
    write_instances(tmp_path / "i.jsonl", VOCABULARY, [("a.jpg", [])])
    with pytest.raises(DataError, match=r"i\.jsonl: does not list b\.jpg"):
        InstanceFile(tmp_path / "i.jsonl").of("b.jpg")


def test_a_file_that_is_cut_off_says_so(tmp_path: Path) -> None:
    file = tmp_path / "i.jsonl"
    write_instances(file, VOCABULARY, [("a.jpg", [an_instance()])])
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"the line of a\.jpg cannot be read"):
        InstanceFile(file).of("a.jpg")
    file.write_text("path,split\n")
    with pytest.raises(DataError, match="no file of instances"):
        InstanceFile(file)


def test_pictures_come_in_order_and_classes_are_known(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.jpg comes after b\.jpg"):
        write_instances(tmp_path / "i.jsonl", VOCABULARY, [("b.jpg", []), ("a.jpg", [])])
    with pytest.raises(ValueError, match="'lion' is no category"):
        write_instances(tmp_path / "i.jsonl", VOCABULARY, [("b.jpg", [an_instance(category="lion")])])


def test_keypoints_of_a_mirrored_person_change_sides() -> None:
    mirrored = VOCABULARY.mirrored
    assert mirrored[:5] == [0, 2, 1, 4, 3]
    assert [mirrored[n] for n in mirrored] == list(range(17))
