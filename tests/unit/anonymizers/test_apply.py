"""Pasting patches."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from anonbench.anonymizers._apply import anonymize_image, anonymize_images, in_order
from anonbench.data.images import RGB
from anonbench.data.masks import Mask
from anonbench.data.regions import Box, Region

IMAGE = np.full((6, 8, 3), 9, dtype=np.uint8)


@dataclass(frozen=True)
class Count:
    """Paints 100 + (how many boxes it has seen), so that the order of pasting shows."""

    seen: list[Box] = field(default_factory=list)

    def redact(self, image: RGB, region: Region, rng: np.random.Generator) -> RGB:
        self.seen.append(region.pixels)
        x0, y0, x1, y1 = region.pixels
        return np.full((y1 - y0, x1 - x0, 3), 99 + len(self.seen), dtype=np.uint8)


def test_smallest_first_and_largest_on_top() -> None:
    large, small, left = (0, 0, 6, 4), (2, 2, 4, 4), (1, 1, 3, 3)
    count = Count()
    result = anonymize_image(IMAGE, map(Region, [large, small, left, small]), count, np.random.default_rng(0))
    assert count.seen == [left, small, large]
    assert (result[0:4, 0:6] == 102).all()
    assert (result[4:] == 9).all()


def test_of_masks_their_own_pixels_count() -> None:
    """Somebody thin in a large box, and in front of him somebody larger in a smaller box."""
    thin, large = np.zeros((6, 8), bool), np.zeros((6, 8), bool)
    np.fill_diagonal(thin, True)  # 6 pixels in a box of 36
    large[2:5, 2:6] = True  # 12 pixels
    behind, before = Region((0, 0, 6, 6), mask=Mask.pack(thin)), Region((2, 2, 6, 5), mask=Mask.pack(large))
    assert in_order([before, behind]) == [behind, before]
    assert (Mask.pack(thin).area, Mask.pack(large).area) == (6, 12)
    result = anonymize_image(IMAGE, [before, behind], Count(), np.random.default_rng(0))
    assert (result[2:5, 2:6] == 101).all()
    assert result[0, 0, 0] == result[5, 5, 0] == 100


def test_each_patch_sees_the_original() -> None:
    @dataclass(frozen=True)
    class Brighter:
        def redact(self, image: RGB, region: Region, rng: np.random.Generator) -> RGB:
            x0, y0, x1, y1 = region.pixels
            return image[y0:y1, x0:x1] + np.uint8(1)

    result = anonymize_image(IMAGE, [Region((0, 0, 4, 4)), Region((2, 2, 6, 6))], Brighter(), np.random.default_rng(0))
    assert result.max() == 10


def test_a_plug_in_cannot_write_into_the_image() -> None:
    @dataclass(frozen=True)
    class Scribble:
        def redact(self, image: RGB, region: Region, rng: np.random.Generator) -> RGB:
            image[:] = 0
            return image

    with pytest.raises(ValueError, match="read-only"):
        anonymize_image(IMAGE, [Region((0, 0, 2, 2))], Scribble(), np.random.default_rng(0))
    assert (IMAGE == 9).all()


@pytest.mark.parametrize("box", [(-1, 0, 2, 2), (0, 0, 9, 2), (0, 0, 2, 7), (3, 0, 3, 2), (4, 0, 3, 2)])
def test_box_outside_the_image(box: Box) -> None:
    with pytest.raises(ValueError, match=r"is empty or not inside the 8x6 image; use regions\.clip_region first"):
        anonymize_image(IMAGE, [Region(box)], Count(), np.random.default_rng(0))


@pytest.mark.parametrize("patch", [np.zeros((2, 3, 3), np.uint8), np.zeros((2, 2, 3)), np.zeros((2, 2), np.uint8)])
def test_what_is_no_patch_is_refused(patch: np.ndarray) -> None:
    @dataclass(frozen=True, eq=False)
    class Wrong:
        def redact(self, image: RGB, region: Region, rng: np.random.Generator) -> RGB:
            return patch

    with pytest.raises(ValueError, match=r"Wrong\.redact returned .* expected uint8 of shape \(2, 2, 3\)"):
        anonymize_image(IMAGE, [Region((0, 0, 2, 2))], Wrong(), np.random.default_rng(0))


# --- masks and order ---

LEFT = np.zeros((6, 8), bool)
LEFT[:, :3] = True


def test_of_a_region_with_a_mask_only_the_masked_pixels_are_pasted() -> None:
    result = anonymize_image(IMAGE, [Region((1, 1, 5, 5), mask=Mask.pack(LEFT))], Count(), np.random.default_rng(0))
    changed = (result != IMAGE).any(axis=2)
    assert changed[1:5, 1:3].all()
    assert changed.sum() == 8


def test_a_mask_of_another_image_is_refused() -> None:
    region = Region((1, 1, 5, 5), mask=Mask.pack(LEFT[:, :7]))
    with pytest.raises(ValueError, match=r"a mask of 7x6 pixels in an image of 8x6; expected one of the whole image"):
        anonymize_image(IMAGE, [region], Count(), np.random.default_rng(0))


def test_what_covers_the_same_pixels_counts_once_and_the_order_is_always_the_same() -> None:
    box = (1, 1, 5, 5)
    likely, masked = Region(box, score=0.9), Region(box, "body", mask=Mask.pack(LEFT))
    regions = [Region(box, score=0.2), masked, Region((0, 0, 1, 1)), likely]
    for order in itertools.permutations(regions):
        assert in_order(order) == [Region((0, 0, 1, 1)), likely, masked]


# --- the learned form ---


@dataclass(frozen=True)
class Whole:
    """Returns what `made` makes of the images."""

    made: Callable[[list[RGB]], list[RGB]]
    weights: str = ""
    batch: int = 2

    def anonymize_batch(self, images: Any, regions: Any, rngs: Any) -> list[RGB]:
        return self.made([image.copy() for image in images])


def hide_two(made: Callable[[list[RGB]], list[RGB]]) -> list[RGB]:
    """One image with a region, one without."""
    generators = [np.random.default_rng(n) for n in range(2)]
    return anonymize_images([IMAGE, IMAGE], [[Region((0, 0, 8, 3))], []], Whole(made), generators)


def paint(images: list[RGB]) -> list[RGB]:
    for image in images:
        image[:3] = 200
    return images


def test_images_without_a_region_are_not_shown_to_the_network() -> None:
    shown: list[int] = []
    first, second = hide_two(lambda images: shown.append(len(images)) or paint(images))  # type: ignore[func-returns-value]
    assert shown == [1]
    assert (first[:3] == 200).all()
    assert (first[3:] == 9).all()
    assert (second == IMAGE).all()
    assert not np.shares_memory(second, IMAGE)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda images: [], "Whole.anonymize_batch returned 0 images; expected 1"),
        (
            lambda images: [i[1:] for i in paint(images)],
            r"returned uint8 of shape \(5, 8, 3\); expected uint8 of",
        ),
        (lambda images: [i / 255 for i in paint(images)], "returned float64 of shape"),
        (lambda images: [i + np.uint8(1) for i in paint(images)], "changed pixels outside the regions; paste what it"),
    ],
)
def test_what_is_no_picture_is_refused(made: Callable[[list[RGB]], list[RGB]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hide_two(made)
