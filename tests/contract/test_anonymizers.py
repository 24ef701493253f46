"""What every anonymizer must do, whoever wrote it: the promises of `anonbench check`, and more for our own."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from anonbench.anonymizers import ANONYMIZERS
from anonbench.anonymizers._contract import BOXES, CONTRACT, WHOLE, AnonymizerSubject
from anonbench.core.contract import Promise
from anonbench.core.errors import ConfigError
from anonbench.data.images import RGB
from anonbench.training.generators import UNet, save_generator
from anonbench.training.inpainter import Inpainter, InpainterSettings, Styles, save_inpainter

NOISY = ("gaussian_noise",)  # they hide under detail instead of taking it away
ONE_COLOUR = ("mask_out", "zero")  # whatever was there


@pytest.fixture(scope="module")
def generators(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """New generators that halve a picture three times, of the anonymizers that need one."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(1)
    save_generator(folder / "pix2pix.pt", UNet(levels=3, width=8), {})
    inpainter = Inpainter(InpainterSettings(size=(32, 16), levels=3, width=8, z=8, style=16))
    save_inpainter(folder / "gan_inpaint.pt", inpainter, Styles(torch.zeros(16), torch.zeros(1, 16)), {})
    return {file.stem: str(file) for file in folder.iterdir()}


@pytest.fixture(params=ANONYMIZERS.names())
def subject(request: pytest.FixtureRequest, generators: dict[str, str]) -> AnonymizerSubject:
    name = request.param
    return AnonymizerSubject(name, {"weights": generators[name]} if name in generators else {})


@pytest.mark.parametrize("promise", CONTRACT.promises, ids=str)
def test_keeps_its_promise(subject: AnonymizerSubject, promise: Promise[AnonymizerSubject]) -> None:
    promise(subject)


@pytest.mark.parametrize("where", BOXES)
def test_detail_falls(subject: AnonymizerSubject, where: str) -> None:
    """Ours smooth or paint over; an outside one may put a pattern there. Noise does the opposite."""
    if where not in subject.boxes:
        pytest.skip("it hides whole pictures alone")
    x0, y0, x1, y1 = subject.boxes[where]

    def detail(picture: RGB) -> float:
        crop = picture[y0:y1, x0:x1].astype(float)
        return float((np.diff(crop, axis=0) ** 2).mean() + (np.diff(crop, axis=1) ** 2).mean())

    before, after = detail(subject.image), detail(subject.hide(subject.image, [(x0, y0, x1, y1)]))
    assert after > 1.2 * before if subject.name in NOISY else after < 0.8 * before


def test_zero_boxes_give_an_equal_copy(subject: AnonymizerSubject) -> None:
    result = subject.hide(subject.image, [])
    np.testing.assert_array_equal(result, subject.image)
    assert not np.shares_memory(result, subject.image)


def test_flat_image_stays_in_range(subject: AnonymizerSubject) -> None:
    """Rounding must not wrap round: white stays white (or becomes what the method paints), never 0 by overflow."""
    if subject.is_learned:
        pytest.skip("a new generator paints what it likes")
    for level in (0, 255):
        image = np.full_like(subject.image, level)
        boxes = [box for where, box in BOXES.items() if where != WHOLE]  # no surroundings to fill it from
        result = subject.hide(image, boxes)
        if subject.name in NOISY:  # clipping leaves half of the values at the end of the range
            x0, y0, x1, y1 = boxes[0]
            assert 0.4 < (result[y0:y1, x0:x1] == level).mean() < 0.6
            assert (np.abs(result.astype(int) - level) < 255).mean() > 0.97  # 255 is two standard deviations
        elif subject.name not in ONE_COLOUR:
            np.testing.assert_array_equal(result, image)


def test_unknown_parameter_is_refused_by_name(subject: AnonymizerSubject) -> None:
    with pytest.raises(ConfigError, match=f"anonymizer '{subject.name}' has no parameter 'no_such_thing'"):
        subject.create(no_such_thing=1)


@pytest.mark.parametrize("bad", [-1, float("nan"), "wide"])
def test_bad_values_are_refused_with_name_and_value(subject: AnonymizerSubject, bad: Any) -> None:
    for field in dataclasses.fields(type(subject.anonymizer)):
        if field.name.endswith("weights") and isinstance(bad, str):
            continue  # the name of a file that may be there later
        refused = rf"(must be .*, got {bad!r}|is .*{bad}.*; expected )"  # by the class, or for its type
        with pytest.raises(ConfigError, match=rf"anonymizer '{subject.name}': {field.name} {refused}"):
            subject.create(**{field.name: bad})
