"""TinyFaces: which templates count where, decoding, the pyramid, batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tinyfaces_weights import random_network, save_random_weights
from torch import Tensor, nn

from anonbench.core.errors import ConfigError, MissingDependencyError
from anonbench.data.images import RGB
from anonbench.data.regions import Region
from anonbench.detectors import tinyfaces
from anonbench.detectors._tinyfaces.decode import decode
from anonbench.detectors._tinyfaces.network import Convention
from anonbench.detectors._tinyfaces.pyramid import level_size, pad_small, resize, to_original
from anonbench.detectors._tinyfaces.templates import HEIGHTS, WIDTHS, active_templates
from anonbench.detectors.tinyfaces import TinyFaces

A, B = set(range(4, 12)), set(range(18, 25))
ALL = torch.ones(25, dtype=torch.bool)


class Stub(nn.Module):
    """Stands for the network: answers every image with maps made from their height and width."""

    def __init__(self, answer: Callable[[int, int], Tensor], inclusive: bool = False) -> None:
        super().__init__()
        self.answer, self.convention = answer, Convention(inclusive=inclusive)
        self.mean = torch.zeros(1)
        self.sizes: list[tuple[int, ...]] = []

    def forward(self, images: Tensor) -> Tensor:
        self.sizes.append(tuple(images.shape))
        return self.answer(*images.shape[2:]).expand(len(images), -1, -1, -1)


def empty_maps(height: int, width: int) -> Tensor:
    maps = torch.zeros(1, 125, math.ceil(height / 8), math.ceil(width / 8))
    maps[:, :25] = -10
    return maps


def detector(network: nn.Module, **parameters: object) -> TinyFaces:
    made = TinyFaces(**parameters)  # type: ignore[arg-type]
    made.__dict__["_network"] = network  # where cached_property keeps it
    return made


def noise(height: int, width: int, seed: int = 0) -> RGB:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("scale", [0.25, 0.5, 0.99, 1, 1.01, 2, 4])
def test_type_a_counts_at_every_scale_and_type_b_in_enlarged_images_alone(scale: float) -> None:
    expected = A | B if scale > 1 else A
    assert set(np.flatnonzero(active_templates(scale))) == expected


@pytest.mark.parametrize("scale", [0.25, 0.5, 1, 2])
def test_planted_logits_are_found_in_the_templates_of_their_scale_and_no_others(scale: float) -> None:
    maps = empty_maps(64, 64)
    maps[0, :25, 3, 4] = 3  # all 25 at one cell
    found = decode(maps, 0.5, torch.from_numpy(active_templates(scale)))
    assert set(found.templates.tolist()) == (A | B if scale == 2 else A)


def test_small_faces_are_found_at_scale_two_and_only_there() -> None:
    """Through the whole detector: template 24 (20.3 x 22.2 pixels) is planted at every level."""

    def answer(height: int, width: int) -> Tensor:
        maps = empty_maps(height, width)
        maps[0, 24, -1, 1] = 5
        return maps

    image = noise(128, 64)
    for scale in (0.25, 0.5, 1.0):
        assert detector(Stub(answer), scales=(scale,)).detect(image) == []
    (face,) = detector(Stub(answer), scales=(0.25, 0.5, 1.0, 2.0)).detect(image)
    assert face.x1 - face.x0 == pytest.approx(20.3226 / 2)
    assert face.y1 - face.y0 == pytest.approx(22.2322 / 2)
    assert face.score == pytest.approx(1 / (1 + math.exp(-5)))


def slow_decode(maps: NDArray[np.float64], threshold: float, active: set[int]) -> list[tuple[float, ...]]:
    """The authors' test script cell by cell, corners made half-open: (image, x0, y0, x1, y1, logit, template)."""
    found = []
    images, _, rows, columns = maps.shape
    for image in range(images):
        for template in sorted(active):
            for row in range(rows):
                for column in range(columns):
                    logit, tx, ty, tw, th = maps[image, [template + 25 * n for n in range(5)], row, column]
                    if not 1 / (1 + math.exp(-logit)) > threshold:
                        continue
                    x, y = column * 8 - 1, row * 8 - 1
                    width, height = WIDTHS[template], HEIGHTS[template]
                    x, y = x + width * tx, y + height * ty
                    width, height = width * math.exp(tw), height * math.exp(th)
                    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
                    # x1, x2 = first and last pixel are learnt as x1 - 1/2 and x2 + 1/2, which is x1 .. x2 + 1 half-open
                    found.append((image, *(corner + 0.5 for corner in corners), logit, template))
    return found


@pytest.mark.parametrize("threshold", [0.03, 0.5, 0.9])
def test_decoding_equals_a_slow_loop(threshold: float) -> None:
    maps = torch.randn(2, 125, 5, 7, generator=torch.Generator().manual_seed(3)) * 1.5
    for scale in (1, 2):
        active = active_templates(scale)
        found = decode(maps, threshold, torch.from_numpy(active))
        expected = slow_decode(maps.double().numpy(), threshold, set(np.flatnonzero(active).tolist()))
        assert len(expected) > 5
        assert [tuple(row) for row in torch.stack([found.image, found.templates], 1).tolist()] == [
            (e[0], e[6]) for e in expected
        ]
        np.testing.assert_allclose(found.boxes.numpy(), [e[1:5] for e in expected], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(found.logits.numpy(), [e[5] for e in expected], rtol=1e-6)


def test_absurd_sizes_stay_finite_boxes() -> None:
    maps = empty_maps(16, 16)
    maps[0, 10, 0, 0], maps[0, 75 + 10, 0, 0], maps[0, 100 + 10, 0, 0] = 1, 1e4, -1e4
    (box,) = decode(maps, 0.5, ALL).boxes.tolist()
    assert all(map(math.isfinite, box))
    assert box[0] < box[2]
    assert box[1] < box[3]


@pytest.mark.parametrize(("scale", "size"), [(0.25, (32, 16)), (0.5, (64, 32)), (1.0, (128, 64)), (2.0, (256, 128))])
@pytest.mark.parametrize("inclusive", [False, True])
def test_boxes_come_back_to_the_original_image(scale: float, size: tuple[int, int], inclusive: bool) -> None:
    """Template 9 (41 x 46 pixels) at row 1, column 1 covers x 7.5 +- 20.5, y 7.5 +- 23 of the level."""

    def answer(height: int, width: int) -> Tensor:
        assert (height, width) == size
        maps = empty_maps(height, width)
        maps[0, 9, 1, 1] = 2
        return maps

    (face,) = detector(Stub(answer, inclusive), scales=(scale,)).detect(noise(128, 64))
    far = 1 - 1 / scale if inclusive else 0  # x2 was learnt as s x2, not as s (x2 + 1) - 1
    expected = (-13 / scale, -15.5 / scale, 28 / scale + far, 30.5 / scale + far)
    assert (face.x0, face.y0, face.x1, face.y1) == pytest.approx(expected)


def test_the_longer_side_keeps_its_own_ratio() -> None:
    assert level_size(101, 50, 0.5) == (50, 25)  # rounded to even, and 101 / 50 pixels a pixel on the way back
    boxes = to_original(np.array([[0.0, 0.0, 25.0, 50.0]]), (50, 25), (101, 50), inclusive=False)
    assert boxes.tolist() == [[0, 0, 50, 101]]


def test_levels_that_are_too_large_are_left_out_and_too_small_ones_are_padded() -> None:
    assert level_size(2501, 100, 2.0) is None
    assert level_size(2500, 100, 2.0) == (5000, 200)
    assert level_size(6000, 100, 1.0) == (6000, 100)
    assert level_size(1, 1, 0.25) == (1, 1)
    padded = pad_small(np.ones((1, 4, 20, 3), np.float32), (5.0, 6.0, 7.0))
    assert padded.shape == (1, 16, 20, 3)
    assert padded[0, 3, 0].tolist() == [1, 1, 1]
    assert padded[0, 4, 0].tolist() == [5, 6, 7]


def test_reducing_averages_and_enlarging_interpolates() -> None:
    image = np.repeat(np.array([[[0], [200]]], np.uint8), 3, axis=2).repeat(2, axis=0)  # columns 0 and 200
    assert resize(image, (1, 1)).ravel().tolist() == [100, 100, 100]
    assert resize(image, (2, 4))[0, :, 0].tolist() == [0, 50, 150, 200]
    assert resize(image, (2, 2)) is image


def test_levels_share_one_suppression() -> None:
    """The same face at scales 1 and 2, once by template 9 and once by 4: the better one stays."""

    def answer(height: int, width: int) -> Tensor:
        maps = empty_maps(height, width)
        if width == 64:
            maps[0, 9, 2, 2] = 1
        else:
            maps[0, 4, 4, 4] = 3  # 82 x 110 pixels at twice the size
        return maps

    (face,) = detector(Stub(answer), scales=(1.0, 2.0)).detect(noise(64, 64))
    assert face.score == pytest.approx(1 / (1 + math.exp(-3)))
    assert face.x1 - face.x0 == pytest.approx(41)


def test_boxes_outside_the_image_are_dropped() -> None:
    def answer(height: int, width: int) -> Tensor:
        maps = empty_maps(height, width)
        maps[0, 11, 0, 0] = maps[0, 10, 1, 1] = 2
        maps[0, 25 + 11, 0, 0] = -5  # five widths to the left
        return maps

    (face,) = detector(Stub(answer), scales=(1.0,)).detect(noise(32, 32))
    assert face.x1 - face.x0 == pytest.approx(36)


def test_images_of_equal_size_go_together_and_keep_their_places() -> None:
    def answer(height: int, width: int) -> Tensor:
        maps = empty_maps(height, width)
        maps[0, 10, height // 16, width // 16] = 2
        return maps

    stub = Stub(answer)
    images = [noise(32, 32), noise(48, 32), noise(32, 32), noise(32, 32)]
    found = detector(stub, scales=(1.0,), batch=2).detect_batch(images)
    assert stub.sizes == [(2, 3, 32, 32), (1, 3, 32, 32), (1, 3, 48, 32)]
    assert found[0] == found[2] == found[3] != found[1]
    assert all(len(faces) == 1 for faces in found)


def test_a_batch_finds_what_its_images_give_alone() -> None:
    made = detector(random_network(), trunk="resnet18", scales=(0.5, 1.0), threshold=0.9)
    images = [noise(64, 48, seed) for seed in range(3)] + [noise(40, 40, 9)]
    alone, together = [made.detect(image) for image in images], made.detect_batch(images)

    def rows(faces: list[Region]) -> list[tuple[float, ...]]:
        return sorted((f.x0, f.y0, f.x1, f.y1, f.score) for f in faces)

    assert sum(map(len, alone)) > 10
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(rows(one), rows(other), rtol=1e-3, atol=1e-3)


def test_opens_with_weights_and_refuses_to_without(tmp_path: Path) -> None:
    save_random_weights(tmp_path / "random.pt")
    find = TinyFaces(str(tmp_path / "random.pt"), "resnet18", scales=(1.0,), device="cpu").open(tmp_path)
    assert isinstance(find(noise(32, 24), "a.jpg"), list)
    with pytest.raises(MissingDependencyError, match=r"`weights:` names none(.|\n)*hr_res101\.mat(.|\n)*centerface"):
        TinyFaces().open(tmp_path)
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="torch sees no GPU"):
            TinyFaces(str(tmp_path / "random.pt"), "resnet18", device="cuda").open(tmp_path)


def test_a_batch_of_large_images_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(height: int, width: int) -> Tensor:
        maps = empty_maps(height, width)
        maps[0, 10, height // 16, width // 16] = 2
        return maps

    monkeypatch.setattr(tinyfaces, "MAX_PIXELS", 2 * 32 * 32)
    stub = Stub(answer)
    found = detector(stub, scales=(1.0, 0.5), batch=5).detect_batch([noise(32, 32, n) for n in range(5)])
    assert stub.sizes == [(2, 3, 32, 32), (2, 3, 32, 32), (1, 3, 32, 32), (5, 3, 16, 16)]
    assert all(faces == found[0] and faces for faces in found)
