"""Regions: their file and back, clipping, overlap."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonbench.core.errors import DataError
from anonbench.data.masks import Mask
from anonbench.data.regions import (
    REGION_COLUMNS,
    Region,
    clip_region,
    corners,
    overlaps,
    read_regions,
    region_as_json,
    region_from_json,
    write_regions,
)

HEADER = ",".join(REGION_COLUMNS) + "\n"


def test_detections_survive_the_disk_with_faceless_images(tmp_path: Path) -> None:
    found = {"b.jpg": [Region((1.5, -2.25, 3, 4), score=0.9), Region((0, 0, 1, 1), score=0.25)], "a.jpg": []}
    write_regions(tmp_path / "d.csv", found)
    assert read_regions(tmp_path / "d.csv") == found
    assert (tmp_path / "d.csv").read_text().splitlines()[1] == "a.jpg,-1,,,,,,,"


BOXES = st.builds(
    lambda x, y, w, h, s: Region((x, y, x + w, y + h), score=s),
    *[st.floats(-1e3, 1e3)] * 2, *[st.floats(0.01, 1e3)] * 2, st.floats(0, 1),
)  # fmt: skip


@settings(max_examples=50)
@given(st.dictionaries(st.from_regex(r"[a-z,\"é]{1,6}\.jpg", fullmatch=True), st.lists(BOXES, max_size=3), max_size=4))
def test_any_detections_survive_the_disk_to_three_decimals(
    tmp_path_factory: pytest.TempPathFactory, found: dict[str, list[Region]]
) -> None:
    file = tmp_path_factory.getbasetemp() / "any-detections.csv"
    write_regions(file, found)
    result = read_regions(file)
    assert result.keys() == found.keys()
    for name, boxes in found.items():
        assert len(result[name]) == len(boxes)
        for a, b in zip(result[name], boxes, strict=True):
            assert (a.x0, a.y0, a.x1, a.y1) == pytest.approx((b.x0, b.y0, b.x1, b.y1), abs=6e-4)
            assert a.score == pytest.approx(b.score, abs=6e-5)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.jpg,0,1,2,3,4", r"d\.csv:2: expected 9 fields\. Is the file cut off\?"),
        ("a.jpg,0,1,2,3,,0.9,face,found", "column y1 is empty; expected a number"),
        ("a.jpg,0,1,2,x,4,0.9,face,found", "column x1 is 'x'; expected a number"),
        ("a.jpg,0,1,2,nan,4,0.9,face,found", "column x1 is nan; expected a number"),
        ("a.jpg,0,1,2,inf,4,0.9,face,found", "column x1 is inf; expected a number"),
        ("a.jpg,0,3,2,1,4,0.9,face,found", "box 3.0, 2.0, 1.0, 4.0 is empty; expected x0 < x1 and y0 < y1"),
        ("a.jpg,0,1,2,3,4,-1,face,found", "column score is -1.0; expected a number >= 0"),
        ("a.jpg,1,1,2,3,4,0.9,face,found", "region number 1 of a.jpg; expected 0"),
        ("a.jpg,-2,1,2,3,4,0.9,face,found", "column region is -2; expected an integer >= -1"),
        ("a.jpg,0,1,2,3,4,0.9,hand,found", "column kind is 'hand'; expected one of face, body"),
        ("a.jpg,0,1,2,3,4,0.9,face,guessed", "column source is 'guessed'; expected one of found, default, annotated"),
        ("../a.jpg,0,1,2,3,4,0.9,face,found", "must be relative"),
    ],
)
def test_bad_detections_are_reported_with_file_and_line(row: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(HEADER + row + "\n")
    with pytest.raises(DataError, match=message):
        read_regions(tmp_path / "d.csv")


def test_wherever_a_detections_file_is_cut_within_a_row_it_is_refused_or_keeps_its_corners(tmp_path: Path) -> None:
    found = {"a.jpg": [Region((1, 2, 3, 4), score=0.9)], "b.jpg": [Region((5, 6, 7, 8), score=0.5)]}
    write_regions(tmp_path / "d.csv", found)
    whole = (tmp_path / "d.csv").read_text()
    start = whole.index("b.jpg")
    for end in range(start + 1, len(whole) - 1):
        (tmp_path / "d.csv").write_text(whole[:end])
        try:
            box = read_regions(tmp_path / "d.csv")["b.jpg"][0]
        except DataError:
            continue
        assert (box.x0, box.y0, box.x1, box.y1) == (5, 6, 7, 8)


# --- boxes ---


@pytest.mark.parametrize(
    ("box", "scale", "expected"),
    [
        ((2, 3, 6, 9), 1.0, (2, 3, 6, 9)),
        ((2.2, 3.9, 5.1, 8.0), 1.0, (2, 3, 6, 8)),  # outwards
        ((2, 4, 6, 8), 2.0, (0, 2, 8, 10)),
        ((-5, -5, 3, 3), 1.0, (0, 0, 3, 3)),
        ((60, 120, 80, 140), 1.0, (60, 120, 64, 128)),  # last row and column included
        ((63.5, 127.5, 63.9, 127.9), 1.0, (63, 127, 64, 128)),
        ((64, 0, 70, 10), 1.0, None),  # beside the image
        ((-9, 0, 0, 10), 1.0, None),
    ],
)
def test_clip_box(box: tuple[float, ...], scale: float, expected: tuple[int, ...] | None) -> None:
    clipped = clip_region(Region(box, "body", 0.5), 64, 128, scale)
    assert clipped == (None if expected is None else Region(expected, "body", 0.5))
    assert clipped is None or clipped.pixels == expected


CORNER = st.floats(-50, 150)
SIZE = st.floats(0.01, 90)


@given(CORNER, CORNER, SIZE, SIZE, st.floats(1, 3))
def test_a_clipped_box_covers_the_box_within_the_image(x: float, y: float, w: float, h: float, scale: float) -> None:
    box = Region((x, y, x + w, y + h))
    clipped = clip_region(box, 64, 128, scale)
    if clipped is None:
        assert box.x0 >= 64 or box.y0 >= 128 or box.x1 <= 0 or box.y1 <= 0
        return
    x0, y0, x1, y1 = clipped.pixels
    assert 0 <= x0 < x1 <= 64
    assert 0 <= y0 < y1 <= 128
    slack = 1e-9  # rounding of the centre
    assert x0 <= max(0, box.x0) + slack
    assert y0 <= max(0, box.y0) + slack
    assert x1 >= min(64, box.x1) - slack
    assert y1 >= min(128, box.y1) - slack


def test_a_box_with_fractions_has_no_pixels() -> None:
    assert Region((1, 2, 3.0, 4)).pixels == (1, 2, 3, 4)
    with pytest.raises(ValueError, match=r"has fractional corners; use regions\.clip_region first"):
        _ = Region((1, 2, 3.5, 4)).pixels


def test_who_unpacks_a_region_learns_what_to_write() -> None:
    with pytest.raises(TypeError, match=r"write `x0, y0, x1, y1 = region\.pixels`"):
        _, _, _, _ = Region((1, 2, 3, 4))


def test_intersection_over_union_by_hand() -> None:
    a = corners([Region((0, 0, 2, 2))])
    others = [Region((0, 0, 2, 2)), Region((1, 0, 3, 2)), Region((2, 0, 4, 2)), Region((5, 5, 6, 6))]
    assert overlaps(a, corners(others))[0] == pytest.approx([1, 2 / 6, 0, 0])
    empty = corners([Region((1, 1, 1, 1))])
    assert overlaps(empty, empty) == 0
    assert overlaps(a, corners([])).shape == (1, 0)


# --- masks and keypoints ---

DISC = (np.mgrid[:30, :40][0] - 14) ** 2 / 150 + (np.mgrid[:30, :40][1] - 20) ** 2 / 90 < 1


def test_a_mask_is_packed_as_coco_packs_it() -> None:
    """The text is what pycocotools 2.0.8 gives."""
    assert Mask.pack(DISC) == Mask(30, 40, "e:7d06K4M2N2N2O000O2O0001N10001N2N2N3L5JT9")


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 1000))
def test_any_mask_comes_back(height: int, width: int, share: float, seed: int) -> None:
    pixels = np.random.default_rng(seed).random((height, width)) < share
    mask = Mask.parse(str(Mask.pack(pixels)))
    assert (mask.height, mask.width) == (height, width)
    np.testing.assert_array_equal(mask.unpack(), pixels)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no mask; expected <height>x<width>:<COCO's run lengths>"),
        ("30:abc", "is no mask"),
        ("30x40:e:7d06", "run lengths sum to .*; expected 30 x 40 pixels"),
        ("30x40:e:7d06K4M2N2N2O000O2O0001N10001N2N2N3L5JT", "are cut off"),
        ("30x40:~", "the character '~'; expected '0' to 'o'"),
    ],
)
def test_a_bad_mask(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        Mask.parse(text)
    if text:
        (tmp_path / "d.csv").write_text(f"{HEADER[:-1]},mask\na.jpg,0,1,2,3,4,1,body,annotated,{text}\n")
        with pytest.raises(DataError, match=rf"d\.csv:2: column mask: .*{message}"):
            read_regions(tmp_path / "d.csv")


def test_masks_and_keypoints_survive_the_disk(tmp_path: Path) -> None:
    points = ((3.5, 4.25, 2.0), (0.0, 0.0, 0.0))
    body = Region((1, 2, 20, 28), "body", source="annotated", mask=Mask.pack(DISC), keypoints=points)
    found = {"a.jpg": [body, Region((0, 0, 4, 4), score=0.5)], "b.jpg": [], "c.jpg": [replace(body, mask=None)]}
    write_regions(tmp_path / "d.csv", found)
    assert (tmp_path / "d.csv").read_text().startswith(f"{HEADER[:-1]},mask,keypoints\n")
    assert read_regions(tmp_path / "d.csv") == found
    write_regions(tmp_path / "d.csv", {"a.jpg": [replace(body, mask=None)]})
    assert (tmp_path / "d.csv").read_text().startswith(f"{HEADER[:-1]},keypoints\n")
    assert read_regions(tmp_path / "d.csv") == {"a.jpg": [replace(body, mask=None)]}


def test_bad_keypoints_are_reported_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(f"{HEADER[:-1]},keypoints\na.jpg,0,1,2,3,4,1,body,found,1 2 2;3 4\n")
    with pytest.raises(DataError, match=r"d\.csv:2: column keypoints has '3 4'; expected x, y and visibility"):
        read_regions(tmp_path / "d.csv")


def test_a_region_comes_back_from_json_as_it_was() -> None:
    body = Region((1.123456789, 2, 3, 4), "body", 1 / 3, "annotated", Mask.pack(DISC), ((1.5, 2.5, 1.0),))
    for region in (body, Region((0, 0, 1, 1), score=0.0, source="default")):
        assert region_from_json(region_as_json(region)) == region
        assert hash(region) == hash(region_from_json(region_as_json(region)))
