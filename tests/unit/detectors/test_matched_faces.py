"""Faces that belong to annotated people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anonbench.core.errors import ConfigError
from anonbench.data.instances import Instance
from anonbench.data.masks import Mask
from anonbench.data.regions import Region
from anonbench.detectors.matched_faces import MatchedFaces


def person(number: int, left: int, category: str = "person", crowd: bool = False) -> Instance:
    pixels = np.zeros((40, 60), bool)
    pixels[4:36, left : left + 12] = True
    return Instance(number, category, (left, 4, left + 12, 36), Mask.pack(pixels), 384.0, crowd)


def face(left: float, score: float, **more: object) -> Region:
    return Region((left + 3, 5, left + 9, 12), score=score, **more)  # type: ignore[arg-type]


def test_of_all_faces_those_of_people_stay_best_first() -> None:
    instances = [person(1, 0), person(2, 15), person(3, 30, "rider"), person(4, 46, crowd=True)]
    found = [face(30, 0.95), face(46, 0.9), face(15, 0.8), face(0.4, 0.7), face(0, 0.6)]
    default = Region((0, 0, 60, 40), score=0.0, source="default")
    faces = MatchedFaces("centerface")
    assert faces.regions(instances, [*found, default]) == found[2:4], "the larger box overlaps more"
    assert faces.regions(instances, []) == faces.regions([], found) == []
    assert MatchedFaces("centerface", categories=("rider",)).regions(instances, found) == [found[0]]
    assert MatchedFaces("centerface", min_iou=0.2).regions(instances, found) == []


def test_it_looks_at_no_picture(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'matched_faces' looks at no picture: .* anonbench match-faces --help"):
        MatchedFaces("centerface").open(tmp_path)
