"""Where a missed face is most likely; and the sheets that show it."""

from __future__ import annotations

import numpy as np
import pytest

from anonbench.data.pictures import Picture
from anonbench.data.regions import Region
from anonbench.tasks.detection.audit.sheet import (
    BOX,
    DEFAULT,
    PAPER,
    Cell,
    are_crops,
    draw_sheet,
    per_sheet,
)
from anonbench.tasks.detection.audit.suspects import (
    ELSEWHERE,
    LOW,
    NONE,
    OTHER,
    in_head_region,
    is_crop,
    rank_suspects,
)

HEAD = (26.0, 8.0, 38.0, 22.0)
KNEE = (26.0, 80.0, 38.0, 94.0)
DEFAULT_BOX = Region(HEAD, score=0.0, source="default")


def image(path: str, pid: int = 1, camera: int = 1, size: tuple[int, int] = (64, 128)) -> Picture:
    return Picture(path, "query", *size, "", {"pid": pid, "camid": camera})


def box(score: float, corners: tuple[float, float, float, float] = HEAD) -> Region:
    return Region(corners, score=score)


def test_the_order_of_reasons() -> None:
    images = [image(name) for name in ("seen", "low", "lower", "none", "knee", "other", "weaker other", "default")]
    found = {
        "seen": [box(0.9)],
        "low": [box(0.5)],
        "lower": [box(0.3)],
        "none": [],
        "knee": [box(0.9, KNEE)],
        "other": [],
        "weaker other": [],
        "default": [DEFAULT_BOX],
    }
    others = {name: [] for name in found} | {"other": [box(0.2)], "weaker other": [box(0.1)], "default": [DEFAULT_BOX]}
    ranked = rank_suspects(images, found, [others])
    assert [(s.path, s.reason) for s in ranked] == [
        ("other", OTHER),
        ("weaker other", OTHER),
        ("default", NONE),
        ("knee", ELSEWHERE),
        ("none", NONE),
        ("lower", LOW),
        ("low", LOW),
    ]
    assert [s.boxes for s in ranked] == [0, 0, 0, 1, 0, 1, 1]
    assert all(0 <= s.evidence <= 1 for s in ranked)


def test_another_detectors_box_counts_where_no_box_is_the_same_face() -> None:
    images = [image(name) for name in ("same", "second face", "faint", "knee")]
    aside = (0.0, 8.0, 10.0, 20.0)
    found = {"same": [box(0.9)], "second face": [box(0.9)], "faint": [box(0.9)], "knee": [box(0.9)]}
    others = {
        "same": [box(0.8, (27.0, 9.0, 39.0, 23.0))],
        "second face": [box(0.9), box(0.7, (12.0, 8.0, 20.0, 18.0))],
        "faint": [box(0.2, (12.0, 8.0, 20.0, 18.0))],  # a low box beside a sure one says nothing
        "knee": [box(0.9, KNEE), box(0.9, aside)],  # nor does one where no head can be
    }
    assert [(s.path, s.reason, s.evidence) for s in rank_suspects(images, found, [others])] == [
        ("second face", OTHER, 0.7)
    ]


def test_a_person_whose_other_images_show_a_face_comes_first() -> None:
    """Without a box: person 1, whose three other images have one; person 2, whose three others have none."""
    images = [image(f"{pid}-{n}", pid) for pid in (1, 2) for n in range(4)]
    found = {i.path: [box(0.9)] if i.labels["pid"] == 1 and i.path != "1-0" else [] for i in images}
    ranked = rank_suspects(images, found)
    assert ranked[0].path == "1-0"
    assert ranked[0].evidence == pytest.approx((3 + 2 * 3 / 8) / 5)
    assert [s.evidence for s in ranked[1:]] == pytest.approx([2 * 3 / 8 / 5] * 4)


def test_junk_and_distractors_are_nobody() -> None:
    images = [image("a", 0), image("b", 0), image("c", -1)]
    ranked = rank_suspects(images, {"a": [box(0.9)], "b": [], "c": []})
    assert [s.evidence for s in ranked] == [pytest.approx(1 / 3, abs=1e-4)] * 2


def test_the_head_of_a_crop_is_up_and_that_of_a_scene_anywhere() -> None:
    assert is_crop(64, 128)
    assert not is_crop(640, 480)
    assert in_head_region(box(1), 64, 128)
    assert not in_head_region(box(1, KNEE), 64, 128)
    assert not in_head_region(box(1, (0, 5, 5, 15)), 64, 128)
    assert in_head_region(box(1, (600, 400, 620, 430)), 640, 480)


# --- sheets ---


def picture(height: int, width: int, shade: int) -> np.ndarray:
    return np.full((height, width, 3), shade, np.uint8)


def count(sheet: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((sheet == np.array(colour, np.uint8)).all(axis=2).sum())


def test_a_sheet_shows_crops_with_their_heads_and_boxes_around_their_pixels() -> None:
    cells = [Cell(f"{n}", picture(128, 64, 40), [box(0.9)] if n else [DEFAULT_BOX]) for n in range(8)]
    sheet = draw_sheet(cells, "title", "", crops=True)
    assert sheet.dtype == np.uint8
    assert count(sheet, BOX) > 7 * 100  # an outline on the crop and one on the head
    assert count(sheet, DEFAULT) > 100
    plain = draw_sheet([Cell("1", picture(128, 64, 40), [])], "title", "", crops=True)
    assert count(plain, BOX) == 0
    assert plain.shape[0] < sheet.shape[0]  # one row of pictures instead of two
    inside = draw_sheet([Cell("1", picture(128, 64, 40), [box(0.9)])], "title", "", crops=True)
    shown = np.argwhere((inside == np.array(BOX, np.uint8)).all(axis=2))
    top, left = shown.min(axis=0)
    assert inside[top + 3, left + 6].tolist() == [40, 40, 40]  # the face itself stays free


def test_a_warning_is_printed_in_red() -> None:
    cells = [Cell("1", picture(128, 64, 40), [])]
    quiet, loud = (draw_sheet(cells, "title", warning, crops=True) for warning in ("", "REAL PEOPLE"))

    def red(sheet: np.ndarray) -> int:
        return int(((sheet[..., 0].astype(int) - sheet[..., 1]) > 100).sum())

    assert red(quiet) == 0
    assert red(loud) > 100


def test_scenes_are_shown_larger() -> None:
    assert are_crops([(64, 128)] * 5)
    assert not are_crops([(640, 480)] * 5 + [(64, 128)])
    assert (per_sheet(crops=True), per_sheet(crops=False)) == (36, 9)
    sheet = draw_sheet([Cell("1", picture(480, 640, 90), [box(0.9, (300, 200, 340, 250))])], "title", "", crops=False)
    assert count(sheet, (90, 90, 90)) > 200_000
    assert count(sheet, PAPER) > 0


def test_a_sheet_takes_no_more_pictures_than_it_has_places_for() -> None:
    cells = [Cell("1", picture(12, 16, 40), [])] * 10
    with pytest.raises(ValueError, match="10 pictures for one sheet; expected at most 9"):
        draw_sheet(cells, "title", "", crops=False)
    assert draw_sheet(cells, "title", "", crops=True).shape[0] > 0


def test_pictures_without_cameras_and_people() -> None:
    """As crowds are: all from one camera, and nobody's other images speak for them."""
    images = [Picture(f"{n}", "val", 640, 480, "") for n in range(3)]
    ranked = rank_suspects(images, {"0": [box(0.9)], "1": [], "2": [box(0.3)]})
    assert [(s.path, s.camera, s.reason) for s in ranked] == [("1", 0, NONE), ("2", 0, LOW)]
