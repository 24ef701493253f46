"""Augmentation of whole batches."""

import itertools

import numpy as np
import pytest
import torch
from PIL import Image

from anonbench.tasks.reid import augmentation
from anonbench.tasks.reid.augmentation import (
    MEAN,
    Augmentation,
    erase,
    normalize,
    pad_and_crop,
    random_rectangles,
)

OFF = Augmentation(flip=0, translate=0)


@pytest.fixture
def images() -> torch.Tensor:
    """(64, 3, 32, 16) uint8, stored channels last as `load_images` does."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 32, 16, 3), dtype=np.uint8)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def test_normalization_is_torchvisions(images: torch.Tensor) -> None:
    expected = (images.double() / 255 - torch.tensor(MEAN, dtype=torch.float64).view(3, 1, 1)) / torch.tensor(
        augmentation.STD, dtype=torch.float64
    ).view(3, 1, 1)
    torch.testing.assert_close(normalize(images).double(), expected, atol=1e-6, rtol=1e-6)


def test_everything_off_only_normalizes(images: torch.Tensor) -> None:
    found = OFF.apply(images, seed=0)
    assert found.dtype == torch.float32
    assert found.shape == images.shape
    torch.testing.assert_close(found, normalize(images), rtol=0, atol=0)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_parts_of_a_batch_change_as_the_whole_does(count: int, images: torch.Tensor) -> None:
    everything = Augmentation(pad_crop=3, erase=0.7)
    whole = everything.apply(images, seed=4)
    edges = np.linspace(0, len(images), count + 1).astype(int)
    parts = [slice(start, stop) for start, stop in itertools.pairwise(edges)]
    found = torch.cat([everything.apply(images[part], 4, part, len(images)) for part in parts])
    assert torch.equal(found, whole)


def test_flip_always(images: torch.Tensor) -> None:
    found = Augmentation(flip=1, translate=0).apply(images, seed=0)
    torch.testing.assert_close(found, normalize(images.flip(3)), rtol=0, atol=0)


def test_flip_half_of_the_time(images: torch.Tensor) -> None:
    found = Augmentation(flip=0.5, translate=0).apply(images, seed=0)
    same = (found == normalize(images)).flatten(1).all(dim=1)
    flipped = (found == normalize(images.flip(3))).flatten(1).all(dim=1)
    assert (same ^ flipped).all()
    assert 16 <= same.sum() <= 48


def test_translation_is_pillows_resize_and_a_crop(images: torch.Tensor) -> None:
    found = augmentation.translate(images[:4].float(), torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.5, 0.5]]))
    corners = [(0, 0), (4, 2), (0, 2), (2, 1)]
    for image, got, (y, x) in zip(images[:4], found, corners, strict=True):
        large = Image.fromarray(image.permute(1, 2, 0).numpy()).resize((18, 36), Image.Resampling.BILINEAR)
        expected = torch.from_numpy(np.array(large)).permute(2, 0, 1)[:, y : y + 32, x : x + 16].float()
        assert (got - expected).abs().max() <= 1.01  # Pillow rounds twice, to whole grey values


def test_translation_with_probability_one_moves_every_image(images: torch.Tensor) -> None:
    found = Augmentation(flip=0, translate=1).apply(images, seed=0)
    assert not (found == normalize(images)).flatten(1).all(dim=1).any()


def test_pad_and_crop_shifts_and_fills_with_black(images: torch.Tensor) -> None:
    found = pad_and_crop(images[:2].float(), 3, torch.tensor([[0, 6], [3, 3]]))
    assert (found[0, :, :3] == 0).all()
    assert (found[0, :, :, -3:] == 0).all()
    torch.testing.assert_close(found[0, :, 3:, :-3], images[0, :, :-3, 3:].float())
    torch.testing.assert_close(found[1], images[1].float())


@pytest.mark.parametrize(("fill", "expected"), [("mean", (0.0, 0.0, 0.0)), ("unnormalized_mean", MEAN)])
def test_erasing_fills_one_rectangle_in_every_image(
    images: torch.Tensor, fill: str, expected: tuple[float, float, float]
) -> None:
    found = Augmentation(flip=0, translate=0, erase=1, erase_fill=fill).apply(images, seed=3)
    changed = (found != normalize(images)).any(dim=1)  # (B, H, W)
    assert changed.flatten(1).any(dim=1).all()
    for image, mask in zip(found, changed, strict=True):
        rows, columns = mask.any(dim=1).nonzero().flatten(), mask.any(dim=0).nonzero().flatten()
        area = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
        assert mask.sum() == area
        torch.testing.assert_close(image[:, mask], torch.tensor(expected)[:, None].expand(3, int(area)))


def test_erased_areas_and_ratios_lie_within_their_bounds() -> None:
    height, width, count = 128, 64, 4000
    settings = Augmentation(erase=1)
    boxes = random_rectangles(count, height, width, settings, torch.Generator().manual_seed(0))
    tall, wide = (boxes.bottom - boxes.top).double(), (boxes.right - boxes.left).double()
    share = tall * wide / (height * width)
    assert (boxes.top >= 0).all()
    assert (boxes.left >= 0).all()
    assert (boxes.bottom <= height).all()
    assert (boxes.right <= width).all()
    assert ((tall < height) & (wide < width)).all()
    assert share.min() >= 0.02 * 0.9  # sides are rounded to whole pixels
    assert share.max() <= 0.4 * 1.02
    assert (tall / wide).min() >= 0.3 * 0.85
    assert (tall / wide).max() <= 3.33 * 1.15
    assert share.max() > 0.37
    assert share.min() < 0.025
    assert boxes.top.min() == 0
    assert boxes.right.max() == width


def test_erasing_happens_with_its_probability() -> None:
    boxes = random_rectangles(4000, 32, 16, Augmentation(erase=0.25), torch.Generator().manual_seed(0))
    assert (boxes.bottom > boxes.top).double().mean().item() == pytest.approx(0.25, abs=0.03)


def test_an_empty_rectangle_erases_nothing(images: torch.Tensor) -> None:
    boxes = random_rectangles(len(images), 32, 16, Augmentation(erase=0), torch.Generator().manual_seed(0))
    x = normalize(images)
    assert torch.equal(erase(x, boxes, MEAN), x)


def test_the_seed_decides(images: torch.Tensor) -> None:
    settings = Augmentation(flip=0.5, translate=0.5, pad_crop=4, erase=0.5)
    first, same, other = (settings.apply(images, seed) for seed in (7, 7, 8))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert first.isfinite().all()
