"""What remains in hidden parts: nothing of honest methods, all of a leaky one, by numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr

from anonbench.anonymizers import ANONYMIZERS
from anonbench.anonymizers._apply import anonymize_image
from anonbench.attacks._remains import (
    Remains,
    correlation,
    hidden_parts,
    likenesses,
    remains,
)
from anonbench.data.images import RGB
from anonbench.data.masks import Bits
from anonbench.data.regions import Region, clip_region, covered
from anonbench.rendered import CropPlan, RenderSpec, Studio


@pytest.fixture(scope="module")
def faces() -> list[tuple[RGB, Region]]:
    """Drawn people from the front with the boxes of their faces, enlarged as for a release."""
    studio = Studio(RenderSpec(seed=5, height_px=160, width_px=80, occluder_share=0.0, bystander_share=0.0))
    drawn = [studio.draw(CropPlan(f"query/{n}.jpg", 1, 1 + n % 6, n), view="front") for n in range(12)]
    found = []
    for crop in drawn:
        assert crop.truth.face_box is not None
        region = clip_region(Region(crop.truth.face_box), 80, 160, 1.3)
        assert region is not None
        found.append((crop.image, region))
    return found


def every_second_row(image: RGB, region: Region) -> RGB:
    x0, y0, x1, y1 = region.pixels
    copy = image.copy()
    copy[y0:y1:2, x0:x1] = 0
    return copy


def hide(method: str, image: RGB, region: Region, **parameters: object) -> RGB:
    plugin = ANONYMIZERS.create({"method": method, **parameters})
    return anonymize_image(image, [region], plugin, np.random.default_rng(0))


def compare(before: RGB, after: RGB, hidden: Bits) -> Remains:
    return remains(before, after, hidden, np.random.default_rng(0))


def test_a_case_worked_by_hand() -> None:
    before = np.zeros((8, 8, 3), np.uint8)
    before[:4] = 200
    hidden = np.zeros((8, 8), bool)
    hidden[1:7, 1:7] = True  # 18 pixels of 200, 18 of 0
    after = before.copy()
    after[1:7, 1:7] = 0  # half of it is equal; so it is in any order
    assert compare(before, after, hidden).equal == 0.0
    after[1:7, 1:7] = before[1:7, 1:7]
    found = compare(before, after, hidden)
    assert found.equal == pytest.approx(1.0)
    assert found.is_shown
    assert (found.box, found.pixels) == ((1, 1, 7, 7), 36)


@pytest.mark.parametrize("method", ["zero", "blank", "poisson_inpaint"])
def test_honest_methods_leave_nothing(faces: list[tuple[RGB, Region]], method: str) -> None:
    parts = []
    for image, region in faces:
        copy = hide(method, image, region)
        parts.append(compare(image, copy, covered([region], 160, 80)))
    assert max(part.equal for part in parts) < 0.05
    assert not any(part.is_shown for part in parts)
    assert not any(like.shows for like in likenesses(parts))


def test_every_second_row_is_caught_with_and_without_the_boxes(faces: list[tuple[RGB, Region]]) -> None:
    for image, region in faces:
        copy = every_second_row(image, region)
        assert compare(image, copy, covered([region], 160, 80)).equal == pytest.approx(0.5, abs=0.06)
        (part,) = hidden_parts(image, copy)
        assert compare(image, copy, part).is_shown


def test_a_weak_blur_is_like_its_original_and_somebody_elses_face_is_not(faces: list[tuple[RGB, Region]]) -> None:
    blurred, swapped = [], []
    for number, (image, region) in enumerate(faces):
        hidden = covered([region], 160, 80)
        copy = hide("gaussian_blur", image, region, sigma_rel=0.1)
        blurred.append(compare(image, copy, hidden))
        other, there = faces[(number + 5) % len(faces)]
        a0, b0, a1, b1 = there.pixels
        x0, y0, x1, y1 = region.pixels
        rows = np.linspace(b0, b1 - 1, y1 - y0).round().astype(int)
        columns = np.linspace(a0, a1 - 1, x1 - x0).round().astype(int)
        copy = image.copy()
        copy[y0:y1, x0:x1] = other[rows][:, columns]
        swapped.append(compare(image, copy, hidden))
    assert sum(like.shows for like in likenesses(blurred)) >= 10
    assert sum(like.shows for like in likenesses(swapped)) <= 1
    assert not any(part.is_shown for part in blurred)


def test_correlation_is_pearsons() -> None:
    rng = np.random.default_rng(0)
    a, b = (values - values.mean() for values in rng.normal(0, 9, (2, 24, 24)))
    assert correlation(a, b) == pytest.approx(pearsonr(a.ravel(), b.ravel()).statistic)
    assert correlation(a, a) == pytest.approx(1)
    assert correlation(a, np.zeros((24, 24))) == 0.0


def test_noise_of_an_encoder_is_no_hidden_part() -> None:
    rng = np.random.default_rng(0)
    before = rng.integers(40, 200, (60, 60, 3)).astype(np.uint8)
    after = before.copy()
    after[::20, ::20] += 30
    assert hidden_parts(before, after) == []
    after[10:30, 10:30] = 255
    (part,) = hidden_parts(before, after)
    assert part[10:30, 10:30].all()
    assert part.sum() == pytest.approx(400, abs=60)
