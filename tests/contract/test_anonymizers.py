"""What every anonymizer must do, whoever wrote it."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from anonbench.anonymizers import Anonymizer, Box
from anonbench.anonymizers._apply import anonymize_image
from anonbench.errors import ConfigError
from anonbench.images import RGB
from anonbench.registry import ANONYMIZERS

HEIGHT, WIDTH = 48, 40
BOXES: dict[str, Box] = {
    "inside": (9, 7, 24, 27),
    "upper left corner": (0, 0, 14, 18),
    "lower right corner": (26, 30, 40, 48),
    "left edge": (0, 10, 13, 26),
    "right edge": (27, 10, 40, 26),
    "upper edge": (10, 0, 24, 17),
    "lower edge": (10, 31, 24, 48),
    "full width": (0, 12, 40, 30),
    "full height": (12, 0, 30, 48),
    "whole image": (0, 0, 40, 48),
    "small": (11, 13, 17, 18),
}
OVERLAPPING: list[Box] = [(4, 4, 20, 24), (12, 10, 26, 30), (6, 6, 12, 12), (0, 20, 30, 34)]


@pytest.fixture(params=ANONYMIZERS.names())
def anonymizer(request: pytest.FixtureRequest) -> Anonymizer:
    return ANONYMIZERS.create({"method": request.param})


@pytest.fixture
def image() -> RGB:
    """Texture everywhere, never 0, so that no method can leave a pixel unchanged by luck along a whole line."""
    return np.random.default_rng(3).integers(1, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def rng(seed: int = 11) -> np.random.Generator:
    return np.random.default_rng(seed)


def inside(boxes: list[Box]) -> np.ndarray:
    """(H, W) bool: the pixels that some box covers."""
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    for x0, y0, x1, y1 in boxes:
        mask[y0:y1, x0:x1] = True
    return mask


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES.keys())
def test_changes_every_row_and_column_of_the_box_and_nothing_else(anonymizer: Anonymizer, image: RGB, box: Box) -> None:
    before = image.copy()
    result = anonymize_image(image, [box], anonymizer, rng())

    assert result.shape == image.shape
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(image, before, err_msg="the input was modified")
    changed = (result != image).any(axis=2)
    assert not changed[~inside([box])].any()
    x0, y0, x1, y1 = box
    assert changed[y0:y1, x0:x1].any(axis=1).all(), "a row of the box still shows what was there"
    assert changed[y0:y1, x0:x1].any(axis=0).all(), "a column of the box still shows what was there"


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES.keys())
def test_detail_falls(anonymizer: Anonymizer, image: RGB, box: Box) -> None:
    x0, y0, x1, y1 = box

    def detail(picture: RGB) -> float:
        return float(picture[y0:y1, x0:x1].astype(float).var(axis=(0, 1)).mean())

    assert detail(anonymize_image(image, [box], anonymizer, rng())) < 0.8 * detail(image)


def test_patch_shares_no_memory_with_the_image(anonymizer: Anonymizer, image: RGB) -> None:
    patch = anonymizer.redact(image, BOXES["inside"], rng())
    assert not np.shares_memory(patch, image)


def test_zero_boxes_give_an_equal_copy(anonymizer: Anonymizer, image: RGB) -> None:
    result = anonymize_image(image, [], anonymizer, rng())
    np.testing.assert_array_equal(result, image)
    assert not np.shares_memory(result, image)


@pytest.mark.parametrize("corner", [(0, 0), (17, 20), (WIDTH - 1, HEIGHT - 1)])
def test_one_pixel_box(anonymizer: Anonymizer, image: RGB, corner: tuple[int, int]) -> None:
    x, y = corner
    box = (x, y, x + 1, y + 1)
    result = anonymize_image(image, [box], anonymizer, rng())
    changed = (result != image).any(axis=2)
    assert not changed[~inside([box])].any()


@pytest.mark.parametrize("box", [(5, 5, 6, 30), (5, 5, 30, 6), (0, 0, 1, HEIGHT), (0, HEIGHT - 1, WIDTH, HEIGHT)])
def test_one_pixel_wide_or_high_box(anonymizer: Anonymizer, image: RGB, box: Box) -> None:
    changed = (anonymize_image(image, [box], anonymizer, rng()) != image).any(axis=2)
    assert not changed[~inside([box])].any()


def test_one_pixel_image(anonymizer: Anonymizer) -> None:
    image = np.full((1, 1, 3), 77, dtype=np.uint8)
    assert anonymize_image(image, [(0, 0, 1, 1)], anonymizer, rng()).shape == (1, 1, 3)


def test_overlapping_boxes_are_all_hidden(anonymizer: Anonymizer, image: RGB) -> None:
    changed = (anonymize_image(image, OVERLAPPING, anonymizer, rng()) != image).any(axis=2)
    assert not changed[~inside(OVERLAPPING)].any()
    for x0, y0, x1, y1 in OVERLAPPING:
        assert changed[y0:y1, x0:x1].any(axis=1).all()
        assert changed[y0:y1, x0:x1].any(axis=0).all()


def test_order_and_repetition_of_boxes_do_not_matter(anonymizer: Anonymizer, image: RGB) -> None:
    expected = anonymize_image(image, OVERLAPPING, anonymizer, rng())
    for order in itertools.permutations(OVERLAPPING):
        np.testing.assert_array_equal(anonymize_image(image, order, anonymizer, rng()), expected)
    np.testing.assert_array_equal(anonymize_image(image, OVERLAPPING * 2, anonymizer, rng()), expected)


def test_repeatable(anonymizer: Anonymizer, image: RGB) -> None:
    first = anonymize_image(image, OVERLAPPING, anonymizer, rng(5))
    second = anonymize_image(image, OVERLAPPING, anonymizer, rng(5))
    np.testing.assert_array_equal(first, second)


def test_flat_image_stays_in_range(anonymizer: Anonymizer) -> None:
    """Rounding must not wrap round: white stays white (or becomes what the method paints), never 0 by overflow."""
    for level in (0, 255):
        image = np.full((HEIGHT, WIDTH, 3), level, dtype=np.uint8)
        result = anonymize_image(image, list(BOXES.values()), anonymizer, rng())
        if ANONYMIZERS.get("zero") is not type(anonymizer):
            np.testing.assert_array_equal(result, image)


def test_is_frozen_and_equal_by_value(anonymizer: Anonymizer) -> None:
    """Plug-ins travel to worker processes and into provenance stamps: they are values."""
    assert dataclasses.is_dataclass(anonymizer)
    assert anonymizer == type(anonymizer)()
    assert hash(anonymizer) == hash(type(anonymizer)())


def test_unknown_parameter_is_refused_by_name(anonymizer: Anonymizer) -> None:
    name = next(n for n in ANONYMIZERS.names() if ANONYMIZERS.get(n) is type(anonymizer))
    with pytest.raises(ConfigError, match=f"anonymizer '{name}' has no parameter 'no_such_thing'"):
        ANONYMIZERS.create({"method": name, "no_such_thing": 1})


@pytest.mark.parametrize("bad", [-1, float("nan"), "wide"])
def test_bad_values_are_refused_with_name_and_value(anonymizer: Anonymizer, bad: object) -> None:
    name = next(n for n in ANONYMIZERS.names() if ANONYMIZERS.get(n) is type(anonymizer))
    for field in dataclasses.fields(type(anonymizer)):  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match=rf"anonymizer '{name}': {field.name} must be .*, got {bad!r}"):
            ANONYMIZERS.create({"method": name, field.name: bad})
