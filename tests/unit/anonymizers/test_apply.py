"""Pasting patches."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from anonbench.anonymizers import Box
from anonbench.anonymizers._apply import anonymize_image
from anonbench.data.images import RGB

IMAGE = np.full((6, 8, 3), 9, dtype=np.uint8)


@dataclass(frozen=True)
class Count:
    """Paints 100 + (how many boxes it has seen), so that the order of pasting shows."""

    seen: list[Box] = field(default_factory=list)

    def redact(self, image: RGB, box: Box, rng: np.random.Generator) -> RGB:
        self.seen.append(box)
        x0, y0, x1, y1 = box
        return np.full((y1 - y0, x1 - x0, 3), 99 + len(self.seen), dtype=np.uint8)


def test_smallest_first_and_largest_on_top() -> None:
    large, small, left = (0, 0, 6, 4), (2, 2, 4, 4), (1, 1, 3, 3)
    count = Count()
    result = anonymize_image(IMAGE, [large, small, left, small], count, np.random.default_rng(0))
    assert count.seen == [left, small, large]
    assert (result[0:4, 0:6] == 102).all()
    assert (result[4:] == 9).all()


def test_each_patch_sees_the_original() -> None:
    @dataclass(frozen=True)
    class Brighter:
        def redact(self, image: RGB, box: Box, rng: np.random.Generator) -> RGB:
            x0, y0, x1, y1 = box
            return image[y0:y1, x0:x1] + np.uint8(1)

    result = anonymize_image(IMAGE, [(0, 0, 4, 4), (2, 2, 6, 6)], Brighter(), np.random.default_rng(0))
    assert result.max() == 10


def test_a_plug_in_cannot_write_into_the_image() -> None:
    @dataclass(frozen=True)
    class Scribble:
        def redact(self, image: RGB, box: Box, rng: np.random.Generator) -> RGB:
            image[:] = 0
            return image

    with pytest.raises(ValueError, match="read-only"):
        anonymize_image(IMAGE, [(0, 0, 2, 2)], Scribble(), np.random.default_rng(0))
    assert (IMAGE == 9).all()


@pytest.mark.parametrize("box", [(-1, 0, 2, 2), (0, 0, 9, 2), (0, 0, 2, 7), (3, 0, 3, 2), (4, 0, 3, 2)])
def test_box_outside_the_image(box: Box) -> None:
    with pytest.raises(ValueError, match=r"is empty or not inside the 8x6 image; use images\.clip_box first"):
        anonymize_image(IMAGE, [box], Count(), np.random.default_rng(0))


@pytest.mark.parametrize("patch", [np.zeros((2, 3, 3), np.uint8), np.zeros((2, 2, 3)), np.zeros((2, 2), np.uint8)])
def test_what_is_no_patch_is_refused(patch: np.ndarray) -> None:
    @dataclass(frozen=True, eq=False)
    class Wrong:
        def redact(self, image: RGB, box: Box, rng: np.random.Generator) -> RGB:
            return patch

    with pytest.raises(ValueError, match=r"Wrong\.redact returned .* expected uint8 of shape \(2, 2, 3\)"):
        anonymize_image(IMAGE, [(0, 0, 2, 2)], Wrong(), np.random.default_rng(0))
