"""Haar cascades: clear messages where OpenCV has none, and boxes and scores from what a cascade finds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import cv2
import numpy as np
import pytest

from anonbench.core.errors import MissingDependencyError
from anonbench.data.regions import Region
from anonbench.detectors.haar import CASCADE, Haar, load_cascade


class Cascade:
    """Stands in for OpenCV's class: finds two boxes in every image that it is shown."""

    shown: ClassVar[list[tuple[tuple[int, ...], float, int]]] = []

    def __init__(self, file: str) -> None:
        self.file = file

    def empty(self) -> bool:
        return Path(self.file).read_text() != "<cascade/>"

    def detectMultiScale2(self, grey, scaleFactor, minNeighbors):  # noqa: N802
        self.shown.append((grey.shape, scaleFactor, minNeighbors))
        return np.array([[10, 20, 30, 30], [40, 0, 20, 20]], np.int32), np.array([4, 10], np.int32)


@pytest.fixture
def xml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An OpenCV that has cascades, with one in its folder."""
    monkeypatch.setattr(cv2, "CascadeClassifier", Cascade, raising=False)
    monkeypatch.setattr(cv2, "data", SimpleNamespace(haarcascades=f"{tmp_path}/"), raising=False)
    file = tmp_path / CASCADE
    file.write_text("<cascade/>")
    return file


def test_an_opencv_without_cascades_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "CascadeClassifier", raising=False)
    with pytest.raises(MissingDependencyError) as error:
        Haar().open(Path())
    for words in (cv2.__version__, "opencv-contrib-python-headless", "never both", "`cascade:`", "centerface"):
        assert words in str(error.value)


def test_a_cascade_that_is_not_there_or_none(xml: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingDependencyError, match=r"there is no cascade at .*mine\.xml.*centerface"):
        Haar(cascade=str(tmp_path / "mine.xml")).open(Path())
    (tmp_path / "mine.xml").write_text("not one")
    with pytest.raises(MissingDependencyError, match=r"mine\.xml is not a cascade that OpenCV can read"):
        load_cascade(str(tmp_path / "mine.xml"))
    xml.unlink()
    with pytest.raises(MissingDependencyError, match=CASCADE):
        Haar().open(Path())


def test_boxes_are_in_pixels_of_the_image_and_the_best_comes_first(xml: Path) -> None:
    Cascade.shown.clear()
    image = np.zeros((60, 40, 3), np.uint8)
    found = Haar(upscale=2, scale_factor=1.2, min_neighbors=2).open(Path())(image, "a.png")
    assert Cascade.shown == [((120, 80), 1.2, 2)]
    assert found == [Region((20.0, 0.0, 30.0, 10.0), score=0.5), Region((5.0, 10.0, 20.0, 25.0), score=4 / 14)]


@pytest.mark.skipif(not hasattr(cv2, "CascadeClassifier"), reason="this OpenCV has no cascades")
def test_the_cascade_that_opencv_brings_along_finds_rendered_people(rendered_crops: list[np.ndarray]) -> None:
    try:
        find = Haar().open(Path())
    except MissingDependencyError as error:
        pytest.skip(str(error))
    assert sum(bool(find(crop, "")) for crop in rendered_crops) >= 2
