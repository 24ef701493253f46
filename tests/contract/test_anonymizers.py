"""What every anonymizer must do, whoever wrote it: the promises of `anonbench check`, and more for our own."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from anonbench.anonymizers import ANONYMIZERS, Anonymizer
from anonbench.anonymizers._apply import anonymize_image
from anonbench.anonymizers._contract import (
    BOXES,
    CONTRACT,
    HEIGHT,
    WIDTH,
    AnonymizerSubject,
    noise,
)
from anonbench.core.contract import Promise
from anonbench.core.errors import ConfigError
from anonbench.data.images import RGB
from anonbench.data.regions import Box, Region


@pytest.fixture(params=ANONYMIZERS.names())
def subject(request: pytest.FixtureRequest) -> AnonymizerSubject:
    return AnonymizerSubject(request.param, {})


@pytest.fixture
def anonymizer(subject: AnonymizerSubject) -> Anonymizer:
    return subject.anonymizer


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.mark.parametrize("promise", CONTRACT.promises, ids=str)
def test_keeps_its_promise(subject: AnonymizerSubject, promise: Promise[AnonymizerSubject]) -> None:
    promise(subject)


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES.keys())
def test_detail_falls(anonymizer: Anonymizer, box: Box) -> None:
    """Ours smooth or paint over; an outside one may put a pattern there."""
    x0, y0, x1, y1 = box

    def detail(picture: RGB) -> float:
        return float(picture[y0:y1, x0:x1].astype(float).var(axis=(0, 1)).mean())

    assert detail(anonymize_image(noise(), [Region(box)], anonymizer, rng())) < 0.8 * detail(noise())


def test_zero_boxes_give_an_equal_copy(anonymizer: Anonymizer) -> None:
    image = noise()
    result = anonymize_image(image, [], anonymizer, rng())
    np.testing.assert_array_equal(result, image)
    assert not np.shares_memory(result, image)


def test_flat_image_stays_in_range(anonymizer: Anonymizer) -> None:
    """Rounding must not wrap round: white stays white (or becomes what the method paints), never 0 by overflow."""
    for level in (0, 255):
        image = np.full((HEIGHT, WIDTH, 3), level, dtype=np.uint8)
        boxes = [box for box in BOXES.values() if box != (0, 0, WIDTH, HEIGHT)]  # no surroundings to fill it from
        result = anonymize_image(image, map(Region, boxes), anonymizer, rng())
        if ANONYMIZERS.get("zero") is not type(anonymizer):
            np.testing.assert_array_equal(result, image)


def test_unknown_parameter_is_refused_by_name(subject: AnonymizerSubject) -> None:
    with pytest.raises(ConfigError, match=f"anonymizer '{subject.name}' has no parameter 'no_such_thing'"):
        subject.create(no_such_thing=1)


@pytest.mark.parametrize("bad", [-1, float("nan"), "wide"])
def test_bad_values_are_refused_with_name_and_value(subject: AnonymizerSubject, bad: object) -> None:
    for field in dataclasses.fields(type(subject.anonymizer)):  # type: ignore[arg-type]
        refused = rf"(must be .*, got {bad!r}|is .*{bad}.*; expected )"  # by the class, or for its type
        with pytest.raises(ConfigError, match=rf"anonymizer '{subject.name}': {field.name} {refused}"):
            subject.create(**{field.name: bad})
